"""VisitDataset: tables, targets, shares, statistics and groups of visits."""
from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
import torch

from recbole_medmoe.atomic import read_atomic
from recbole_medmoe.config import MedConfig
from recbole_medmoe.data import VisitDataset, create_dataset, data_preparation
from recbole_medmoe.errors import ConfigError, DataError

Maker = Callable[..., Any]


def _data(folder: Path, **overrides: Any) -> Any:
    config = MedConfig("VisitPop", folder.name, overrides={"data_path": str(folder.parent), **overrides})
    return data_preparation(config, create_dataset(config))[0]._dataset


def _named(dataset: Any, rows: Any, names: list[str]) -> dict[str, list[str]]:
    """Token of each visit to the names of its ids."""
    return {token: [names[place] for place in rows.row(visit)]
            for visit, token in enumerate(dataset.user_tokens) if visit}


def _file(dataset: Any) -> dict[str, dict[str, Any]]:
    frame = read_atomic(dataset.folder / f"{dataset.folder.name}.user")
    return {row["visit_id"]: row for row in frame.to_dict("records")}


def _visits(part: Any) -> set[str]:
    return {part._dataset.user_tokens[visit] for visit in part._dataset.inter_feat["visit_id"].tolist()}


def test_any_model_gets_visits_on_task_medication(visit_data: Maker) -> None:
    assert type(visit_data("VisitPop")[1]._dataset) is VisitDataset
    assert visit_data("FM")[1]._dataset.visits is not None


def test_a_data_set_of_food_has_no_visits(food_data: Maker) -> None:
    dataset = food_data("FeatureRidge")[1]._dataset
    assert dataset.visits is None and dataset.ddi is None
    assert dataset.clusters(["p0003", "p0001"]).tolist() == ["p0003", "p0001"]


def test_history_is_the_files_earlier_visits_in_their_order(visit_data: Maker) -> None:
    dataset = visit_data("VisitPop")[1]._dataset
    found = _named(dataset, dataset.visits.history, dataset.user_tokens)
    assert found == {token: row["earlier"] for token, row in _file(dataset).items()}
    assert max(map(len, found.values())) == 2


@pytest.mark.parametrize("split, lost", [("patient", {"rare"}), ("warm_visit", set())])
def test_codes_that_training_has_not_seen_are_left_out(visit_data: Maker, split: str, lost: set[str]) -> None:
    dataset = visit_data("VisitPop", split)[1]._dataset
    tables = dataset.visits
    names = tables.vocabulary["diag"]
    assert {names[code] for code in (~tables.seen["diag"]).nonzero().squeeze(-1).tolist()} == lost | {"[PAD]"}
    found = _named(dataset, tables.codes["diag"], names)
    assert found == {token: [code for code in row["diag"] if code not in lost] for token, row in _file(dataset).items()}


def test_vocabularies_are_the_same_in_every_split(visit_data: Maker) -> None:
    first, second = (visit_data("VisitPop", split)[1]._dataset.visits for split in ("patient", "fold1"))
    assert first.vocabulary == second.vocabulary and not first.seen["diag"].equal(second.seen["diag"])
    assert all(names == ["[PAD]", *sorted(names[1:])] for names in first.vocabulary.values())


def test_truth_is_all_rows_of_the_visits_whatever_their_part(visit_data: Maker) -> None:
    dataset = visit_data("VisitPop")[1]._dataset
    rows = read_atomic(dataset.folder / "tinyvisits.inter").groupby("visit_id")["item_id"].agg(set)
    truth = dataset.visit_truth(torch.arange(len(dataset.user_tokens)))
    assert not truth[0].any() and not truth[:, 0].any()
    for visit, token in enumerate(dataset.user_tokens[1:], start=1):
        assert {dataset.item_tokens[item] for item in truth[visit].nonzero().squeeze(-1).tolist()} == rows[token]


def test_visits_of_one_patient_are_one_cluster(visit_data: Maker) -> None:
    dataset = visit_data("VisitPop")[1]._dataset
    file = _file(dataset)
    tokens = list(reversed(dataset.user_tokens[1:]))
    assert dataset.clusters(tokens).tolist() == [file[token]["patient_id"] for token in tokens]


def test_target_visits_last_scores_visits_that_none_follows(visit_data: Maker) -> None:
    whole, last = (visit_data("VisitPop", target_visits=which)[1:] for which in ("all", "last"))
    file = _file(whole[0]._dataset)
    followed = {other for row in file.values() for other in row["earlier"]}
    for every, some in zip(whole, last):
        assert _visits(some) == _visits(every) - followed
        assert _visits(every) & followed
    tables, same = whole[0]._dataset.visits, last[0]._dataset.visits
    assert tables.medications.values.equal(same.medications.values) and tables.seen["diag"].equal(same.seen["diag"])
    assert int(last[0]._dataset.train_users.sum()) == len(_visits(last[0])) < len(_visits(whole[0]))


def test_a_share_keeps_whole_patients(visit_data: Maker) -> None:
    whole, some = (visit_data("VisitPop", train_share=share)[1]._dataset for share in (1.0, 0.1))
    patients = [set(dataset.clusters([dataset.user_tokens[visit] for visit in torch.unique(
        dataset.inter_feat["visit_id"]).tolist()])) for dataset in (whole, some)]
    assert len(patients[1]) == round(0.1 * len(patients[0])) and patients[1] < patients[0]
    kept = {token for token, row in _file(whole).items() if row["patient_id"] in patients[1]}
    assert {some.user_tokens[visit] for visit in some.train_users.nonzero().squeeze(-1).tolist()} == kept
    assert some.visits.medications.values.equal(whole.visits.medications.values)
    assert int(some.visits.seen["diag"].sum()) < int(whole.visits.seen["diag"].sum())


def _relation(file: dict[str, dict[str, Any]], visit: str) -> tuple[int, int, int]:
    """Earlier, later and unordered visits of the same patient, by a plain loop."""
    others = [other for other in file if other != visit and file[other]["patient_id"] == file[visit]["patient_id"]]
    earlier = [other for other in others if other in file[visit]["earlier"]]
    later = [other for other in others if visit in file[other]["earlier"]]
    return len(earlier), len(later), len(others) - len(earlier) - len(later)


def test_groups_follow_what_is_known_of_the_order(visit_data: Maker) -> None:
    dataset = visit_data("VisitPop")[1]._dataset
    file = _file(dataset)
    tokens = dataset.user_tokens[1:]
    groups = dataset.groups(tokens, "test")
    for row, token in enumerate(tokens):
        earlier, later, unordered = _relation(file, token)
        wanted = {"single_visit": not earlier, "multi_visit": bool(earlier),
                  "sole_visit": not earlier + later + unordered,
                  "first_visit": later > 0 and not earlier and not unordered,
                  "with_history": earlier > 0 and not unordered, "order_unknown": unordered > 0}
        assert {name: bool(groups[name][row]) for name in wanted} == wanted
    fine = np.stack([groups[name] for name in ("sole_visit", "first_visit", "with_history", "order_unknown")])
    assert (fine.sum(0) == 1).all() and fine.any(1).all()


def test_a_diagnosis_of_fewer_than_five_training_visits_is_rare(visit_data: Maker) -> None:
    _, train, _, _ = visit_data("VisitPop")
    dataset, seen = train._dataset, _visits(train)
    file = _file(dataset)
    counts: dict[str, int] = {}
    for token in seen:
        for code in file[token]["diag"]:
            counts[code] = counts.get(code, 0) + 1
    rare = dataset.groups(dataset.user_tokens[1:], "test")["rare_diagnosis"]
    assert rare.tolist() == [any(counts.get(code, 0) < 5 for code in file[token]["diag"])
                             for token in dataset.user_tokens[1:]]
    assert 0 < rare.sum() < len(rare)


def test_statistics_count_patients_visits_codes_groups_and_interactions(visit_data: Maker) -> None:
    told = visit_data("VisitPop")[1]._dataset.statistics
    assert told["patients"] == 30 and told["visits"] == {"train": 39, "valid": 11, "test": 16}
    assert told["codes"] == {"diag": 11, "proc": 7} and told["codes_seen_in_training"] == {"diag": 10, "proc": 7}
    assert told["groups"]["single_visit"] + told["groups"]["multi_visit"] == 16
    assert told["ddi"]["pairs"] == 3 and len(told["ddi"]["sha256"]) == 64
    assert told["items_per_user"]["train"] == round(told["rows"]["train"] / 39, 2)


def test_profiles_hold_neither_patients_nor_their_order_nor_codes(visit_data: Maker) -> None:
    from recbole_medmoe.data import FeatureRequest

    state = visit_data("VisitPop")[1]._dataset.fitted(FeatureRequest("profile", "user", "profile"))
    assert [field["name"] for field in state["fields"]] == ["age", "sex"]


def test_a_column_that_is_not_loaded_is_no_profile_unless_it_is_named(own_visits: Path) -> None:
    from recbole_medmoe.data import FeatureRequest

    yaml = own_visits / "tinyvisits.yaml"
    yaml.write_text(yaml.read_text().replace("proc, age, sex]", "proc, age]"))
    dataset = _data(own_visits)
    names = [[field["name"] for field in dataset.fitted(FeatureRequest("profile", "user", "profile", fields=fields))[
        "fields"]] for fields in ((), ("sex",))]
    assert names == [["age"], ["sex"]]


def test_a_visit_torn_between_two_parts_is_refused(own_visits: Path) -> None:
    train, test = (own_visits / f"tinyvisits.patient.{part}.inter" for part in ("train", "test"))
    lines = train.read_text().splitlines(keepends=True)
    train.write_text("".join(lines[:-1]))
    test.write_text(test.read_text() + lines[-1])
    with pytest.raises(DataError, match="1 visits have rows in two parts; all rows of a visit belong to one part"):
        _data(own_visits)


def test_a_data_set_without_pre_split_files_is_refused(own_visits: Path) -> None:
    for path in own_visits.glob("*.*.*.inter"):
        path.unlink()
    yaml = own_visits / "tinyvisits.yaml"
    yaml.write_text(yaml.read_text().replace("split: patient\n", ""))
    with pytest.raises(DataError, match="needs pre-split files"):
        _data(own_visits)


def test_a_part_without_last_visits_is_refused(own_visits: Path) -> None:
    file = {row["visit_id"]: row for row in read_atomic(own_visits / "tinyvisits.user").to_dict("records")}
    followed = {other for row in file.values() for other in row["earlier"]}
    path = own_visits / "tinyvisits.patient.valid.inter"
    header, *lines = path.read_text().splitlines()
    path.write_text("\n".join([header, *(line for line in lines if line.split("\t")[0] in followed)]) + "\n")
    with pytest.raises(DataError, match="no patient's last visit in its valid part"):
        _data(own_visits, target_visits="last")


def test_another_word_for_target_visits_is_refused(visit_config: Maker) -> None:
    with pytest.raises(ConfigError, match="target_visits = 'first'"):
        visit_config("VisitPop", target_visits="first")


def test_last_visits_are_refused_where_users_are_no_visits(food_config: Maker) -> None:
    with pytest.raises(ConfigError, match="target_visits = 'last' .*: it is for task medication"):
        food_config("FeatureRidge", target_visits="last")


def test_shuffled_rows_change_neither_tables_nor_groups(own_visits: Path, tmp_path: Path) -> None:
    tokens = [visit for visit in read_atomic(own_visits / "tinyvisits.user")["visit_id"]]
    found = []
    for turn in range(2):
        dataset = _data(own_visits)
        file = {"history": _named(dataset, dataset.visits.history, dataset.user_tokens),
                "diag": _named(dataset, dataset.visits.codes["diag"], dataset.visits.vocabulary["diag"]),
                "given": {token: sorted(items) for token, items in _named(
                    dataset, dataset.visits.medications, dataset.item_tokens).items()}}
        found.append((file, {name: mask.tolist() for name, mask in dataset.groups(tokens, "test").items()}))
        order = np.random.default_rng(turn)
        for path in [*own_visits.glob("*.inter"), own_visits / "tinyvisits.user", own_visits / "tinyvisits.item"]:
            header, *lines = path.read_text().splitlines()
            path.write_text("\n".join([header, *order.permutation(lines)]) + "\n")
    assert found[0] == found[1]
