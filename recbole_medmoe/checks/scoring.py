"""Are scores a function of patient and item alone?"""
from __future__ import annotations

import copy
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..model.visit import VISIT_INPUTS
from .case import Case
from .measures import want_close, want_finite
from .report import CheckFailed, NotApplicable
from .training import without_dropout

CLEAR = 0.1
LOST = 0.01
PADDING = 3


def predict_matches_full_sort(case: Case) -> str:
    """``predict`` of every pair is the matching entry of ``full_sort_predict``."""
    if case.by_pairs:
        raise NotApplicable("scores pairs only, there is no full_sort_predict to compare with")
    with torch.no_grad():
        pairs = case.untouched().predict(case.columns(*case.pairs(case.users))).float()
    whole = case.scores(case.untouched(), case.users)
    return f"{want_close(whole.flatten(), pairs.flatten(), 'predict and full_sort_predict')} apart"


def independent_of_batch(case: Case) -> str:
    """A user's scores are the same alone, in reversed order, twice in a batch, and with longer padding of its token
    ids, codes and history where the model reads some."""
    model, users = case.model, case.users
    whole = case.scores(model, users)
    alone = torch.cat([case.scores(model, user[None]) for user in users])
    told = [want_close(whole, alone, "a user's scores alone and beside others")]
    told.append(want_close(whole.flip(0), case.scores(model, users.flip(0)), "scores in reversed order"))
    told.append(want_close(whole[[0, 0, 1]], case.scores(model, users[[0, 0, 1]]), "scores of a user that comes twice"))
    if case.is_visits or case.is_choice or case.is_features and any(request.modality == "tokens"
                                                                    for request in case.requests):
        plain, padded = _with_padding(case, whole)
        told.append(want_close(plain, padded, f"scores with {PADDING} more columns of padding"))
    return f"{max(told, key=float)} apart"


@torch.no_grad()
def _with_padding(case: Case, whole: Tensor) -> tuple[Tensor, Tensor]:
    """Scores without and with padding: each table of user token ids has some more columns of -1, a visit's sets some
    more of 0, its history some more empty visits in front, and a question some more empty options behind."""
    users = dict(case.model.user_features(case.columns(case.users)))
    plain = case.model.score_features(users)[:, 1:].float() if case.is_choice else whole
    tokens = {request.name for request in case.requests if request.modality == "tokens" and request.side == "item"}
    for name in [name for name in users if case.is_choice and name.startswith("option")]:
        matrix, present = users[name]
        empty = -1 if name.removeprefix("option_") in tokens else 0
        beside = (0, PADDING) if matrix.dim() == 2 else (0, 0, 0, PADDING)
        users[name] = (F.pad(matrix, beside, value=empty), F.pad(present, (0, PADDING)))
    for name in VISIT_INPUTS if case.is_visits else ():
        ids, present = users[name]
        ahead = PADDING if ids.dim() == 3 else 0
        longer = F.pad(ids, (0, PADDING, ahead, 0)) if ahead else F.pad(ids, (0, PADDING))
        users[name] = (longer, F.pad(present, (ahead, 0)) if ahead else present)
    for request in case.requests:
        if request.side == "user" and request.modality == "tokens":
            ids, present = users[request.name]
            users[request.name] = (torch.cat([ids, ids.new_full((len(ids), PADDING), -1)], dim=1), present)
    return plain, case.model.score_features(users)[:, 1:1 + plain.shape[1]].float()


def eval_is_deterministic(case: Case) -> str:
    """In evaluation mode the same users get the same scores, bit for bit, wherever the random numbers stand."""
    models = case.untouched(), case.untouched()
    with torch.random.fork_rng():
        torch.manual_seed(1)
        first, second = (case.scores(model, case.users) for model in models)
    if not torch.equal(first, second):
        raise CheckFailed(f"two passes in evaluation mode differ by {(first - second).abs().max():.2g}, in "
                          f"{int((first != second).sum())} of {first.numel()} scores")
    return f"{first.numel()} scores equal"


def dropout_is_all_that_training_adds(case: Case) -> str:
    """With every dropout key at 0, training mode scores as evaluation mode."""
    keys = without_dropout(case)
    built = case.build(**keys)
    case.fit(built)
    twin = copy.deepcopy(built.model)   # neither has scored yet, so that neither repeats what it kept
    still = case.scores(built.model.eval(), case.users)
    moving = case.scores(twin.train(), case.users)
    named = ", ".join(f"{key} 0" for key in sorted(keys)) or "no dropout key"
    return f"{want_close(still, moving, f'eval() and train() with {named}')} apart, {named}"


def bf16(case: Case) -> str:
    """Under bfloat16 autocast, loss and scores are finite, and of two items whose scores differ by more than a tenth of
    the user's range the better one stays the better one, but for one pair in a hundred."""
    model, users = case.model, case.users
    exact = case.scores(model, users)
    with torch.autocast(case.device.type, dtype=torch.bfloat16):
        rough = case.scores(case.untouched(), users)
        loss = None if case.is_closed_form else case.build().model.calculate_loss(_batch(case))
    want_finite(rough, "scores under bf16")
    if loss is not None:
        want_finite(sum(loss if isinstance(loss, tuple) else (loss,)), "the loss under bf16")   # type: ignore[arg-type]
    spread = (exact.max(-1).values - exact.min(-1).values).clamp_min(1e-12)[:, None, None]
    apart = (exact[:, :, None] - exact[:, None, :]) / spread  # [B, I, I]
    clear = apart > CLEAR
    lost, pairs = int((clear & ~(rough[:, :, None] > rough[:, None, :])).sum()), int(clear.sum())
    if lost > LOST * pairs:
        raise CheckFailed(f"bf16 levels or swaps {lost} of {pairs} pairs of items that are more than {CLEAR} of the "
                          f"range apart; at most {LOST:.0%} may be")
    return f"{pairs - lost} of {pairs} clear pairs in order"


def _batch(case: Case) -> Any:
    return next(iter(case.plain.train)).to(case.device)
