"""The same row under another condition: other pictures at test, fewer training patients, other words."""
from __future__ import annotations

import numpy as np

from ...evaluation import equivalence, holm
from ..evidence import ITEMS
from ..figures import Block, Line, curve, fall, forest
from ..numbers import interval, score, signed
from ..results import Context, Results
from ..sections import label
from ..verdicts import Judged, compared_sentences, overall, state, told
from .comparing import KINDS
from .finding import NOTHING, Answer, Table

_WORDS = {"higher": "higher", "lower": "lower", "open": "no difference shown"}


def swaps(results: Results) -> Answer:
    """Each row with other pictures at test against the catalogue's; the claim is that these hurt."""
    suite = results.suite
    split = suite.splits[0] if suite.splits else ""
    before = Context("catalogue", (split,))
    places = [(row, Context(images, (split,), images=images)) for row in suite.rows for images in suite.images
              if images != "catalogue"]
    places = [(row, context) for row, context in places if results.has(context, row) and results.has(before, row)]
    if not places:
        return Answer(NOTHING)
    pairs = [results.paired_values(context.cells(row), before.cells(row), metric)
             for row, context in places for metric in suite.metrics]
    every = results.differences(pairs)
    found = every[::len(suite.metrics)]
    corrected = holm([one.p for one in found])
    states = [state(one.difference, p, suite.level) for one, p in zip(found, corrected)]
    within = [suite.margin is not None and equivalence(a.values, b.values, suite.margin, a.patients, results.draws, 0,
                                                       suite.level).equivalent for a, b in pairs[::len(suite.metrics)]]
    # A missing picture is no other item's: `none` is told, but the claim does not rest on it.
    parts = [(which == "lower", which == "higher" or (same and which != "lower"))
             for (_, context), which, same in zip(places, states, within) if context.images != "none"]
    verdict = overall(parts) if suite.claim is not None else None
    sentences = tuple(
        f"{row}, {context.name} instead of catalogue: {_WORDS[which]} ({told(one, p)})"
        + (f", within the margin of {suite.margin:g}" if same else "") + "."
        for (row, context), one, p, which, same in zip(places, found, corrected, states, within))
    blocks: dict[str, list[Line]] = {}
    for (row, context), one, which in zip(places, found, states):
        blocks.setdefault(row, []).append(Line(context.name, one.difference, one.low, one.high, KINDS[which]))
    figure = forest(f"{label(suite.primary)} minus that with catalogue pictures",
                    [Block(row, tuple(lines)) for row, lines in blocks.items()], zero=True, margin=suite.margin)
    wide = len(suite.metrics)
    rows = tuple((row, context.name, *(told(one) for one in every[place * wide:(place + 1) * wide]))
                 for place, (row, context) in enumerate(places))
    table = Table(("Row", "Pictures at test", *(f"Δ {label(metric)}" for metric in suite.metrics)), rows, names=2)
    return Answer(Judged(verdict, sentences + _item_groups(results, split)), figure,
                  f"Split {split}: pictures swapped at test only, paired by patient, {suite.level:.0%} intervals.",
                  table)


def _item_groups(results: Results, split: str) -> tuple[str, ...]:
    """How well items are found whose swapped picture is nearest to another item's, and the rest."""
    suite, sentences = results.suite, []
    for row in suite.rows:
        for images in suite.images:
            runs = results.runs(Context(images, (split,), images=images).cells(row)[0])
            groups = [run.record["evaluation"]["groups"] for run in runs]
            parts = []
            for name in sorted({name for one in groups for name in one if name.startswith(ITEMS)}):
                metrics = [one[name]["metrics"] for one in groups if name in one]
                if len(metrics) == len(groups) and all(values is not None for values in metrics):
                    mean = float(np.mean([values[suite.primary] for values in metrics]))
                    parts.append(f"{name.removeprefix(ITEMS)} {score(mean)} ({groups[0][name]['n']} patients)")
            if parts:
                sentences.append(f"{row}, {images}: {label(suite.primary)} on items by what a nearest-picture "
                                 f"classifier makes of them: {'; '.join(parts)}.")
    return tuple(sentences)


def curves(results: Results) -> Answer:
    """Every row trained on growing shares of the patients."""
    suite = results.suite
    split = suite.splits[0] if suite.splits else ""
    contexts = [Context(f"{share:.0%}", (split,), train_share=share) for share in sorted(suite.train_share)]
    lines, table = [], []
    for row in suite.rows:
        there = [context for context in contexts if results.has(context, row)]
        found = results.levels([context.cells(row) for context in there], suite.primary)
        if there:
            lines.append((row, [(context.train_share, one.mean, one.low, one.high)
                                for context, one in zip(there, found)]))
        table += [(row, context.name, score(one.mean), interval(one.low, one.high))
                  for context, one in zip(there, found)]
    if not lines:
        return Answer(NOTHING)
    tests = results.tests(contexts)
    return Answer(Judged(None, compared_sentences(tests, suite, suite.metrics[:1])),
                  curve(label(suite.primary), lines, "training patients"),
                  f"Split {split}; the smaller shares lie inside the larger ones; {suite.level:.0%} intervals over "
                  "test patients.",
                  Table(("Row", "Training patients", label(suite.primary), f"{suite.level:.0%} interval"),
                        tuple(table), names=2))


def falls(results: Results) -> Answer:
    """Every row on a split and on a harder one of the same patients, and the named comparisons on the harder one."""
    suite = results.suite
    if len(suite.splits) < 2:
        return Answer(NOTHING)
    first, second = (Context(split, (split,)) for split in suite.splits[:2])
    rows = [row for row in suite.rows if results.has(first, row) and results.has(second, row)]
    if not rows:
        return Answer(NOTHING)
    lost = results.differences([results.paired_values(second.cells(row), first.cells(row), suite.primary, False)
                                for row in rows])
    before = results.levels([first.cells(row) for row in rows], suite.primary)
    after = results.levels([second.cells(row) for row in rows], suite.primary)
    order = sorted(range(len(rows)), key=lambda place: -after[place].mean)
    best = rows[order[0]]
    told_falls = "; ".join(f"{rows[place]} {signed(lost[place].difference)}"
                           for place in sorted(order, key=lambda place: lost[place].difference))
    head = (f"Highest on {second.name}: {best}, {label(suite.primary)} {score(after[order[0]].mean)}. Change from "
            f"{first.name}, largest fall first: {told_falls}.")
    tests = results.tests([second])
    table = Table(("Row", first.name, second.name, f"Δ {label(suite.primary)}"),
                  tuple((rows[place], score(before[place].mean), score(after[place].mean), told(lost[place]))
                        for place in order))
    figure = fall(label(suite.primary), [(rows[place], before[place].mean, after[place].mean) for place in order],
                  (first.name, second.name))
    return Answer(Judged(None, (head, *compared_sentences(tests, suite, suite.metrics[:1]))), figure,
                  f"The same patients, told in other words in {second.name}; the number is the change.", table)
