"""Does a trained folder give the same scores in another process?"""
from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from ..encoders import EncoderSpec
from .case import Case
from .measures import want_close

PATIENT = {"text": "Patient with hypertension and gout, sex female.", "age": 60, "sex": "female", "bmi": 25.0,
           "conditions": ["hypertension", "gout"], "medicines": ["statin"], "history": ["apple", "never seen"],
           "options": ["iron, which is good against anaemia", "never seen"],
           "diag": ["hypertension", "gout", "never seen"], "proc": None,
           "earlier": [{"diag": ["diabetes"]}, {"proc": ["test0"], "medications": ["iron", "never seen"]}]}
_LIMIT = 1e-6


def fresh_process_same_scores(case: Case) -> str:
    """A run folder loaded in a process that never saw the training scores as the model in memory: feature models score
    patients that no data set holds, others the users of their data set."""
    model, where = case.model, (case.trained.folder, case.device)
    if not case.is_features:
        if case.by_pairs:
            there = case.fresh.scores(*where, pairs=case.columns(*case.pairs(case.users)).interaction)
        else:
            there = case.fresh.scores(*where, columns=case.columns(case.users).interaction)
        there = there.view(len(case.users), -1)
        here = case.scores(model, case.users)
        told = want_close(here, there[:, there.shape[1] - here.shape[1]:], "scores here and in a fresh process", _LIMIT)
        return f"{told} apart, {len(case.users)} users"
    features = model.user_features(case.columns(case.users[:5]))
    here = model.score_features(features).float()
    told = want_close(here, case.fresh.scores(*where, features=features), "features scored here and in a fresh process",
                      _LIMIT)
    if any(isinstance(request.encoder, EncoderSpec) for request in case.requests if request.side == "user"):
        return f"{told} apart, 5 patients by their features"
    return f"{told} apart, 5 patients by their features, {_by_hand(case, where)} apart written by hand"


@torch.no_grad()
def _by_hand(case: Case, where: tuple[Path, Any]) -> str:
    """A patient written by hand, for models whose features need no frozen encoder."""
    model = case.model
    patients = model.patients(device=where[1], cache=case.cache)
    known = [{key: PATIENT[key] for key in patients.keys}]
    here = model.score_features(patients.encode(known))[:, 1:].float()
    return want_close(here, case.fresh.scores(*where, patients=known), "a patient written by hand", _LIMIT)
