"""Errors that a user can mend. The command line prints each as one message and leaves with exit code 2."""
from __future__ import annotations

import difflib
from typing import Any, Iterable, Sequence


class MedMoEError(Exception):
    """Base of every error that names a place and a remedy; anything else that is raised is a fault of ours."""


class ConfigError(MedMoEError):
    """All faults of a configuration in one error.

    Args:
        faults: one sentence each, with file and line where the value has one.
    """

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = list(faults)
        head = "1 fault" if len(self.faults) == 1 else f"{len(self.faults)} faults"
        super().__init__(f"{head} in the configuration:\n" + "\n".join(f"  - {fault}" for fault in self.faults))


class DataError(MedMoEError):
    """A data set, atomic file, picture or patient that does not keep the rules."""


class FeatureBankError(MedMoEError):
    """A feature bank that is damaged, of other content, or made by another encoder."""


class MissingPackageError(MedMoEError):
    """An optional package or a packaged model that is not installed."""


class CheckpointError(MedMoEError):
    """A trained folder that is truncated, altered, or of another class."""


class RecordError(MedMoEError):
    """A record or run folder that does not fit the schema."""


class TrainingError(MedMoEError):
    """Training that cannot go on: a loss that is not finite, or memory that ran out."""


class CheckError(MedMoEError):
    """A recommender that does not pass its checks.

    Args:
        message: model, check and numbers of each failure.
        report: the outcome of every check, a `checks.report.CheckReport`.
    """

    def __init__(self, message: str, report: Any) -> None:
        self.report = report
        super().__init__(message)


# What Python itself raises for the fault of some code; what is meant to stop the program is not among it.
_OF_PYTHON = (ArithmeticError, AssertionError, AttributeError, BufferError, EOFError, ImportError, LookupError,
              MemoryError, NameError, OSError, ReferenceError, RuntimeError, StopIteration, SyntaxError, SystemError,
              TypeError, ValueError, Warning)


class Caught:
    """``with Caught() as caught:`` ends the block at an error of the code in it and keeps it, so that a list of them
    can go on with the next one; whoever writes this must tell ``caught.error``.

    For code that is not ours: models and the libraries under them raise what they like, also bare ``Exception``
    (Hugging Face's tokenizers) and classes that derive from nothing else (safetensors, jinja2, DuckDB), so that no list
    of names is whole. Kept are errors of Python by name, `MedMoEError`, bare ``Exception``, and classes that another
    library made. All else passes: ``KeyboardInterrupt``, ``SystemExit``, a debugger's end, this package's signals.

    Attributes:
        error: what was raised; None where nothing was.
    """

    error: Exception | None = None

    def __enter__(self) -> Caught:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        if isinstance(error, (*_OF_PYTHON, MedMoEError)) or isinstance(error, Exception) and _is_foreign(type(error)):
            self.error = error
        return self.error is not None


def _is_foreign(kind: type[Exception]) -> bool:
    """Whether a class of errors is another library's, or nobody's."""
    return kind is Exception or kind.__module__.partition(".")[0] not in ("builtins", "bdb", __package__)


def nearest(name: str, valid: Iterable[str]) -> str:
    """Returns ``; did you mean 'X'?`` for the closest valid name, else the valid names, as the end of a message."""
    names = sorted(set(valid))
    lower = {known.lower(): known for known in names}
    close = difflib.get_close_matches(name.lower(), list(lower), n=2, cutoff=0.6)
    if close:
        return "; did you mean " + " or ".join(f"'{lower[match]}'" for match in close) + "?"
    shown = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
    return f"; valid: {shown}" if names else ""
