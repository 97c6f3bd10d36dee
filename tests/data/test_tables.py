"""FolderFeatures: tables by internal id from a folder's files."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from recbole_medmoe.checks.tiny_llama import make_llama
from recbole_medmoe.data import FeatureRequest, TokenSpec, WordSpec
from recbole_medmoe.data.tables import FolderFeatures
from recbole_medmoe.encoders import EncoderSpec
from recbole_medmoe.errors import DataError, FeatureBankError

TEXT = FeatureRequest("text", "user", "text", EncoderSpec("text", "minilm-l6", "mean"))
PICTURE = EncoderSpec("image", "efficientnet-lite0", "pool")


def _store(folder: Path, users: tuple[str, ...] = ("p0003", "p0001"), split: str | None = None) -> FolderFeatures:
    return FolderFeatures(folder, {"user": ["[PAD]", *users], "item": ["[PAD]", "fig", "apple"]}, folder / "cache",
                          split=split)


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


def test_texts_of_the_split_stand_in_for_the_common_ones(tiny_food: Path) -> None:
    common, own = _store(tiny_food), _store(tiny_food, split="phrasing")
    assert common.texts("user")["p0001"].startswith("Patient with")
    assert own.texts("user")["p0001"].startswith("Somebody who suffers from")
    assert own.texts("item") == common.texts("item")


def test_banks_of_such_texts_ship_in_the_splits_own_folder(own_food: Path) -> None:
    fit = torch.ones(3, dtype=torch.bool)
    assert _store(own_food, split="phrasing").table(TEXT, fit)[0].present.tolist() == [False, True, True]
    path = own_food / "text" / "phrasing" / "user.jsonl"
    path.write_text(path.read_text().replace("suffers", "is ill"))
    with pytest.raises(FeatureBankError, match="features/phrasing/user.text.*other content"):
        _store(own_food, split="phrasing").table(TEXT, fit)


def test_photos_stand_in_for_catalogue_pictures_and_an_item_without_one_is_absent(tiny_food: Path) -> None:
    store = FolderFeatures(tiny_food, {"user": ["[PAD]"], "item": ["[PAD]", "fig", "lemon"]}, tiny_food / "cache")
    table = store.other_pictures(PICTURE, "photo")
    assert table.present.tolist() == [False, True, False] and not table.matrix[2].any()
    assert not (tiny_food / "cache").exists()   # they ship in features/photo


def test_blurred_pictures_are_encoded_once_and_kept_in_the_cache(
        own_food: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def encode(spec: EncoderSpec, contents: list[Path], *_: Any) -> tuple[np.ndarray, dict[str, Any]]:
        calls.append([path.parent.name for path in contents])
        return np.arange(2.0 * len(contents)).reshape(-1, 2), {}

    monkeypatch.setattr("recbole_medmoe.encoders.obtain._encode", encode)
    tables = [_store(own_food).other_pictures(PICTURE, "blurred") for _ in range(2)]
    assert calls == [["blurred", "blurred"]] and torch.equal(tables[0].matrix, tables[1].matrix)
    assert tables[0].matrix.tolist() == [[0, 0], [0, 1], [2, 3]] and tables[0].present.tolist() == [False, True, True]


def test_a_data_set_without_photos_is_told(own_food: Path) -> None:
    path = own_food / "images.csv"
    path.write_text("".join(line for line in path.read_text().splitlines(True) if "photo" not in line))
    with pytest.raises(DataError, match="images.csv lists no picture for images = photo; .*leave images at catalogue"):
        _store(own_food).other_pictures(PICTURE, "photo")


def test_token_ids_follow_internal_ids_and_are_filled_up(tiny_food: Path, tmp_path: Path) -> None:
    request = FeatureRequest("llm", "user", "tokens", TokenSpec(str(make_llama(tmp_path)), None, 200))
    store = _store(tiny_food, ("p0003", "stranger", "p0001"))
    (matrix, present), state = store.table(request, torch.ones(4, dtype=torch.bool))
    assert matrix.dtype == torch.int64 and state is None and present.tolist() == [False, True, False, True]
    lengths = [len(store.texts("user").get(token, "")) for token in ("", "p0003", "stranger", "p0001")]
    assert (matrix >= 0).sum(1).tolist() == lengths and matrix.shape[1] == max(lengths)
    assert (matrix[[0, 2]] == -1).all()
