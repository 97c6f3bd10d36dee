"""Rows against rows under each condition: differences, label variants, equality within a margin, plain levels."""
from __future__ import annotations

from typing import Sequence

from ...evaluation.statistics import equivalence_of
from ..figures import Block, Line, forest, strip
from ..numbers import interval, p_value, score
from ..results import Context, Results, Test
from ..sections import label
from ..verdicts import Judged, State, judge_comparisons, judge_equivalence, judge_variants, test_state, told
from .finding import NOTHING, Answer, Table, test_table

KINDS: dict[State, str] = {"higher": "up", "lower": "down", "open": ""}
OWN = "the data set's own"


def _blocks(tests: Sequence[Test], primary: str, level: float) -> list[Block]:
    found: dict[str, list[Line]] = {}
    for test in tests:
        paired = test.paired[primary]
        found.setdefault(f"{test.row} − {test.against}", []).append(
            Line(test.context.name, paired.difference, paired.low, paired.high,
                 KINDS[test_state(test, primary, level)]))
    return [Block(heading, tuple(lines)) for heading, lines in found.items()]


def differences(results: Results) -> Answer:
    """One row against others on every split, on every metric of the claim."""
    suite = results.suite
    tests = results.tests(results.contexts())
    if not tests:
        return Answer(NOTHING)
    judged = judge_comparisons(tests, suite)
    figure = forest(f"difference in {label(suite.primary)}", _blocks(tests, suite.primary, suite.level), zero=True)
    return Answer(judged, figure, f"Paired differences in {label(suite.primary)} with {suite.level:.0%} intervals over "
                  f"{results.subjects}; coloured where shown after Holm over {len(tests)} comparisons.",
                  test_table(tests, suite.metrics, "Split"))


def variants(results: Results) -> Answer:
    """The same comparisons under every label variant."""
    suite = results.suite
    split = suite.splits[0]
    contexts = [Context(name or OWN, (split,), name) for name in suite.labels]
    tests = results.tests(contexts)
    if not tests:
        return Answer(NOTHING)
    judged = judge_variants(tests, suite)
    rows: dict[str, dict[str, float]] = {}
    for test in tests:
        rows.setdefault(f"{test.row} − {test.against}", {})[test.context.name] = test.paired[suite.primary].difference
    own = OWN if any(OWN in values for values in rows.values()) else ""
    figure = strip(f"difference in {label(suite.primary)}", list(rows.items()), own)
    return Answer(judged, figure, f"One dot per label variant, split {split}; the upright mark is the median"
                  + (f"; in the other colour: {own}." if own else "."), test_table(tests, suite.metrics[:1], "Labels"))


def equivalences(results: Results) -> Answer:
    """Two rows that are said not to differ by more than the margin."""
    suite = results.suite
    assert suite.margin is not None   # the suite's own check
    places, drawn, missing = [], [], 0
    for context in results.contexts():
        for one in suite.comparisons:
            for other in one.against:
                if not (results.has(context, one.row) and results.has(context, other)):
                    missing += results.is_planned(context, one.row) and results.is_planned(context, other)
                else:
                    a, b = results.paired_values(context.cells(one.row), context.cells(other), suite.primary)
                    places.append((context.name, f"{one.row} − {other}"))
                    drawn.append(results.drawn(a, b))
    if not places:
        return Answer(NOTHING)
    found = [equivalence_of(*one, suite.margin, suite.level) for one in drawn]
    corrected = results.holm([one.p for one in found], missing)
    # Beyond the margin is what an interval shows that is corrected for their number (Bonferroni).
    strict = 1 - (1 - suite.level) / (len(drawn) + missing)
    wide = [equivalence_of(*one, suite.margin, strict) for one in drawn]
    beyond = [one.low >= suite.margin or one.high <= -suite.margin for one in wide]
    several = len({pair for _, pair in places}) > 1
    names = [f"{pair}, {name}" if several else name for name, pair in places]
    judged = judge_equivalence(list(zip(names, found, corrected, beyond)), suite)
    blocks: dict[str, list[Line]] = {}
    for (name, pair), tested, p in zip(places, found, corrected):
        kind = "up" if p < 1 - suite.level + 1e-12 else ""
        blocks.setdefault(pair, []).append(Line(name, tested.difference, tested.low, tested.high, kind))
    figure = forest(f"difference in {label(suite.primary)}",
                    [Block(pair, tuple(lines)) for pair, lines in blocks.items()], zero=True, margin=suite.margin)
    rows = tuple((pair, name, told(tested), p_value(p)) for (name, pair), tested, p in zip(places, found, corrected))
    return Answer(judged, figure, f"Differences with {2 * suite.level - 1:.0%} intervals; shaded: within the margin of "
                  f"{suite.margin:g}; coloured where equality within it is shown.",
                  Table(("Difference", "Split", f"Δ {label(suite.primary)}", "p (Holm)"), rows, names=2))


def levels(results: Results) -> Answer:
    """Each row's level on each split, and the named comparisons within the splits."""
    suite = results.suite
    contexts = [context for context in results.contexts() if any(results.has(context, row) for row in suite.rows)]
    if not contexts:
        return Answer(NOTHING)
    reference = suite.reference or (suite.comparisons[0].row if suite.comparisons else "")
    blocks: list[Block] = []
    table: list[tuple[str, ...]] = []
    by_row: dict[str, list[str]] = {row: [] for row in suite.rows}
    for context in contexts:
        there = [row for row in suite.rows if results.has(context, row)]
        found = results.levels([context.cells(row) for row in there], suite.primary)
        lines = [Line(row, one.mean, one.low, one.high, "first" if row == reference else "")
                 for row, one in zip(there, found)]
        blocks.append(Block(context.name if len(contexts) > 1 else "", tuple(lines)))
        table += [(context.name, row, score(one.mean), interval(one.low, one.high)) for row, one in zip(there, found)]
        for row, one in zip(there, found):
            by_row[row].append(f"{context.name} {score(one.mean)}")
    tests = results.tests(results.contexts())
    judged = judge_comparisons(tests, suite)
    told_levels = tuple(f"{row}, {label(suite.primary)}: {'; '.join(parts)}." for row, parts in by_row.items() if parts)
    return Answer(Judged(judged.verdict, told_levels + judged.sentences), forest(label(suite.primary), blocks),
                  f"{label(suite.primary)} with {suite.level:.0%} intervals over {results.subjects}. Splits ask for "
                  "different numbers of items, so compare rows within a split first." if len(contexts) > 1 else
                  f"{label(suite.primary)} with {suite.level:.0%} intervals over {results.subjects}.",
                  Table(("Split", "Row", label(suite.primary), f"{suite.level:.0%} interval"), tuple(table), names=2))
