"""EnsembleTrainer: every member of an ensemble is trained as if it were alone."""
from __future__ import annotations

from typing import Any

from .. import compat
from ..errors import TrainingError
from .build import build_trainer
from .loop import MedLoop
from .memory import Snapshot
from .mixin import MedTrainerMixin

compat.apply()

from recbole.utils import calculate_valid_score, init_seed  # noqa: E402  (RecBole is mended first)


class EnsembleTrainer(MedTrainerMixin, MedLoop):
    """Trains the members of an `Ensemble` one after the other, then scores them together.

    Each member has its own start, order of batches, optimiser, early stopping on validation and best weights: those of
    the member's model run alone with the member's seed, bit for bit on a CPU.

    Attributes:
        history: as `MedTrainerMixin.history`, with the name of the member that the epoch trained as ``member``; epochs
            are counted anew for each.
    """

    @property
    def best_epoch(self) -> int | None:
        """None: there is no one best epoch, each member has its own."""
        return None

    def fit(self, train_data: Any, valid_data: Any = None, verbose: bool = True, saved: bool = True,
            show_progress: bool = False, callback_fn: Any = None) -> tuple[float, dict[str, float] | None]:
        """Trains every member and leaves its best weights in the model. Arguments as `MedTrainerMixin.fit`.

        Returns:
            Validation score of the whole ensemble, and its metrics.

        Raises:
            TrainingError: as `MedTrainerMixin.fit`; it names the member.
        """
        self.eval_collector.data_collect(train_data)
        for name in self.model.members:
            self._start(name, train_data)
            trainer = build_trainer(self.config, self.model.members[name])
            try:
                trainer.fit(train_data, valid_data, verbose, True, show_progress, callback_fn)
            except TrainingError as error:
                raise TrainingError(f"member '{name}': {error}") from error
            finally:
                self.history += [{"member": name, **epoch} for epoch in trainer.history]
        self.best = Snapshot.take(self.model, len(self.history) - 1)
        if valid_data is not None:
            self.best_valid_result = self.evaluate(valid_data, show_progress=show_progress)
            self.best_valid_score = calculate_valid_score(self.best_valid_result, self.valid_metric)
        return self.best_valid_score, self.best_valid_result

    def _start(self, name: str, train_data: Any) -> None:
        """Puts random numbers, batch order and the member's weights where a run of its model alone has them."""
        member, seed = self.model.members[name], self.model.member_seeds(self.config["seed"])[name]
        train_data.generator.manual_seed(seed)
        init_seed(seed, self.config["reproducibility"])
        # Built once more for its weights, and for the draws that building takes from the random numbers.
        member.load_state_dict(type(member)(self.config, train_data._dataset).state_dict())
