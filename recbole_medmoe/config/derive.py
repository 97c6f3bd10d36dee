"""Values that follow from others, so that no user has to know RecBole's rules for them."""
from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import psutil
import torch

from .. import processes
from ..atomic import inter_path, read_atomic
from .checks import has_cutoff, modes
from .stack import Stack

_SCORES = 4_194_304
_PAIRS = 65_536


def names(stack: Stack) -> list[str]:
    """The metrics asked for, as a list."""
    metrics = stack.values["metrics"]
    return [metrics] if isinstance(metrics, str) else list(metrics)


def cutoffs(stack: Stack) -> list[int]:
    """The cut-offs K asked for, as a list."""
    topk = stack.values["topk"]
    return [topk] if isinstance(topk, int) else list(topk)


def valid_metric(stack: Stack) -> None:
    """Keeps the value where its metric and cut-off are computed, else takes the first that is.

    Where the user named it together with, or after, metrics and cut-offs that lack it, ``checks`` has refused it.
    """
    metrics, topk = names(stack), cutoffs(stack)
    name, _, cut = stack.values["valid_metric"].partition("@")
    known = {metric.lower(): metric for metric in metrics}
    chosen = known.get(name.lower(), metrics[0])
    kept = chosen.lower() == name.lower() and (cut in map(str, topk) or not has_cutoff(name))
    if not kept:
        stack.derive("valid_metric", f"{chosen}@{topk[0]}" if has_cutoff(chosen) else chosen, "from metrics and topk")


def negatives(stack: Stack, model_class: Any) -> None:
    """A loss over all items (LISTWISE, or CE of a sequential model) takes no sampled negatives."""
    from recbole.utils import InputType, ModelType

    listwise = getattr(model_class, "input_type", None) == InputType.LISTWISE
    softmax = model_class.type == ModelType.SEQUENTIAL and stack.values.get("loss_type") == "CE"
    if (listwise or softmax) and stack.values.get("train_neg_sample_args") is not None:
        unused = stack.origins["train_neg_sample_args"]
        note = f"; {unused} has no effect" if "train_neg_sample_args" in stack.given else ""
        stack.derive("train_neg_sample_args", None, f"the loss is over all items{note}")


def list_length(stack: Stack, model_class: Any, folder: Path, split: str | None, labels: str | None) -> None:
    """Lists of a sequential model are padded to ``MAX_ITEM_LIST_LENGTH``: on pre-split files no further than the most
    rows that a user has in training and validation, where that is less than RecBole's default.
    """
    from recbole.utils import ModelType

    sequential = model_class.type == ModelType.SEQUENTIAL and stack.values.get("task") != "medication"
    if not sequential or split is None or "MAX_ITEM_LIST_LENGTH" in stack.given:
        return
    rows = [read_atomic(inter_path(folder, split, part, labels)).iloc[:, 0] for part in ("train", "valid")]
    most = int(rows[0].value_counts().add(rows[1].value_counts(), fill_value=0).max())
    if most < stack.values["MAX_ITEM_LIST_LENGTH"]:
        stack.derive("MAX_ITEM_LIST_LENGTH", most, "the most rows that a user has in training and validation")


def evaluation_batch(stack: Stack, model_class: Any, device: torch.device) -> None:
    """RecBole counts scores, not users, in full-sort evaluation: its default of 4096 often means one user at a time.

    Sequential models count rows, and sampled evaluation counts pairs, so that there RecBole's value is kept. A model
    that scores pair by pair holds activations for each, hence a smaller batch.
    """
    from recbole.model.abstract_recommender import AbstractRecommender
    from recbole.utils import ModelType

    if "eval_batch_size" in stack.given or model_class.type == ModelType.SEQUENTIAL:
        return
    if "full" not in modes(stack.values["eval_args"]):
        return
    by_pairs = getattr(model_class, "full_sort_predict", None) is AbstractRecommender.full_sort_predict
    free = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else psutil.virtual_memory().available
    # Score, mask and ranking of one pair take about 64 bytes; a quarter of the memory is enough for them.
    room = max(4096, free // 256)
    stack.derive("eval_batch_size", min(_PAIRS if by_pairs else _SCORES, room), "scores per batch, by free memory")


def device(stack: Stack) -> tuple[torch.device | None, list[str]]:
    """Finds the device; RecBole's ``use_gpu`` and ``gpu_id`` are heard where ``device`` is ``auto``.

    Returns:
        The device and no faults, or None and why there is none.
    """
    asked, available = stack.values["device"], torch.cuda.is_available()
    if asked == "auto":
        if not stack.values["use_gpu"] or not available:
            return torch.device("cpu"), []
        number = str(stack.values["gpu_id"]).strip() if "gpu_id" in stack.given else "0"
        if number == "":
            return torch.device("cpu"), []
        if not number.isdigit():
            return None, [f"{stack.shown('gpu_id')}: one GPU is used by a run; write device: cuda:N"]
        asked, key = f"cuda:{number}", "gpu_id" if "gpu_id" in stack.given else "device"
    elif asked == "cpu":
        return torch.device("cpu"), []
    else:
        key = "device"
    if not available:
        return None, [f"{stack.shown(key)}: torch sees no CUDA device; use device: cpu or auto"]
    if processes.count() > 1:   # each has a GPU of its own
        if ":" in stack.values["device"]:
            return None, [f"{stack.shown(key)}: names one GPU for {processes.count()} processes; use device: auto"]
        asked = f"cuda:{processes.local_rank()}"
    found = torch.device(asked if ":" in asked else "cuda:0")
    if found.index is not None and found.index >= torch.cuda.device_count():
        return None, [f"{stack.shown(key)}: torch sees {torch.cuda.device_count()} CUDA device(s), counted from 0"]
    return found, []


def progress(stack: Stack) -> None:
    """RecBole's ``show_progress`` follows ``progress`` unless it is given: ``auto`` is on for terminals."""
    if "show_progress" not in stack.given:
        asked = stack.values["progress"]
        stack.derive("show_progress", sys.stderr.isatty() if asked == "auto" else asked, "from progress")
