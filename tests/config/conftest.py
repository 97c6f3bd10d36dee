"""A tiny data set and a tiny third party's model."""
from __future__ import annotations

import sys
from pathlib import Path

import pytest

MODEL = '''
from typing import Literal
from pydantic import BaseModel, ConfigDict, Field
from recbole.model.abstract_recommender import GeneralRecommender
from recbole.utils import InputType


class Tiny(GeneralRecommender):
    input_type = InputType.LISTWISE

    class Params(BaseModel):
        model_config = ConfigDict(extra="forbid")
        width: int = Field(ge=1, description="D")
        widths: tuple[int, ...]
        fusion: Literal["late", "concat"]

    def full_sort_predict(self, interaction):
        return None


class Loose(GeneralRecommender):
    input_type = InputType.PAIRWISE

    def __init__(self, config, dataset):
        self.depth = config["loose_depth"]


class Stranger:
    pass
'''


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with ``dataset/tinyfood`` (splits ``cold`` and ``warm``) and the module ``h1_model``."""
    folder = tmp_path / "dataset" / "tinyfood"
    folder.mkdir(parents=True)
    for split in ("cold", "warm"):
        for phase in ("train", "valid", "test"):
            (folder / f"tinyfood.{split}.{phase}.inter").write_text("user_id:token\titem_id:token\nu1\ti1\n")
    (tmp_path / "h1_model.py").write_text(MODEL)
    (tmp_path / "Tiny.yaml").write_text("width: 8  # (int) D.\nwidths: [4, 2]\nfusion: late\n")
    (tmp_path / "Loose.yaml").write_text("loose_size: 4  # (int) D.\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "h1_model", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path
