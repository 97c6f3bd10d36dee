"""Job: one model on one data set, from its data to the folder that it leaves."""
from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Iterator

from ..compat import apply

apply()

import torch  # noqa: E402  (RecBole needs `apply` first)

from .. import processes  # noqa: E402
from ..config import MedConfig  # noqa: E402
from ..errors import TrainingError  # noqa: E402
from ..evaluation import Evaluation, RoutingCounts, group_table, round_table, watching  # noqa: E402
from ..evaluation.probe import task_probe  # noqa: E402
from ..store import new_run_id, run_folder, write_record  # noqa: E402
from .assembling import Assembled  # noqa: E402
from .absence import score_without  # noqa: E402
from .measuring import tokens_per_second  # noqa: E402
from .pictures import Shown, prepare, showing  # noqa: E402
from .record import Facts, build_record  # noqa: E402
from .saving import save_run  # noqa: E402


@dataclass(frozen=True)
class RunResult:
    """What a run gives back.

    Attributes:
        record: the content of ``record.json``.
        folder: the run folder.
        evaluation: test metrics with their values per row.
        model: the trained model, best weights in it.
        dataset: the training part of what it was trained on.
    """

    record: dict[str, Any]
    folder: Path
    evaluation: Evaluation
    model: Any
    dataset: Any


class Job:
    """The steps of a run, called in their order: `begin`, `take`, then training, then `choose_threshold`,
    `score` and `save`.

    Args:
        config: of the run.
        runs_dir: where run folders go.
        command: the command line to note in the record.

    Attributes:
        facts: what the record will tell.
        dataset: the training part, once taken. train, valid, test: its loaders.
        model, trainer: once taken.
        evaluation: of the test rows, once scored.
    """

    dataset: Any
    train: Any
    valid: Any
    test: Any
    model: Any
    trainer: Any
    evaluation: Evaluation

    def __init__(self, config: MedConfig, runs_dir: Path, command: str) -> None:
        self.config, self.runs_dir, self.run_id = config, runs_dir, processes.broadcast(new_run_id())
        self.facts = Facts(config, started=datetime.now(timezone.utc), command=command)
        self._begun = 0.0

    def begin(self) -> None:
        """Starts the clock."""
        self._begun = time.perf_counter()

    def take(self, made: Assembled) -> None:
        """Takes loaders, model and trainer."""
        self.train, self.valid, self.test, self.model, self.trainer = (made.train, made.valid, made.test, made.model,
                                                                       made.trainer)
        self.dataset = made.dataset
        prepare(self.config["images"], self.model, self.dataset)

    def choose_threshold(self) -> None:
        """Fixes the threshold of medication sets on validation, where there are such sets."""
        if self.config["task"] == "medication":
            self.facts.threshold = self.trainer.choose_threshold(self.valid)
            self.facts.threshold_curve = self.trainer.threshold_curve

    def score(self) -> None:
        """Scores the test rows once, and takes what the record tells of them."""
        images, before = self.config["images"], self._tokens_scored()
        with showing(images, self.model, self.dataset) as shown:
            with watching(self.model) as counts:
                self.evaluation = self.trainer.evaluate_rows(self.test, "test")
            if before is not None:
                self._weigh(self._tokens_scored() - before)
            missing = self.config["missing"] or ()
            self.facts.removals = score_without(missing, self.model, self.trainer, self.test)
        # What other pictures do to an item shows only beside the same item under its own.
        usual = self.trainer.evaluate_rows(self.test, "test") if shown.tells_items_apart else None
        self._look(shown, usual, counts)

    def _tokens_scored(self) -> Any:
        """Tokens that an adapted language model was asked to read for scores so far; None for other models."""
        return getattr(getattr(self.model, "llm", None), "tokens_scored", None)

    def _weigh(self, tokens: int) -> None:
        """Takes what the adapter costs, and how well the task can be guessed from the prompt.

        Args:
            tokens: that the test rows took.
        """
        self.facts.costs = {**self.model.llm.costs(),
                            "training_tokens_per_second": tokens_per_second(self.model, self.trainer.history),
                            "inference_tokens_per_second": processes.total(tokens) / max(self.evaluation.seconds, 1e-9)}
        tasks = getattr(self.dataset, "tasks", None)
        if self.facts.probe is None and tasks is not None and len(set(tasks[1:])) > 1:
            self.facts.probe = task_probe(*([(prompt, tasks[user]) for prompt, user in self.prompts(part)]
                                            for part in (self.train, self.test)))

    def prompts(self, part: Any) -> list[tuple[str, int]]:
        """The wrapped text of each user of a loader's rows, and the user's internal id."""
        spec, = (request.encoder for request in self.model.requests if request.name == "prompt")
        users = torch.unique(part._dataset.inter_feat[self.dataset.uid_field]).tolist()
        texts, names, seen = self.dataset.texts("user"), self.dataset.user_tokens, self.dataset.train_users
        told = self.dataset.store.wrapped(spec).prompts([texts.get(names[user]) for user in users],
                                                        seen[users].tolist())
        return [(prompt, user) for prompt, user in zip(told, users) if prompt]

    def _look(self, shown: Shown, usual: Evaluation | None, counts: RoutingCounts | None) -> None:
        facts, evaluation = self.facts, self.evaluation
        facts.groups = _groups(self.dataset, evaluation, self.config)
        facts.rounds = _rounds(self.dataset, evaluation, self.config)
        facts.read(dataset=self.dataset, model=self.model, trainer=self.trainer, evaluation=evaluation, test=self.test)
        facts.see(shown, evaluation, usual, self.test)
        if counts is not None:
            facts.count(counts, evaluation)
        facts.seconds["run"] = time.perf_counter() - self._begun

    def save(self) -> RunResult:
        """Leaves the run folder."""
        folder = self._save_run(self.evaluation)
        processes.wait()   # the record tells the size of the model's files, which the first process has just written
        record = build_record(self.facts, folder)
        if processes.is_main():
            write_record(folder, record)   # last: a folder with a record is a finished run
        processes.wait()
        return RunResult(record, folder, self.evaluation, self.model, self.dataset)

    def _save_run(self, evaluation: Evaluation | None) -> Path:
        """Makes the run folder when there is something to put into it, so that a failed start leaves nothing behind; of
        several processes the first one writes it."""
        config, private = self.config, self.dataset.is_credentialed
        if not processes.is_main():
            return self.runs_dir / config["dataset"] / config.spec.name / self.run_id
        folder = run_folder(self.runs_dir, config["dataset"], config.spec.name, self.run_id, private=private)
        save_run(folder, self.facts, self.model, self.trainer.history, self.dataset, evaluation)
        if self.trainer.trace is not None and self.trainer.trace.has_ended:   # nothing began where nothing is trained
            self.trainer.trace.save(folder)
        return folder

    @contextmanager
    def on_failure(self) -> Iterator[None]:
        """Saves the last finite best weights where training breaks off; without a record the run does not count."""
        try:
            yield
        except TrainingError as error:
            if self.trainer.best is None:
                raise
            folder = self._save_run(None)
            raise TrainingError(f"{error}\nThe best weights so far are kept in {folder}") from error


@contextmanager
def timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    """Notes how long what is inside takes."""
    begun = time.perf_counter()
    yield
    seconds[name] = time.perf_counter() - begun


def _groups(dataset: Any, evaluation: Evaluation, config: MedConfig) -> dict[str, tuple[Any, dict[str, Any] | None]]:
    """Group name to its mask [N] over test rows and its line of the group table."""
    if not evaluation.columns:
        return {}
    names = dataset.user_tokens
    tokens = [names[row] for row in evaluation.row_ids]
    masks = dataset.groups(tokens, "test")
    lines = group_table(evaluation.columns, masks, min_group=config["min_group"], clusters=dataset.clusters(tokens))
    return {name: (masks[name], {"n": int(line.n), "metrics": line.metrics}) for name, line in lines.items()}


def _rounds(dataset: Any, evaluation: Evaluation, config: MedConfig) -> dict[str, Any] | None:
    """Scores on random parts of the test patients, as published tables have them; None where they are not asked for."""
    if not config["rounds"] or not evaluation.columns:
        return None
    names = dataset.user_tokens
    clusters = dataset.clusters([names[row] for row in evaluation.row_ids])
    found = round_table(evaluation.columns, clusters, rounds=config["rounds"], share=config["round_share"],
                        seed=config["seed"])
    return {"rounds": config["rounds"], "share": config["round_share"],
            "metrics": {name: {"mean": mean, "std": std} for name, (mean, std) in found.items()}}
