"""The layout of MMRec: rows with a split label, features by item number."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recbole_medmoe.atomic import read_atomic, read_vectors, validate_folder
from recbole_medmoe.checks.tiny_llama import make_llama
from recbole_medmoe.config import MedConfig
from recbole_medmoe.data import FeatureRequest, create_dataset, data_preparation
from recbole_medmoe.encoders import EncoderSpec
from recbole_medmoe.errors import DataError
from recbole_medmoe.prepare import prepare_mmrec

USERS, ITEMS = 6, 8


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """Six users, eight items; of each user the last row by time tests and the one before validates."""
    folder = tmp_path / "raw"
    folder.mkdir()
    lines = ["userID\titemID\trating\ttimestamp\tx_label"]
    for user in range(USERS):
        for place, label in enumerate((0, 0, 0, 1, 2)):
            lines.append(f"{user}\t{(user + 3 * place) % ITEMS}\t5.0\t{1000 + 10 * place + user}\t{label}")
    (folder / "tiny.inter").write_text("\n".join(lines) + "\n", encoding="utf-8")
    noise = np.random.default_rng(0)
    np.save(folder / "image_feat.npy", noise.normal(size=(ITEMS, 5)).astype(np.float32))
    np.save(folder / "text_feat.npy", noise.normal(size=(ITEMS, 3)))
    return folder


def _quiet(line: str) -> None:
    """No progress."""


def _prepare(raw: Path) -> Path:
    out = raw.parent / "data" / "tiny"
    prepare_mmrec(raw, out, _quiet)
    return out


def test_rows_follow_their_labels_and_the_folder_is_whole(raw: Path) -> None:
    out = _prepare(raw)
    validate_folder(out, splits=["labelled"])
    parts = {part: read_atomic(out / f"tiny.labelled.{part}.inter") for part in ("train", "valid", "test")}
    assert [len(rows) for rows in parts.values()] == [18, 6, 6]
    assert parts["test"].to_dict("records")[0] == {"user_id": "0", "item_id": "4", "timestamp": 1040.0}


def test_features_reach_a_model_by_item_token_and_not_by_place(raw: Path) -> None:
    out = _prepare(raw)
    config = MedConfig("SASRec", "tiny", overrides={"data_path": str(out.parent)})
    dataset = data_preparation(config, create_dataset(config))[0]._dataset
    assert config.split == "labelled" and dataset.has_times
    for modality, readout in (("image", "pool"), ("text", "mean")):
        table = dataset.features(FeatureRequest(modality, "item", modality, EncoderSpec(modality, "given", readout)))
        wanted = np.load(raw / f"{modality}_feat.npy")
        for item, token in enumerate(dataset.item_tokens[1:], start=1):
            assert np.allclose(table.matrix[item].numpy(), wanted[int(token)])
        assert table.present[1:].all() and not table.present[0]


def test_a_missing_modality_is_stated_and_asked_for_as_optional(raw: Path) -> None:
    (raw / "image_feat.npy").unlink()
    out = _prepare(raw)
    config = MedConfig("BPR", "tiny", overrides={"data_path": str(out.parent)})
    dataset = data_preparation(config, create_dataset(config))[0]._dataset
    given = EncoderSpec("image", "given", "pool")
    assert not dataset.features(FeatureRequest("image", "item", "image", given, optional=True)).present.any()
    with pytest.raises(DataError, match="item.image.npy"):
        dataset.features(FeatureRequest("image", "item", "image", given))


@pytest.mark.parametrize("rows, told", [
    (ITEMS - 2, "6 rows, and 2 items of tiny.inter have none: 6, 7"),
    (ITEMS + 3, r"11 rows, and the items of tiny.inter end at 7: 3 rows belong to no item, the first are 8, 9, 10")])
def test_another_number_of_rows_names_the_first_mismatches(rows: int, told: str, raw: Path) -> None:
    np.save(raw / "text_feat.npy", np.zeros((rows, 3)))
    with pytest.raises(DataError, match=told):
        _prepare(raw)
    assert not (raw.parent / "data" / "tiny").exists()


def test_other_ids_are_named(raw: Path) -> None:
    path = raw / "tiny.inter"
    path.write_text(path.read_text().replace("0\t3\t5.0", "0\tB00X\t5.0"), encoding="utf-8")
    with pytest.raises(DataError, match="1 items of tiny.inter are no whole numbers: 'B00X'"):
        _prepare(raw)


def _with_nan(shape: tuple[int, int]) -> np.ndarray:
    matrix = np.ones(shape)
    matrix[3, 1] = np.nan
    return matrix


@pytest.mark.parametrize("content, told", [
    (_with_nan((ITEMS, 3)), r"text_feat.npy: 1 of 8 rows hold values that are not finite \(NaN, infinity\), row 3"),
    (np.ones(ITEMS), r"this is \(8,\) of float64"),
    (np.array([["a"] * 3] * ITEMS), "rows and columns of numbers")])
def test_features_that_are_no_finite_matrix_are_refused(content: Any, told: str, raw: Path) -> None:
    np.save(raw / "text_feat.npy", content)
    with pytest.raises(DataError, match=told):
        _prepare(raw)


def test_pickled_objects_are_never_read(raw: Path) -> None:
    np.save(raw / "text_feat.npy", np.array([{"a": 1}] * ITEMS), allow_pickle=True)
    with pytest.raises(DataError, match="pickled objects are not read"):
        _prepare(raw)


@pytest.mark.parametrize("old, new, told", [
    ("x_label", "label", "line 1: no column x_label"),
    ("1000\t0", "1000\t3", "an x_label other than 0, 1 and 2 in 1 rows: line 2"),
    ("1000\t0", "soon\t0", "no number as a time in 1 rows: line 2")])
def test_wrong_tables_are_told_by_line(old: str, new: str, told: str, raw: Path) -> None:
    path = raw / "tiny.inter"
    path.write_text(path.read_text().replace(old, new), encoding="utf-8")
    with pytest.raises(DataError, match=told):
        _prepare(raw)


def test_ids_beside_the_vectors_are_checked(raw: Path) -> None:
    out, known = _prepare(raw), [str(item) for item in range(ITEMS)]
    named = out / "vectors" / "item.text.json"
    assert read_vectors(out, "item", "text", known)[0] == known
    with pytest.raises(DataError, match="1 of 8 ids are no item of the data set: '7'"):
        read_vectors(out, "item", "text", known[:7])
    named.write_text('["0", "1"]', encoding="utf-8")
    with pytest.raises(DataError, match="8 rows, and item.text.json names 2 ids; the first row without an id is row 2"):
        read_vectors(out, "item", "text", known)


def test_a_language_model_reads_such_data_without_a_single_title(raw: Path) -> None:
    out = _prepare(raw)
    llama = make_llama(raw.parent / "llama")
    config = MedConfig("AMFRec", "tiny", overrides={
        "data_path": str(out.parent), "image_encoder": "given", "text_encoder": "given", "collaborative": "none",
        "backbone": str(llama), "soft_layer": 1, "device": "cpu"})
    train, _, test = data_preparation(config, create_dataset(config))
    model = config.spec.load()(config, train._dataset)
    assert not model.item_inputs()["title"][1].any()
    assert sum(model.calculate_loss(next(iter(train)))).isfinite()
    (users, *_), = list(test)
    assert model.eval().full_sort_predict(users).isfinite().all()
