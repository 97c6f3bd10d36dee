"""The files of a run folder, and the parts of a model that a checkpoint holds."""
from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Mapping

import numpy as np
import torch
import yaml
from scipy import sparse
from torch import Tensor

from ..evaluation import Evaluation
from ..store import atomic_write, hashed_ids, save_model, write_rows
from .record import Facts

_OTHER = "other"


def save_run(folder: Path, facts: Facts, model: Any, history: list[dict[str, Any]], dataset: Any,
             evaluation: Evaluation | None) -> None:
    """Writes config.yaml, log.jsonl, model/ and, where test was scored, rows.parquet; the record comes later."""
    resolved = facts.config.resolved()
    atomic_write(folder / "config.yaml", yaml.safe_dump(resolved, allow_unicode=True).encode())
    atomic_write(folder / "log.jsonl", "".join(json.dumps(line) + "\n" for line in history).encode())
    _save_model(folder / "model", facts, model, dataset)
    if evaluation is not None and evaluation.columns:
        write_rows(folder, rows_of(facts, dataset, evaluation, folder.parents[1]))


def rows_of(facts: Facts, dataset: Any, evaluation: Evaluation, salt_folder: Path) -> dict[str, Any]:
    """Columns of rows.parquet: row, for visits the patient, ``group:`` columns, metrics (pooled ones by numerator and
    denominator), those of item groups (NaN where a row has no such positive), those without a modality, topk; no text,
    no id where data are credentialed."""
    names = dataset.user_tokens
    tokens = [names[row] for row in evaluation.row_ids]
    owners = {"patient": dataset.clusters(tokens).tolist()} if facts.config["task"] == "medication" else {}
    if dataset.is_credentialed:   # one salt for all runs, so that their rows still pair
        tokens = hashed_ids(tokens, salt_folder / ".salt")
        owners = {name: hashed_ids(values, salt_folder / ".salt") for name, values in owners.items()}
    items = dataset.item_tokens
    return {"row": tokens, **owners, **{f"group:{name}": mask for name, (mask, _) in facts.groups.items()},
            **evaluation.columns,
            **{f"{name}/{metric}": values for name, group in facts.item_groups.items()
               for metric, values in group.columns.items()},
            **{f"{one.name}/{metric}": values for one in facts.removals
               for metric, values in one.evaluation.columns.items()},
            "topk": [[items[item] for item in row if item] for row in evaluation.topk_items.tolist()]}


def _save_model(folder: Path, facts: Facts, model: Any, dataset: Any) -> None:
    extra: dict[str, dict[str, Tensor]] = {}
    documents: dict[str, Any] = {"vocab": {"items": dataset.item_tokens}}
    others, shapes = pack(model.other_parameter() or {})
    if shapes:
        extra[_OTHER], documents[_OTHER] = others, shapes
    if facts.threshold is not None:
        documents["threshold"] = {"threshold": facts.threshold, "rule": facts.config["set_threshold"]}
    if hasattr(model, "catalogue"):
        catalogue = model.catalogue()
        extra["catalogue"], documents["catalogue"] = catalogue.tensors(), catalogue.document()
    meta = {"class": facts.config.spec.target, "config": facts.config.resolved()}
    save_model(folder, model.state_dict(), documents, meta, extra=extra)


def pack(others: Mapping[str, Any]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """RecBole's ``other_parameter()`` as tensors, and a plain description to rebuild each from.

    Raises:
        TypeError: a value that is neither tensor, array, SciPy sparse matrix, number, text nor None.
    """
    tensors: dict[str, Tensor] = {}
    shapes: dict[str, Any] = {}
    for name, value in others.items():
        if value is None or isinstance(value, (bool, int, float, str)):
            shapes[name] = {"kind": "plain", "value": value}
        elif isinstance(value, Tensor):
            tensors[name], shapes[name] = value.detach().cpu().contiguous().clone(), {"kind": "tensor"}
        elif isinstance(value, (np.ndarray, np.generic)):
            tensors[name], shapes[name] = torch.from_numpy(np.array(value, order="C")), {"kind": "array"}
        elif sparse.issparse(value):
            rows = value.tocsr()
            parts = {"data": rows.data, "indices": rows.indices, "indptr": rows.indptr}
            tensors |= {f"{name}.{part}": torch.from_numpy(np.array(array)) for part, array in parts.items()}
            shapes[name] = {"kind": "sparse", "shape": list(rows.shape), "format": value.format}
        else:
            raise TypeError(f"other parameter '{name}' is a {type(value).__name__}, which no checkpoint holds")
    return tensors, shapes


def unpack(tensors: Mapping[str, Tensor], shapes: Mapping[str, Any]) -> dict[str, Any]:
    """The inverse of `pack`."""
    others: dict[str, Any] = {}
    for name, shape in shapes.items():
        if shape["kind"] == "plain":
            others[name] = shape["value"]
        elif shape["kind"] == "tensor":
            others[name] = tensors[name]
        elif shape["kind"] == "array":
            others[name] = tensors[name].numpy()
        else:
            parts = [tensors[f"{name}.{part}"].numpy() for part in ("data", "indices", "indptr")]
            others[name] = sparse.csr_matrix(tuple(parts), shape=shape["shape"]).asformat(shape["format"])
    return others
