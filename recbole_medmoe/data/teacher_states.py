"""TeacherStates: what a teacher makes of visits, kept in one file, so that a student needs no language model."""
from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Sequence

import torch
from torch import Tensor

from ..errors import CheckpointError
from ..files import atomic_write

_FORMAT, _SCHEMA = "recbole_medmoe/teacher_states", 1
_CALLED = {"data_sha256": "data", "split": "split", "train_share": "share of the training visits",
           "seed": "seed of that share", "teacher_sha256": "teacher", "backbone_sha256": "backbone of the teacher",
           "prompt_sha256": "prompts of the teacher"}


@dataclass(frozen=True)
class StatesOrigin:
    """What teacher states come from; whoever uses them compares what it knows itself.

    Attributes:
        teacher: name of the teacher's model. run: name of its run folder.
        data_sha256: content of the data set's files, see `atomic.data_sha256`.
        split, train_share, seed: which training visits the teacher has learned from.
        teacher_sha256: of the trained weights. backbone_sha256: of the frozen ones.
        prompt_sha256: of the templates, and of what else shapes a prompt.
        derived_from_credentialed: whether the data are, so that the file stays with them.
    """

    teacher: str
    run: str
    data_sha256: str
    split: str | None
    train_share: float
    seed: int
    teacher_sha256: str
    backbone_sha256: str
    prompt_sha256: str
    derived_from_credentialed: bool = False


@dataclass(frozen=True)
class TeacherStates:
    """States of N visits.

    Args:
        tokens: N distinct visits.
        matrix: [N, W] bfloat16.
        origin: what made them.
    """

    tokens: list[str]
    matrix: Tensor
    origin: StatesOrigin

    def write(self, path: Path) -> None:
        """Writes the file whole or not at all; only its owner may read it where the data are credentialed.

        Raises:
            CheckpointError: states that are not finite.
        """
        from safetensors.torch import save

        if not bool(torch.isfinite(self.matrix).all()):
            raise CheckpointError(f"{path}: the teacher's states are not all finite, so its training has diverged; "
                                  "train it again with a lower learning_rate")
        told = {"format": _FORMAT, "schema": str(_SCHEMA), "tokens": json.dumps(self.tokens),
                "origin": json.dumps(asdict(self.origin))}
        content = save({"states": self.matrix.to(torch.bfloat16).cpu().contiguous()}, told)
        atomic_write(path, content, private=self.origin.derived_from_credentialed)

    @classmethod
    def read(cls, path: Path) -> TeacherStates:
        """Reads a file.

        Raises:
            CheckpointError: it is damaged, or no file of teacher states of this version.
        """
        from safetensors import SafetensorError, safe_open

        remedy = "remove it, and the teacher's states are made again"
        try:
            with safe_open(path, framework="pt") as file:
                told = file.metadata() or {}
                if told.get("format") != _FORMAT or told.get("schema") != str(_SCHEMA):
                    raise CheckpointError(f"{path}: no teacher states of schema {_SCHEMA} of this package; give a file "
                                          "that a teacher's run has left")
                found = cls(json.loads(told["tokens"]), file.get_tensor("states"),
                            StatesOrigin(**json.loads(told["origin"])))
        except (SafetensorError, OSError, KeyError, TypeError, ValueError) as fault:
            raise CheckpointError(f"{path}: teacher states that can not be read ({fault}); {remedy}") from fault
        if found.matrix.dim() != 2 or len(found.matrix) != len(set(found.tokens)):
            raise CheckpointError(f"{path}: {len(found.tokens)} visits and states {tuple(found.matrix.shape)} do not "
                                  f"fit; {remedy}")
        return found

    def check(self, path: Path, **expected: object) -> None:
        """Refuses states of other data, another teacher or other prompts.

        Args:
            path: where they come from, for the message.
            expected: attributes of `StatesOrigin` and the values that are right here.

        Raises:
            CheckpointError: all that differs.
        """
        wrong = [f"other {_CALLED[name]} ({_short(getattr(self.origin, name))}, here {_short(value)})"
                 for name, value in expected.items() if getattr(self.origin, name) != value]
        if wrong:
            raise CheckpointError(f"{path}: teacher states of {', '.join(wrong)}; give a teacher that was trained on "
                                  "these data, or --teacher LEADERTeacher, which trains one")

    def align(self, tokens: Sequence[str]) -> tuple[Tensor, Tensor]:
        """States by the order of ``tokens`` [U] -> [U, W] bfloat16, zero where there is none, and presence [U]."""
        place = {token: row for row, token in enumerate(self.tokens)}
        rows = torch.tensor([place.get(token, -1) for token in tokens], dtype=torch.int64)
        present = rows >= 0
        matrix = self.matrix.new_zeros(len(rows), self.matrix.shape[1])
        matrix[present] = self.matrix[rows[present]]
        return matrix, present


def _short(value: object) -> str:
    return value[:12] if isinstance(value, str) else str(value)
