"""WrappedTokens: several templates for the same texts, others for texts that training does not see."""
from __future__ import annotations

from dataclasses import replace

import pytest

from recbole_medmoe.checks.tiny_llama import make_llama
from recbole_medmoe.data import TokenSpec
from recbole_medmoe.data.wrapping import WrappedTokens
from recbole_medmoe.encoders import PADDING, PromptTokenizer

TEXTS = [f"patient {number} with gout" for number in range(12)]


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> TokenSpec:
    folder = tmp_path_factory.mktemp("wrapping")
    names = []
    for name in ("Read", "See", "Held", "Out"):
        (folder / f"{name}.txt").write_text(name + ": {text}", encoding="utf-8")
        names.append(str(folder / f"{name}.txt"))
    return TokenSpec(str(make_llama(folder / "llama")), names[0], 60, paraphrases=(names[1],),
                     held_out=(names[2], names[3]))


def _first(spec: TokenSpec, seen: bool) -> list[str]:
    return [prompt.split(":")[0] for prompt in WrappedTokens(spec).prompts(TEXTS, [seen] * len(TEXTS))]


def test_training_texts_take_one_of_the_paraphrases_by_their_hash(spec: TokenSpec) -> None:
    assert set(_first(spec, True)) == {"Read", "See"} and _first(spec, True) == _first(spec, True)


def test_other_texts_take_a_held_out_template(spec: TokenSpec) -> None:
    assert set(_first(spec, False)) == {"Held", "Out"}


def test_without_held_out_templates_all_texts_take_the_same_ones(spec: TokenSpec) -> None:
    alike = TokenSpec(spec.backbone, spec.template, 60, paraphrases=spec.paraphrases)
    assert _first(alike, False) == _first(spec, True)


def test_the_table_holds_the_ids_of_each_prompt_in_its_row(spec: TokenSpec) -> None:
    seen = [number % 3 > 0 for number in range(len(TEXTS))]
    wrapped = WrappedTokens(spec)
    ids, present = wrapped.table([*TEXTS, None], [*seen, True])
    plain = PromptTokenizer.load(spec.backbone, None, 60)
    assert present.tolist() == [True] * len(TEXTS) + [False] and (ids[-1] == PADDING).all()
    for row, wanted in zip(ids, plain.rows(wrapped.prompts(TEXTS, seen))):
        assert row[row != PADDING].tolist() == wanted.tolist()


def test_what_is_cut_behind_all_templates_is_told_in_one_line_with_the_key(spec: TokenSpec,
                                                                           caplog: pytest.LogCaptureFixture) -> None:
    texts = [f"{text}, {'and so on ' * 30}" for text in TEXTS]
    short = replace(spec, max_tokens=18, keep="end", setting="prompt_max_tokens")
    WrappedTokens(short).table([*texts, None, "gout"], [True] * (len(TEXTS) + 2))
    assert caplog.messages == [f"{len(TEXTS)} of {len(TEXTS) + 1} prompts were longer than prompt_max_tokens (18) and "
                               "lost their beginning"]


def test_what_is_cut_at_the_start_keeps_the_end_and_is_counted(spec: TokenSpec) -> None:
    short = TokenSpec(spec.backbone, spec.template, 18, keep="end")
    wrapped = WrappedTokens(short)
    ids, _ = wrapped.table(["a long text that asks at its end", "gout"], [True, True])
    whole = WrappedTokens(spec).table(["ts end", "gout"], [True, True])[0]
    assert wrapped.truncated == 1 and ids[0].tolist()[-4:] == whole[0][whole[0] != PADDING].tolist()[-4:]
