"""What a search ends with: the best values as a file for ``--config``, and a figure."""
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Mapping, Sequence

import yaml

from ...files import atomic_write
from ..figures import Figure, search_figure
from .space import Space
from .trials import Trial

__all__ = ["Outcome"]


@dataclass(frozen=True)
class Outcome:
    """A search that has used its budget, or its space, up.

    Attributes:
        what: as `Search.what`.
        given: keys that every trial had.
        space: what was searched.
        minutes: of the budget; None where only the number of trials bound it.
        trials: by their number.
        folder: of the search.
    """

    what: Mapping[str, Any]
    given: Mapping[str, Any]
    space: Space
    minutes: float | None
    trials: Sequence[Trial]
    folder: Path

    @property
    def ranked(self) -> list[Trial]:
        """Finished trials, the best first, then stopped ones, then failed ones; of equal ones the earlier."""
        sign = -1 if self.what["bigger"] else 1
        order = ("finished", "stopped", "failed")
        return sorted(self.trials, key=lambda trial: (order.index(trial.status), sign * (trial.score or 0.0),
                                                      trial.number))

    @property
    def best(self) -> Trial | None:
        """The best finished trial; None where none finished."""
        return next((trial for trial in self.ranked if trial.status == "finished"), None)

    def count(self, status: str) -> int:
        """How many trials ended so."""
        return sum(trial.status == status for trial in self.trials)

    @property
    def seconds(self) -> float:
        """What all trials took."""
        return sum(trial.seconds for trial in self.trials)

    def searched(self) -> dict[str, Any]:
        """The key ``search`` of a configuration with the best values, which runs note in their records."""
        return {"algorithm": self.what["algorithm"], "seed": self.what["seed"], "parallel": self.what["parallel"],
                "trials": len(self.trials), "finished": self.count("finished"), "stopped": self.count("stopped"),
                "failed": self.count("failed"), "minutes": self.minutes, "seconds": round(self.seconds, 1),
                "metric": self.what["metric"], "score": None if self.best is None else self.best.score,
                "space_sha256": self.space.sha256}

    def overrides(self) -> dict[str, Any]:
        """The best values and the note of their search, as keys of a configuration."""
        return {**({} if self.best is None else self.best.values), "search": self.searched()}

    def figure(self) -> Figure:
        """The search trial by trial."""
        return search_figure(f"{self.what['model']} on {self.what['dataset']}, validation "
                             f"{str(self.what['metric']).upper()}",
                             [(trial.number + 1, trial.status, trial.score) for trial in self.trials],
                             bool(self.what["bigger"]))

    def write(self) -> list[Path]:
        """Writes ``best.yaml`` and ``search.svg`` into the folder, where a trial finished.

        Raises:
            MedMoEError: they cannot be written.
        """
        if self.best is None:
            return []
        split = f", split {self.what['split']}" if self.what["split"] else ""
        head = (f"# {self.what['model']} on {self.what['dataset']}{split}: the best of {len(self.trials)} trials "
                f"({self.what['algorithm']}, seed {self.what['seed']}),\n# trial {self.best.number + 1}, by validation "
                f"{str(self.what['metric']).upper()} {self.best.score:.4f}; no test row was scored.\n")
        held = {**{key: value for key, value in self.given.items() if key not in self.best.values}, **self.overrides()}
        text = head + yaml.safe_dump(held, sort_keys=False, allow_unicode=True)
        best, figure = self.folder / "best.yaml", self.folder / "search.svg"
        atomic_write(best, text.encode())
        atomic_write(figure, self.figure().standalone().encode())
        return [best, figure]
