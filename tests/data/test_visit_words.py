"""The visits of a data set as prompts: the same as written by hand; names from its files."""
from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable

import pytest
import torch

from recbole_medmoe.checks.tiny_llama import make_llama
from recbole_medmoe.data import FeatureRequest, VisitPatients, VisitPromptSpec, create_dataset, data_preparation
from recbole_medmoe.data.visit_prompts import VisitPrompts
from recbole_medmoe.encoders import PADDING
from recbole_medmoe.errors import DataError


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_llama(tmp_path_factory.mktemp("words_llama"))


@pytest.fixture
def request_of(llama: Path) -> Callable[..., FeatureRequest]:
    def make(**options: Any) -> FeatureRequest:
        spec = VisitPromptSpec(str(llama), "leader", "leader_visit", 2000, 3)
        return FeatureRequest("prompt", "user", "tokens", replace(spec, **options))

    return make


def texts(dataset: Any, request: FeatureRequest) -> dict[str, str]:
    """The prompt of each visit, read back from the table."""
    ids, present = dataset.features(request)
    tokenizer = VisitPrompts.load(request.encoder, dataset.fitted(request)).words.tokenizer
    assert not present[0] and present[1:].all()
    return {token: tokenizer.decode(row[row != PADDING].tolist())
            for token, row in zip(dataset.user_tokens[1:], ids[1:])}


def built(config: Any) -> Any:
    return data_preparation(config, create_dataset(config))[0]._dataset


def by_hand(dataset: Any, with_profile: bool = False) -> list[dict[str, Any]]:
    """Every visit as a user would write it, from the files."""
    rows = {row["visit_id"]: row for row in dataset._frame.reset_index().to_dict("records")}
    tables, items = dataset.visits, dataset.item_tokens
    given = {token: [items[item] for item in tables.medications.row(place)]
             for place, token in enumerate(dataset.user_tokens)}
    return [{"diag": list(reversed(rows[token]["diag"])), "proc": rows[token]["proc"] or None,
             "earlier": [{"diag": rows[old]["diag"], "proc": rows[old]["proc"], "medications": given[old]}
                         for old in rows[token]["earlier"]] or None,
             **({"age": rows[token]["age"], "sex": rows[token]["sex"]} if with_profile else {})}
            for token in dataset.user_tokens[1:]]


def test_visits_of_a_data_set_are_told_as_those_written_by_hand(visit_config: Any, request_of: Any) -> None:
    dataset, request = built(visit_config("VisitLR")), request_of()
    ids, present = dataset.features(request)
    patients = VisitPatients([request], {request.key: dataset.fitted(request)}, {}, dataset.visits, dataset.item_tokens)
    found, there = patients.encode(by_hand(dataset))["prompt"]
    assert torch.equal(found, ids[1:]) and torch.equal(there, present[1:])


def test_columns_of_the_profile_are_told_alike(visit_config: Any, request_of: Any, tmp_path: Path) -> None:
    (tmp_path / "profile.txt").write_text("Patient: {profile}. {history}{diagnoses}; {procedures}")
    dataset, request = built(visit_config("VisitLR")), request_of(template=str(tmp_path / "profile.txt"))
    assert dataset.fitted(request)["profile"] == ["age", "sex"]
    patients = VisitPatients([request], {request.key: dataset.fitted(request)}, {}, dataset.visits, dataset.item_tokens)
    assert patients.keys == ["diag", "proc", "earlier", "age", "sex"]
    found = patients.encode(by_hand(dataset, with_profile=True))["prompt"][0]
    assert torch.equal(found, dataset.features(request).matrix[1:])
    assert texts(dataset, request)["v001"].startswith("Patient: age 40, sex female. ")


def test_codes_that_training_has_not_seen_are_told(visit_config: Any, request_of: Any) -> None:
    dataset = built(visit_config("VisitLR"))
    tables, file = dataset.visits, dataset.visit_file
    unseen = [(visit, code) for visit in range(1, len(dataset.user_tokens)) for code in file.codes["diag"].row(visit)
              if not tables.seen["diag"][code]]
    told = texts(dataset, request_of())
    assert unseen and all(file.vocabulary["diag"][code] in told[dataset.user_tokens[visit]] for visit, code in unseen)


def test_names_of_both_files_are_used(own_visits: Path, visit_config: Any, request_of: Any,
                                      caplog: pytest.LogCaptureFixture) -> None:
    codes = own_visits / "codes.csv"
    lines = codes.read_text().splitlines()
    codes.write_text("\n".join(line + " of the joints" if line.endswith(",gout") else line for line in lines
                               if ",anaemia," not in line) + "\n")
    items = own_visits / "tinyvisits.item"
    items.write_text(items.read_text().replace("iron\tiron", "iron\tferrous sulfate"))
    with caplog.at_level(logging.WARNING, "recbole_medmoe"):
        told = " ".join(texts(built(visit_config("VisitLR", folder=own_visits)), request_of()).values())
    assert "gout of the joints" in told and "ferrous sulfate" in told and "anaemia" in told
    assert "1 diagnoses and 0 procedures have no name" in caplog.text


def test_a_data_set_without_names_of_codes_is_refused(own_visits: Path, visit_config: Any, request_of: Any) -> None:
    (own_visits / "codes.csv").unlink()
    with pytest.raises(DataError, match="codes.csv is missing: .* kind,code,name"):
        built(visit_config("VisitLR", folder=own_visits)).features(request_of())


def test_other_columns_in_the_names_of_codes_are_refused(own_visits: Path, visit_config: Any, request_of: Any) -> None:
    (own_visits / "codes.csv").write_text("type,code,title\ndiag,gout,gout\n")
    with pytest.raises(DataError, match="line 1: the columns must be kind,code,name"):
        built(visit_config("VisitLR", folder=own_visits)).features(request_of())


def test_a_data_set_without_names_of_medications_is_refused(own_visits: Path, visit_config: Any,
                                                            request_of: Any) -> None:
    items = own_visits / "tinyvisits.item"
    items.write_text(items.read_text().replace("name:token", "label:token"))
    with pytest.raises(DataError, match="no column 'name'"):
        built(visit_config("VisitLR", folder=own_visits)).features(request_of())
