"""The splits: who trains, validates and tests, drawn by SHA-256: never by the order of files or Python's hashes."""
from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Iterable, Sequence

from .personal import shuffled

SEED = "recbole_medmoe healthfood splits 1"  # fresh: no prototype's figures were seen on these splits
FOLDS = 3
COLD_VALID_EVERY = 4  # of the 54 items outside a fold every fourth validates: 13, and 41 train
PAPER_PATIENTS = 177  # the number of rows in arXiv 2412.11557
PAPER_TEST, PAPER_VALID = 36, 20

Pair = tuple[str, str]
Liked = dict[str, list[str]]  # user -> its positives


@dataclass
class Split:
    """Rows (user, item) of the three parts, and, where not the whole catalogue is ranked, the candidates of a phase."""

    name: str
    description: str
    train: list[Pair]
    valid: list[Pair]
    test: list[Pair]
    candidates: dict[str, list[str]] = field(default_factory=dict)

    @property
    def parts(self) -> dict[str, list[Pair]]:
        """Rows by ``train``, ``valid``, ``test``."""
        return {"train": self.train, "valid": self.valid, "test": self.test}

    def part_users(self) -> dict[str, list[str]]:
        """Users with a row in each part, sorted."""
        return {part: sorted({user for user, _ in rows}) for part, rows in self.parts.items()}


def _pairs(liked: Liked, users: Iterable[str]) -> list[Pair]:
    return sorted((user, item) for user in users for item in liked[user])


def _by_patient(name: str, what: str, liked: Liked, order: list[str], valid: int, test: int) -> Split:
    """Gives each patient, with all positives, to one part: the first of ``order`` test, the next validate."""
    parts = (order[test + valid:], order[test:test + valid], order[:test])
    text = f"{what}: {len(parts[0])} patients train, {valid} others validate, {test} others test"
    train_rows, valid_rows, test_rows = (_pairs(liked, part) for part in parts)
    return Split(name, text, train_rows, valid_rows, test_rows)


def cold_patient(liked: Liked) -> Split:
    """70 / 10 / 20 of the patients; those of valid and test have no training row."""
    order = shuffled(liked, SEED, "cold_patient")
    return _by_patient("cold_patient", "new patients", liked, order, round(0.1 * len(order)), round(0.2 * len(order)))


def paper177(liked: Liked) -> Split:
    """177 patients as in the paper, 80/20, the validation patients taken from the 80; smaller if there are fewer."""
    order = shuffled(liked, SEED, "paper177")[:PAPER_PATIENTS]
    valid, test = (count * len(order) // PAPER_PATIENTS for count in (PAPER_VALID, PAPER_TEST))
    return _by_patient("paper177", "new patients, at the size of arXiv 2412.11557", liked, order, valid, test)


def warm(liked: Liked) -> Split:
    """Of each patient's positives 3 test, 1 validates, the rest (4, with ties more) train."""
    parts: tuple[list[Pair], list[Pair], list[Pair]] = ([], [], [])
    for user in sorted(liked):
        order = shuffled(liked[user], SEED, "warm", user)
        for part, items in zip(parts, (order[4:], order[3:4], order[:3])):
            part.extend((user, item) for item in items)
    train, valid, test = (sorted(part) for part in parts)
    return Split("warm", "every patient trains: 3 positives test, 1 validates, the others train", train, valid, test)


def phrasing(base: Split) -> Split:
    """The rows of ``cold_patient``; the words differ: each part's texts are said in phrases of that part alone."""
    return replace(base, name="phrasing", description="the patients of cold_patient, each part described in phrases "
                   "that no other part uses")


def set_completion(liked: Liked, base: Split) -> Split:
    """The patients of ``cold_patient``; of each that validates or tests, half of the positives is given and trains.

    The smaller half is given. Who has a single positive would have nothing to be asked for and only trains.
    """
    train, asked = list(base.train), []
    for rows in (base.valid, base.test):
        part: list[Pair] = []
        for user in sorted({user for user, _ in rows}):
            order = shuffled(liked[user], SEED, "set_completion", user)
            given = max(1, len(order) // 2)
            train += [(user, item) for item in order[:given]]
            part += [(user, item) for item in order[given:]]
        asked.append(sorted(part))
    text = "of each that validates or tests half of the positives trains, the rest is asked"
    return Split("set_completion", f"the patients of cold_patient; {text}", sorted(train), asked[0], asked[1])


def _stratified(groups: dict[str, str], *seed: str) -> list[str]:
    """Items group by group, shuffled within each, so that every n-th is a stratified draw."""
    return [item for group in sorted(set(groups.values()))
            for item in shuffled((item for item, its in groups.items() if its == group), *seed)]


def cold_items(liked: Liked, groups: dict[str, str]) -> list[Split]:
    """Three folds: a fold's items test, some others validate, the rest train; a phase ranks its own items only."""
    folds = {item: index % FOLDS for index, item in enumerate(_stratified(groups, SEED, "cold_item"))}
    splits = []
    for fold in range(FOLDS):
        test = {item for item, of in folds.items() if of == fold}
        others = {item: group for item, group in groups.items() if item not in test}
        rest = _stratified(others, SEED, "cold_item", str(fold))
        valid = set(rest[COLD_VALID_EVERY - 1::COLD_VALID_EVERY])
        train = set(rest) - valid
        rows = [[pair for pair in _pairs(liked, liked) if pair[1] in part] for part in (train, valid, test)]
        text = f"new items, fold {fold} of {FOLDS}: {len(train)} items train, {len(valid)} validate, {len(test)} test"
        candidates = {"valid": sorted(valid), "test": sorted(test)}
        splits.append(Split(f"cold_item{fold}", text, rows[0], rows[1], rows[2], candidates))
    return splits


def make_splits(liked: Liked, groups: dict[str, str]) -> Sequence[Split]:
    """All splits; ``liked``: user -> its positives, ``groups``: item -> its group."""
    base = cold_patient(liked)
    return [base, warm(liked), *cold_items(liked, groups), paper177(liked), phrasing(base),
            set_completion(liked, base)]
