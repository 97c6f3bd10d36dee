"""One `Case` per model for the whole session, so that each model's expensive parts are made once."""
from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Callable, Iterator

import pytest

from recbole_medmoe.checks.case import Case
from recbole_medmoe.checks.fresh import FreshProcess

PAGE = Path(__file__).resolve().parents[2] / "docs" / "add-your-model.md"


@pytest.fixture(scope="session")
def third_party(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Folder with the model of docs/add-your-model.md, as its reader would have it."""
    folder = tmp_path_factory.mktemp("third_party")
    text = PAGE.read_text(encoding="utf-8")
    for language, file in (("python", "nearest_text.py"), ("yaml", "NearestText.yaml")):
        block, *_ = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
        (folder / file).write_text(block, encoding="utf-8")
    sys.path.insert(0, str(folder))
    yield folder
    sys.path.remove(str(folder))
    sys.modules.pop("nearest_text", None)


@pytest.fixture(scope="session")
def case(tmp_path_factory: pytest.TempPathFactory, third_party: Path) -> Iterator[Callable[[str], Case]]:
    """``case("MedMoE")``, or with a task behind it: the same one for every check of the session."""
    fresh = FreshProcess(tmp_path_factory.mktemp("fresh"))
    made: dict[str, Case] = {}

    def find(model: str) -> Case:
        if model not in made:
            name, _, task = model.partition(" ")
            made[model] = Case(name, tmp_path_factory.mktemp("case"), fresh=fresh, task=task or None)
        return made[model]

    yield find
    fresh.close()
