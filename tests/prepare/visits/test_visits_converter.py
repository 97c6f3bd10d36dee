"""What all converters do once their tables are read."""
from __future__ import annotations

import pytest

from recbole_medmoe.errors import DataError
from recbole_medmoe.prepare import VisitOptions
from recbole_medmoe.prepare.visits.converter import finish_visits
from recbole_medmoe.prepare.visits.drugs import DrugMaps
from recbole_medmoe.prepare.visits.session import run

KNOWN = ("warfarin", "amiodarone", "digoxin", "metoprolol", "enalapril", "furosemide", "insulin")


@pytest.fixture
def finish(tables, about, tmp_path):
    """``finish(list, names)`` -> lines of progress and what is printed; ``names`` are the drugs of M0, M1 ..."""
    def finished(pairs, names=KNOWN):
        (tmp_path / "list.csv").write_text(pairs)
        for place, name in enumerate(names):
            run(tables.session, f"UPDATE items SET item_id = '{name}' WHERE item_id = 'M{place}'")
            run(tables.session, f"UPDATE medications SET item_id = '{name}' WHERE item_id = 'M{place}'")
        run(tables.session, "CREATE TABLE ingredients AS SELECT visit_id, item_id AS ingredient, item_id "
                            "FROM medications")
        lines = []
        told = finish_visits(tables, VisitOptions("ingredient", ddi=tmp_path / "list.csv", min_item_visits=1),
                             DrugMaps.read(), tmp_path / "made", about, lines.append)
        return [line for line in lines if line.startswith("warning")], told

    return finished


DDINTER = "Drug_A,Drug_B,Level\nWarfarin,Amiodarone,Major\nDigoxin,Metoprolol,Minor\n"
NOTE = "medications that the list of interactions names"


def test_the_medications_that_a_list_names_are_counted(finish):
    warnings, told = finish(DDINTER)
    assert told[NOTE] == "4 of 7" and told["interacting pairs of medications"] == "1" and not warnings


def test_a_list_that_names_under_half_is_a_warning_with_the_share_and_the_remedy(finish):
    warnings, told = finish(DDINTER, ["warfarin", "amiodarone", *(f"x{place}" for place in range(5))])
    assert told[NOTE] == "2 of 7" and len(warnings) == 1
    assert "names only 28.6% of the medications" in warnings[0] and "--codes-dir (atcd.csv)" in warnings[0]


def test_a_list_that_names_no_pair_is_a_warning(finish, tmp_path):
    warnings, told = finish(DDINTER, [f"x{place}" for place in range(7)])
    assert told[NOTE] == "0 of 7" and len(warnings) == 1 and "names no pair of these medications" in warnings[0]
    assert (tmp_path / "made" / "ddi.csv").read_text() == "item_a,item_b,severity\n"


def test_a_list_of_items_need_not_name_them_all(finish):
    warnings, told = finish("item_a,item_b\nwarfarin,digoxin\n")
    assert not warnings and NOTE not in told and told["interacting pairs of medications"] == "1"


def test_a_list_of_other_items_is_a_warning(finish):
    warnings, _ = finish("item_a,item_b\nelsewhere,digoxin\n")
    assert len(warnings) == 1 and "tokens of .item" in warnings[0] and "--codes-dir" not in warnings[0]


def test_options_of_published_cohorts_reach_filters_and_split(tables, about, tmp_path):
    run(tables.session, "CREATE TABLE ingredients AS SELECT visit_id, item_id AS ingredient, item_id FROM medications")
    options = VisitOptions("ingredient", min_visits=2, top_medications=3, top_diagnoses=4, split_by="id",
                           min_item_visits=1)
    told = finish_visits(tables, options, DrugMaps.read(), tmp_path / "made", about, lambda line: None)
    names = ["visits of patients with at least 2 visits that have a medication", "the 3 commonest medications",
             "the 4 commonest diagnosis codes"]
    assert [told[name] for name in names] == ["60", "3", "4"]
    assert "in the order of their raw ids: 24 train, 3 others validate" in (tmp_path / "made" / "README.md").read_text()


def test_only_options_of_published_cohorts_that_are_in_use_stand_in_the_command(tmp_path):
    plain = VisitOptions().command("mimic3 MIMIC_DIR", tmp_path / "m3")
    assert plain == "recbole-medmoe prepare mimic3 MIMIC_DIR --out m3 --codes atc4 --min-item-visits 10 --min-items 1"
    cohort = VisitOptions(min_visits=2, top_medications=300, top_diagnoses=2000, need_procedures=True, split_by="id")
    assert cohort.command("mimic3 MIMIC_DIR", tmp_path / "m3") == \
        plain + " --min-visits 2 --top-medications 300 --top-diagnoses 2000 --split-by id --need-procedures"


def test_an_unknown_way_to_split_is_refused():
    with pytest.raises(DataError, match="--split-by ids: unknown; did you mean"):
        VisitOptions(split_by="ids")
