"""Visits in words: every place filled, earlier visits with their own codes, what is too long, what is refused."""
from __future__ import annotations

import copy
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from recbole_medmoe.checks.tiny_llama import save_byte_tokenizer
from recbole_medmoe.data import VisitPromptSpec
from recbole_medmoe.data.visit_prompts import VisitPrompts, prompt_sha256
from recbole_medmoe.encoders import PADDING, PromptTokenizer
from recbole_medmoe.encoders.loading import load_tokenizer
from recbole_medmoe.errors import CheckpointError, ConfigError, DataError

GOLDEN = Path(__file__).parent / "golden"
NAMES = {"diag": {"I10": "hypertension", "M10": "gout", "E11": "type 2 diabetes", "heart": "heart disease",
                  "heart|failure": "heart failure"},
         "proc": {"5A1": "mechanical ventilation", "B24": "echocardiogram"},
         "medications": {"C09": "lisinopril", "M04": "allopurinol", "A10": "metformin"}}
SPEC = VisitPromptSpec("none", "leader", "leader_visit", 2048, 3)
OLD: list[dict[str, Any]] = [
    {"diag": ["I10"], "proc": None, "medications": ["C09"]},
    {"diag": ["M10", "I10"], "proc": ["B24"], "medications": ["M04", "C09"]},
    {"diag": ["heart", "heart|failure"], "proc": ["5A1", "B24"], "medications": []},
    {"diag": ["E11"], "proc": [], "medications": ["A10"]}]
PATIENTS: dict[str, dict[str, Any]] = {
    "first_visit": {"diag": ["M10", "heart", "heart|failure"], "proc": ["B24"], "earlier": None},
    "four_earlier": {"diag": ["E11", "I10"], "proc": None, "earlier": OLD},
    "nothing_known": {"diag": None, "proc": None, "earlier": [{}]}}


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """One token per byte."""
    folder = tmp_path_factory.mktemp("bytes")
    save_byte_tokenizer(folder)
    return load_tokenizer(folder)


@pytest.fixture
def made(tokenizer: Any) -> Any:
    def make(profile: tuple[str, ...] = (), **options: Any) -> VisitPrompts:
        spec = replace(SPEC, **options)
        state = {"names": NAMES, "profile": list(profile), "prompt_sha256": prompt_sha256(spec)}
        return VisitPrompts(PromptTokenizer(tokenizer, None, spec.max_tokens, False), spec, state)

    return make


def written(folder: Path, name: str, text: str) -> str:
    (folder / f"{name}.txt").write_text(text)
    return str(folder / f"{name}.txt")


def told(prompts: VisitPrompts, visit: Any) -> str:
    """What stands in the table of token ids."""
    ids = prompts.table([visit])[0][0]
    return prompts.words.tokenizer.decode([int(token) for token in ids if token != PADDING])


@pytest.mark.parametrize("name", PATIENTS)
def test_a_prompt_is_the_golden_one(made: Any, name: str) -> None:
    text = (GOLDEN / f"leader_{name}.txt").read_text(encoding="utf-8").rstrip("\n")
    assert made().text(PATIENTS[name]) == told(made(), PATIENTS[name]) == text


def test_every_place_is_filled(made: Any, tmp_path: Path) -> None:
    now = written(tmp_path, "now", "{visits}|{history}|{diagnoses}|{procedures}|{profile}")
    old = written(tmp_path, "old", "{number}/{diagnoses}/{procedures}/{medications}")
    prompts = made(("age", "sex", "marital_status", "weight"), template=now, visit_template=old)
    visit = {"diag": ["I10"], "proc": ["B24"], "earlier": OLD[:1], "age": 71.0, "sex": "female", "weight": None,
             "marital_status": ["widowed"]}
    assert prompts.text(visit) == ("1|1/hypertension/none recorded/lisinopril\n|hypertension|echocardiogram|"
                                   "age 71, sex female, marital status widowed")


def test_earlier_visits_show_their_own_diagnoses(made: Any) -> None:
    """The released code shows those of the visit that is scored in each of them (study/papers.md 3e, 6)."""
    visit = {"diag": ["E11"], "proc": None, "earlier": OLD[:2]}
    assert [line.split(". ")[1] for line in made().text(visit).splitlines()[1:3]] == [
        "Diagnoses: hypertension", "Diagnoses: hypertension; gout"]
    released = made(history_diagnoses="current").text(visit)
    assert [line.split(". ")[1] for line in released.splitlines()[1:3]] == ["Diagnoses: type 2 diabetes"] * 2
    assert [line.split(". ")[2:] for line in released.splitlines()[1:3]] == [
        line.split(". ")[2:] for line in made().text(visit).splitlines()[1:3]]


@pytest.mark.parametrize("visits, numbers", [(0, []), (1, ["4"]), (3, ["2", "3", "4"]), (9, ["1", "2", "3", "4"])])
def test_the_last_visits_are_told_and_all_are_counted(made: Any, visits: int, numbers: list[str]) -> None:
    lines = made(visits=visits).text(PATIENTS["four_earlier"]).splitlines()
    assert lines[0] == "Earlier hospital stays on record: 4."
    assert [line[5] for line in lines if line.startswith("Stay ")] == numbers


def test_the_order_in_which_codes_are_written_changes_nothing(made: Any) -> None:
    one, other = ({"diag": codes, "proc": None, "earlier": [{"medications": codes}]}
                  for codes in (["M10", "I10", "M10"], ["I10", "M10"]))
    assert made().text(one) == made().text(other)


def test_a_code_without_a_name_is_told_as_it_is(made: Any) -> None:
    text = made().text({"diag": ["Z99", "I10"], "proc": None, "earlier": [{"medications": ["herbs"]}]})
    assert "Diagnoses of this stay: hypertension; Z99." in text and "Medications: herbs." in text


def test_a_path_is_told_by_its_end(made: Any) -> None:
    text = made().text({"diag": ["heart|failure", "heart"], "proc": ["heart"], "earlier": None})
    assert "Diagnoses of this stay: heart failure.\nProcedures: heart." in text


def test_two_codes_of_one_name_are_told_once(made: Any) -> None:
    prompts = made()
    prompts.names = {**NAMES, "diag": {"I10": "hypertension", "I11": "hypertension"}}
    assert "stay: hypertension." in prompts.text({"diag": ["I10", "I11"], "proc": None, "earlier": None})


def test_what_is_too_long_loses_its_oldest_visits_first(made: Any) -> None:
    visit = PATIENTS["four_earlier"]
    whole = made().text(visit)
    shorter = made(max_tokens=len(whole) - 1)
    lines = told(shorter, visit).splitlines()
    assert lines == [line for line in whole.splitlines() if not line.startswith("Stay 2")]


def test_then_it_loses_codes_at_the_end_of_the_longer_list_and_never_the_words(made: Any) -> None:
    visit = {"diag": ["E11", "I10", "M10"], "proc": ["5A1"], "earlier": OLD}
    bare = made().text({**visit, "earlier": None}).replace(": 0", ": 4")
    assert told(made(max_tokens=len(bare)), visit) == bare
    assert told(made(max_tokens=len(bare) - 1), visit) == bare.replace("; gout", "")
    assert told(made(max_tokens=len(bare) - 7), visit) == bare.replace("; hypertension; gout", "")


def test_what_was_left_out_is_counted_once_in_the_log(made: Any, caplog: pytest.LogCaptureFixture) -> None:
    visit = {"diag": ["E11", "I10"], "proc": None, "earlier": OLD}
    bare = made().text({**visit, "earlier": None})
    with caplog.at_level(logging.WARNING, "recbole_medmoe"):
        made(max_tokens=len(bare) - 3).table([visit, {"earlier": None}, visit, None])
    assert [record.getMessage() for record in caplog.records] == [
        f"2 of 3 prompts were longer than {len(bare) - 3} tokens: 6 earlier visits and 2 codes are not told"]


def test_words_that_fill_the_limit_alone_are_refused(made: Any) -> None:
    with pytest.raises(ConfigError, match="prompt_max_tokens 20: prompt template 'leader' has [0-9]+ tokens"):
        made(max_tokens=20).table([PATIENTS["first_visit"]])


def test_a_template_that_leaves_a_visit_without_a_token_is_refused(made: Any, tmp_path: Path) -> None:
    prompts = made(template=written(tmp_path, "now", "{history}"))
    with pytest.raises(ConfigError, match="gives a visit no token"):
        prompts.table([PATIENTS["four_earlier"], PATIENTS["first_visit"]])


def test_the_token_for_the_end_follows_where_there_is_one(made: Any, tokenizer: Any) -> None:
    visit = PATIENTS["first_visit"]
    plain = made().table([visit])[0][0].tolist()
    with_end = copy.deepcopy(tokenizer)
    with_end.eos_token = "!"
    last = with_end.convert_tokens_to_ids("!")
    for options, wanted in (({}, [*plain, last]), ({"end": False}, plain)):
        prompts = made(**options)
        prompts.words.tokenizer = with_end
        assert prompts.table([visit])[0][0].tolist() == wanted
    prompts = made(max_tokens=len(plain))   # with its end it is one token too long
    prompts.words.tokenizer = with_end
    assert len(prompts.table([visit])[0][0]) < len(plain) and prompts.table([visit])[0][0][-1] == last


def test_the_table_is_filled_up_on_the_right_and_absent_visits_are_marked(made: Any) -> None:
    ids, present = made().table([None, PATIENTS["nothing_known"], PATIENTS["four_earlier"]])
    assert present.tolist() == [False, True, True] and (ids[0] == PADDING).all()
    length = len(made().text(PATIENTS["nothing_known"]))
    assert (ids[1, :length] >= 0).all() and (ids[1, length:] == PADDING).all() and (ids[2] >= 0).all()


@pytest.mark.parametrize("key, text, told", [
    ("template", "{diagnosis}", "unknown place '{diagnosis}'; did you mean 'diagnoses'"),
    ("visit_template", "{visits}", "unknown place '{visits}'"),
    ("template", "{medications}", "unknown place '{medications}'")])
def test_a_template_with_an_unknown_place_is_refused(made: Any, tmp_path: Path, key: str, text: str,
                                                     told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        made(**{key: written(tmp_path, "wrong", text)})


def test_a_value_of_the_profile_that_is_none_is_refused(made: Any, tmp_path: Path) -> None:
    prompts = made(("age",), template=written(tmp_path, "now", "{profile}"))
    with pytest.raises(DataError, match="a value of a visit's profile must be"):
        prompts.text({"age": {"years": 71}})


def test_the_hash_follows_words_and_options(tmp_path: Path) -> None:
    one, other = written(tmp_path, "one", "{diagnoses} a"), written(tmp_path, "other", "{diagnoses} b")
    specs = [replace(SPEC, template=one), replace(SPEC, template=other), replace(SPEC, visit_template=one),
             replace(SPEC, visits=2), replace(SPEC, history_diagnoses="current"), replace(SPEC, end=False),
             replace(SPEC, max_tokens=9)]
    assert len({prompt_sha256(spec) for spec in (SPEC, *specs)}) == 8
    assert prompt_sha256(replace(SPEC, template=one, backbone="another")) == prompt_sha256(specs[0])


def test_a_state_of_other_words_is_refused(tokenizer: Any, tmp_path: Path) -> None:
    spec = replace(SPEC, template=written(tmp_path, "now", "{diagnoses}"))
    state = {"names": NAMES, "profile": [], "prompt_sha256": prompt_sha256(spec)}
    written(tmp_path, "now", "{diagnoses}, so")
    with pytest.raises(CheckpointError, match="not those that the model was trained with"):
        VisitPrompts(PromptTokenizer(tokenizer, None, 100, False), spec, state)
