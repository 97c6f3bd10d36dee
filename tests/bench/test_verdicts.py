from __future__ import annotations

from typing import Any

import pytest

from recbole_medmoe.bench.results import Context, Test
from recbole_medmoe.bench.suite import Suite
from recbole_medmoe.bench.verdicts import (compared_sentences, judge_comparisons, judge_equivalence, judge_variants,
                                           overall, state)
from recbole_medmoe.evaluation import Equivalence, Paired

Test.__test__ = False   # type: ignore[attr-defined]  # a comparison, not a test of pytest's


def _suite(claim: bool = True, **changes: Any) -> Suite:
    values: dict[str, Any] = {
        "title": "t", "question": "q?", "dataset": "d", "seeds": [0], "splits": ["a", "b"],
        "metrics": ["map@5", "ndcg@5"], "rows": {"H": {}, "E": {}, "L": {}}, "figure": "differences",
        "comparisons": [{"row": "H", "against": ["E", "L"], "called": "its halves"}]}
    if claim:
        values["claim"] = {"text": "H beats both", "source": "paper"}
    return Suite.model_validate({**values, **changes})


def _test(context: str, against: str, difference: float, p: float, ndcg: float | None = None, group: int = 0) -> Test:
    def around(value: float) -> Paired:
        return Paired(value, value - .01, value + .01, .01)

    paired = {"map@5": around(difference), "ndcg@5": around(difference if ndcg is None else ndcg)}
    return Test(Context(context, (context,)), group, "H", against, paired, p)


@pytest.mark.parametrize(("difference", "p", "which"), [
    (.1, .01, "higher"), (-.1, .01, "lower"), (.1, .2, "open"), (.1, float("nan"), "open")])
def test_only_a_corrected_test_points_one_way(difference: float, p: float, which: str) -> None:
    assert state(difference, p, .95) == which


def test_a_claim_holds_only_if_every_part_does() -> None:
    won = [_test(split, other, .05, .001) for split in "ab" for other in "EL"]
    assert judge_comparisons(won, _suite()).verdict == "holds"
    assert judge_comparisons(won[:3] + [_test("b", "L", .05, .3)], _suite()).verdict == "not shown"
    assert judge_comparisons(won[:3] + [_test("b", "L", -.05, .001)], _suite()).verdict == "does not hold"


def test_a_metric_whose_interval_touches_zero_is_named_and_keeps_the_claim_open() -> None:
    judged = judge_comparisons([_test("a", "E", .05, .001, ndcg=.005)], _suite())
    assert judged.verdict == "not shown"
    assert "Not so on NDCG@5 on a (+0.005, −0.005 to +0.015)." in judged.sentences[0]


def test_nothing_shown_is_no_claim_held() -> None:
    assert overall([]) == "not shown"


def test_a_losing_hybrid_is_said_to_lose_with_all_numbers() -> None:
    judged = judge_comparisons([_test("a", "E", -.05, .004), _test("b", "E", .05, .02)], _suite())
    assert judged.sentences == (
        "The claim is borne out on 1 of 2 (b); contradicted on 1 of 2 (a).",
        "H against its halves, MAP@5: higher in 1, lower in 1 of 2 comparisons.",
        "H against E, MAP@5: Higher on b (+0.050, +0.040 to +0.060, p 0.020). "
        "Lower on a (−0.050, −0.060 to −0.040, p 0.004).")


def test_controls_are_told_but_do_not_carry_the_claim() -> None:
    suite = _suite(comparisons=[{"row": "H", "against": ["E"], "called": "its half"},
                                {"row": "H", "against": ["L"], "called": "a control", "claim": False}])
    judged = judge_comparisons([_test("a", "E", .05, .001), _test("a", "L", -.05, .001, group=1)], suite)
    assert judged.verdict == "holds"
    assert any("H against L, MAP@5: Lower on a" in sentence for sentence in judged.sentences)


def test_a_suite_without_a_claim_gets_no_verdict() -> None:
    tests = [_test("a", "E", .05, .001)]
    assert judge_comparisons(tests, _suite(claim=False)).verdict is None
    assert judge_comparisons(tests, _suite(claim=False)).sentences == compared_sentences(
        tests, _suite(), ["map@5", "ndcg@5"])


@pytest.mark.parametrize(("differences", "p", "verdict"), [
    ((.02, .03), .5, "holds"), ((.02, .005), .5, "not shown"), ((.02, -.03), .01, "does not hold"),
    ((.02, -.03), .06, "not shown")])
def test_a_claim_must_hold_under_every_label_variant(differences: tuple[float, float], p: float, verdict: str) -> None:
    tests = [_test(f"D{place}", "E", difference, p) for place, difference in enumerate(differences)]
    assert judge_variants(tests, _suite()).verdict == verdict


def test_label_variants_are_counted() -> None:
    tests = [_test(f"D{place}", "E", difference, .5) for place, difference in enumerate((.02, .005, -.03))]
    assert judge_variants(tests, _suite()).sentences == (
        "H against E, MAP@5: above 0 in 2 of 3 variants, with an interval above 0 in 1, below 0 in 1; from −0.030 to "
        "+0.020.",)


@pytest.mark.parametrize(("difference", "p", "verdict", "words"), [
    (.001, .001, "holds", "the same within the margin"), (.008, .3, "not shown", "equality not shown"),
    (.05, 1.0, "does not hold", "a difference beyond the margin")])
def test_no_difference_is_claimed_only_within_the_margin(difference: float, p: float, verdict: str, words: str) -> None:
    found = Equivalence(difference, difference - .005, difference + .005, p, .01, p < .05)
    judged = judge_equivalence([("a", found, p, verdict == "does not hold")], _suite(margin=.01))
    assert judged.verdict == verdict and words in judged.sentences[1]
    assert judged.sentences[0] == "Margin stated before: 0.01 MAP@5; two one-sided tests, 90% interval."
