"""check_recommender: every check on one model."""
from __future__ import annotations

import tempfile
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Mapping, Sequence

from ..errors import Caught, CheckError, ConfigError, nearest
from .building import builds_from_yaml
from .case import Case
from .hygiene import inputs_unchanged, no_network, no_write_outside_run_folder
from .leaking import no_medication_leak
from .report import FAILED, NOT_APPLICABLE, PASSED, CheckFailed, CheckLine, CheckReport, NotApplicable
from .scoring import (bf16, dropout_is_all_that_training_adds, eval_is_deterministic, independent_of_batch,
                      predict_matches_full_sort)
from .sizes import all_modalities_missing, batch_of_one, k_above_catalogue, one_item_catalogue
from .storing import fresh_process_same_scores
from .training import gradients, overfits_eight_rows, same_seed_same_weights

DECLARED = "checks_not_applicable"
"""Class attribute of a model: check name to the reason why it means nothing for it. Every report shows it."""


@dataclass(frozen=True)
class Check:
    """One line of `CHECKS`; the function returns what it measured."""

    name: str
    tells: str
    function: Callable[[Case], str]


CHECKS: tuple[Check, ...] = (
    Check("builds_from_yaml", "builds from its YAML alone; Params and YAML have the same keys, and each is read",
          builds_from_yaml),
    Check("gradients", "the loss is finite; every trainable parameter gets a gradient, no frozen one does", gradients),
    Check("overfits_eight_rows", "trained on eight users, it ranks their own positives first", overfits_eight_rows),
    Check("predict_matches_full_sort", "a pair's score is the same by both ways", predict_matches_full_sort),
    Check("independent_of_batch", "scores do not depend on batch mates, their order, or padding", independent_of_batch),
    Check("eval_is_deterministic", "evaluation mode draws nothing", eval_is_deterministic),
    Check("dropout_is_all_that_training_adds", "training mode without dropout scores as evaluation mode",
          dropout_is_all_that_training_adds),
    Check("same_seed_same_weights", "same seed, same weights bit for bit; another seed, another start",
          same_seed_same_weights),
    Check("fresh_process_same_scores", "a saved model scores the same in another process", fresh_process_same_scores),
    Check("bf16", "finite under bfloat16 autocast, and clear preferences stay", bf16),
    Check("batch_of_one", "trains and ranks in batches of one", batch_of_one),
    Check("one_item_catalogue", "trains and ranks where there is one item", one_item_catalogue),
    Check("k_above_catalogue", "a cut-off above the number of items is cut to it", k_above_catalogue),
    Check("all_modalities_missing", "finite scores where nothing is known of patient or item", all_modalities_missing),
    Check("no_medication_leak", "a visit's scores do not follow its own or later medications", no_medication_leak),
    Check("inputs_unchanged", "interactions, feature tables and configuration stay as they are", inputs_unchanged),
    Check("no_network", "no call over the network", no_network),
    Check("no_write_outside_run_folder", "no file outside the run folder and the cache", no_write_outside_run_folder),
)


def check_recommender(model: str | type, *, overrides: Mapping[str, Any] | None = None,
                      only: str | Sequence[str] | None = None,
                      told: Callable[[CheckLine], None] | None = None) -> CheckReport:
    """Runs every check on one model, on tiny data made in code and in a temporary folder.

    Args:
        model: a name of ``recbole-medmoe list models``, ``package.module:Class``, or a class.
        overrides: keys for all runs of the checks.
        only: one check, or several; None runs all.
        told: called with each line as soon as it is known.

    Returns:
        The report, where no check failed.

    Raises:
        CheckError: checks that failed, each with model, check and numbers; its ``report`` holds all lines.
        ConfigError: no such model or check, or a model that needs a knowledge graph.

    Example:
        >>> check_recommender("my_model:MyModel").count("passed")  # doctest: +SKIP
        17
    """
    chosen = _choose(only)
    with tempfile.TemporaryDirectory(prefix="recbole_medmoe-checks-") as folder:
        case = Case(model, Path(folder), overrides)
        lines = []
        try:
            for check in chosen:
                lines.append(run_check(case, check))
                if told is not None:
                    told(lines[-1])
        finally:
            case.fresh.close()
    report = CheckReport(case.name, tuple(lines))
    if report.failures:
        raise CheckError(failure_message(report), report)
    return report


def _choose(only: str | Sequence[str] | None) -> tuple[Check, ...]:
    names = [only] if isinstance(only, str) else only
    if names is None:
        return CHECKS
    known = {check.name: check for check in CHECKS}
    faults = [f"no check '{name}'{nearest(name, known)}" for name in names if name not in known]
    if faults:
        raise ConfigError(faults)
    return tuple(check for check in CHECKS if check.name in names)


def run_check(case: Case, check: Check) -> CheckLine:
    """One check of one model, timed; an error of the model's code, or of a library under it, fails the check."""
    begun = time.perf_counter()
    declared = _declared(case.kind)
    with Caught() as caught:
        try:
            if check.name in declared:
                raise NotApplicable(f"declared by the model: {declared[check.name]}")
            outcome, words = PASSED, check.function(case)
        except NotApplicable as reason:
            outcome, words = NOT_APPLICABLE, str(reason)
        except CheckFailed as fault:
            outcome, words = FAILED, str(fault)
    if caught.error is not None:
        outcome, words = FAILED, _told(caught.error)
    return CheckLine(check.name, outcome, words, time.perf_counter() - begun)   # type: ignore[arg-type]


def _declared(kind: type) -> Mapping[str, str]:
    """Checks that a model's class says mean nothing for it, with its reasons."""
    found = getattr(kind, DECLARED, {})
    known = [check.name for check in CHECKS]
    faults = [f"{kind.__name__}.{DECLARED}: no check '{name}'{nearest(name, known)}" for name in found
              if name not in known]
    if faults:
        raise ConfigError(faults)
    return found


def _told(fault: BaseException) -> str:
    """Type, message and the line that raised it."""
    place = traceback.extract_tb(fault.__traceback__)[-1]
    return f"{type(fault).__name__}: {fault} ({Path(place.filename).name}:{place.lineno})"


def failure_message(report: CheckReport) -> str:
    """One paragraph per fault: model, checks, numbers. Checks that fail for the same reason share one."""
    reasons: dict[str, list[str]] = {}
    for line in report.failures:
        reasons.setdefault(line.tells, []).append(line.check)
    head = f"{report.model}: {len(report.failures)} of {len(report.lines)} checks failed"
    return "\n".join([head, *(f"  - {report.model}, {', '.join(checks)}: {reason}"
                              for reason, checks in reasons.items())])
