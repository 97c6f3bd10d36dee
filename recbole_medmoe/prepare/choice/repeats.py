"""Questions that repeat others: exact and near copies go, over all sources, and questions of one passage stay together.

Overlap is exact, over all pairs, by scikit-learn's counts and SciPy's sparse products in blocks of rows; no hashing
stands in for it, so that the same questions always give the same pairs.
"""
from __future__ import annotations

import hashlib
import re
import unicodedata
from typing import Iterable, Sequence

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from sklearn.feature_extraction.text import CountVectorizer

from .questions import Question

__all__ = ["NEAR", "SHINGLE", "SIBLINGS", "families", "overlaps", "without_repeats"]
SHINGLE = 3
"""Words in a row that are counted as one."""
NEAR = 0.4
"""Two questions with the same answer whose sets of shingles have at least this share in common are near copies."""
SIBLINGS = 0.6
"""Questions with this share in common, whatever the answers, are never divided between training and test."""
SEED = "recbole_medmoe choice repeats 1"
_BLOCK = 256
_WORD = re.compile(r"\w+")
Pair = tuple[int, int]


def words(text: str) -> str:
    """A text's words in lower case: what two texts must share to be called the same."""
    return " ".join(_WORD.findall(unicodedata.normalize("NFKC", text).lower()))


def overlaps(texts: Sequence[str], least: float) -> Iterable[Pair]:
    """Pairs of texts (first < second) whose sets of shingles overlap by at least ``least``: |both| / |either|.

    A text of fewer words than a shingle is one shingle by itself. Memory is that of a block of rows.
    """
    vectorizer = CountVectorizer(analyzer=_shingles, binary=True, dtype=np.int32)
    held = vectorizer.fit_transform(texts).tocsr()
    sizes = np.asarray(held.sum(axis=1)).ravel()
    for first in range(0, len(texts), _BLOCK):
        both = (held[first:first + _BLOCK] @ held.T).tocoo()
        rows, columns = both.row + first, both.col
        near = (rows < columns) & (both.data >= least * (sizes[rows] + sizes[columns] - both.data))
        yield from zip(rows[near].tolist(), columns[near].tolist())


def _shingles(text: str) -> set[str]:
    told = text.split()
    return {" ".join(told[place:place + SHINGLE]) for place in range(max(1, len(told) - SHINGLE + 1))}


def without_repeats(questions: Sequence[Question]) -> tuple[list[Question], list[tuple[str, int]]]:
    """One question of each group of copies, drawn by lot (SHA-256) among them.

    Copies have the same words in the question and an option in common, or the same words in the answer and questions
    that overlap by at least `NEAR`. A source all of whose questions have a copy in one other source is left out
    before, so that a mere variant of a source makes no task of its own.

    Returns:
        The questions that are kept, in the order given, and what each filter leaves.
    """
    exact, near = _copies(questions)
    left_out = _repeated_sources(questions, _members(len(questions), exact))
    stay = {place for place, question in enumerate(questions) if question.source not in left_out}
    alike = [[pair for pair in pairs if stay.issuperset(pair)] for pairs in (exact, exact + near)]
    groups = [[group for group in _members(len(questions), pairs) if group[0] in stay] for pairs in alike]
    kept = [min((questions[place] for place in group), key=_lot) for group in groups[1]]
    told = f" ({', '.join(sorted(left_out))})" if left_out else ""
    counts = [(f"without sources that one other source holds whole{told}", len(stay)),
              ("exact copies left out", len(groups[0])), ("near copies left out", len(kept))]
    return sorted(kept, key=lambda question: question.key), counts


def families(questions: Sequence[Question]) -> list[list[int]]:
    """Places of questions that belong together: those that share a passage or a stem, linked pair by pair."""
    return _members(len(questions), overlaps([words(question.text) for question in questions], SIBLINGS))


def _copies(questions: Sequence[Question]) -> tuple[list[Pair], list[Pair]]:
    """Places of exact and of near copies."""
    texts = [words(question.text) for question in questions]
    options = [{words(option) for option in question.options} for question in questions]
    answers = [words(question.options[question.answer]) for question in questions]
    exact: list[Pair] = []
    near: list[Pair] = []
    for one, other in overlaps(texts, NEAR):
        if texts[one] == texts[other] and options[one] & options[other]:
            exact.append((one, other))
        elif answers[one] == answers[other]:
            near.append((one, other))
    return exact, near


def _members(count: int, pairs: Iterable[Pair]) -> list[list[int]]:
    """Groups of places that pairs link, each place in one of them, ascending."""
    linked: np.ndarray = np.array(list(pairs), dtype=np.int64).reshape(-1, 2)
    graph = sparse.coo_matrix((np.ones(len(linked)), (linked[:, 0], linked[:, 1])), shape=(count, count))
    groups = connected_components(graph, directed=False)[1]
    order = np.argsort(groups, kind="stable")
    return [part.tolist() for part in np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)]


def _repeated_sources(questions: Sequence[Question], groups: Sequence[Sequence[int]]) -> set[str]:
    """Sources that one other source holds whole; of two that hold each other the later name goes."""
    held: dict[str, set[int]] = {}
    for number, group in enumerate(groups):
        for place in group:
            held.setdefault(questions[place].source, set()).add(number)
    left_out: set[str] = set()
    for source in sorted(held, reverse=True):
        if any(held[source] <= held[other] for other in held if other != source and other not in left_out):
            left_out.add(source)
    return left_out


def _lot(question: Question) -> str:
    return hashlib.sha256("\n".join([SEED, question.task, question.key]).encode()).hexdigest()
