"""The tiny data set with fewer rows, with one item, and with features of other encoders."""
from __future__ import annotations

from pathlib import Path

import numpy as np

from recbole_medmoe.atomic import read_atomic, validate_folder
from recbole_medmoe.checks.variants import few_users, one_item, supply_banks
from recbole_medmoe.data import FeatureRequest
from recbole_medmoe.encoders import EncoderSpec, FeatureBank, bank_name
from recbole_medmoe.encoders.obtain import encoder_key


def test_few_users_keeps_all_training_rows_of_the_first(tiny_food: Path, tmp_path: Path) -> None:
    made = few_users(tiny_food, tmp_path / "eight", "cold_patient", users=8)
    validate_folder(made, splits=["cold_patient"])
    whole = read_atomic(tiny_food / "tinyfood.cold_patient.train.inter")
    kept = read_atomic(made / "eight.cold_patient.train.inter")
    first = list(dict.fromkeys(whole["user_id"]))[:8]
    assert kept.values.tolist() == whole[whole["user_id"].isin(first)].values.tolist()


def test_one_item_leaves_a_catalogue_of_one(tiny_food: Path, tmp_path: Path) -> None:
    for split in ("cold_patient", "warm"):
        made = one_item(tiny_food, tmp_path / f"one_{split}", split)
        validate_folder(made, splits=[split])
        assert len(read_atomic(made / f"{made.name}.item")) == 1
        for phase in ("train", "valid", "test"):
            assert set(read_atomic(made / f"{made.name}.{split}.{phase}.inter")["item_id"]) == {"apple"}


def test_a_bank_of_another_encoder_is_supplied_and_follows_the_truth(own_food: Path) -> None:
    spec = EncoderSpec("text", "minilm-l6", "mean", max_tokens=64)
    path = own_food / "features" / f"{bank_name('item', spec)}.safetensors"
    assert FeatureBank.load(path).key != encoder_key(spec)
    supply_banks(own_food, [FeatureRequest("text", "item", "text", spec)])
    bank = FeatureBank.load(path)
    assert bank.key == encoder_key(spec)
    matrix = bank.matrix.astype(float)
    near = np.linalg.norm(matrix[0] - matrix[1])   # apple and banana help against the same
    assert near < np.linalg.norm(matrix[0] - matrix[3])


def test_a_bank_that_fits_is_left_alone(own_food: Path) -> None:
    spec = EncoderSpec("text", "minilm-l6", "mean")
    path = own_food / "features" / f"{bank_name('user', spec)}.safetensors"
    before = path.read_bytes()
    supply_banks(own_food, [FeatureRequest("text", "user", "text", spec), FeatureRequest("p", "user", "profile")])
    assert path.read_bytes() == before
