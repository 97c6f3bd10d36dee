"""Does a model hold at the smallest sizes and where everything is missing?"""
from __future__ import annotations

import torch

from .case import EIGHT, ONE, Case
from .measures import want_finite, want_finite_metrics
from .report import CheckFailed, NotApplicable


def batch_of_one(case: Case) -> str:
    """Trains in batches of one and ranks one user at a time: losses, scores and metrics are finite."""
    built = case.build(EIGHT, train_batch_size=1, eval_batch_size=1, epochs=1)
    trainer = case.fit(built)
    want_finite(case.scores(built.model, case.users[:1]), "a batch of one")
    want_finite_metrics(case.tested(built, trainer).metrics, "metrics in batches of one")
    return f"{len(built.train)} batches"


def one_item_catalogue(case: Case) -> str:
    """Trains and is scored where the catalogue has one item."""
    if case.reads_lists:
        raise NotApplicable("reads a list of items to name another, and that takes two")
    if case.is_choice:
        raise NotApplicable("a question has at least two options to choose from")
    config = case.config(ONE, epochs=1)
    if (config["train_neg_sample_args"] or {}).get("distribution", "none") != "none":
        raise NotApplicable("trained against sampled negatives, and one item leaves none to draw")
    built = case.build_from(config)
    trainer = case.fit(built)
    want_finite_metrics(case.tested(built, trainer).metrics, "metrics with one item")
    return "metrics finite"


def k_above_catalogue(case: Case) -> str:
    """A cut-off K above the number of items gives finite metrics, at the number of items."""
    built = case.build(topk=[5, 1000], epochs=1)
    metrics = case.tested(built, case.fit(built)).metrics
    want_finite_metrics(metrics, "metrics with K of 1000")
    items = built.dataset.num(built.dataset.iid_field) - 1
    if not any(name.endswith(f"@{items}") for name in metrics):
        raise CheckFailed(f"K of 1000 was not cut to the {items} items: {', '.join(metrics)}")
    return f"K cut to {items}"


@torch.no_grad()
def all_modalities_missing(case: Case) -> str:
    """A patient of whom nothing is known, and a catalogue without texts and pictures, get finite scores."""
    tokens = {request.name for request in case.requests if request.side == "item" and request.modality == "tokens"}
    model = case.model
    patients = model.patients(device=case.device, cache=case.cache)
    nobody = patients.encode([dict.fromkeys(patients.keys)])
    want_finite(model.score_features(nobody)[:, 1:], "a patient of whom nothing is known")
    bare = {name: (torch.full_like(matrix, -1) if name in tokens else torch.zeros_like(matrix),
                   torch.zeros_like(present)) for name, (matrix, present) in model.item_inputs().items()}
    known = model.user_features(case.columns(case.users))
    want_finite(model.forward(known, bare)[:, 1:], "items without texts and pictures")
    want_finite(model.forward(nobody, bare)[:, 1:], "nothing known of patient and items")
    return f"{len(patients.keys)} keys empty, {len(bare)} item features absent"
