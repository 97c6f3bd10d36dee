"""ProfileEncoder: fitted on training rows, kept as JSON, honest about what is missing."""
from __future__ import annotations

import json
from typing import Any

import pytest

from recbole_medmoe.data import ProfileEncoder
from recbole_medmoe.errors import DataError

TYPES = {"age": "float", "sex": "token", "conditions": "token_seq", "vector": "float_seq"}
TRAIN: list[dict[str, Any]] = [{"age": 60.0, "sex": "female", "conditions": ["gout", "copd"]},
                               {"age": 80.0, "sex": "male", "conditions": ["gout"]},
                               {"age": float("nan"), "sex": "", "conditions": []}]


@pytest.fixture
def encoder() -> ProfileEncoder:
    return ProfileEncoder.fit(TRAIN, TYPES, ["age", "sex", "conditions"])


def test_floats_are_standardised_with_a_flag_for_missing(encoder: ProfileEncoder) -> None:
    assert encoder.transform(TRAIN)[:, :2].tolist() == [[-1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]


def test_tokens_and_sets_become_one_column_per_value(encoder: ProfileEncoder) -> None:
    assert encoder.transform(TRAIN)[:, 2:].tolist() == [[1, 0, 1, 1], [0, 1, 0, 1], [0, 0, 0, 0]]


def test_a_set_may_be_a_list_or_a_cell(encoder: ProfileEncoder) -> None:
    assert encoder.transform([{"conditions": "copd gout"}]).equal(encoder.transform([{"conditions": ["gout", "copd"]}]))


def test_unseen_values_give_zeros_and_are_counted(encoder: ProfileEncoder) -> None:
    row = encoder.transform([{"age": 70.0, "sex": "female", "conditions": ["gout", "plague"]}])
    assert row[0].tolist() == [0, 0, 1, 0, 0, 1]
    assert encoder.unseen["conditions"] == 1 and encoder.unseen["sex"] == 0


def test_state_survives_json(encoder: ProfileEncoder) -> None:
    again = ProfileEncoder.from_state(json.loads(json.dumps(encoder.state())))
    assert again.transform(TRAIN).equal(encoder.transform(TRAIN)) and again.width == encoder.width


def test_a_record_without_a_single_value_is_absent(encoder: ProfileEncoder) -> None:
    assert encoder.present([*TRAIN, {}, {"age": None, "sex": " "}]).tolist() == [True, True, True, False, False]


@pytest.mark.parametrize("wrong", [{"age": "old"}, {"age": True}, {"age": [1]}, {"age": float("inf")},
                                   {"conditions": [1, 2]}, {"conditions": {"gout": 1}}, {"sex": 3}])
def test_a_wrong_type_names_row_and_field_but_never_the_value(encoder: ProfileEncoder, wrong: dict[str, Any]) -> None:
    with pytest.raises(DataError, match=f"row 2: '{next(iter(wrong))}' must be of type") as error:
        encoder.transform([TRAIN[0], wrong])
    assert "old" not in str(error.value)


def test_an_unknown_column_names_the_nearest() -> None:
    with pytest.raises(DataError, match="no column 'agee'.*'age'"):
        ProfileEncoder.fit(TRAIN, TYPES, ["agee"])


def test_a_column_of_vectors_is_refused() -> None:
    with pytest.raises(DataError, match="'vector' is float_seq"):
        ProfileEncoder.fit(TRAIN, TYPES, ["vector"])


def test_no_known_float_in_training_gives_zeros() -> None:
    encoder = ProfileEncoder.fit([{"age": None}], TYPES, ["age"])
    assert encoder.transform([{"age": None}]).tolist() == [[0.0, 1.0]]
