"""Which values the next trial takes: a function of space, seed, number and the trials before, and of nothing else."""
from __future__ import annotations

import json
from functools import partial
from typing import Any, Iterable, Literal, Mapping, Sequence

import numpy as np

from ...compat import import_hyperopt
from .space import LARGEST, Space
from .trials import Trial

Algorithm = Literal["tpe", "random", "exhaustive"]
_ATTEMPTS = 50
_START = 8   # trials that TPE draws at random before it looks at results (our choice; hyperopt has 20)


class Proposer:
    """Proposes values trial by trial.

    Trial n sees the trials that it is shown and random numbers made of seed and n alone, so that a search that was
    stopped goes on with the trials of one that was not. The first trial has the values that the model has without a
    search, so that a search never ends below them on validation.

    Source: Bergstra et al., "Algorithms for Hyper-Parameter Optimization", NIPS 2011 (TPE), by hyperopt.

    Args:
        space: what is searched.
        algorithm: ``exhaustive`` takes every point of a finite space, in an order that the seed shuffles.
        seed: of the search.
        defaults: the model's own values of the space's keys.
        bigger: whether a higher score is better.
    """

    def __init__(self, space: Space, algorithm: Algorithm, seed: int, defaults: Mapping[str, Any],
                 bigger: bool) -> None:
        self.space, self.algorithm, self.seed, self.bigger = space, algorithm, seed, bigger
        self.defaults = dict(defaults)
        size = space.size
        self._points = (np.random.default_rng(seed).permutation(size)
                        if space.keys and size is not None and size <= LARGEST else None)

    def propose(self, number: int, history: Sequence[Trial],
                taken: Iterable[Mapping[str, Any]]) -> dict[str, Any] | None:
        """Values of trial ``number``; None where every point of the space was tried.

        Args:
            history: trials that the proposal may learn from.
            taken: values of all earlier trials, none of which is proposed again.
        """
        known = {_text(values) for values in taken}
        if self.algorithm != "exhaustive":
            if number == 0:
                return dict(self.defaults)
            for attempt in range(_ATTEMPTS if self.space.keys else 0):
                values = self._drawn(number, attempt, history)
                if _text(values) not in known:
                    return values
        points = (self.space.point(int(place)) for place in (self._points if self._points is not None else ()))
        return next((values for values in points if _text(values) not in known), None)

    def _drawn(self, number: int, attempt: int, history: Sequence[Trial]) -> dict[str, Any]:
        hyperopt = import_hyperopt()
        domain = hyperopt.Domain(_nothing, {key: distribution.expression(key, hyperopt)
                                            for key, distribution in self.space.keys.items()})
        seed = int(np.random.default_rng([self.seed, number, attempt]).integers(2**31 - 1))
        trials = hyperopt.Trials()
        suggest = hyperopt.rand.suggest
        if self.algorithm == "tpe":
            # A list that is empty makes hyperopt draw at random, as does one shorter than _START.
            documents = [document for trial in sorted(history, key=lambda trial: trial.number)
                         if (document := self._document(trial)) is not None]
            trials.insert_trial_docs(documents)
            trials.refresh()
            suggest = partial(hyperopt.tpe.suggest, n_startup_jobs=_START, verbose=False)
        document, = suggest([number], domain, trials, seed)
        raw = document["misc"]["vals"]
        return {key: distribution.value(float(raw[key][0])) for key, distribution in self.space.keys.items()}

    def _document(self, trial: Trial) -> dict[str, Any] | None:
        """A trial in hyperopt's form; None for values outside the space, as the model's own may be."""
        raw = {key: distribution.raw(trial.values.get(key)) for key, distribution in self.space.keys.items()}
        if any(value is None for value in raw.values()):
            return None
        ok = trial.score is not None
        loss = {"loss": -trial.score if self.bigger else trial.score} if trial.score is not None else {}
        kept = {key: [int(value)] if value is not None and _is_index(self.space, key) else [value]
                for key, value in raw.items()}
        return {"state": 2, "tid": trial.number, "spec": None, "result": {"status": "ok" if ok else "fail", **loss},
                "misc": {"tid": trial.number, "cmd": ("domain_attachment", "FMinIter_Domain"), "workdir": None,
                         "idxs": {key: [trial.number] for key in kept}, "vals": kept},
                "exp_key": None, "owner": None, "version": 0, "book_time": None, "refresh_time": None}


def _is_index(space: Space, key: str) -> bool:
    from .distributions import Choice

    return isinstance(space.keys[key], Choice)


def _nothing(point: Any) -> float:
    """hyperopt asks for a function; trials are run elsewhere."""
    return 0.0


def _text(values: Mapping[str, Any]) -> str:
    return json.dumps(values, sort_keys=True)
