"""Which models a split or a label variant has something to offer."""
from __future__ import annotations

from pathlib import Path

import pytest

from recbole_medmoe.errors import ConfigError
from recbole_medmoe.quick_start.fitness import check_fitness, misfits, strangers
from recbole_medmoe.registry import find_model


def test_strangers_are_users_or_items_that_training_never_saw(tiny_food: Path) -> None:
    assert strangers(tiny_food, "cold_patient") == (True, False)
    assert strangers(tiny_food, "cold_item0") == (False, True)
    assert strangers(tiny_food, "warm") == (False, False)


def test_a_label_variant_is_judged_by_its_own_rows(own_food: Path) -> None:
    for phase in ("train", "valid", "test"):   # under labels A the patients of cold_patient are known
        rows = (own_food / f"tinyfood.warm.{phase}.inter").read_text()
        (own_food / "labels" / "A" / f"tinyfood.cold_patient.{phase}.inter").write_text(rows)
    assert strangers(own_food, "cold_patient", "A") == (False, False)
    assert misfits([find_model("BPR")], own_food, "cold_patient", "A") == []


def test_only_splits_that_the_label_variant_has_are_offered(tiny_food: Path) -> None:
    with pytest.raises(ConfigError, match="BPR: knows users only.*; label variant 'A' has no split that works"):
        check_fitness([find_model("BPR")], tiny_food, "cold_patient", "A")
    with pytest.raises(ConfigError, match="splits that work: warm"):
        check_fitness([find_model("BPR")], tiny_food, "cold_patient")


def test_a_visit_is_known_where_its_patient_is(tiny_visits: Path) -> None:
    assert strangers(tiny_visits, "warm_visit") == (False, False)
    assert strangers(tiny_visits, "patient")[0]
    (fault,) = misfits([find_model("BPR")], tiny_visits, "patient")
    assert fault.endswith("splits that work: warm_visit")


def test_sequences_of_visits_need_an_earlier_one_for_each_that_is_scored(tiny_visits: Path) -> None:
    assert misfits([find_model("SASRec")], tiny_visits, "warm_visit") == []
    (fault,) = misfits([find_model("SASRec")], tiny_visits, "patient")
    assert fault.startswith("SASRec: reads the medications of earlier visits alone, and ")
    assert fault.endswith("visits that split 'patient' scores have none; splits that work: warm_visit")


def test_lists_of_given_items_need_a_training_row_for_each_user_that_is_scored(tiny_food: Path) -> None:
    assert misfits([find_model("SASRec")], tiny_food, "warm") == []
    (fault,) = misfits([find_model("SASRec")], tiny_food, "cold_patient")
    assert fault == ("SASRec: reads a user's training items alone, and 10 users that split 'cold_patient' scores have "
                     "none; splits that work: cold_item0, warm")


def test_sequential_models_that_know_items_by_id_are_kept_from_new_items(tiny_food: Path) -> None:
    (fault,) = misfits([find_model("GRU4Rec")], tiny_food, "cold_item0")
    assert fault.startswith("GRU4Rec: knows items only by their ids, and no item in the test rows of split")
