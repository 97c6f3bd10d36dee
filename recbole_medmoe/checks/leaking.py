"""Does a visit model look at medications that it is to predict, or that were given later?"""
from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch

from ..atomic import PARTS, read_atomic, write_atomic
from .case import Case
from .report import CheckFailed, NotApplicable

CHANGED = "otherdrugs"


def no_medication_leak(case: Case) -> str:
    """Changing the medications of a test visit, and of every later or unordered one of its patient, leaves its scores
    as they are, bit for bit."""
    if not case.is_visits:
        raise NotApplicable("its users are no visits")
    dataset = case.plain.dataset
    depth = dataset.visits.history.sizes
    tested = torch.unique(case.plain.test._dataset.inter_feat[dataset.uid_field])
    here = _scores(case, case.plain.config, dataset, tested)
    compared = 0
    for known in range(int(depth[tested].max()) + 1):
        # Visits with `known` earlier ones are changed, with their own and all that follow; what they rest on stays.
        touched = {dataset.user_tokens[visit] for visit in tested[depth[tested] >= known].tolist()}
        _change(dataset.folder, case.folder / "data" / CHANGED, touched, case.split)
        config = case.config(CHANGED)
        other = case.loaders(config)[0]._dataset
        rows = (depth[tested] <= known).nonzero().squeeze(-1)
        there = _scores(case, config, other, tested[rows])
        if other.visit_truth(tested[rows]).equal(dataset.visit_truth(tested[rows])):
            raise RuntimeError("the tiny data set offers no other medications")
        wrong = int((here[rows] != there).any(-1).sum())
        if wrong:
            raise CheckFailed(f"the scores of {wrong} of {len(rows)} visits with {known} or fewer earlier ones change "
                              "with medications that are their own, or were given later")
        compared += len(rows)
    return f"{compared} visits scored alike under other medications"


def _scores(case: Case, config: Any, dataset: Any, visits: torch.Tensor) -> torch.Tensor:
    """Scores [N, I] of the trained weights over a data set's visits, one at a time: a language model rounds otherwise
    where the prompts beside a visit's are longer."""
    model = case.kind(config, dataset).to(config["device"])
    model.load_state_dict(case.model.state_dict())
    model.eval()
    return torch.cat([case.scores(model, visit[None]) for visit in visits])


def _change(source: Path, target: Path, visits: set[str], split: str) -> None:
    """A copy of a data set in which each of some visits has the medications that it did not have."""
    if target.is_dir():
        shutil.rmtree(target)
    shutil.copytree(source, target)
    for path in sorted(target.glob(f"{source.name}.*")):
        path.rename(target / f"{target.name}{path.name[len(source.name):]}")
    items = read_atomic(target / f"{target.name}.item")["item_id"].tolist()
    for name in ("", *(f"{split}.{part}." for part in PARTS)):
        path = target / f"{target.name}.{name}inter"
        frame = read_atomic(path)
        types = frame.attrs["types"]
        rows = []
        for visit, some in frame.groupby("visit_id", sort=False)["item_id"]:
            had = set(some)
            chosen = [item for item in items if item not in had] if visit in visits else list(some)
            rows += [{"visit_id": visit, "item_id": item} for item in chosen]
        write_atomic(type(frame)(rows), types, path)
