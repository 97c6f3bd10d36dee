"""One answer per suite: verdict, sentences, figure and table, all from the records."""
from __future__ import annotations

from dataclasses import replace
from typing import Callable

from ..results import Results
from ..verdicts import Judged
from .changing import curves, falls, swaps
from .comparing import differences, equivalences, levels, variants
from .finding import Answer, Finding, Table, missing_runs
from .missing import removals
from .personal import personal

__all__ = ["Answer", "Finding", "Table", "find"]
_KINDS: dict[str, Callable[[Results], Answer]] = {
    "differences": differences, "variants": variants, "personal": personal, "equivalence": equivalences,
    "swapped": swaps, "levels": levels, "curve": curves, "fall": falls,
    "missing": removals}


def find(results: Results) -> Finding:
    """The answer to a suite's question; a suite of tables alone has only its title and what is missing.

    No claim holds before all of its suite's runs are there.

    Raises:
        DataError: runs that can not be compared.
    """
    kind = _KINDS.get(results.suite.figure)
    answer = Answer() if kind is None else kind(results)
    missing = missing_runs(results)
    if missing and answer.judged.verdict == "holds":
        judged = Judged("not shown", ("Runs are missing, so that the claim can not be said to hold.",
                                      *answer.judged.sentences))
        answer = replace(answer, judged=judged)
    return Finding(results.suite, answer, missing)
