"""LEADER's student against its teacher, by the visit and in batches; and its epoch against the released code's way.

Counted for a score: `full_sort_predict`, from the visit's number to its logits; the teacher's prompts are tokens
already, which favours it, and nothing of the language model is kept from one visit to the next. Both are untrained:
what they have learned costs nothing.

Counted for an epoch: every training step from the loader to the optimiser, on the same visits. "Released way" is the
same student at the batch of the paper's code, 4 visits, with torch's own transformer layers over padded batches: each
set as long as the longest of its batch, each history too.

Seconds are the processor's, of one thread unless OMP_NUM_THREADS says otherwise: a busy machine matters little to them.
Ratios are of medians.

Usage: python benchmarks/student.py [rounds] [backbone]
"""
from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from recbole_medmoe import compat  # noqa: E402

compat.apply()

import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402
from recbole.data.interaction import Interaction  # noqa: E402
from recbole.utils import init_seed  # noqa: E402
from torch import Tensor, nn  # noqa: E402

from recbole_medmoe.config import MedConfig  # noqa: E402
from recbole_medmoe.data import create_dataset, data_preparation  # noqa: E402
from recbole_medmoe.model.leader_student import LEADERStudent  # noqa: E402
from recbole_medmoe.trainer import build_trainer  # noqa: E402

TARGETS = {"teacher_over_student_at_batch_1": 100.0, "released_way_over_ours_per_epoch": 10.0}
VISITS, MANY = 20, 256
TEACHER = {"state_scale": None, "cache_states": False, "tuned_layers": None, "lora_dropout": 0.0}
RELEASED = {"train_batch_size": 61, "modality_dropout": 0.0, "linear_skip": False, "copy_earlier": False}


class PaddedStudent(LEADERStudent):
    """The student on padded batches."""

    def __init__(self, config: Any, source: Any) -> None:
        super().__init__(config, source)
        p = self.params
        layers = [nn.TransformerEncoderLayer(p.width, p.heads, p.inner, p.dropout, "gelu", batch_first=True,
                                             norm_first=True) for _ in range(4)]
        self.layers, self.visit = nn.ModuleDict(zip(self.sets, layers)), layers[3]

    def _read(self, users: Any) -> tuple[Tensor, Tensor]:
        there = users["earlier_medications"][1]
        record = self.profile(self.read("user", users))
        inside = F.pad(there, (0, 1), value=True)  # [B, V + 1]
        streams = []
        for name, layer in self.layers.items():
            earlier = users[f"earlier_{name}"][0]  # [B, V, L]
            now = users[name][0] if name in users else earlier[:, 0]
            width = max(now.shape[1], earlier.shape[2])
            ids = torch.cat([F.pad(earlier, (0, width - earlier.shape[2])),
                             F.pad(now, (0, width - now.shape[1])).unsqueeze(1)], dim=1)  # [B, V + 1, L]
            visits = self._mean(layer, self.sets[name].embedding(ids).flatten(0, 1), (ids > 0).flatten(0, 1))
            visits = visits.unflatten(0, ids.shape[:2])
            if name not in users:
                visits = torch.cat([visits[:, :-1], record.unsqueeze(1)], dim=1)
            streams.append(self._mean(self.visit, visits, inside))
        return self.feature(F.relu(torch.cat(streams, dim=-1))), record

    @staticmethod
    def _mean(layer: nn.Module, x: Tensor, there: Tensor) -> Tensor:
        seen = there | ~there.any(-1, keepdim=True)
        found = layer(x, src_key_padding_mask=~seen) * there.unsqueeze(-1)
        return found.sum(1) / there.sum(-1, keepdim=True).clamp(min=1)


def build(name: str, kind: type | None = None, **keys: Any) -> tuple[Any, Any]:
    """An untrained model on eicu-demo and its training loader."""
    config = MedConfig(name, "eicu-demo", split="patient", overrides={"device": "cpu", "progress": False, **keys})
    init_seed(config["seed"], config["reproducibility"])
    train, _, _ = data_preparation(config, create_dataset(config))
    return (kind or config.spec.load())(config, train._dataset), train   # type: ignore[call-arg]


def median(call: Callable[[int], Any], rounds: int) -> float:
    """Median processor seconds of calls with 1, 2 ...; the call with 0 comes first and is not counted."""
    seconds = []
    for number in range(rounds + 1):
        started = time.process_time()
        call(number)
        seconds.append(time.process_time() - started)
    return statistics.median(seconds[1:])


@torch.no_grad()
def scoring(model: Any, rounds: int, rows: int) -> tuple[float, float]:
    """Median seconds for one visit, the same ones for every model, and visits per second of a batch of ``rows``."""
    model.eval()
    one = median(lambda number: model.full_sort_predict(Interaction({"visit_id": torch.tensor([number + 1])})), rounds)
    many = Interaction({"visit_id": torch.arange(1, rows + 1)})
    return one, rows / median(lambda number: model.full_sort_predict(many), 1)


def epoch(model: Any, train: Any, rounds: int) -> float:
    """Median seconds of one epoch."""
    trainer = build_trainer(train.config, model)
    return median(lambda number: trainer._train_epoch(train, number), rounds)


def main(rounds: int, backbone: str) -> int:
    """Prints both comparisons and one JSON line; returns 0 where the targets are met."""
    student, train = build("LEADERStudent")
    padded, small = build("LEADERStudent", PaddedStudent, **RELEASED)
    seconds = {"ours": epoch(student, train, rounds), "released way": epoch(padded, small, rounds)}
    visits = train.sample_size
    for name, spent in seconds.items():
        print(f"epoch, {name:12s} {spent:8.2f} s for {visits} visits, {spent / visits * 1100:8.2f} s per 1,100")
    teacher, _ = build("LEADERTeacher", backbone=backbone, **TEACHER)
    found = {"student": scoring(student, VISITS, MANY), "teacher": scoring(teacher, VISITS, MANY // 16)}
    for name, (one, rate) in found.items():
        print(f"{name:8s} {1000 * one:10.2f} ms for one visit {rate:10.1f} visits per second in a batch")
    ratios = {"teacher_over_student_at_batch_1": round(found["teacher"][0] / found["student"][0], 1),
              "student_over_teacher_visits_per_second": round(found["student"][1] / found["teacher"][1], 1),
              "released_way_over_ours_per_epoch": round(seconds["released way"] / seconds["ours"], 2)}
    ok = all(ratios[name] >= target for name, target in TARGETS.items())
    print(json.dumps({"benchmark": "student", "backbone": backbone, "ratios": ratios, "targets": TARGETS,
                      "rounds": rounds, "threads": torch.get_num_threads(), "ok": ok}))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 5, sys.argv[2] if len(sys.argv) > 2 else "smollm2-135m"))
