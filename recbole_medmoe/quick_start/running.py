"""``run``: one model, trained and scored once on test, and all that it leaves."""
from __future__ import annotations

import json
import shlex
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Iterator, Mapping, Sequence

from ..compat import apply

apply()

from recbole.utils import init_seed  # noqa: E402  (RecBole needs `apply` first)

from ..config import MedConfig  # noqa: E402
from ..data import create_dataset, data_preparation  # noqa: E402
from ..errors import MissingPackageError, TrainingError  # noqa: E402
from ..evaluation import Evaluation, group_table, round_table  # noqa: E402
from ..store import PeakMemory, new_run_id, run_folder, write_record  # noqa: E402
from ..trainer import build_trainer  # noqa: E402
from .distilling import find_teaching  # noqa: E402
from .fitness import check_fitness  # noqa: E402
from .pictures import prepare, showing  # noqa: E402
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


def run(model: str, dataset: str, *, split: str | None = None, seed: int | None = None, files: Sequence[Path] = (),
        argv: Sequence[str] = (), overrides: Mapping[str, Any] | None = None, runs_dir: Path | None = None,
        command: str | None = None) -> RunResult:
    """Trains one model, scores it once on test, and leaves a run folder.

    Args:
        model: a name of ``recbole-medmoe list models``, or ``package.module:Class``.
        dataset: a packaged data set, ``ml-100k``, or one under the key ``data_path``.
        split: which pre-split files; None takes the data set's default.
        seed: None takes the configuration's.
        files: YAML files of keys, later ones win.
        argv: ``--key=value`` strings, which win over files and overrides.
        overrides: keys and values from Python.
        runs_dir: where run folders go; None takes the key ``runs_dir``.
        command: the command line to note in the record.

    Raises:
        ConfigError, DataError, FeatureBankError, MissingPackageError, TrainingError: each names its remedy.

    Example:
        >>> result = run("Pop", "ml-100k")  # doctest: +SKIP
        >>> result.record["evaluation"]["metrics"]["recall@10"]  # doctest: +SKIP
    """
    config = MedConfig(model, dataset, split=split, files=files, argv=argv, overrides=with_seed(overrides, seed))
    return run_config(config, runs_dir=runs_dir, command=command)


def with_seed(overrides: Mapping[str, Any] | None, seed: int | None) -> dict[str, Any]:
    """Overrides with the seed in them, where one is given."""
    return {**(overrides or {}), **({} if seed is None else {"seed": seed})}


def run_config(config: MedConfig, *, runs_dir: Path | None = None, command: str | None = None) -> RunResult:
    """`run` for a configuration that is already made."""
    check_fitness([config.spec], config.dataset_folder, config.split, config.labels)
    facts = Facts(config, started=datetime.now(timezone.utc), command=command or _command(config))
    place = Path(runs_dir or config["runs_dir"])
    teaching = find_teaching(config, place, run_config)   # a teacher's training is a run of its own
    facts.teacher = None if teaching is None else teaching.told()
    begun = time.perf_counter()
    with PeakMemory(str(config["device"])) as memory, _naming_packages(config.spec.name):
        init_seed(config["seed"], config["reproducibility"])
        dataset = create_dataset(config)
        keeper = _Keeper(facts, place, new_run_id(), dataset.is_credentialed)
        train, valid, test = data_preparation(config, dataset)
        if teaching is not None:
            train._dataset.teach(teaching.states)
        init_seed(config["seed"], config["reproducibility"])   # as RecBole: loaders must not move the weights' seed
        model = config.spec.load()(config, train._dataset).to(config["device"])   # type: ignore[call-arg]
        trainer = build_trainer(config, model)
        prepare(config["images"], model, train._dataset)
        with _timed(facts.seconds, "training"), keeper.on_failure(model, trainer, train._dataset):
            _, facts.valid = trainer.fit(train, valid, show_progress=config["show_progress"])
            if config["task"] == "medication":
                facts.threshold = trainer.choose_threshold(valid)
        with showing(config["images"], model, train._dataset) as shown:
            evaluation = trainer.evaluate_rows(test, "test")
        # What other pictures do to an item shows only beside the same item under its own.
        usual = trainer.evaluate_rows(test, "test") if shown.tells_items_apart else None
    facts.peak_memory_mib = memory.mib
    facts.groups = _groups(train._dataset, evaluation, config)
    facts.rounds = _rounds(train._dataset, evaluation, config)
    facts.read(dataset=train._dataset, model=model, trainer=trainer, evaluation=evaluation, test=test)
    facts.see(shown, evaluation, usual, test)
    facts.seconds["run"] = time.perf_counter() - begun
    folder = keeper.save(model, trainer.history, train._dataset, evaluation)
    record = build_record(facts, folder.name)
    write_record(folder, record)   # last: a folder with a record is a finished run
    return RunResult(record, folder, evaluation, model, train._dataset)


def _command(config: MedConfig) -> str:
    """The command line that makes this run again."""
    known = config.resolved()
    words = ["recbole-medmoe", "--model", known["model"], "--dataset", known["dataset"]]
    words += ["--split", config.split] if config.split else []
    given = {"seed", *(key for key, origin in config.origins.items() if origin in ("overrides", "command line"))}
    words += [f"--{key}={json.dumps(known[key])}" for key in sorted(given & set(known) - {"model", "dataset", "split"})]
    return shlex.join(words)


@contextmanager
def _naming_packages(model: str) -> Iterator[None]:
    """RecBole's models import what they need (dgl, faiss, ...) when they are built."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise MissingPackageError(f"model {model} needs the package '{error.name}', which is not installed; "
                                  f"run: pip install {error.name}") from error


@contextmanager
def _timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    begun = time.perf_counter()
    yield
    seconds[name] = time.perf_counter() - begun


@dataclass(frozen=True)
class _Keeper:
    """Makes the run folder when there is something to put into it, so that a failed start leaves nothing behind."""

    facts: Facts
    runs_dir: Path
    run_id: str
    private: bool

    def save(self, model: Any, history: list[dict[str, Any]], dataset: Any, evaluation: Evaluation | None) -> Path:
        config = self.facts.config
        folder = run_folder(self.runs_dir, config["dataset"], config.spec.name, self.run_id, private=self.private)
        save_run(folder, self.facts, model, history, dataset, evaluation)
        return folder

    @contextmanager
    def on_failure(self, model: Any, trainer: Any, dataset: Any) -> Iterator[None]:
        """Saves the last finite best weights where training breaks off; without a record the run does not count."""
        try:
            yield
        except TrainingError as error:
            if trainer.best is None:
                raise
            folder = self.save(model, trainer.history, dataset, None)
            raise TrainingError(f"{error}\nThe best weights so far are kept in {folder}") from error


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
