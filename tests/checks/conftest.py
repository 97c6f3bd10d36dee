"""The models of `broken_models`, in a folder of their own with a YAML beside each class."""
from __future__ import annotations

import importlib
import re
import shutil
import sys
from pathlib import Path
from typing import Callable, Iterator

import pytest

from recbole_medmoe.checks.checking import check_recommender
from recbole_medmoe.errors import CheckError

SOURCE = Path(__file__).with_name("broken_models.py")


@pytest.fixture(scope="session")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Name of a module that holds the models, importable by any process of this one's path."""
    folder = tmp_path_factory.mktemp("third_party")
    shutil.copy(SOURCE, folder / "third_party_models.py")
    sys.path.insert(0, str(folder))
    yaml = importlib.import_module("third_party_models").YAML
    broken = re.findall(r"^class (\w+)\(Toy(?:Visits)?\)", SOURCE.read_text(encoding="utf-8"), re.MULTILINE)
    for name in [*broken, "Toy", "ToyVisits"]:
        (folder / f"{name}.yaml").write_text(yaml + ("colour: red\n" if name == "Unlisted" else ""), encoding="utf-8")
    yield "third_party_models"
    sys.path.remove(str(folder))
    del sys.modules["third_party_models"]


@pytest.fixture
def caught(broken: str) -> Callable[[str], str]:
    """``caught("Lazy")`` -> what is said of a broken model by the check that it breaks."""

    def check(name: str) -> str:
        kind = getattr(importlib.import_module(broken), name)
        with pytest.raises(CheckError) as error:
            check_recommender(kind, only=kind.breaks)
        head = f"{broken}:{name}, {kind.breaks}: "
        assert head in str(error.value)
        return str(error.value).split(head)[1]

    return check
