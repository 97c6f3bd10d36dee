from __future__ import annotations

from collections import Counter

import pytest

from recbole_medmoe.prepare.healthfood.splits import (Split, cold_items, cold_patient, make_splits, paper177,
                                                      set_completion, warm)

GROUPS = {f"i{number:02d}": ("fruit", "vegetables", "packages")[number % 3] for number in range(81)}
ITEMS = sorted(GROUPS)
LIKED = {f"p{user:04d}": sorted(ITEMS[(user * 7 + step * 11) % 81] for step in range(8 + user % 2))
         for user in range(300)}


@pytest.fixture(scope="module")
def splits():
    return {split.name: split for split in make_splits(LIKED, GROUPS)}


def test_names(splits):
    assert list(splits) == ["cold_patient", "warm", "cold_item0", "cold_item1", "cold_item2", "paper177", "phrasing",
                            "set_completion"]


@pytest.mark.parametrize("name", ["cold_patient", "paper177", "phrasing"])
def test_a_patient_is_in_one_part_only(splits, name):
    split = splits[name]
    users = [{user for user, _ in rows} for rows in (split.train, split.valid, split.test)]
    assert not users[0] & users[1] and not users[0] & users[2] and not users[1] & users[2]


def test_cold_patient_shares(splits):
    split = splits["cold_patient"]
    assert [len({user for user, _ in rows}) for rows in (split.train, split.valid, split.test)] == [210, 30, 60]


def test_paper177_sizes(splits):
    split = splits["paper177"]
    assert [len({user for user, _ in rows}) for rows in (split.train, split.valid, split.test)] == [121, 20, 36]


def test_paper177_shrinks_with_few_patients():
    split = paper177(dict(list(LIKED.items())[:10]))
    assert len({user for user, _ in split.test}) == 2


def test_warm_gives_every_patient_to_every_part(splits):
    split = splits["warm"]
    assert len(split.test) == 3 * len(LIKED) and len(split.valid) == len(LIKED)
    assert {user for user, _ in split.train} == set(LIKED)


@pytest.mark.parametrize("name", ["warm", "cold_patient", "phrasing", "set_completion"])
def test_no_row_is_lost_or_doubled(splits, name):
    split = splits[name]
    rows = split.train + split.valid + split.test
    assert sorted(rows) == sorted((user, item) for user in LIKED for item in LIKED[user])


def test_each_item_is_cold_in_one_fold():
    tests = [set(split.candidates["test"]) for split in cold_items(LIKED, GROUPS)]
    assert [len(test) for test in tests] == [27, 27, 27] and set.union(*tests) == set(ITEMS)


def test_folds_hold_the_groups_in_equal_parts():
    for split in cold_items(LIKED, GROUPS):
        groups = [GROUPS[item] for item in split.candidates["test"]]
        assert {groups.count(group) for group in set(groups)} == {9}


def test_cold_items_of_a_phase_have_no_training_row():
    for split in cold_items(LIKED, GROUPS):
        trained = {item for _, item in split.train}
        assert len(split.candidates["valid"]) == 13 and len(set(ITEMS) - set(sum(split.candidates.values(), []))) == 41
        assert not trained & set(split.candidates["valid"] + split.candidates["test"])
        assert {item for _, item in split.test} <= set(split.candidates["test"])


def test_order_of_the_input_does_not_matter():
    turned = dict(reversed(list(LIKED.items())))
    assert cold_patient(LIKED) == cold_patient(turned) and warm(LIKED) == warm(turned)
    assert set_completion(LIKED, cold_patient(LIKED)) == set_completion(turned, cold_patient(turned))


def test_phrasing_has_the_rows_of_cold_patient(splits):
    assert splits["phrasing"].parts == splits["cold_patient"].parts


def test_set_completion_asks_the_patients_of_cold_patient(splits):
    base, split = (splits[name].part_users() for name in ("cold_patient", "set_completion"))
    assert split["valid"] == base["valid"] and split["test"] == base["test"]
    assert split["train"] == sorted(LIKED)


def test_set_completion_gives_half_of_the_positives(splits):
    split = splits["set_completion"]
    given, asked = Counter(user for user, _ in split.train), Counter(user for user, _ in split.valid + split.test)
    assert {(given[user], count) for user, count in asked.items()} == {(4, 4), (4, 5)}


def test_set_completion_keeps_every_row_of_a_training_patient(splits):
    assert set(splits["cold_patient"].train) <= set(splits["set_completion"].train)


@pytest.mark.parametrize("count, rows", [(1, (1, 0)), (2, (1, 1)), (3, (1, 2))])
def test_set_completion_of_few_positives(count, rows):
    base = Split("cold_patient", "", [], [], [("p", item) for item in ITEMS[:count]])
    split = set_completion({"p": ITEMS[:count]}, base)
    assert (len(split.train), len(split.test)) == rows
