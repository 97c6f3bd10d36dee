"""The data set as it ships, and that it is what the converter's rules say."""
from __future__ import annotations

import re
import shutil

import pytest

from recbole_medmoe.atomic import (PARTS, inter_path, label_variants, read_atomic, read_manifest, read_texts, text_path,
                                   validate_folder)
from recbole_medmoe.paths import dataset_folder, dataset_splits
from recbole_medmoe.prepare.healthfood.document import rule_rows
from recbole_medmoe.prepare.healthfood.knowledge import conditions, medicine_classes, read_yaml
from recbole_medmoe.prepare.healthfood.phrases import PHRASES, named_medicines, needed_facts, read_phrases
from recbole_medmoe.prepare.healthfood.texts import GROUPS


@pytest.fixture(scope="module")
def folder():
    return dataset_folder("healthfood")


def test_it_is_valid_also_without_the_manifest_vouching_for_it(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "healthfood", ignore=shutil.ignore_patterns("manifest.json", "features"))
    validate_folder(tmp_path / "healthfood")


def test_splits(folder):
    expected = ["cold_item0", "cold_item1", "cold_item2", "cold_patient", "paper177", "phrasing", "set_completion",
                "warm"]
    manifest = read_manifest(folder)
    assert dataset_splits(folder) == sorted(manifest.splits) == expected and manifest.default_split == "cold_patient"


def test_label_variants(folder):
    expected = ["A", "B", *(f"D{number:02d}" for number in range(1, 21))]
    assert label_variants(folder) == sorted(read_manifest(folder).labels) == expected
    assert sum(path.stat().st_size for path in (folder / "labels").rglob("*.inter")) < 6_000_000


@pytest.mark.parametrize("variant", ["A", "D07"])
@pytest.mark.parametrize("part", PARTS)
def test_a_variant_labels_the_patients_of_the_split(folder, variant, part):
    own, other = (set(read_atomic(inter_path(folder, "cold_patient", part, labels))["user_id"])
                  for labels in (None, variant))
    assert own == other


def test_phrasing_has_the_rows_of_cold_patient(folder):
    for part in PARTS:
        assert (inter_path(folder, "phrasing", part).read_bytes()
                == inter_path(folder, "cold_patient", part).read_bytes())


def test_sizes(folder):
    assert len(read_atomic(folder / "healthfood.user")) == 1639 and len(read_atomic(folder / "healthfood.item")) == 81
    assert 8.0 < len(read_atomic(folder / "healthfood.inter")) / 1639 < 8.2


def test_it_is_open_data(folder):
    assert not read_manifest(folder).derived_from_credentialed
    assert (folder / "LICENSE-ODbL.txt").is_file() and (folder / "LICENSE-MIT-grocery.txt").is_file()


def test_texts_hold_no_eicu_id(folder):
    texts = read_texts(folder / "text" / "user.jsonl")
    assert not any(re.search(r"\b\d{3}-\d{3,}\b|\b\d{6,}\b", text) for text in texts.values())


def test_readme_carries_the_rules_as_they_are_now(folder):
    assert rule_rows() in (folder / "README.md").read_text()


def test_item_texts_do_not_give_nutrients_away(folder):
    texts = read_texts(folder / "text" / "item.jsonl")
    assert not any(re.search(r"\d+ ?(kcal|gram|milligram)", text) for text in texts.values())


def test_all_pictures_together_stay_small(folder):
    assert sum(path.stat().st_size for path in (folder / "images").rglob("*.jpg")) < 9_000_000


@pytest.fixture(scope="module")
def phrases():
    return read_phrases(PHRASES)


@pytest.fixture(scope="module")
def phrased(folder):
    """User -> part, phrased text, base text, condition codes and medicine classes."""
    part = {user: part for part in PARTS for user in read_atomic(inter_path(folder, "phrasing", part))["user_id"]}
    said, base = read_texts(text_path(folder, "user", "phrasing")), read_texts(text_path(folder, "user"))
    frame = read_atomic(folder / "healthfood.user")
    codes = {user: {*held, *taken}
             for user, held, taken in zip(frame["user_id"], frame["conditions"], frame["medicines"])}
    return {user: (part[user], said[user], base[user], codes[user]) for user in part}


def test_every_fact_can_be_said_in_eight_ways(phrases):
    few = [fact for fact in needed_facts() if sum(len(phrases.of(fact, part)) for part in PARTS) < 8]
    assert not few


def test_every_patient_of_the_split_is_phrased(folder, phrased):
    assert set(phrased) == set(read_atomic(folder / "healthfood.user")["user_id"])


def test_every_code_that_a_rule_names_is_said_in_a_phrase_of_the_part(phrased, phrases):
    rules = read_yaml("rules.yaml")
    named = {rule["when"] for rule in rules["rules"]} | {code for rule in rules["exclusions"] for code in rule["when"]}
    named |= {code for rule in rules["rules"] for off in rule.get("unless", {}).values() for code in off}
    fact = {**{entry.code: f"condition:{entry.code}" for entry in conditions()},
            **{code: f"medicine:{code}" for code in [*medicine_classes().values(), *named_medicines()]}}
    lost = [(user, code) for user, (part, text, base, codes) in phrased.items()
            for code in (codes | {name for name in named_medicines() if f" {name};" in base or f" {name}." in base})
            if code in named and not any(phrase in text for phrase in phrases.of(fact[code], part))]
    assert not lost


def test_wishes_diet_and_allergies_are_said(phrased, phrases):
    groups = {text: name for name, text in GROUPS.items()} | {"any food": "none"}
    for part, text, base, _ in phrased.values():
        told = dict(re.findall(r"(Likes|Dislikes|Diet:|Wants|Allergies:) (.+?)\.(?= |$)", base))
        for name in f"{told['Likes']}, {told['Dislikes']}".split(", "):
            assert name in text
        diet = told["Diet:"].replace("no special diet", "none")
        assert any(phrase in text for phrase in phrases.of(f"diet:{diet}", part))
        assert any(phrase in text for phrase in phrases.of(f"wanted:{groups[told['Wants']]}", part))
        for name in told["Allergies:"].split("; "):
            assert name in ("none recorded", "latex") or name in text  # latex is a condition code: said in a phrase


def test_parts_say_the_same_fact_in_other_words(phrases):
    said = [{phrase.casefold() for fact in needed_facts() for phrase in phrases.of(fact, part)} for part in PARTS]
    assert not said[0] & said[1] and not said[0] & said[2] and not said[1] & said[2]
