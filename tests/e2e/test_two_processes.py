"""One run in two processes, as torchrun starts them: gloo on the CPU."""
from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recbole_medmoe.checks.tiny_llama import make_llama
from recbole_medmoe.config import MedConfig
from recbole_medmoe.quick_start.running import run_config
from recbole_medmoe.store import read_record, read_rows

ROOT = Path(__file__).resolve().parents[2]
TOLERANCE = 1e-6   # of metrics and weights: sums are taken in another order
_SCRIPT = """
import json, sys
from pathlib import Path
import numpy as np
from recbole_medmoe import processes
from recbole_medmoe.cli import main
from recbole_medmoe.config import MedConfig
from recbole_medmoe.quick_start.running import run_config

for asked in json.loads(sys.argv[1]):
    result = run_config(MedConfig(**asked), runs_dir=Path("runs"))
    weights = {name: value.double().sum().item() for name, value in result.model.state_dict().items()}
    told = {"metrics": result.evaluation.metrics, "rows": result.evaluation.row_ids.tolist(), "weights": weights,
            "topk": result.evaluation.topk_items.tolist(), "folder": str(result.folder),
            "threshold": result.evaluation.threshold}
    with open(f"told-{processes.rank()}.jsonl", "a") as file:
        file.write(json.dumps(told) + "\\n")
data = json.loads(sys.argv[1])[0]["overrides"]["data_path"]
sys.exit(main(["--model", "Pop,ConditionLookup", "--dataset", "tinyfood", f"--data_path={data}", "--device=cpu",
               "--bootstrap_draws=50", "--runs-dir", "cli"]))
"""


def _asked(tiny_food: Path, tiny_visits: Path, tiny_choice: Path, llama: Path) -> list[dict[str, Any]]:
    small = {"epochs": 3, "device": "cpu", "bootstrap_draws": 50, "eval_batch_size": 600, "train_batch_size": 64}
    food = {"data_path": str(tiny_food.parent), "metrics": ["Recall", "NDCG", "ItemCoverage", "GiniIndex"],
            "valid_metric": "NDCG@5", **small}
    return [{"model": "BPR", "dataset": tiny_food.name, "split": "warm", "overrides": food},
            {"model": "RETAIN", "dataset": tiny_visits.name, "split": "patient",
             "overrides": {"data_path": str(tiny_visits.parent), **small, "dropout": 0.0}},
            {"model": "OptionPosition", "dataset": tiny_choice.name,
             "overrides": {"data_path": str(tiny_choice.parent), **small}},
            {"model": "MINGMoE", "dataset": tiny_choice.name,
             "overrides": {"data_path": str(tiny_choice.parent), **small, "epochs": 1, "eval_batch_size": 2,
                           "backbone": str(llama), "tuned_layers": 1, "lora_dropout": 0.0, "train_share": 1.0,
                           "prompt_max_tokens": 200, "min_group": 2}}]


def _assert_same_routing(both: Any, alone: Any) -> None:
    """Choices of the experts, counted by both processes on their rows, or no routers at all."""
    if alone is None:
        assert both is None
        return
    assert both["tokens"] == alone["tokens"] and list(both["groups"]) == list(alone["groups"])
    for name, told in alone["layers"].items():
        for key in ("load", "weight", "together"):
            assert np.allclose(both["layers"][name][key], told[key], atol=0.01), (name, key)


@pytest.mark.e2e
@pytest.mark.timeout(900)   # seconds of start-up per process, many more where others use the machine
def test_two_processes_train_and_score_what_one_does(
        tiny_food: Path, tiny_visits: Path, tiny_choice: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    asked = _asked(tiny_food, tiny_visits, tiny_choice, make_llama(tmp_path / "llama"))
    (tmp_path / "two.py").write_text(_SCRIPT)
    done = subprocess.run([sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--standalone",
                           "--local_addr", "127.0.0.1", "two.py", json.dumps(asked)],
                          capture_output=True, text=True, timeout=800, check=False,
                          env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)})
    assert done.returncode == 0, done.stderr[-3000:]
    first, second = ([json.loads(line) for line in (tmp_path / f"told-{rank}.jsonl").read_text().splitlines()]
                     for rank in (0, 1))
    assert done.stdout.count("Kept in cli/tinyfood") == 1 and len(list((tmp_path / "cli").rglob("record.json"))) == 2
    assert first == second   # every metric, list and weight, bit for bit
    folders = [path.parent for path in sorted((tmp_path / "runs").rglob("record.json"))]
    assert sorted(map(str, (folder.relative_to(tmp_path) for folder in folders))) == sorted(
        told["folder"] for told in first)   # one record each: the first process writes
    for told, values in zip(first, asked):
        alone = run_config(MedConfig(**values), runs_dir=tmp_path / "alone")
        assert told["rows"] == alone.evaluation.row_ids.tolist()   # each once, in the same order
        assert told["metrics"] == pytest.approx(alone.evaluation.metrics, abs=TOLERANCE)
        assert told["weights"] == pytest.approx(
            {name: value.double().sum().item() for name, value in alone.model.state_dict().items()}, abs=1e-4)
        record, rows = read_record(tmp_path / told["folder"]), read_rows(tmp_path / told["folder"])
        assert record["training"]["processes"] == 2 and alone.record["training"]["processes"] == 1
        assert record["evaluation"]["metrics"] == told["metrics"] and len(rows["row"]) == len(told["rows"])
        _assert_same_routing(record["routing"], alone.record["routing"])
        own = read_rows(alone.folder)
        for name in alone.evaluation.columns:
            assert np.allclose(rows[name], own[name], atol=TOLERANCE), name
