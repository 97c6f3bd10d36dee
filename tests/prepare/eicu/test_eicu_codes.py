"""Diagnosis and treatment paths as hierarchical codes."""
from __future__ import annotations

import pytest

from recbole_medmoe.prepare.eicu.codes import read_codes
from recbole_medmoe.prepare.eicu.stays import read_stays
from recbole_medmoe.prepare.eicu.treatments import names_drug
from recbole_medmoe.prepare.visits.drugs import DrugMaps
from recbole_medmoe.prepare.visits.session import rows


@pytest.fixture
def read(raw, write_raw, visit_tables):
    def reading(treatments="non-drug"):
        folder = write_raw(raw)
        read_stays(visit_tables, folder)
        read_codes(visit_tables, folder, treatments)
        return visit_tables

    return reading


def _codes(tables, visit, kind):
    found = rows(tables.session, "SELECT code FROM codes WHERE visit_id = ? AND kind = ? ORDER BY code", [visit, kind])
    return [row[0] for row in found]


def test_every_prefix_is_a_code_and_spaces_are_mended(read):
    assert _codes(read(), "s1", "diag") == ["renal", "renal|disorder of kidney",
                                            "renal|disorder of kidney|acute renal failure"]


def test_words_of_a_code_are_its_levels_from_the_third_on(read):
    names = dict(rows(read().session, "SELECT code, name FROM code_names WHERE kind = 'diag'"))
    assert names == {
        "renal": "renal", "renal|disorder of kidney": "disorder of kidney",
        "renal|disorder of kidney|acute renal failure": "acute renal failure",
        "cardiovascular": "cardiovascular", "cardiovascular|shock / hypotension": "shock / hypotension",
        "cardiovascular|shock / hypotension|sepsis": "sepsis",
        "cardiovascular|shock / hypotension|sepsis|severe": "sepsis, severe"}


@pytest.mark.parametrize(("treatments", "codes"), [
    ("all", ["renal", "renal|dialysis", "renal|dialysis|hemodialysis", "renal|medications",
             "renal|medications|bicarbonate"]),
    ("non-drug", ["renal", "renal|dialysis", "renal|dialysis|hemodialysis"]),
    ("none", []),
])
def test_treatments(read, treatments, codes):
    assert _codes(read(treatments), "s0", "proc") == codes


def test_a_path_that_names_a_drug_leaves_no_prefix_behind(read):
    assert _codes(read("non-drug"), "s1", "proc") == []


def test_rows_of_stays_without_a_patient_are_counted_as_dropped(read, raw):
    raw["diagnosis"] += [["1", "elsewhere", "renal|x"], ["1", "s1", ""]]
    told = {count.filter: (count.kept, count.dropped) for count in read().counts}
    assert told["diagnosis rows with a path"] == (45, 2)
    assert told["treatment rows that name no drug or class"] == (10, 30)


@pytest.mark.parametrize("path", [
    "pulmonary|medications|antibacterials",
    "cardiovascular|hypertension|beta blocker",
    "cardiovascular|hypertension|beta blocker|metoprolol",
    "cardiovascular|shock|vasopressors|norepinephrine > 0.1 micrograms/kg/min",
    "neurologic|ICH/ cerebral infarct|nimodipine",
    "endocrine|glucose metabolism|insulin|sliding scale administration",
    "neurologic|pain / agitation / altered mentation|SSRI administration|citalopram (Celexa)",
    "gastrointestinal|nutrition|prokinetic agent",
    "surgery|GI therapies|stress ulcer prophylaxis",
    "toxicology|drug overdose|drug removal measures|activated charcoal",
    "cardiovascular|non-operative procedures|cardioversion|chemical",
])
def test_paths_that_name_a_drug_or_a_class(path):
    assert names_drug(path.split("|"), DrugMaps.read())


@pytest.mark.parametrize("path", [
    "pulmonary|ventilation and oxygenation|mechanical ventilation",
    "pulmonary|radiologic procedures / bronchoscopy|CT scan|with contrast",
    "cardiovascular|intravenous fluid|normal saline administration|fluid bolus (250-1000mls)",
    "cardiovascular|non-operative procedures|cardiac angiography|with stent placement|drug-eluting",
    "surgery|intravenous fluids / electrolytes|normal saline administration",
    "surgery|analgesics /sedatives/ nmbs",
    "toxicology|drug overdose|drug levels",
    "infectious diseases|cultures / immuno-assays|legionnaire's urinary antigen",
    "cardiovascular|vascular disorders|VTE prophylaxis|compression boots",
    "gastrointestinal|nutrition|enteral feeds|tube feeding",
])
def test_paths_that_name_none(path):
    assert not names_drug(path.split("|"), DrugMaps.read())
