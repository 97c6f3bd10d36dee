"""TuningTrainer: a model's own layers first, on what its frozen backbone gives, then both together."""
from __future__ import annotations

from typing import Any

from .loop import MedLoop
from .mixin import MedTrainerMixin


class TuningTrainer(MedTrainerMixin, MedLoop):
    """Trains in two stages a model that has a switch ``tune(on)``.

    First ``head_epochs`` with ``tune(False)``, then, from the best weights so far, ``epochs`` with ``tune(True)``. Each
    stage has an optimiser, a schedule and early stopping of its own, and the first one a step size of its own where the
    model has the key ``head_learning_rate``; the best weights are the best of both on validation, so that tuning which
    does harm is not kept.

    Source: Kumar et al., "Fine-Tuning can Distort Pretrained Features and Underperform Out-of-Distribution",
    https://arxiv.org/abs/2202.10054 (linear probing, then fine-tuning).

    Attributes:
        history: as `MedTrainerMixin.history`, with ``stage``: ``head`` or ``tuning``; epochs are counted through.
    """

    def fit(self, train_data: Any, valid_data: Any = None, verbose: bool = True, saved: bool = True,
            show_progress: bool = False, callback_fn: Any = None) -> tuple[float, dict[str, float] | None]:
        """Trains both stages, and leaves the best weights in the model. Arguments and result as `MedTrainerMixin.fit`.

        Raises:
            TrainingError: a loss that is not finite, or memory that ran out.
        """
        rate = float(self.config["learning_rate"])
        for stage, epochs in (("head", self.config["head_epochs"]), ("tuning", self.config["epochs"])):
            if not epochs:
                continue
            self.model.tune(stage == "tuning")
            self.learning_rate = (self.config["head_learning_rate"] if stage == "head" else None) or rate
            self.start_epoch, self.cur_step = len(self.history), 0
            self.epochs = self.start_epoch + epochs
            self.optimizer = self._build_optimizer()
            super().fit(train_data, valid_data, verbose, saved, show_progress, callback_fn)
            for epoch in self.history[self.start_epoch:]:
                epoch["stage"] = stage
        return self.best_valid_score, self.best_valid_result
