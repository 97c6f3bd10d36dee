"""A search: proposes, lets an engine try, stores, and goes on where it was stopped."""
from __future__ import annotations

import json
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Mapping, Sequence

from ...atomic import is_credentialed
from ...config import MedConfig
from ...config.assemble import given_layers
from ...errors import RecordError, TrainingError
from ...quick_start.finished import Key
from ...quick_start.fitness import check_fitness
from ..engine import Engine, Order
from ..engine import Outcome as Answered
from .outcome import Outcome
from .proposing import Algorithm, Proposer
from .space import Space, check_space, find_space, read_space
from .trials import Trial, TrialStore

__all__ = ["Budget", "Outcome", "Search"]
_HOPELESS = 5
# Where a search runs is not what it finds.
_PLACE = {"device", "runs_dir", "cache_dir", "keep_states", "allow_download", "progress", "show_progress"}


@dataclass(frozen=True)
class Budget:
    """What a search may cost: a number of trials, minutes of their training and validation, or both, whichever ends
    first. A trial that has begun is not cut off by the minutes."""

    trials: int | None = 20
    minutes: float | None = None


@dataclass
class Search:
    """One model's search on one split.

    Args:
        base: the configuration without a search.
        space: what is searched; keys that were given are out of it.
        given: what the user wrote, which every trial has.
        algorithm, seed: of the proposals; every trial trains with the seed, too.
        folder: of its store and results.
        beside: models searched in the same command, whose keys are left to them.
    """

    base: MedConfig
    space: Space
    given: Mapping[str, Any]
    algorithm: Algorithm
    seed: int
    folder: Path
    beside: Sequence[str] = ()
    store: TrialStore = field(init=False)

    def __post_init__(self) -> None:
        self.store = TrialStore(self.folder)

    @classmethod
    def prepare(cls, model: str, dataset: str, *, split: str | None = None, seed: int | None = None,
                algorithm: Algorithm = "tpe", space: Path | None = None, files: Sequence[Path] = (),
                argv: Sequence[str] = (), overrides: Mapping[str, Any] | None = None, beside: Sequence[str] = (),
                folder: Callable[[MedConfig], Path]) -> Search:
        """Makes the configuration, reads the space and checks both, whole, before anything runs.

        Args:
            model, dataset, split, seed, files, argv, overrides, beside: as of `MedConfig`.
            algorithm: how values are proposed.
            space: its file; None takes the model's own.
            folder: where the search of a configuration is kept.

        Raises:
            ConfigError: all faults of the configuration, or of the space with file and line.
        """
        given: dict[str, Any] = {}
        for layer in given_layers(files, overrides, argv, None, []):   # its faults are told by the configuration
            given |= layer.values
        base = MedConfig(model, dataset, split=split, files=files, argv=argv, beside=beside,
                         overrides={**(overrides or {}), **({} if seed is None else {"seed": seed})})
        check_fitness([base.spec], base.dataset_folder, base.split, base.labels)
        handed = base["teacher_keys"] or {}
        given = {key: value for key, value in given.items()
                 if key not in ("seed", "split", "search") and (key in base.given or key in handed)}
        found = read_space(find_space(base.spec) if space is None else space).without(given)
        check_space(found, base, given, algorithm)
        return cls(base, found, given, algorithm, base["seed"], folder(base), tuple(beside))

    @property
    def model(self) -> str:
        """As the command line takes it."""
        spec = self.base.spec
        return spec.target if spec.origin == "third party" else spec.name

    @property
    def defaults(self) -> dict[str, Any]:
        """The model's own values of what is searched."""
        known = self.base.resolved()
        return {key: known.get(key) for key in self.space.keys}

    def what(self, parallel: int) -> dict[str, Any]:
        """What makes two searches the same, but for their budgets."""
        key = {name: value for name, value in Key.of(self.base)._asdict().items() if name not in ("seed",)}
        return json.loads(json.dumps({
            "schema": 1, "model": self.model, "dataset": self.base.dataset, "split": self.base.split,
            "metric": self.base["valid_metric"].lower(), "bigger": bool(self.base["valid_metric_bigger"]),
            "algorithm": self.algorithm, "seed": self.seed, "parallel": parallel,
            "given": {name: value for name, value in self.given.items() if name not in _PLACE | {"data_path"}},
            "space": self.space.written(), "content": key}))

    def run(self, engine: Engine, budget: Budget, *, resume: bool = False, exact: bool = False,
            tell: Callable[[str], None] = lambda message: None) -> Outcome:
        """Runs what the budget leaves to run.

        Args:
            engine: carries out the trials. Those that go on at once are proposed together, as many as the engine had
                slots when the search began, so that each proposal depends on earlier groups only.
            budget: may be larger than that of the call that began the search.
            resume: goes on with the trials that are in the folder.
            exact: leaves out of the outcome what a larger budget tried before.
            tell: takes one line per trial.

        Raises:
            RecordError: the folder holds another search, or one that ``resume`` was not asked for, or is damaged.
            TrainingError: the first trials all failed.
            SearchedElsewhere: another process searches there.
            MedMoEError: a trial cannot be stored.
        """
        with self.store.locked():
            parallel = self._begin(engine.slots, resume)
            trials = {trial.number: trial for trial in self.store.read()}
            if trials:
                tell(f"{self.model}: {len(trials)} trials were done before")
            while batch := self._batch(trials, parallel, budget):
                self._try(batch, trials, parallel, engine, budget, tell)
                failed = [trial for trial in trials.values() if trial.status == "failed"]
                if len(failed) == len(trials) >= _HOPELESS:
                    raise TrainingError(f"{self.model}: the first {len(failed)} trials all failed, the last one: "
                                        f"{failed[-1].reason}. Mend it, and remove {self.folder} to search again")
        kept = {key: value for key, value in self.given.items() if key not in _PLACE}
        shown = [trials[number] for number in sorted(trials)
                 if not exact or self._is_within(number, trials, parallel, budget)]
        return Outcome(self.what(parallel), kept, self.space, budget.minutes, shown, self.folder)

    def _begin(self, slots: int, resume: bool) -> int:
        """Notes or compares what is searched; returns how many trials are proposed together."""
        if not self.store.exists:
            self.store.begin(self.what(slots))
            return slots
        known = self.store.what()
        parallel = known.get("parallel")
        if not isinstance(parallel, int) or parallel < 1:
            raise RecordError(f"{self.folder}/search.json: no search; remove the folder and search again")
        asked = self.what(parallel)
        differing = [key for key in asked if known.get(key) != asked[key]]
        if differing:
            told = "".join(f"\n  - {key}: {_shown(known.get(key), asked[key])}" for key in differing)
            raise RecordError(f"{self.folder}: holds another search; remove it or give another --out:{told}")
        if not resume:
            raise RecordError(f"{self.folder}: holds this search already; --resume goes on with it, and another --out "
                              "begins anew")
        return parallel

    def _batch(self, trials: Mapping[int, Trial], parallel: int, budget: Budget) -> dict[int, dict[str, Any]]:
        """Number to values of the trials to run next: what is left of the first group that is not whole."""
        first = next(number for number in range(len(trials) + 1) if number not in trials) // parallel * parallel
        before = [trial for number, trial in trials.items() if number < first]
        proposer = Proposer(self.space, self.algorithm, self.seed, self.defaults,
                            bool(self.base["valid_metric_bigger"]))
        taken = [trial.values for trial in before]
        batch: dict[int, dict[str, Any]] = {}
        for number in range(first, first + parallel):
            if not self._is_within(number, trials, parallel, budget) or not self.space.keys:
                break
            known = trials.get(number)
            values = proposer.propose(number, before, taken) if known is None else known.values
            if values is None:
                break
            taken.append(values)
            if known is None:
                batch[number] = values
        return batch

    @staticmethod
    def _is_within(number: int, trials: Mapping[int, Trial], parallel: int, budget: Budget) -> bool:
        """Whether a budget has the trial of this number, whatever a larger budget left there.

        Trials of its own group do not count, so that a search that was stopped ends where one that was not does.
        """
        first = number // parallel * parallel
        taken = sum(trial.seconds for other, trial in trials.items() if other < first)
        return (budget.trials is None or number < budget.trials) and (
            budget.minutes is None or taken < 60 * budget.minutes)

    def _try(self, batch: Mapping[int, dict[str, Any]], trials: dict[int, Trial], parallel: int, engine: Engine,
             budget: Budget, tell: Callable[[str], None]) -> None:
        first = min(batch) // parallel * parallel
        finished = [trial.curve for number, trial in sorted(trials.items())
                    if trial.status == "finished" and number < first]
        orders = {number: self._order(number, values, finished) for number, values in batch.items()}
        numbers = {order.name: number for number, order in orders.items()}
        with closing(engine.run(iter(orders.values()))) as outcomes:   # type: ignore[type-var]
            for answered in outcomes:
                number = numbers[answered.order.name]
                trial = _trial(number, batch[number], answered)
                self.store.add(trial)
                trials[number] = trial
                tell(f"{self.model}, trial {number + 1}{'' if budget.trials is None else f'/{budget.trials}'}: "
                     + _line(trial, str(self.base["valid_metric"])))

    def _order(self, number: int, values: Mapping[str, Any], finished: Sequence[Any]) -> Order:
        rule = self.space.stopping
        return Order(f"{self.base.spec.name}, trial {number + 1}", "trial", {
            "model": self.model, "dataset": self.base.dataset, "split": self.base.split, "beside": list(self.beside),
            "overrides": {**self.given, **values, "seed": self.seed},
            "private": is_credentialed(self.base.dataset_folder),   # a teacher trained for it leaves a run
            "stopping": None if rule is None else rule.model_dump(), "finished": list(finished) if rule else []})


def _trial(number: int, values: dict[str, Any], answered: Answered) -> Trial:
    if answered.result is None:
        failure = answered.failure
        reason = "no answer" if failure is None else failure.message + (f" (log: {failure.log})" if failure.log else "")
        return Trial(number=number, values=values, status="failed", score=None, valid={}, curve=[], epochs=0,
                     best_epoch=None, seconds=answered.seconds, reason=reason)
    known = dict(answered.result)
    known["curve"] = [(int(epoch), float(score)) for epoch, score in known["curve"]]
    return Trial(number=number, values=values, reason=None, **known)


def _line(trial: Trial, metric: str) -> str:
    told = ", ".join(f"{key} {value}" for key, value in trial.values.items())
    if trial.score is None:
        return f"failed ({trial.reason}); {told}"
    stopped = f", stopped after {trial.epochs} epochs" if trial.status == "stopped" else ""
    return f"validation {metric.upper()} {trial.score:.4f}{stopped}; {told}"


def _shown(known: Any, asked: Any) -> str:
    """What differs, part by part where both have parts."""
    if isinstance(known, dict) and isinstance(asked, dict):
        keys = [key for key in {**known, **asked} if known.get(key) != asked.get(key)]
        return ", ".join(f"{key} {_short(known.get(key))} there, {_short(asked.get(key))} asked for" for key in keys)
    return f"{_short(known)} there, {_short(asked)} asked for"


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:16]}..."
