"""ImportedTrainer: scores what was predicted elsewhere."""
from __future__ import annotations

from typing import Any

from .. import compat
from .loop import MedLoop
from .mixin import MedTrainerMixin

compat.apply()

from recbole.utils import calculate_valid_score  # noqa: E402  (RecBole is mended first)


class ImportedTrainer(MedTrainerMixin, MedLoop):
    """Trains nothing.

    Attributes:
        has_valid: whether validation rows were predicted, too.
    """

    has_valid = True

    def fit(self, train_data: Any, valid_data: Any = None, verbose: bool = True, saved: bool = True,
            show_progress: bool = False, callback_fn: Any = None) -> tuple[float, dict[str, float] | None]:
        """Counts the training rows, which some metrics need, and scores validation where it was predicted."""
        self.eval_collector.data_collect(train_data)
        if valid_data is not None and self.has_valid:
            self.best_valid_result = self.evaluate(valid_data)
            self.best_valid_score = calculate_valid_score(self.best_valid_result, self.valid_metric)
        return self.best_valid_score, self.best_valid_result
