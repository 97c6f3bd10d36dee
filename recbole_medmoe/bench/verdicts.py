"""What the numbers say of a claim, in words that are no stronger than the tests."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable, Literal, Sequence

from ..evaluation import Equivalence, Paired
from .numbers import p_value, signed, signed_interval
from .results import Test
from .sections import label
from .suite import Suite

Verdict = Literal["holds", "does not hold", "not shown"]
State = Literal["higher", "lower", "open"]
WORDS: dict[State, str] = {"higher": "higher", "lower": "lower", "open": "no difference shown"}


@dataclass(frozen=True)
class Judged:
    """A verdict and the sentences that carry it; the verdict is None where the suite makes no claim."""

    verdict: Verdict | None
    sentences: tuple[str, ...]


def state(difference: float, p: float, level: float) -> State:
    """Which way a corrected test points."""
    if not p < 1 - level + 1e-12:   # also where p is NaN
        return "open"
    return "higher" if difference > 0 else "lower"


def told(paired: Paired | Equivalence, p: float | None = None) -> str:
    """``+0.041, +0.020 to +0.062, p 0.004``."""
    text = f"{signed(paired.difference)}, {signed_interval(paired.low, paired.high)}"
    return text if p is None else f"{text}, p {p_value(p)}"


def test_state(test: Test, primary: str, level: float) -> State:
    """`state` of one named comparison."""
    return state(test.paired[primary].difference, test.p, level)


def bears_out(test: Test, metrics: Sequence[str], level: float) -> bool:
    """Whether a comparison is shown higher: by its corrected test, and on every other metric by its interval."""
    return (test_state(test, metrics[0], level) == "higher"
            and all(test.paired[metric].low > 0 for metric in metrics[1:]))


def overall(states: Iterable[tuple[bool, bool]]) -> Verdict:
    """From (borne out, contradicted) of each part of a claim: all of them must be borne out, one may refute it."""
    known = list(states)
    if any(contradicted for _, contradicted in known):
        return "does not hold"
    return "holds" if known and all(borne for borne, _ in known) else "not shown"


def judge_comparisons(tests: Sequence[Test], suite: Suite) -> Judged:
    """A claim that one row is higher than others, in every context and on every metric of the suite."""
    metrics, level, has_claim = suite.metrics, suite.level, suite.claim is not None
    ours = [test for test in tests if suite.comparisons[test.group].claim]
    verdict = overall((bears_out(test, metrics, level), test_state(test, metrics[0], level) == "lower")
                      for test in ours) if has_claim else None
    sentences = []
    contexts = list(dict.fromkeys(test.context.name for test in ours))
    if has_claim and len(contexts) > 1:
        held = [name for name in contexts
                if all(bears_out(test, metrics, level) for test in ours if test.context.name == name)]
        lost = [name for name in contexts if name not in held
                and any(test_state(test, metrics[0], level) == "lower" for test in ours if test.context.name == name)]
        open_ = [name for name in contexts if name not in held and name not in lost]
        parts = [f"{words} on {len(names)} of {len(contexts)} ({', '.join(names)})" for words, names in
                 (("borne out", held), ("contradicted", lost), ("not shown", open_)) if names]
        sentences.append(f"The claim is {'; '.join(parts)}.")
    return Judged(verdict, tuple(sentences) + compared_sentences(tests, suite, metrics))


def compared_sentences(tests: Sequence[Test], suite: Suite, metrics: Sequence[str]) -> tuple[str, ...]:
    """Per entry of ``comparisons`` a count, then per comparison where it is higher, lower, or not shown to differ."""
    sentences = []
    for group, one in enumerate(suite.comparisons):
        ours = [test for test in tests if test.group == group]
        if len(ours) > 1:
            states = [test_state(test, metrics[0], suite.level) for test in ours]
            counts = ", ".join(f"{WORDS[which]} in {states.count(which)}" for which in WORDS if which in states)
            sentences.append(f"{one.row} against {one.called}, {label(metrics[0])}: {counts} of {len(ours)} "
                             "comparisons.")
        for other in one.against:
            these = [test for test in ours if test.against == other]
            sentences += [_compared(one.row, other, these, metrics, suite.level)] if these else []
    return tuple(sentences)


def _compared(row: str, other: str, tests: Sequence[Test], metrics: Sequence[str], level: float) -> str:
    parts = []
    for wanted, words in WORDS.items():
        these = [test for test in tests if test_state(test, metrics[0], level) == wanted]
        if these:
            numbers = "; ".join(f"{test.context.name} ({told(test.paired[metrics[0]], test.p)})" for test in these)
            parts.append(f"{words} on {numbers}")
    text = f"{row} against {other}, {label(metrics[0])}: {'. '.join(part[:1].upper() + part[1:] for part in parts)}."
    apart = [f"{label(metric)} on {test.context.name} ({told(test.paired[metric])})"
             for test in tests for metric in metrics[1:]
             if test_state(test, metrics[0], level) == "higher" and not test.paired[metric].low > 0]
    return text + (f" Not so on {'; '.join(apart)}." if apart else "")


def judge_equivalence(parts: Sequence[tuple[str, Equivalence, float, bool]], suite: Suite) -> Judged:
    """A claim that two rows do not differ by more than a margin, in every context.

    Args:
        parts: name of the context, the two one-sided tests, their p after Holm, and whether the difference is shown
            to lie beyond the margin.
    """
    level = suite.level
    sentences, states = [], []
    for name, found, p, beyond in parts:
        equal = p < 1 - level + 1e-12
        states.append((equal, beyond))
        words = ("the same within the margin" if equal else "a difference beyond the margin" if beyond
                 else "equality not shown")
        sentences.append(f"{name}: {words} ({told(found, p)}).")
    first = (f"Margin stated before: {suite.margin:g} {label(suite.primary)}; two one-sided tests, "
             f"{2 * level - 1:.0%} interval.")
    return Judged(overall(states) if suite.claim is not None else None, (first, *sentences))


def judge_variants(tests: Sequence[Test], suite: Suite) -> Judged:
    """A claim that must hold under every label variant: counts of differences and of intervals above 0."""
    primary = suite.primary
    sentences, states = [], []
    for row, other, group in dict.fromkeys((test.row, test.against, test.group) for test in tests):
        ours = [test for test in tests if (test.row, test.against, test.group) == (row, other, group)]
        these = [test.paired[primary] for test in ours]
        above = sum(paired.difference > 0 for paired in these)
        shown = sum(paired.low > 0 for paired in these)
        below = sum(paired.high < 0 for paired in these)
        values = [paired.difference for paired in these]
        lower = [test.context.name for test in ours if test_state(test, primary, suite.level) == "lower"]
        sentences.append(f"{row} against {other}, {label(primary)}: above 0 in {above} of {len(these)} variants, with "
                         f"an interval above 0 in {shown}, below 0 in {below}; from {signed(min(values))} to "
                         f"{signed(max(values))}." + (f" Lower after Holm: {', '.join(lower)}." if lower else ""))
        if suite.comparisons[group].claim:
            # All must be shown, which needs no correction; that one refutes the claim does.
            states.append((shown == len(these), any(test_state(test, primary, suite.level) == "lower"
                                                    for test in ours)))
    return Judged(overall(states) if suite.claim is not None else None, tuple(sentences))
