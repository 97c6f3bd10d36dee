from __future__ import annotations

from recbole_medmoe.prepare.healthfood.document import example_rows, exclusion_rows, is_open, references, rule_rows
from recbole_medmoe.prepare.healthfood.knowledge import read_yaml
from recbole_medmoe.prepare.healthfood.labels import OWN, designs


def test_every_rule_has_a_row_and_a_source_that_is_listed():
    rules = read_yaml("rules.yaml")
    assert len(rule_rows().splitlines()) == len(rules["rules"])
    assert len(exclusion_rows().splitlines()) == len(rules["exclusions"])
    cited = {key for rule in rules["rules"] + rules["exclusions"] for key in rule["sources"]}
    assert cited == set(rules["sources"]) and all(rule["sources"] for rule in rules["rules"])


def test_a_source_has_title_organisation_and_year():
    sources = read_yaml("rules.yaml")["sources"]
    assert all(set(source) == {"title", "organisation", "year"} for source in sources.values())
    assert "- [dga2020] " in references()


def test_only_the_open_licence_makes_it_open(raw):
    assert is_open(raw.eicu)
    (raw.eicu / "LICENSE.txt").write_text("PhysioNet Credentialed Health Data License 1.5.0")
    assert not is_open(raw.eicu)


def test_readme_says_that_labels_are_a_simulation(made):
    text = (made / "README.md").read_text()
    assert "The labels are a simulation" in text and "not clinical truth" in text and "$" not in text


def test_licences_carry_notice_and_text(made):
    for name, title in (("LICENSE-ODbL.txt", "Open Database License"), ("LICENSE-MIT-grocery.txt", "MIT License")):
        text = (made / name).read_text()
        assert "part of this data set" in text and title in text and text.endswith("the whole text\n")


def test_readme_shows_one_patient_in_every_wording(made):
    rows = example_rows().splitlines()
    assert [row.split(" | ")[0] for row in rows] == ["| base", "| `train`", "| `valid`", "| `test`"]
    assert example_rows() in (made / "README.md").read_text()


def test_the_example_has_no_raw_path():
    assert "a|b|" not in example_rows() and "a/" not in example_rows()


def test_readme_has_a_row_for_each_label_variant(made):
    text = (made / "README.md").read_text()
    for name, design in designs().items():
        assert (f"| `{name}` | {design.what} | " in text) == (name != OWN)
