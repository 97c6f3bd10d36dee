from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import pytest
import torch

from recbole_medmoe.quick_start.measuring import latency, tokens_per_second
from recbole_medmoe.quick_start.running import run_config
from recbole_medmoe.store import read_record


def test_the_record_tells_what_a_run_costs(food_config: Callable[..., Any], tmp_path: Path) -> None:
    folder = run_config(food_config("BPR", split="warm", epochs=1, device="cpu"), runs_dir=tmp_path).folder
    record = read_record(folder)
    training, evaluation, model = record["training"], record["evaluation"], record["model"]
    assert training["seconds"] > 0 and training["rows_per_second"] > 0 and training["peak_memory_mib"] > 0
    assert training["processes"] == 1 and training["tokens_per_second"] is None and training["gpu_busy"] is None
    assert evaluation["rows_per_second"] > 0 and evaluation["latency_ms"]["p95"] >= evaluation["latency_ms"]["p50"] > 0
    assert model["parameters"] == model["trainable"] > 0
    assert model["file_bytes"] == sum(path.stat().st_size for path in (folder / "model").iterdir()) > 0
    assert record["environment"]["driver"] is None and record["code"]["model_sha256"] is None


def test_latency_leaves_the_first_requests_out(food_data: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    config, train, _, test = food_data("BPR", split="warm")
    model = config.spec.load()(config, train._dataset)
    slow = iter([9., 9., 9.] + [.001] * 60)
    now = [0.]

    def clock(device: Any) -> float:
        return now[0]

    def predict(interaction: Any) -> None:
        now[0] += next(slow)

    monkeypatch.setattr("recbole_medmoe.quick_start.measuring.clock", clock)
    monkeypatch.setattr(model, "full_sort_predict", predict)
    told = latency(model, test, torch.device("cpu"))
    assert told is not None and told["batch"] == 1 and told["p50"] == pytest.approx(1) == pytest.approx(told["p95"])


def test_tokens_are_those_that_training_steps_read() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(1, 1), torch.nn.Identity())
    assert tokens_per_second(model, [{"seconds": 2.}]) is None
    model[1].tokens_read = 600
    assert tokens_per_second(model, [{"seconds": 2.}, {"seconds": 1.}]) == 200
