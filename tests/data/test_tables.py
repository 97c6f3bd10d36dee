"""FolderFeatures: tables by internal id from a folder's files."""
from __future__ import annotations

from pathlib import Path

import pytest
import torch

from recbole_medmoe.data import FeatureRequest, WordSpec
from recbole_medmoe.data.tables import FolderFeatures
from recbole_medmoe.encoders import EncoderSpec
from recbole_medmoe.errors import DataError, FeatureBankError

TEXT = FeatureRequest("text", "user", "text", EncoderSpec("text", "minilm-l6", "mean"))


def _store(folder: Path, users: tuple[str, ...] = ("p0003", "p0001")) -> FolderFeatures:
    return FolderFeatures(folder, {"user": ["[PAD]", *users], "item": ["[PAD]", "fig", "apple"]}, folder / "cache")


def test_rows_follow_internal_ids_and_the_first_is_absent(tiny_food: Path) -> None:
    fit = torch.tensor([False, True, True])
    one, _ = _store(tiny_food).table(TEXT, fit)
    other, _ = _store(tiny_food, ("p0001", "p0003")).table(TEXT, fit)
    assert one.present.tolist() == [False, True, True] and not one.matrix[0].any()
    assert torch.equal(one.matrix[1], other.matrix[2]) and not torch.equal(one.matrix[1], one.matrix[2])


def test_a_user_that_the_files_do_not_name_is_absent(tiny_food: Path) -> None:
    fit = torch.tensor([False, True, False])
    store = _store(tiny_food, ("p0001", "stranger"))
    for request in (TEXT, FeatureRequest("words", "user", "words", WordSpec(1, 1, 100)),
                    FeatureRequest("profile", "user", "profile")):
        assert store.table(request, fit)[0].present.tolist() == [False, True, False]


def test_fitting_looks_at_training_rows_only(tiny_food: Path) -> None:
    users = ("p0001", "p0030")
    request = FeatureRequest("age", "user", "profile", fields=("age",))
    _, state = _store(tiny_food, users).table(request, torch.tensor([False, False, True]))
    assert state == {"fields": [{"name": "age", "type": "float", "mean": 69.0, "scale": 1.0}]}


def test_codes_are_the_sets_of_tokens(tiny_food: Path) -> None:
    table, state = _store(tiny_food).table(FeatureRequest("codes", "user", "codes"), torch.ones(3, dtype=torch.bool))
    assert state is not None and {field["name"] for field in state["fields"]} == {"conditions", "medicines"}
    assert set(table.matrix.unique().tolist()) <= {0.0, 1.0}


def test_pictures_come_from_the_bank(tiny_food: Path) -> None:
    request = FeatureRequest("image", "item", "image", EncoderSpec("image", "efficientnet-lite0", "pool"))
    table, state = _store(tiny_food).table(request, torch.ones(3, dtype=torch.bool))
    assert table.matrix.shape == (3, 8) and table.present.tolist() == [False, True, True] and state is None


def test_changed_texts_are_told_as_other_content(own_food: Path) -> None:
    path = own_food / "text" / "user.jsonl"
    path.write_text(path.read_text().replace("Patient", "Person"))
    with pytest.raises(FeatureBankError, match="other content"):
        _store(own_food).table(TEXT, torch.ones(3, dtype=torch.bool))


@pytest.mark.parametrize("file, request_, told", [
    ("text/user.jsonl", TEXT, "the model reads user texts"),
    ("images.csv", FeatureRequest("image", "item", "image", EncoderSpec("image", "efficientnet-lite0", "pool")),
     "--image_encoder=null"),
    ("tinyfood.user", FeatureRequest("profile", "user", "profile"), "the model reads user columns"),
])
def test_a_missing_file_names_itself_and_the_remedy(own_food: Path, file: str, request_: FeatureRequest,
                                                    told: str) -> None:
    (own_food / file).unlink()
    with pytest.raises(DataError, match=f"{file} is missing") as error:
        _store(own_food).table(request_, torch.ones(3, dtype=torch.bool))
    assert told in str(error.value)
