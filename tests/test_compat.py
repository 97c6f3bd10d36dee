"""Each remedy mends its fault and nothing else."""
from __future__ import annotations

import importlib.metadata
import subprocess
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest

from recbole_medmoe import compat
from recbole_medmoe.errors import MissingPackageError


def _version(monkeypatch: pytest.MonkeyPatch, package: str, version: str | None) -> None:
    real = importlib.metadata.version

    def found(name: str) -> str:
        if name != package:
            return real(name)
        if version is None:
            raise importlib.metadata.PackageNotFoundError(name)
        return version

    monkeypatch.setattr(importlib.metadata, "version", found)


def test_apply_twice_changes_nothing_more() -> None:
    from recbole.evaluator.collector import Collector

    first = compat.apply()
    mended = Collector.get_data_struct
    assert compat.apply() == first
    assert Collector.get_data_struct is mended
    assert "Collector.get_data_struct" in first


def test_config_can_be_built_on_numpy_2() -> None:
    compat.apply()
    import numpy
    from recbole.config import Config

    Config.compatibility_settings(SimpleNamespace())
    assert numpy.float(1.5) == 1.5 and numpy.bool(1) and numpy.str("a") == "a" and numpy.long(2) == 2


def test_sequential_models_leave_torchs_anomaly_mode_as_it_is() -> None:
    """In a process of its own: the file that turns it on is read once."""
    code = ("from recbole_medmoe import compat; compat.apply(); import torch; "
            "from recbole.model.sequential_recommender import SASRec, SINE; print(torch.is_anomaly_enabled())")
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                          cwd=Path(__file__).parents[1]).stdout == "False\n"


def test_dok_update_sets_entries() -> None:
    compat.apply()
    import numpy
    from scipy.sparse import dok_matrix

    matrix = dok_matrix((2, 3), dtype=numpy.float32)
    matrix._update({(0, 1): 1.0, (1, 2): 2.0})
    assert matrix.toarray().tolist() == [[0.0, 1.0, 0.0], [0.0, 0.0, 2.0]]


def test_collector_keeps_counts_and_resets_the_rest() -> None:
    compat.apply()
    import torch
    from recbole.evaluator.collector import Collector, DataStruct

    holder = SimpleNamespace(data_struct=DataStruct())
    holder.data_struct.set("data.num_items", 7)
    holder.data_struct.set("rec.items", torch.ones(2, 3))
    returned = Collector.get_data_struct(holder)
    assert returned.get("data.num_items") == 7 and returned.get("rec.items").shape == (2, 3)
    assert holder.data_struct.get("data.num_items") == 7
    assert "rec.items" not in holder.data_struct


def test_warnings_of_the_users_code_stay() -> None:
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        compat.quiet_recbole_warnings()
        warnings.warn_explicit("old", FutureWarning, "trainer.py", 1, module="recbole.trainer.trainer")
        warnings.warn_explicit("old", FutureWarning, "mine.py", 1, module="mine")
    assert [entry.filename for entry in seen] == ["mine.py"]


def test_missing_recbole_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    _version(monkeypatch, "recbole", None)
    with pytest.raises(MissingPackageError, match=r"pip install (--no-deps )?recbole==1\.2\.1"):
        compat.require_recbole()


def test_missing_recbole_on_python_312_is_installed_without_its_dependencies(monkeypatch: pytest.MonkeyPatch) -> None:
    _version(monkeypatch, "recbole", None)
    monkeypatch.setattr(sys, "version_info", (3, 12, 0))
    with pytest.raises(MissingPackageError, match=r"pip install --no-deps recbole==1\.2\.1"):
        compat.require_recbole()


def test_other_recbole_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    _version(monkeypatch, "recbole", "1.2.0")
    with pytest.raises(MissingPackageError, match="RecBole 1.2.0 is installed, 1.2.1 is needed"):
        compat.require_recbole()


def test_pandas_3_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    _version(monkeypatch, "pandas", "3.1.1")
    with pytest.raises(MissingPackageError, match="pandas 3.1.1"):
        compat.require_pandas()


def test_torchvision_imports_beside_any_torch() -> None:
    code = ("from recbole_medmoe.compat import declare_torchvision_operators as declare\n"
            "first = declare(); assert declare() is first\n"
            "import torchvision, torchvision.transforms.v2")
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).resolve().parents[1])


def test_trainer_leaves_the_working_folder_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compat.apply()
    import recbole.trainer.trainer as module

    kept = module.get_tensorboard, module.ensure_dir
    monkeypatch.chdir(tmp_path)
    with compat.without_side_effects():
        writer = module.get_tensorboard(None)
        module.ensure_dir("saved")
        writer.add_scalar("loss", 1.0, 0)
    assert list(tmp_path.iterdir()) == []
    assert (module.get_tensorboard, module.ensure_dir) == kept


def test_side_effects_come_back_after_an_error() -> None:
    compat.apply()
    import recbole.trainer.trainer as module

    kept = module.ensure_dir
    with pytest.raises(ValueError), compat.without_side_effects():
        raise ValueError
    assert module.ensure_dir is kept


def test_hyperopt_is_imported_without_setuptools_and_leaves_no_false_module() -> None:
    program = ("import sys\nfrom recbole_medmoe import compat\n"
               "hyperopt = compat.import_hyperopt()\nassert hyperopt.tpe.suggest and hyperopt.hp.choice\n"
               "module = sys.modules.get('pkg_resources')\nassert module is None or module.__spec__ is not None")
    subprocess.run([sys.executable, "-c", program], cwd=Path(__file__).resolve().parents[1], check=True)
