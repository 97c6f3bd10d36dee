"""Visits for models that know users by their ids alone."""
from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import pytest
import torch

from recbole_medmoe.atomic import read_atomic
from recbole_medmoe.config import MedConfig
from recbole_medmoe.data import create_dataset, data_preparation
from recbole_medmoe.errors import DataError

Maker = Callable[..., Any]


def _pairs(part: Any) -> set[tuple[str, str]]:
    dataset = part._dataset
    columns = dataset.inter_feat["visit_id"].tolist(), dataset.inter_feat["item_id"].tolist()
    return {(dataset.user_tokens[visit], dataset.item_tokens[item]) for visit, item in zip(*columns)}


def _file(folder: Path, part: str) -> set[tuple[str, str]]:
    rows = read_atomic(folder / f"tinyvisits.warm_visit.{part}.inter")
    return set(zip(rows["visit_id"], rows["item_id"]))


def test_earlier_visits_train_under_the_name_of_the_one_that_is_scored(visit_data: Maker, tiny_visits: Path) -> None:
    _, *parts = visit_data("EASE", "warm_visit")
    patient = dict(read_atomic(tiny_visits / "tinyvisits.user")[["visit_id", "patient_id"]].to_numpy().tolist())
    for name, part in zip(("valid", "test"), parts[1:]):
        assert _pairs(part) == _file(tiny_visits, name)
    given = {(patient[visit], item) for visit, item in _file(tiny_visits, "train")}
    trained = _pairs(parts[0])
    assert {(patient[visit], item) for visit, item in trained} == given and len(trained) == len(given)
    assert len(parts[0]._dataset.inter_feat) == len(given)   # what was given twice counts once
    assert {visit for visit, _ in _pairs(parts[2])} <= {visit for visit, _ in trained}


def test_rows_tables_groups_and_statistics_are_those_of_visit_models(visit_data: Maker) -> None:
    known, plain = (visit_data(name, "warm_visit")[3]._dataset for name in ("EASE", "VisitPop"))
    tokens = [plain.user_tokens[visit] for visit in torch.unique(plain.inter_feat["visit_id"]).tolist()]
    for first, second in zip(*(data.groups(tokens, "test").values() for data in (known, plain))):
        assert first.tolist() == second.tolist()
    ids = [torch.tensor([data.user_tokens.index(token) for token in tokens]) for data in (known, plain)]
    items = [[data.item_tokens[item] for item in row.nonzero().squeeze(-1).tolist()]
             for data, some in zip((known, plain), ids) for row in data.visit_truth(some)]
    assert [set(some) for some in items[:len(tokens)]] == [set(some) for some in items[len(tokens):]]
    for key in ("patients", "visits", "codes", "codes_seen_in_training", "visits_with_history", "groups", "ddi"):
        assert known.statistics[key] == plain.statistics[key], key


def test_negatives_are_what_a_patient_was_not_given_in_training(visit_data: Maker) -> None:
    _, train, _, test = visit_data("BPR", "warm_visit")
    given = _pairs(train)
    dataset = train._dataset
    drawn = {(dataset.user_tokens[visit], dataset.item_tokens[item]) for _ in range(20) for batch in train
             for visit, item in zip(batch["visit_id"].tolist(), batch["neg_item_id"].tolist())}
    assert not drawn & given
    assert drawn & _pairs(test)   # what only a test visit has may be drawn: training knows no better


def test_a_share_keeps_whole_patients(visit_data: Maker) -> None:
    train = visit_data("EASE", "warm_visit", train_share=0.5)[1]
    dataset = train._dataset
    patients = dataset.clusters(sorted({visit for visit, _ in _pairs(train)}))
    assert len(patients) == len(set(patients)) == round(0.5 * 30)
    assert dataset.statistics["visits"]["train"] < 48


def test_two_scored_visits_of_one_patient_are_refused(own_visits: Path) -> None:
    train, test = (own_visits / f"tinyvisits.warm_visit.{part}.inter" for part in ("train", "test"))
    lines = train.read_text().splitlines(keepends=True)
    scored = {line.split("\t")[0] for line in test.read_text().splitlines()[1:]}
    file = {row["visit_id"]: row for row in read_atomic(own_visits / "tinyvisits.user").to_dict("records")}
    moved = next(visit for token in sorted(scored) for visit in file[token]["earlier"])
    test.write_text(test.read_text() + "".join(line for line in lines if line.startswith(f"{moved}\t")))
    train.write_text("".join(line for line in lines if not line.startswith(f"{moved}\t")))
    config = MedConfig("EASE", "tinyvisits", split="warm_visit", overrides={"data_path": str(own_visits.parent)})
    with pytest.raises(DataError, match="scores two visits of one patient; EASE knows patients by their ids"):
        data_preparation(config, create_dataset(config))
