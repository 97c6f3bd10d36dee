"""Our trainer and evaluator against RecBole's own, same seed: equal weights bit for bit, equal metrics."""
from __future__ import annotations

from typing import Any

import pytest
import torch


SPLIT = {"split": {"RS": [0.8, 0.1, 0.1]}, "order": "RO", "group_by": "user"}
ONE_NEGATIVE = {"distribution": "uniform", "sample_num": 1, "alpha": 1.0, "dynamic": False, "candidate_num": 0}


def assert_equal_runs(build: Any, name: str, **settings: Any) -> None:
    theirs = build(name, stock=True, **settings)
    their_best, their_valid = theirs.trainer.fit(theirs.train, theirs.valid, show_progress=False)
    # RecBole leaves its best weights in a pickled file of the test's own folder.
    stored = torch.load(theirs.trainer.saved_model_file, weights_only=False)
    theirs.model.load_state_dict(stored["state_dict"])
    theirs.model.load_other_parameter(stored["other_parameter"])
    theirs_on_test = theirs.trainer.evaluate(theirs.test, load_best_model=False)
    ours = build(name, **settings)
    our_best, our_valid = ours.trainer.fit(ours.train, ours.valid, show_progress=False)
    for (key, weight), other in zip(theirs.model.state_dict().items(), ours.model.state_dict().values(), strict=True):
        assert torch.equal(weight, other), key
    assert our_best == their_best
    assert our_valid == dict(their_valid)
    assert ours.trainer.evaluate(ours.test) == dict(theirs_on_test)
    assert ours.trainer.train_loss_dict == theirs.trainer.train_loss_dict


def test_bpr_on_ml_100k_equals_recboles_trainer_and_evaluator(build: Any) -> None:
    assert_equal_runs(build, "BPR", dataset="ml-100k", epochs=1, train_batch_size=2048, topk=[10],
                      metrics=["Recall", "MRR", "NDCG", "Hit", "Precision"], valid_metric="MRR@10",
                      eval_batch_size=1_000_000)


@pytest.mark.parametrize("name, settings", [
    ("BPR", {"epochs": 5, "clip_grad_norm": {"max_norm": 0.05}, "weight_decay": 0.01, "learner": "adamw"}),
    ("BPR", {"epochs": 12, "learning_rate": 0.05, "stopping_step": 1}),
    ("NeuMF", {}),
    ("LightGCN", {}),
    ("MultiVAE", {}),
    ("RecVAE", {}),
    ("FM", {"eval_args": {**SPLIT, "mode": "full"}, "train_neg_sample_args": ONE_NEGATIVE}),
    ("FM", {"eval_args": {**SPLIT, "mode": "uni5"}, "train_neg_sample_args": ONE_NEGATIVE,
            "metrics": ["AUC", "LogLoss"], "valid_metric": "AUC"}),
    ("BPR", {"eval_args": {**SPLIT, "mode": "uni20"}}),
    ("BPR", {"metrics": ["GAUC"], "valid_metric": "GAUC"}),
    ("GRU4Rec", {"eval_args": {"split": {"LS": "valid_and_test"}, "order": "TO", "group_by": "user", "mode": "full"},
                 "TIME_FIELD": "item_id", "train_neg_sample_args": None, "epochs": 1}),
    ("Pop", {}),
    ("ItemKNN", {}),
    ("EASE", {}),
])
def test_models_of_every_kind_equal_recboles(name: str, settings: dict[str, Any], build: Any) -> None:
    assert_equal_runs(build, name, **settings)
