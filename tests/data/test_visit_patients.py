"""Visits written by hand."""
from __future__ import annotations

from typing import Any, Callable

import pytest
import torch

from recbole_medmoe.data import VisitPatients, VisitTables
from recbole_medmoe.errors import DataError

ITEMS = ["[PAD]", "aspirin", "iron"]
TABLES = VisitTables.empty({"diag": ["[PAD]", "gout", "rare", "stroke"], "proc": ["[PAD]", "scan"]},
                           {"diag": torch.tensor([False, True, False, True]), "proc": torch.tensor([False, True])})
EMPTY: dict[str, Any] = {"diag": None, "proc": None, "earlier": None}


@pytest.fixture
def patients() -> VisitPatients:
    return VisitPatients((), {}, {}, TABLES, ITEMS)


def test_codes_become_ids_and_history_stands_at_the_end(patients: VisitPatients) -> None:
    found = patients.encode([
        {"diag": ["stroke", "gout", "gout"], "proc": [], "earlier": [
            {"diag": ["gout"], "medications": ["iron"]}, {"medications": ["aspirin", "iron"], "proc": ["scan"]}]},
        {"diag": ["gout"], "proc": ["scan"], "earlier": [{"medications": ["aspirin"]}]}])
    assert found["diag"][0].tolist() == [[1, 3], [1, 0]] and found["diag"][1].tolist() == [True, True]
    assert found["proc"][0].tolist() == [[0], [1]] and found["proc"][1].tolist() == [False, True]
    assert found["earlier_medications"][0].tolist() == [[[2, 0], [1, 2]], [[0, 0], [1, 0]]]
    assert found["earlier_medications"][1].tolist() == [[True, True], [False, True]]
    assert found["earlier_diag"][0].tolist() == [[[1], [0]], [[0], [0]]]


def test_what_training_has_not_seen_is_left_out_and_counted(patients: VisitPatients) -> None:
    found = patients.encode([{**EMPTY, "diag": ["rare", "new", "gout"], "earlier": [{"medications": ["herbs"]}]}])
    assert found["diag"][0].tolist() == [[1]] and not found["earlier_medications"][0].any()
    assert patients.unseen == {"diag": 2, "medications": 1}


def test_a_visit_of_which_nothing_is_known_has_one_empty_column_throughout(patients: VisitPatients) -> None:
    found = patients.encode([EMPTY])
    assert {name: tuple(ids.shape) for name, (ids, _) in found.items()} == {
        "diag": (1, 1), "proc": (1, 1), "earlier_diag": (1, 1, 1), "earlier_proc": (1, 1, 1),
        "earlier_medications": (1, 1, 1)}
    assert not any(present.any() for _, present in found.values())


@pytest.mark.parametrize("change, told", [
    ({"diag": "gout"}, "patient 2: 'diag' must be a list of codes, or null"),
    ({"earlier": {"diag": ["gout"]}}, "patient 2: 'earlier' must be a list of visits, oldest first"),
    ({"earlier": [{"drugs": ["iron"]}]}, "patient 2: an earlier visit has an unknown key 'drugs'"),
    ({"earlier": [{"proc": [1]}]}, "patient 2: 'proc' must be a list of codes"),
    ({"diagnoses": []}, "patient 2: unknown key 'diagnoses'")])
def test_what_is_wrong_is_told_by_number_and_key(patients: VisitPatients, change: dict[str, Any], told: str) -> None:
    with pytest.raises(DataError, match=told) as error:
        patients.encode([EMPTY, {**EMPTY, **change}])
    assert "gout" not in str(error.value)


def test_a_missing_key_is_asked_for(patients: VisitPatients) -> None:
    with pytest.raises(DataError, match="patient 1: key 'earlier' is missing"):
        patients.encode([{"diag": [], "proc": []}])


def test_by_hand_is_as_from_the_data_set(visit_data: Callable[..., Any]) -> None:
    config, train, _, _ = visit_data("VisitLR")
    dataset = train._dataset
    model = config.spec.load()(config, dataset)
    tables, file = dataset.visits, dataset.visit_file

    def words(visit: int) -> dict[str, Any]:
        return {kind: [file.vocabulary[kind][code] for code in file.codes[kind].row(visit)] for kind in file.codes}

    visits = torch.arange(1, len(dataset.user_tokens))
    written = [{**words(visit), "earlier": [
        {**words(old), "medications": [dataset.item_tokens[item] for item in tables.medications.row(old)]}
        for old in tables.history.row(visit)]} for visit in visits.tolist()]
    known, hand = model.user_inputs(visits), model.patients().encode(written)
    assert known.keys() == hand.keys()
    for name in known:
        assert all(first.equal(second) for first, second in zip(known[name], hand[name])), name
