"""PatientFeatures: patients written by hand, checked key by key."""
from __future__ import annotations

from pathlib import Path
from typing import Any, Sequence

import numpy as np
import pytest
import torch

from recbole_medmoe.data import FeatureRequest, PatientFeatures, ProfileEncoder, TokenSpec, WordEncoder, WordSpec
from recbole_medmoe.checks.tiny_llama import make_llama
from recbole_medmoe.encoders import EncoderSpec, PromptTokenizer
from recbole_medmoe.errors import DataError

TEXT = FeatureRequest("text", "user", "text", EncoderSpec("text", "minilm-l6", "mean"))
WORDS = FeatureRequest("words", "user", "words", WordSpec(1, 1, 100))
PROFILE = FeatureRequest("profile", "user", "profile")
ITEM = FeatureRequest("text", "item", "text", EncoderSpec("text", "minilm-l6", "mean"))
PATIENT = {"text": "gout and salt", "age": 70, "conditions": ["gout"]}


class _Lengths:
    """Stands for a loaded encoder: the number of letters, three times."""

    loaded = 0

    def __init__(self, spec: EncoderSpec, **options: Any) -> None:
        type(self).loaded += 1

    def encode(self, texts: Sequence[str], **options: Any) -> np.ndarray:
        return np.array([[len(text)] * 3 for text in texts], dtype=np.float32)


@pytest.fixture
def features(monkeypatch: pytest.MonkeyPatch) -> PatientFeatures:
    monkeypatch.setattr("recbole_medmoe.data.patients.TextEncoder", _Lengths)
    monkeypatch.setattr(_Lengths, "loaded", 0)
    types = {"age": "float", "conditions": "token_seq"}
    profile = ProfileEncoder.fit([{"age": 60, "conditions": ["gout"]}, {"age": 80}], types, list(types))
    words = WordEncoder.fit(["gout", "salt"], WordSpec(1, 1, 100))
    states = {"user_profile": profile.state(), "user_words": words.state()}
    return PatientFeatures((TEXT, WORDS, PROFILE, ITEM), states, {"user_text": 3, "user_words": 2, "user_profile": 3})


def test_each_request_of_the_user_side_gets_its_features(features: PatientFeatures) -> None:
    found = features.encode([PATIENT])
    assert set(found) == {"text", "words", "profile"}
    assert found["text"][0].tolist() == [[13.0] * 3]
    assert found["profile"][0].tolist() == [[0.0, 0.0, 1.0]]
    assert torch.allclose(found["words"][0], torch.full((1, 2), 0.5**0.5))
    assert all(bool(present.all()) for _, present in found.values())


def test_the_encoder_is_loaded_once(features: PatientFeatures) -> None:
    features.encode([PATIENT])
    features.encode([PATIENT, PATIENT])
    assert _Lengths.loaded == 1


def test_a_patient_without_text_is_marked_absent(features: PatientFeatures) -> None:
    found = features.encode([PATIENT, {**PATIENT, "text": None}, {**PATIENT, "text": " "}])
    assert found["text"][1].tolist() == [True, False, False]
    assert found["text"][0].shape == (3, 3)


def test_no_text_at_all_loads_no_encoder(features: PatientFeatures) -> None:
    assert features.encode([{**PATIENT, "text": None}])["text"][0].shape == (1, 3) and _Lengths.loaded == 0


def test_unknown_values_are_written_as_none(features: PatientFeatures) -> None:
    found = features.encode([{"text": "gout", "age": None, "conditions": None}])
    assert found["profile"][0].tolist() == [[0.0, 1.0, 0.0]] and found["profile"][1].tolist() == [False]


def test_keys_tell_what_a_patient_must_have(features: PatientFeatures) -> None:
    assert features.keys == ["text", "age", "conditions"]


@pytest.mark.parametrize("patient, told", [
    ({"text": "secret", "conditions": []}, "patient 2: key 'age' is missing"),
    ({**PATIENT, "agee": 3}, "patient 2: unknown key 'agee'; did you mean 'age'"),
    ({**PATIENT, "text": 5}, "patient 2: 'text' must be text"),
    ({**PATIENT, "age": "secret"}, "patient 2: 'age' must be of type float"),
    ("secret", "patient 2: write a mapping"),
])
def test_a_wrong_patient_is_named_by_number_and_key(features: PatientFeatures, patient: Any, told: str) -> None:
    with pytest.raises(DataError, match=told) as error:
        features.encode([PATIENT, patient])
    assert "secret" not in str(error.value)


def test_all_faults_come_at_once(features: PatientFeatures) -> None:
    with pytest.raises(DataError) as error:
        features.encode([{}, {}])
    assert str(error.value).count("is missing") == 6


def test_no_patient_is_an_error(features: PatientFeatures) -> None:
    with pytest.raises(DataError, match="no patient"):
        features.encode([])


def test_token_ids_of_a_patient_are_those_of_the_data_sets_way(tmp_path: Path) -> None:
    folder = str(make_llama(tmp_path))
    request = FeatureRequest("llm", "user", "tokens", TokenSpec(folder, "food_user", 512))
    features = PatientFeatures((request,), {}, {"user_llm": 7})
    ids, present = features.encode([{"text": "gout and salt"}, {"text": None}])["llm"]
    assert features.keys == ["text"] and present.tolist() == [True, False]
    assert ids[0].tolist() == PromptTokenizer.load(folder, "food_user", 512).rows(["gout and salt"])[0].tolist()
    assert (ids[1] == -1).all()
