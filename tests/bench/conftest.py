"""A comparison written by hand, and finished runs."""
from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest

from recbole_medmoe.bench.sections import Difference, Estimate, Group, ModelRow, Section
from recbole_medmoe.store import write_record, write_rows

_SCORES = (("MedMoE", .402, None), ("FeatureRidge", .431, (.029, .008, .050, .012)),
           ("MoEOnly", .361, (-.041, -.062, -.020, .0004)), ("LLMOnly", .398, (-.004, -.020, .013, .61)),
           ("Pop", .198, (-.204, -.240, -.170, .0001)))


def _row(name: str, value: float, gap: tuple[float, float, float, float] | None) -> ModelRow:
    metrics = {}
    for metric, factor in (("precision@5", .9), ("recall@5", .6), ("ndcg@5", 1.3), ("map@5", 1.0), ("precision@10", .8),
                           ("map@10", .95)):
        middle = value * factor
        metrics[metric] = Estimate(middle, middle - .03, middle + .03)
    metrics["itemcoverage@5"] = Estimate(.8)
    difference = Difference(*gap, plain=gap[3] / 4, t=9.5, degrees=324, t_p=.001, effect=.53) if gap else None
    return ModelRow(name, (0, 1), metrics, difference, .004,
                    {"training": 38.2, "evaluation": .4, "memory": 1210.0, "parameters": 182_345, "trainable": 182_345},
                    (f"{name}-0", f"{name}-1"), f"recbole-medmoe --model {name} --dataset healthfood --seeds 0,1",
                    folders=(Path("runs") / f"{name}-0", Path("runs") / f"{name}-1"),
                    level=frozenset({"map@5", "itemcoverage@5"} if name == "MedMoE" else ()))


@pytest.fixture
def section() -> Section:
    """Five models, two seeds, two groups of which one is too small; MedMoE is not shown to be below the best."""
    return Section(
        "healthfood", "cold_patient", "map@5", {"sha256": "0123456789abcdef", "users": 1625},
        tuple(_row(*scores) for scores in _SCORES),
        (Group("cold patient", 325, {name: Estimate(value, value - .02, value + .02) for name, value, _ in _SCORES}),
         Group("condition: gout", 7, {})),
        ("325 test rows; every item of the catalogue is ranked.", "Chosen on validation MAP@5."),
        {"python": "3.11.7", "torch": "2.13.0"}, ("Labels are a simulation by rules, not clinical truth.",))


@pytest.fixture
def leave(tmp_path: Path) -> Callable[..., Path]:
    """``leave("MedMoE", .4, split="warm", seed=1)`` -> folder of a finished run whose 40 patients score about .4."""

    def make(model: str, level: float, *, split: str = "warm", seed: int = 0, sha: str = "a", images: str = "catalogue",
             routing: dict[str, Any] | None = None, pooled: float = .5, patients: int = 40,
             prompts: tuple[str, ...] = (), backbones: tuple[str, ...] = ()) -> Path:
        noise = np.random.default_rng([seed, len(model)])
        values = np.clip(level + noise.normal(scale=.05, size=patients), 0, 1)
        gout = np.arange(patients) < 25
        config = {"valid_metric": "MAP@5", "bootstrap_draws": 300, "min_group": 20, "eval_args": {"mode": "full"}}
        groups = {"condition:gout": {"n": 25, "metrics": {"map@5": float(values[gout].mean()), "ndcg@5": .5}},
                  "condition:low_calcium": {"n": 3, "metrics": None}}
        if images != "catalogue":
            groups["items: reclassified"] = {"n": 25, "metrics": {"map@5": level / 2, "ndcg@5": level / 2}}
        record = {
            "schema": 1,
            "run": {"id": f"{split}-{images}-{seed}", "started": f"2026-01-01T10:00:{seed:02d}", "status": "finished",
                    "command": f"recbole-medmoe --model {model}", "seconds": 3.0},
            "code": {"version": "0.1.0", "commit": "c" * 40, "dirty": False},
            "environment": {"python": "3.11", "platform": "x", "packages": {"torch": "2"}, "device": "cpu", "gpu": None,
                            "cpu_count": 2, "memory_gib": 8.0},
            "data": {"name": "food", "sha256": sha * 64, "split": split, "labels": None, "train_share": 1.0,
                     "users": patients, "items": 9, "rows": {"train": 90, "valid": 30, "test": 40},
                     "derived_from_credentialed": False, "statistics": {"title": "Food", "groups": {"gout": 25}}},
            "model": {"name": model, "task": "food", "paper": None, "parameters": 10, "trainable": 10, "backbone": None,
                      "prompts": None, "config": config, "config_sha256": "0" * 64},
            "training": {"seed": seed, "epochs": 1, "best_epoch": 0, "seconds": 2.0, "rows_per_second": 45.0,
                         "peak_memory_mib": 100.0, "valid": {}, "search": None},
            "evaluation": {"metrics": {"map@5": float(values.mean()), "ndcg@5": float(values.mean() ** .5),
                                       "listdistance@5": pooled + seed / 100, "mrr@10": .5},
                           "groups": groups, "images": images, "threshold": None, "seconds": .1, "latency_ms": None,
                           "test_scored": 1},
            "routing": routing}
        for name, hashes in (("prompts", prompts), ("backbone", backbones)):
            if hashes:
                record["model"][name] = [{"name": str(place), "sha256": digest} for place, digest in enumerate(hashes)]
        folder = tmp_path / "runs" / "food" / model / f"{split}-{images}-{seed}"
        folder.mkdir(parents=True)
        items = {} if images == "catalogue" else {
            f"items: {kind}{ending}/{metric}": np.where(its, (values + more) / 2, np.nan)
            for kind, its in (("reclassified", gout), ("recognised", ~gout))
            for ending, more in (("", 0), (", catalogue", .2)) for metric in ("map@5", "ndcg@5")}
        write_rows(folder, {**items, "row": [f"u{row:02d}" for row in range(patients)], "group:condition:gout": gout,
                            "group:condition:low_calcium": np.arange(patients) < 3, "map@5": values,
                            "ndcg@5": values ** .5, "mrr@10": values, "topk": [["a", "b"]] * patients})
        write_record(folder, record)
        return folder

    return make
