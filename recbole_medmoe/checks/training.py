"""Does a model learn, and only what it should?"""
from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from ..compat import apply

apply()

from recbole.utils import init_seed  # noqa: E402  (RecBole needs `apply` first)

from ..config.known import yaml_keys  # noqa: E402
from .case import EIGHT, Built, Case  # noqa: E402
from .measures import differing  # noqa: E402
from .report import CheckFailed, NotApplicable  # noqa: E402

GRADIENT_EPOCHS = 8
OVERFIT_EPOCHS = (30, 120)   # the second only where the first does not do
OVERFIT_RATE = 0.01
OVERFIT_RECALL = 0.95


def gradients(case: Case) -> str:
    """The loss is finite; within eight epochs each trainable parameter gets a gradient that is not zero, and no frozen
    one gets a gradient or changes. Every second user and item lacks all modalities meanwhile, so that what stands for
    absent ones is used."""
    _want_steps(case)
    built = case.build(epochs=GRADIENT_EPOCHS)
    for name, present in built.model.named_buffers():
        if name.rsplit(".", 1)[-1].startswith("present_"):
            present[1::2] = False
    reached: set[str] = set()

    def note(name: str) -> Any:
        def hook(parameter: Tensor) -> None:
            if parameter.grad is not None and bool((parameter.grad != 0).any()):
                reached.add(name)
        return hook

    trained = {name: parameter for name, parameter in built.model.named_parameters() if parameter.requires_grad}
    frozen = {name: parameter for name, parameter in built.model.named_parameters() if not parameter.requires_grad}
    before = {name: parameter.detach().clone() for name, parameter in frozen.items()}
    for name, parameter in trained.items():
        parameter.register_post_accumulate_grad_hook(note(name))
    trainer = case.fit(built)
    losses = [float(part) for epoch in trainer.history for part in _parts(epoch["loss"])]
    wrong = [loss for loss in losses if not math.isfinite(loss)]
    if wrong:
        raise CheckFailed(f"{len(wrong)} of {len(losses)} losses are not finite: {wrong[0]}")
    still = sorted(set(trained) - reached)
    if still:
        raise CheckFailed(f"{len(still)} of {len(trained)} trainable parameters get no gradient in {GRADIENT_EPOCHS} "
                          f"epochs: {', '.join(still[:5])}")
    touched = [name for name, parameter in frozen.items() if parameter.grad is not None]
    touched += differing(before, {name: parameter.detach() for name, parameter in frozen.items()})
    if touched:
        raise CheckFailed(f"{len(touched)} of {len(frozen)} frozen parameters are trained: {', '.join(touched[:5])}")
    return f"loss {losses[0]:.3g} to {losses[-1]:.3g}; {len(trained)} parameters trained, {len(frozen)} frozen"


def overfits_eight_rows(case: Case) -> str:
    """Trained on eight users alone (at most 120 epochs, learning rate .01, no dropout, no weight decay), a model has on
    average at least .95 of a user's training positives among as many top items. A closed form is solved instead."""
    if case.reads_lists:
        raise NotApplicable("a user's training items are those that it is given, and it learns to name others")
    keys = {"learning_rate": OVERFIT_RATE, "weight_decay": 0.0, **without_dropout(case)}
    found = 0.0
    for epochs in (1,) if case.is_closed_form else OVERFIT_EPOCHS:
        built = case.build(EIGHT, epochs=epochs, **keys)
        case.fit(built)
        found = recall_of_training(case, built)
        if found >= OVERFIT_RECALL:
            return f"recall {found:.3f}" + ("" if case.is_closed_form else f" after {epochs} epochs")
    raise CheckFailed(f"recall of eight users' own training positives is {found:.3f} after {epochs} epochs, below "
                      f"{OVERFIT_RECALL}")


def recall_of_training(case: Case, built: Built) -> float:
    """Mean over training users of the share of their training items among as many top items."""
    users, items = built.dataset.inter_feat[built.dataset.uid_field], built.dataset.inter_feat[built.dataset.iid_field]
    ids = torch.unique(users)
    shares = []
    for user, scores in zip(ids.tolist(), case.scores(built.model, ids)):
        wanted = set((items[users == user] - 1).tolist())   # columns of the scores start at the first item
        shares.append(len(wanted & set(scores.topk(len(wanted)).indices.tolist())) / len(wanted))
    return sum(shares) / len(shares)


def same_seed_same_weights(case: Case) -> str:
    """Two runs of one seed leave the same weights and metrics, bit for bit; where building draws random numbers,
    another seed starts from other weights."""
    first, second = case.trained, case.watched.result
    apart = differing(first.model.state_dict(), second.model.state_dict())
    if apart:
        raise CheckFailed(f"two runs of one seed differ in {len(apart)} of {len(first.model.state_dict())} tensors: "
                          f"{', '.join(apart[:3])}")
    if first.evaluation.metrics != second.evaluation.metrics:
        raise CheckFailed(f"two runs of one seed score {first.evaluation.metrics} and {second.evaluation.metrics}")
    told = f"{len(first.model.state_dict())} tensors equal"
    seeds = [_start(case, seed) for seed in (1, 2)]
    if not seeds[0][1]:
        return f"{told}; building draws no random numbers"
    if not differing(seeds[0][0], seeds[1][0]):
        raise CheckFailed("the weights at the start are the same under seeds 1 and 2: the seed has no effect")
    return f"{told}; another seed, another start"


def _start(case: Case, seed: int) -> tuple[dict[str, Tensor], bool]:
    """Weights that a seed starts with, and whether building drew random numbers."""
    built = case.plain
    init_seed(seed, True)
    before = torch.get_rng_state()
    model = case.kind(built.config, built.dataset)
    return model.state_dict(), not torch.equal(before, torch.get_rng_state())


def without_dropout(case: Case) -> dict[str, Any]:
    """Every key of the model that has ``dropout`` in its name and a number for a value, at 0."""
    config = case.plain.config
    return {key: 0.0 for key in _own_keys(case) if "dropout" in key and isinstance(config[key], (int, float))}


def _own_keys(case: Case) -> set[str]:
    params = getattr(case.kind, "Params", None)
    return set(params.model_fields) if params is not None else yaml_keys(case.spec)


def _parts(loss: Any) -> tuple[Any, ...]:
    return loss if isinstance(loss, tuple) else (loss,)


def _want_steps(case: Case) -> None:
    """Raises `NotApplicable` for models that no optimiser trains."""
    if case.is_closed_form:
        raise NotApplicable("solved at once (ModelType.TRADITIONAL), no gradient step")
