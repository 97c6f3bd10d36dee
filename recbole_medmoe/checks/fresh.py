"""A process that has never seen the training: it loads run folders and scores what it is given."""
from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Mapping, Sequence

from torch import Tensor

from .report import CheckFailed


class FreshProcess:
    """Starts on first use and serves one run folder after the other, so that its imports are paid once.

    Args:
        folder: for its files; an empty one.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._process: subprocess.Popen[str] | None = None
        self._asked = 0

    def scores(self, run: Path, device: Any = "cpu", *, columns: Mapping[str, Tensor] | None = None,
               pairs: Mapping[str, Tensor] | None = None,
               features: Mapping[str, tuple[Tensor, Tensor]] | None = None,
               patients: Sequence[Mapping[str, Any]] | None = None) -> Tensor:
        """Loads a run folder there and scores one of the four.

        Args:
            run: the folder.
            device: where to load it.
            columns: of an interaction, for the model's ``full_sort_predict``.
            pairs: of an interaction of users and items, for its ``predict``.
            features: of users, as `FeatureRecommender.score_features` takes them.
            patients: as `TrainedModel.score` takes them.

        Returns:
            The scores [B, I], or [N] of pairs.

        Raises:
            CheckFailed: the process broke off; its last words.
        """
        from safetensors.torch import load_file, save_file

        self._asked += 1
        self.folder.mkdir(parents=True, exist_ok=True)
        asked = self.folder / f"{self._asked}.asked.safetensors"
        answer = self.folder / f"{self._asked}.answer.safetensors"
        tensors = dict(columns or pairs or {})
        for name, (matrix, present) in (features or {}).items():
            tensors |= {f"{name}.matrix": matrix, f"{name}.present": present}
        save_file({name: tensor.cpu().contiguous().clone() for name, tensor in tensors.items()}, asked)
        given = {"columns": columns, "pairs": pairs, "features": features, "patients": patients}
        kind = next(name for name, value in given.items() if value is not None)
        self._ask({"run": str(run), "device": str(device), "kind": kind, "asked": str(asked), "answer": str(answer),
                   "patients": patients})
        return load_file(answer)["scores"]

    def _ask(self, question: dict[str, Any]) -> None:
        process = self._start()
        assert process.stdin is not None and process.stdout is not None
        try:
            print(json.dumps(question), file=process.stdin, flush=True)
        except BrokenPipeError:
            pass   # it died at its start; its last words follow
        if any(line.strip() == question["answer"] for line in process.stdout):
            return
        process.wait()
        self._process = None
        words = (self.folder / "stderr.txt").read_text(encoding="utf-8", errors="replace").strip().splitlines()
        raise CheckFailed(f"a fresh process can not load and score it: {words[-1] if words else 'no message'}")

    def _start(self) -> subprocess.Popen[str]:
        if self._process is None:
            there = {**os.environ, "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)}
            with (self.folder / "stderr.txt").open("w", encoding="utf-8") as stderr:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", __name__], cwd=self.folder, env=there, text=True, stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE, stderr=stderr)
        return self._process

    def close(self) -> None:
        """Ends the process, if it was started."""
        if self._process is not None:
            self._process.kill()   # it has nothing to finish, and an orderly end takes a second
            self._process.communicate()
            self._process = None


def serve() -> None:
    """Answers one question per line of standard input; the answer's path on standard output says that it is there."""
    import torch
    from safetensors.torch import load_file, save_file

    from ..quick_start import load   # first: it mends RecBole
    from recbole.data.interaction import Interaction

    for line in sys.stdin:
        question = json.loads(line)
        trained = load(question["run"], question["device"])
        given = load_file(question["asked"], question["device"])
        with torch.no_grad():
            if question["kind"] == "patients":
                scores = torch.from_numpy(trained.score(question["patients"]))
            elif question["kind"] == "features":
                names = sorted({name.rsplit(".", 1)[0] for name in given})
                scores = trained.model.score_features(
                    {name: (given[f"{name}.matrix"], given[f"{name}.present"]) for name in names})
            elif question["kind"] == "pairs":
                scores = trained.model.predict(Interaction(given))
            else:
                scores = trained.model.full_sort_predict(Interaction(given))
        save_file({"scores": scores.float().cpu().contiguous()}, question["answer"])
        print(question["answer"], flush=True)


if __name__ == "__main__":
    serve()
