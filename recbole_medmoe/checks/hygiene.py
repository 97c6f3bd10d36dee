"""Does a model leave everything but itself alone?"""
from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor

from ..data import FeatureTable
from .case import Case
from .report import CheckFailed


def inputs_unchanged(case: Case) -> str:
    """Building, the loss and scoring change no column of an interaction, no value of the configuration, and no feature
    table of the data set."""
    config = case.config()
    train, _, _ = case.loaders(config)
    dataset = train._dataset
    stated = copy.deepcopy({key: config[key] for key in config.final_config_dict})
    tables = {request.key: dataset.features(request) for request in (case.requests if case.is_features else ())}
    batch = next(iter(train)).to(config["device"])
    users, pairs = case.columns(case.users), case.columns(*case.pairs(case.users))
    kept = [_copy(columns.interaction) for columns in (batch, users, pairs)]
    kept_tables = _copy(_parts(tables))
    model = case.kind(config, dataset).to(config["device"])
    model.calculate_loss(batch)
    model.eval()
    with torch.no_grad():
        model.predict(pairs)
        if not case.by_pairs:
            model.full_sort_predict(users)
    faults = []
    for what, now, then in zip(("training batch", "users", "pairs"), (batch, users, pairs), kept):
        faults += [f"{what}: {fault}" for fault in _changes(now.interaction, then)]
    faults += [f"feature table {fault}" for fault in
               _changes(_parts(tables), kept_tables)]
    faults += [f"configuration: {key} was {stated.get(key)!r} and is {config[key]!r}"
               for key in config.final_config_dict if key not in stated or config[key] != stated[key]]
    if faults:
        raise CheckFailed("; ".join(faults))
    return f"{sum(map(len, kept))} columns, {len(tables)} tables, {len(stated)} keys as before"


def no_network(case: Case) -> str:
    """Nothing is called over the network while the model is trained, scored and saved."""
    calls = case.watched.seen.calls
    if calls:
        raise CheckFailed(f"{len(calls)} calls over the network, first {calls[0]}")
    return "no call"


def no_write_outside_run_folder(case: Case) -> str:
    """Nothing is written outside the run folder and the cache while the model is trained, scored and saved."""
    writes = list(dict.fromkeys(case.watched.seen.writes))
    if writes:
        raise CheckFailed(f"{len(writes)} files written outside the run folder: {', '.join(writes[:3])}")
    return "no file"


def _copy(columns: dict[str, Any]) -> dict[str, Any]:
    return {name: column.clone() if isinstance(column, Tensor) else copy.deepcopy(column)
            for name, column in columns.items()}


def _parts(tables: dict[str, FeatureTable]) -> dict[str, Tensor]:
    """Features and presence of every table."""
    return {name: part for key, table in tables.items()
            for name, part in ((key, table.matrix), (f"presence of {key}", table.present))}


def _changes(now: dict[str, Any], then: dict[str, Any]) -> list[str]:
    """Columns that came, went or changed; with how many values of how many."""
    found = [f"column {name} is {'new' if name in now else 'gone'}" for name in sorted(set(now) ^ set(then))]
    for name in sorted(set(now) & set(then)):
        first, second = now[name].to_dense(), then[name].to_dense()
        if first.shape != second.shape or not torch.equal(first, second):
            wrong = int((first != second).sum()) if first.shape == second.shape else first.numel()
            found.append(f"{name}: {wrong} of {second.numel()} values changed")
    return found
