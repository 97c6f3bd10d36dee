"""The same row under another condition: other pictures at test, fewer training patients, other words."""
from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...evaluation import Paired
from ...evaluation.statistics import equivalence_of, paired_of
from ...quick_start.stored import ITEMS
from ...quick_start.pictures import BEFORE, RECLASSIFIED, RECOGNISED
from ..figures import Block, Line, curve, fall, forest
from ..numbers import interval, score, signed
from ..results import Context, Results, Values
from ..sections import label
from ..verdicts import Judged, compared_sentences, overall, state, told
from .comparing import KINDS
from .finding import NOTHING, Answer, Table


def swaps(results: Results) -> Answer:
    """Each row with other pictures at test against the catalogue's.

    The claim is that a picture that looks like another item's hurts. It is judged on those items alone: how they are
    found with the other pictures, against how the same items are found with the catalogue's.
    """
    suite = results.suite
    split, labels, share = suite.splits[0], suite.labels[0], suite.train_share[0]
    before = Context("catalogue", (split,), labels, share)
    places = [(row, Context(images, (split,), labels, share, images)) for row in suite.rows for images in suite.images
              if images != "catalogue"]
    planned = [(row, context) for row, context in places
               if context.images != "none" and results.is_planned(context, row) and results.is_planned(before, row)]
    places = [(row, context) for row, context in places if results.has(context, row) and results.has(before, row)]
    missing = sum(place not in places for place in planned)
    if not places:
        return Answer(NOTHING)
    every = results.differences([results.paired_values(context.cells(row), before.cells(row), metric)
                                 for row, context in places for metric in suite.metrics])
    wide = len(suite.metrics)
    blocks = {f"{row}, all items": [Line(context.name, one.difference, one.low, one.high, "")
                                    for (other, context), one in zip(places, every[::wide]) if other == row]
              for row in dict.fromkeys(row for row, _ in places)}
    parts = [part for row, context in places for part in _apart(results, row, context)]
    tested = [part for part in parts if part.kind == RECLASSIFIED]
    states = [state(part.paired.difference, p, suite.level)
              for part, p in zip(tested, results.holm([part.paired.p for part in tested], missing))]
    for part, which in zip(tested, states):
        blocks.setdefault(f"{part.row}, {part.name} items", []).append(
            Line(part.images, part.paired.difference, part.paired.low, part.paired.high, KINDS[which]))
    verdict = overall((which == "lower", which == "higher" or (part.same and which != "lower"))
                      for part, which in zip(tested, states)) if suite.claim is not None else None
    sentences = [part.sentence(label(suite.primary)) for part in parts]
    sentences += [f"{row}, {context.name} instead of catalogue, all items: {told(one)}."
                  for (row, context), one in zip(places, every[::wide])]
    rows = tuple((row, context.name, *(told(one) for one in every[place * wide:(place + 1) * wide]))
                 for place, (row, context) in enumerate(places))
    return Answer(Judged(verdict, tuple(sentences)),
                  forest(f"{label(suite.primary)} minus that with catalogue pictures",
                         [Block(name, tuple(lines)) for name, lines in blocks.items()], zero=True, margin=suite.margin),
                  f"Split {split}: pictures swapped at test only, paired by patient, {suite.level:.0%} intervals; "
                  f"coloured where shown after Holm over the {len(tested)} tests on items of one kind.",
                  Table(("Row", "Pictures at test", *(f"Δ {label(metric)}" for metric in suite.metrics)), rows,
                        names=2))


class _Part(NamedTuple):
    """How one kind of item is found with other pictures, against the same items with the catalogue's."""

    row: str
    images: str
    kind: str
    before: float
    after: float
    patients: int
    paired: Paired
    same: bool

    @property
    def name(self) -> str:
        """The kind of item in one word."""
        return self.kind.removeprefix(ITEMS)

    def sentence(self, metric: str) -> str:
        """What it says, in one line."""
        return (f"{self.row}, {self.images}, items that are {self.name}: {metric} {score(self.before)} with the "
                f"catalogue's pictures, {score(self.after)} with these ({told(self.paired, self.paired.p)}; "
                f"{self.patients} patients with such an item)" + (", within the margin." if self.same else "."))


def _apart(results: Results, row: str, context: Context) -> list[_Part]:
    """Reclassified and recognised items of one row; none where no picture is shown."""
    suite, parts = results.suite, []
    for kind in (RECLASSIFIED, RECOGNISED) if context.images != "none" else ():
        a, b = (results.values(context.cells(row), f"{kind}{ending}/{suite.primary}") for ending in ("", BEFORE))
        there = ~np.isnan(a.values)
        if not there.any():
            continue
        a, b = (Values(one.rows[there], one.patients[there], one.values[there], one.data) for one in (a, b))
        mean, drawn = results.drawn(a, b)
        same = suite.margin is not None and equivalence_of(mean, drawn, suite.margin, suite.level).equivalent
        paired = paired_of(mean, drawn, suite.level)
        parts.append(_Part(row, context.name, kind, float(b.values.mean()), float(a.values.mean()),
                           len(np.unique(a.patients)), paired, same))
    return parts


def curves(results: Results) -> Answer:
    """Every row trained on growing shares of the patients."""
    suite = results.suite
    split = suite.splits[0] if suite.splits else ""
    contexts = [Context(f"{share:.0%}", (split,), suite.labels[0], share, suite.images[0])
                for share in sorted(suite.train_share)]
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
    first, second = (Context(split, (split,), suite.labels[0], suite.train_share[0], suite.images[0])
                     for split in suite.splits[:2])
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
