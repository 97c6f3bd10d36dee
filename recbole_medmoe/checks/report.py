"""What a check says, and the report of all of them."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

PASSED, FAILED, NOT_APPLICABLE = "passed", "failed", "not applicable"


class NotApplicable(Exception):
    """A check that means nothing for this kind of model; the message is the reason."""


class CheckFailed(Exception):
    """What a model does wrong, with its numbers."""


@dataclass(frozen=True)
class CheckLine:
    """One check's outcome.

    Attributes:
        check: its name in ``CHECKS``.
        outcome: passed, failed or not applicable.
        tells: the numbers found, or the reason.
        seconds: what the check took, the set-up that it was the first to need included.
    """

    check: str
    outcome: Literal["passed", "failed", "not applicable"]
    tells: str
    seconds: float


@dataclass(frozen=True)
class CheckReport:
    """All checks of one model.

    Attributes:
        model: as it was named.
        lines: in the order of ``CHECKS``.

    Example:
        >>> report = check_recommender("FeatureRidge")  # doctest: +SKIP
        >>> report.seconds < 10  # doctest: +SKIP
        True
    """

    model: str
    lines: tuple[CheckLine, ...]

    @property
    def seconds(self) -> float:
        """Time of all checks."""
        return sum(line.seconds for line in self.lines)

    @property
    def failures(self) -> list[CheckLine]:
        """Checks that the model does not pass."""
        return [line for line in self.lines if line.outcome == FAILED]

    def rows(self) -> list[list[str]]:
        """Check, outcome, what it found and seconds, as the command line prints them."""
        return [[line.check, line.outcome, line.tells, f"{line.seconds:.2f}"] for line in self.lines]

    def count(self, outcome: str) -> int:
        """Number of checks with this outcome."""
        return sum(line.outcome == outcome for line in self.lines)
