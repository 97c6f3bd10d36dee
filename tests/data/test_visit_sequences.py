"""Visits for sequential models: each brings the list of its patient's earlier medications."""
from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import pytest
import torch
from recbole.data.interaction import Interaction

from recbole_medmoe.atomic import read_atomic
from recbole_medmoe.data import create_dataset, data_preparation
from recbole_medmoe.errors import DataError
from recbole_medmoe.quick_start import run

Maker = Callable[..., Any]


def _earlier(folder: Path) -> dict[str, list[str]]:
    return {row["visit_id"]: row["earlier"] for row in read_atomic(folder / "tinyvisits.user").to_dict("records")}


def _rows(folder: Path, part: str) -> dict[str, set[str]]:
    rows = read_atomic(folder / f"tinyvisits.warm_visit.{part}.inter")
    return {visit: set(some) for visit, some in rows.groupby("visit_id")["item_id"]}


def test_the_list_holds_the_medications_of_earlier_visits_oldest_first(visit_data: Maker, tiny_visits: Path) -> None:
    _, train, valid, test = visit_data("SASRec", "warm_visit")
    dataset, earlier = train._dataset, _earlier(tiny_visits)
    given = {visit: items for part in ("train", "valid", "test") for visit, items in _rows(tiny_visits, part).items()}
    lengths = set()
    for part, loader in (("valid", valid), ("test", test)):
        seen = {}
        for users, _, row, item in loader:
            for place in range(len(users)):
                token = dataset.user_tokens[int(users["visit_id"][place])]
                length = int(users["item_length"][place])
                listed = [dataset.item_tokens[i] for i in users["item_id_list"][place].tolist()]
                assert set(listed[length:]) <= {"[PAD]"} and len(listed) == 50
                for old in earlier[token]:
                    count = len(given[old])
                    assert set(listed[:count]) == given[old]
                    listed = listed[count:]
                seen[token] = {dataset.item_tokens[i] for i in item[row == place].tolist()}
                lengths.add(len(earlier[token]))
        assert seen == _rows(tiny_visits, part)   # whole visits, not pairs
    assert lengths == {1, 2}


def test_training_visits_without_an_earlier_one_are_left_out(visit_data: Maker, tiny_visits: Path) -> None:
    _, train, _, _ = visit_data("SASRec", "warm_visit")
    dataset, earlier = train._dataset, _earlier(tiny_visits)
    found = {(dataset.user_tokens[visit], dataset.item_tokens[item]) for batch in train
             for visit, item in zip(batch["visit_id"].tolist(), batch["item_id"].tolist())}
    assert found == {(visit, item) for visit, items in _rows(tiny_visits, "train").items() if earlier[visit]
                     for item in items}
    assert all(int(batch["item_length"].min()) > 0 for batch in train)


def test_long_lists_keep_their_end(visit_data: Maker) -> None:
    full, cut = (visit_data("SASRec", "warm_visit", MAX_ITEM_LIST_LENGTH=length)[3]._dataset for length in (50, 2))
    visits = torch.unique(cut.inter_feat["visit_id"])
    long, short = (data.join(Interaction({"visit_id": visits})) for data in (full, cut))
    assert short["item_id_list"].shape == (len(visits), 2)
    for place, length in enumerate(long["item_length"].tolist()):
        assert short["item_id_list"][place].tolist() == long["item_id_list"][place, length - 2:length].tolist()


def test_a_split_that_scores_visits_without_history_is_refused(visit_config: Maker) -> None:
    config = visit_config("SASRec", split="patient")
    with pytest.raises(DataError, match=r"valid rows belong to visits without an earlier one; SASRec reads earlier"):
        data_preparation(config, create_dataset(config))


def test_a_whole_run_is_scored_as_every_visit_model(tiny_visits: Path, tmp_path: Path) -> None:
    results = [run(name, "tinyvisits", split="warm_visit", runs_dir=tmp_path, overrides={
        "data_path": str(tiny_visits.parent), "device": "cpu", "epochs": 1, "progress": False, "bootstrap_draws": 5})
        for name in ("SASRec", "VisitPop")]
    assert len(results[0].evaluation.row_ids) == len(results[1].evaluation.row_ids)
    assert results[0].record["evaluation"]["groups"].keys() == results[1].record["evaluation"]["groups"].keys()
    assert results[0].record["evaluation"]["threshold"] is not None
