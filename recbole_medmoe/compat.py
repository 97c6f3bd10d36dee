"""What RecBole 1.2.1 needs on today's NumPy, SciPy and torch: one function per fault, each applied once."""
from __future__ import annotations

import importlib.metadata
import importlib.util
import sys
import warnings
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, Iterator

from .errors import MissingPackageError

RECBOLE = "1.2.1"
_applied: list[str] = []
_torchvision: list[Any] = []


def apply() -> tuple[str, ...]:
    """Mends RecBole once per process; later calls do nothing.

    Returns:
        What was mended, e.g. ``("numpy names", "Collector.get_data_struct")``; a part that the installed versions do
        not need is not named.

    Raises:
        MissingPackageError: RecBole is absent or another release, or pandas is 3 or newer.
    """
    if not _applied:
        require_recbole()
        require_pandas()
        steps = {
            "numpy names": restore_numpy_names,
            "dok_matrix._update": restore_dok_update,
            "Collector.get_data_struct": mend_collector,
            "torch's anomaly mode": keep_anomaly_mode,
            "warnings": quiet_recbole_warnings,
        }
        _applied.extend(name for name, step in steps.items() if step())
    return tuple(_applied)


def require_recbole() -> None:
    """Checks the release: 1.2.1 is the newest, and its internals are what this package builds on.

    Raises:
        MissingPackageError: absent, or another release. RecBole asks for an old ray that Python 3.12 and newer can
            not install, so that there the command is ``pip install --no-deps``.
    """
    extra = "--no-deps " if sys.version_info >= (3, 12) else ""
    command = f"pip install {extra}recbole=={RECBOLE}"
    try:
        found = importlib.metadata.version("recbole")
    except importlib.metadata.PackageNotFoundError:
        raise MissingPackageError(f"RecBole is not installed; run: {command}") from None
    if found != RECBOLE:
        raise MissingPackageError(f"RecBole {found} is installed, {RECBOLE} is needed; run: {command}")


def require_pandas() -> None:
    """Checks that pandas is older than 3, whose copy-on-write lets RecBole's ``fillna(inplace=True)`` do nothing.

    Raises:
        MissingPackageError: pandas 3 or newer; features would be wrong without a word.
    """
    found = importlib.metadata.version("pandas")
    if int(found.split(".")[0]) >= 3:
        raise MissingPackageError(
            f"pandas {found} is installed; RecBole {RECBOLE} reads features wrongly with pandas 3, without an error. "
            'Run: pip install "pandas>=2.2,<3"'
        )


def restore_numpy_names() -> bool:
    """Gives NumPy 2 the three names that ``Config.compatibility_settings`` reads. Returns whether any was missing."""
    import numpy

    gone = {"float_": numpy.float64, "complex_": numpy.complex128, "unicode_": numpy.str_}
    missing = {name: kind for name, kind in gone.items() if name not in vars(numpy)}
    for name, kind in missing.items():
        setattr(numpy, name, kind)
    return bool(missing)


def restore_dok_update() -> bool:
    """Gives SciPy >= 1.13 the ``dok_matrix._update`` with which LightGCN, NGCF, NCL and others build their graph.

    Returns:
        Whether it was missing.
    """
    from scipy.sparse import dok_matrix

    if hasattr(dok_matrix, "_update"):
        return False

    def _update(self: Any, data: dict[tuple[int, int], float]) -> None:
        self._dict.update(data)

    dok_matrix._update = _update
    return True


def mend_collector() -> bool:
    """Lets ItemCoverage, GiniIndex, AveragePopularity and TailPercentage work: only tensors are moved to the CPU.

    RecBole calls ``.cpu()`` on the item count and on the popularity ``Counter`` as well, which have none.
    """
    import torch
    from recbole.evaluator.collector import Collector

    original = Collector.get_data_struct

    def get_data_struct(self: Any) -> Any:
        held = self.data_struct._data_dict
        plain = {key: value for key, value in held.items() if not isinstance(value, torch.Tensor)}
        for key in plain:
            del held[key]
        returned = original(self)
        held.update(plain)
        returned._data_dict.update(plain)
        return returned

    Collector.get_data_struct = get_data_struct
    return True


def keep_anomaly_mode() -> bool:
    """Undoes that RecBole's ``sine.py`` turns torch's anomaly mode on for the whole process.

    Every sequential model imports that file. In anomaly mode each operation of a backward pass looks for NaN and
    keeps the stack of its forward call: the same numbers, slower. Returns whether the mode had changed.
    """
    import torch

    before = torch.is_anomaly_enabled()
    importlib.import_module("recbole.model.sequential_recommender")
    changed = torch.is_anomaly_enabled() != before
    torch.autograd.set_detect_anomaly(before)
    return changed


def quiet_recbole_warnings() -> bool:
    """Hides the deprecation warnings that RecBole's own lines raise; the warnings of the user's code stay."""
    for category in (DeprecationWarning, FutureWarning, PendingDeprecationWarning):
        warnings.filterwarnings("ignore", category=category, module=r"recbole\.")
    # torch raises this one as a UserWarning, at the lines of RecBole's graph models.
    warnings.filterwarnings("ignore", message=r"torch\.sparse\.SparseTensor", module=r"recbole\.")
    return True


def declare_torchvision_operators() -> bool:
    """Makes ``import torchvision`` work beside a CPU build of torch; call it before torchvision or transformers.

    The registry's torchvision is linked to CUDA. Where its library does not load, nobody declares the two operators
    that its Python files register further, and ``import torchvision`` fails, and with it transformers' models.

    Returns:
        Whether the operators had to be declared.
    """
    if _torchvision:
        return _torchvision[0] is not None
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None or "torchvision" in sys.modules:
        _torchvision.append(None)
        return False
    import torch

    for library in sorted(Path(spec.origin).parent.glob("_C*.so")) + sorted(Path(spec.origin).parent.glob("_C*.pyd")):
        try:
            torch.ops.load_library(str(library))
        except OSError:
            break
    else:
        _torchvision.append(None)
        return False
    operators = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        operators.define(name + "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _torchvision.append(operators)  # the declaration lives as long as this reference
    return True


class _NoWriter:
    """Stands for TensorBoard's writer: takes every call and writes nothing."""

    def add_scalar(self, *args: Any, **kwargs: Any) -> None:
        """Takes one value."""

    def add_hparams(self, *args: Any, **kwargs: Any) -> None:
        """Takes the hyper-parameters."""

    def close(self) -> None:
        """Has nothing to close."""


@contextmanager
def without_side_effects() -> Iterator[None]:
    """Constructs a RecBole trainer without ``log_tensorboard/`` and ``saved/`` in the working folder.

    A trainer built inside keeps a TensorBoard writer that writes nothing. wandb starts only with ``log_wandb: true``,
    which ``MedConfig`` refuses.
    """
    import recbole.trainer.trainer as module

    kept = module.get_tensorboard, module.ensure_dir
    module.get_tensorboard = lambda logger: _NoWriter()
    module.ensure_dir = lambda path: None
    try:
        yield
    finally:
        module.get_tensorboard, module.ensure_dir = kept


def import_hyperopt() -> Any:
    """hyperopt 0.2.5, which imports setuptools' ``pkg_resources`` for a search (``atpe``) that is not used here.

    Setuptools 82 has it no more, so that an empty module stands in for it while hyperopt is imported.
    """
    lacking = importlib.util.find_spec("pkg_resources") is None
    if lacking:
        sys.modules["pkg_resources"] = ModuleType("pkg_resources")
    try:
        import hyperopt
        import hyperopt.pyll
    finally:
        if lacking:
            del sys.modules["pkg_resources"]
    return hyperopt
