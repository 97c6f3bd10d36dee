"""Finds what is wrong with a configuration. Each function returns its faults; none stops at the first."""
from __future__ import annotations

import json
import re
from typing import Any, Callable, Iterable

from pydantic import BaseModel, ValidationError

from ..errors import ConfigError, nearest
from ..metrics import CHOICE_METRICS, OWN_METRICS, RANK_METRICS, SET_METRICS
from .known import expected_type, fits
from .settings import REFUSED
from .stack import Stack

_EVAL_ARGS = ("split", "order", "group_by", "mode")
_NEGATIVES: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "distribution": ("uniform, popularity or none",
                     lambda value: value in ("uniform", "popularity", "none", "None", None)),
    "sample_num": ("a whole number from 1", lambda value: value == "none" or fits(value, "int") and value >= 1),
    "alpha": ("a number", lambda value: value == "none" or fits(value, "float")),
    "dynamic": ("true or false", lambda value: fits(value, "bool")),
    "candidate_num": ("a whole number from 0", lambda value: fits(value, "int") and value >= 0),
}
_CHOSEN_BY = {"medication": (("PRAUC", "Jaccard", "F1"), "how right a set is"),
              "choice": (("Accuracy", "MacroAccuracy"), "how right the choices are")}
_SCORED = {"medication": "scores every medication of every visit", "choice": "scores every option of every question"}
_MODE = re.compile(r"full|labeled|(uni|pop)[1-9]\d*")


def unknown_keys(stack: Stack, known: Iterable[str]) -> list[str]:
    """Keys that nothing reads, each with the nearest one that is read."""
    valid = set(known)
    strange = [key for key in stack.values if key not in valid]
    return [f"unknown key '{key}' ({stack.origins[key]}){nearest(key, valid)}" if _close(key, valid) else
            f"unknown key '{key}' ({stack.origins[key]}); a key of your own is admitted by extra_keys: [{key}]"
            for key in strange]


def _close(key: str, valid: set[str]) -> bool:
    return "did you mean" in nearest(key, valid)


def refused_keys(stack: Stack) -> list[str]:
    """Keys of RecBole that would have no effect here, each with what does the same."""
    return [f"{stack.shown(key)} is not offered: {remedy}"
            for key, (only, remedy) in REFUSED.items() if stack.values.get(key, only) != only]


def model_faults(schema: type[BaseModel], stack: Stack) -> tuple[BaseModel | None, list[str]]:
    """Checks the keys of a pydantic class strictly.

    Returns:
        The validated instance (None where there are faults) and one fault per wrong value.
    """
    subset = {key: stack.values[key] for key in schema.model_fields if key in stack.values}
    faults = [f"{stack.shown(key)} has a value that no YAML holds" for key in subset if not _jsonable(subset[key])]
    if faults:
        return None, faults
    try:
        # By way of JSON a list is taken where a tuple is asked for, while '5' is still no number.
        return schema.model_validate_json(json.dumps(subset), strict=True), []
    except ValidationError as error:
        for detail in error.errors():
            key, inner = str(detail["loc"][0]) if detail["loc"] else "", [str(part) for part in detail["loc"][1:]]
            what = detail["msg"][:1].lower() + detail["msg"][1:]
            if not key or key not in stack.values:
                fault = f"{key or schema.__name__}: {what}"
            else:
                at = f" at {'.'.join(inner)}" if any(part.isdigit() for part in inner) else ""
                fault = f"{stack.shown(key)}{at}: {what}"
            if head(fault) not in map(head, faults):
                faults.append(fault)
        return None, faults


def head(fault: str) -> str:
    """The part of a fault that names key, value and place: a value with two faults is told once."""
    return fault.partition("): ")[0]


def _jsonable(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(key, (str, int, float)) and _jsonable(item) for key, item in value.items())
    if isinstance(value, list):
        return all(_jsonable(item) for item in value)
    return value is None or isinstance(value, (str, int, float, bool))


def type_faults(stack: Stack, skip: Iterable[str]) -> list[str]:
    """Keys of RecBole that no pydantic class covers, judged by the type that RecBole's YAML states."""
    left_out = set(skip)
    faults = []
    for key in stack.given - left_out:
        expected = expected_type(stack.types.get(key), stack.defaults.get(key))
        # RecBole's data set keys may all be switched off with ~.
        if expected is None or fits(stack.values[key], expected) or (stack.values[key] is None and key in stack.types):
            continue
        faults.append(f"{stack.shown(key)}: expected {expected}")
    return sorted(faults)


def evaluation_faults(stack: Stack) -> list[str]:
    """Faults inside ``eval_args`` and ``train_neg_sample_args``; their own types are checked elsewhere."""
    faults: list[str] = []
    arguments = stack.values.get("eval_args")
    if isinstance(arguments, dict):
        where = f"eval_args ({stack.origins['eval_args']})"
        faults += _parts(where, arguments, _EVAL_ARGS)
        if arguments.get("order", "RO") not in ("RO", "TO"):
            faults.append(f"{where}: order {arguments['order']!r}; valid: RO, TO")
        if arguments.get("group_by") not in ("user", "none", None):
            faults.append(f"{where}: group_by {arguments['group_by']!r}; valid: user, none")
        if not _is_split(arguments.get("split", {"RS": [1]})):
            faults.append(f"{where}: split {arguments['split']!r}; write one of {{RS: [0.8, 0.1, 0.1]}}, "
                          "{LS: valid_and_test}, {TS: [0.8, 0.1, 0.1]}")
        faults += [f"{where}: mode {mode!r}; valid: full, labeled, uniN, popN" for mode in modes(arguments)
                   if not (isinstance(mode, str) and _MODE.fullmatch(mode))]
    negatives = stack.values.get("train_neg_sample_args")
    if isinstance(negatives, dict):
        where = f"train_neg_sample_args ({stack.origins['train_neg_sample_args']})"
        faults += _parts(where, negatives, tuple(_NEGATIVES))
        faults += [f"{where}: {key} {negatives[key]!r}; expected {what}"
                   for key, (what, right) in _NEGATIVES.items() if key in negatives and not right(negatives[key])]
    return faults


def _parts(where: str, values: dict[str, Any], valid: tuple[str, ...]) -> list[str]:
    return [f"{where}: unknown part '{key}'{nearest(str(key), valid)}" for key in values if key not in valid]


def _is_split(split: Any) -> bool:
    if not isinstance(split, dict) or len(split) != 1:
        return False
    (kind, value), = split.items()
    if kind == "LS":
        return value in ("valid_and_test", "valid_only", "test_only")
    return kind in ("RS", "TS") and fits(value, "list of float") and len(value) > 0 and min(value) >= 0


def kind_faults(stack: Stack, model_class: Any) -> list[str]:
    """What RecBole asks of a model's type: an input type or a loss that tells it, repeats for sequential models."""
    from recbole.utils import ModelType

    faults = []
    if not hasattr(model_class, "input_type"):
        if "loss_type" not in stack.values:
            faults.append(f"model '{model_class.__name__}' has neither 'input_type' nor a key 'loss_type'")
        elif stack.values["loss_type"] not in ("CE", "BPR"):
            faults.append(f"{stack.shown('loss_type')}: valid: CE, BPR")
    if model_class.type == ModelType.SEQUENTIAL and stack.values.get("repeatable") is False:
        faults.append(f"{stack.shown('repeatable')}: sequential models need repeatable: true")
    return faults


def picture_faults(stack: Stack, model_class: Any, params: BaseModel | None) -> list[str]:
    """Other pictures at test, asked of a model that looks at none."""
    if stack.values.get("images") not in ("photo", "blurred", "none"):
        return []
    ask = getattr(model_class, "feature_requests", None)
    if ask is not None and params is None:
        return []  # the parameters have faults of their own, told elsewhere
    try:
        asked = [] if ask is None else ask(params)
    except ConfigError as error:
        return error.faults
    if any(request.modality == "image" for request in asked):
        return []
    return [f"{stack.shown('images')}: model '{model_class.__name__}' looks at no pictures with these parameters; "
            "leave images at catalogue, or take one that does, e.g. MedMoE"]


def task_faults(stack: Stack) -> list[str]:
    """Keys of visits where users are none, and negatives that are not drawn from a question's own options."""
    faults, task, negatives = [], stack.values.get("task"), stack.values.get("train_neg_sample_args")
    if task != "medication" and stack.values.get("target_visits") == "last":
        faults.append(f"{stack.shown('target_visits')}: it is for task medication")
    if task == "choice" and isinstance(negatives, dict) and negatives.get("distribution") == "popularity":
        faults.append(f"train_neg_sample_args ({stack.origins['train_neg_sample_args']}): task choice draws negatives "
                      "from the question's own wrong options; write distribution: uniform")
    return faults


def modes(arguments: dict[str, Any]) -> list[Any]:
    """Evaluation modes of ``eval_args``: one for both phases, or one per phase."""
    mode = arguments.get("mode", "full")
    return list(mode.values()) if isinstance(mode, dict) else [mode]


def metric_faults(stack: Stack) -> list[str]:
    """Unknown metrics, metrics that can not stand together, and a ``valid_metric`` that is not computed."""
    from recbole.evaluator import metric_types, metrics_dict
    from recbole.utils import EvaluatorType

    names = _strings(stack.values.get("metrics"))
    valid = {metric.__name__ for metric in metrics_dict.values()}
    faults = [f"unknown metric '{name}' in metrics ({stack.origins['metrics']}){nearest(name, valid)}"
              for name in names if name.lower() not in metrics_dict]
    if not names and isinstance(stack.values.get("metrics"), list) and not stack.values["metrics"]:
        faults.append(f"{stack.shown('metrics')}: name at least one metric")
    kinds = {metric_types[name.lower()] for name in names if name.lower() in metric_types}
    if len(kinds) > 1:
        faults.append(f"{stack.shown('metrics')}: ranking metrics and value metrics (AUC, LogLoss, MAE, RMSE) can not "
                      "be used in one run")
    arguments = stack.values.get("eval_args")
    if kinds == {EvaluatorType.VALUE} and isinstance(arguments, dict) and "full" in modes(arguments):
        faults.append(f"{stack.shown('metrics')}: value metrics need eval_args mode labeled, uniN or popN, not full")
    own = [name for name in names if name.lower() in {known.lower() for known in OWN_METRICS}]
    if own and ({"gauc"} & {name.lower() for name in names}
                or isinstance(arguments, dict) and set(modes(arguments)) != {"full"}):
        faults.append(f"{stack.shown('metrics')}: {', '.join(own)} need full ranking: no GAUC beside them, and "
                      "eval_args mode full; name other metrics")
    faults += _task_metric_faults(stack, names)
    if "valid_metric" in stack.given and isinstance(stack.values["valid_metric"], str):
        faults += _valid_metric_faults(stack, names, valid)
    return faults


def _task_metric_faults(stack: Stack, names: list[str]) -> list[str]:
    """Metrics of one task elsewhere, and what is not offered where the task is."""
    from recbole.evaluator import metrics_dict

    ranks, faults = {known.lower() for known in RANK_METRICS}, []
    for task, table in (("medication", SET_METRICS), ("choice", CHOICE_METRICS)):
        own = {known.lower() for known in table}
        if stack.values.get("task") != task:
            strange = [name for name in names if name.lower() in own]
            faults += [f"{stack.shown('metrics')}: {', '.join(strange)} need task: {task}"] if strange else []
            continue
        strange = [name for name in names if name.lower() in metrics_dict and name.lower() not in own | ranks]
        if strange:
            faults.append(f"{stack.shown('metrics')}: {', '.join(strange)} are not offered for task {task}; valid: "
                          f"{', '.join((*table, *RANK_METRICS))}")
        chosen, (valid, told) = stack.values.get("valid_metric"), _CHOSEN_BY[task]
        if isinstance(chosen, str) and chosen.lower() in own - {name.lower() for name in valid}:
            faults.append(f"{stack.shown('valid_metric')}: it does not say {told}; valid: {', '.join(valid)}, or a "
                          "ranking metric")
        arguments = stack.values.get("eval_args")
        if isinstance(arguments, dict) and set(modes(arguments)) != {"full"}:
            faults.append(f"eval_args ({stack.origins['eval_args']}): task {task} {_SCORED[task]}; write mode: full")
    return faults


def _valid_metric_faults(stack: Stack, names: list[str], valid: set[str]) -> list[str]:
    name, _, cut = stack.values["valid_metric"].partition("@")
    if name.lower() not in {known.lower() for known in valid}:
        return [f"unknown metric '{name}' in valid_metric ({stack.origins['valid_metric']}){nearest(name, valid)}"]
    if stack.height["valid_metric"] < max(stack.height["metrics"], stack.height["topk"]):
        return []  # written for other metrics or cut-offs than those asked for later: derived anew
    if name.lower() not in {known.lower() for known in names}:
        return [f"{stack.shown('valid_metric')}: '{name}' is not among metrics {names}; add it there"]
    topk = stack.values.get("topk")
    offered = [str(k) for k in (topk if isinstance(topk, list) else [topk])]
    if has_cutoff(name) and cut not in offered:
        written = ", ".join(f"{name}@{k}" for k in offered)
        return [f"{stack.shown('valid_metric')}: with topk {topk} the values are {written}"]
    if cut and not has_cutoff(name):
        return [f"{stack.shown('valid_metric')}: '{name}' has no cut-off; write {name}"]
    return []


def has_cutoff(metric: str) -> bool:
    """Whether a metric of RecBole's is computed at each ``topk``, as ``Recall@10`` and ``ItemCoverage@10`` are."""
    from recbole.evaluator import metric_information

    return bool({"rec.topk", "rec.items"}.intersection(metric_information[metric.lower()]))


def _strings(value: Any) -> list[str]:
    items = value if isinstance(value, list) else [value]
    return [item for item in items if isinstance(item, str)]
