"""AdapterTrainer: RecBole's training for models whose adapter may be none, which are scored as they are."""
from __future__ import annotations

from typing import Any

import torch

from .loop import MedLoop
from .mixin import MedTrainerMixin


def is_trained(model: torch.nn.Module) -> bool:
    """Whether anything of a model is trained."""
    return any(weight.requires_grad for weight in model.parameters())


class AdapterTrainer(MedTrainerMixin, MedLoop):
    """Trains what is trained of a model; where that is nothing (zero-shot), ``fit`` only validates."""

    def _build_optimizer(self, **kwargs: Any) -> Any:
        if not is_trained(self.model):
            return torch.optim.SGD([torch.zeros(0)], lr=self.learning_rate)  # has nothing to step
        return super()._build_optimizer(**kwargs)

    def fit(self, train_data: Any, valid_data: Any = None, verbose: bool = True, saved: bool = True,
            show_progress: bool = False, callback_fn: Any = None) -> tuple[float, dict[str, float] | None]:
        """Trains, and leaves the best weights in the model. Arguments, result and errors as `MedTrainerMixin.fit`."""
        if is_trained(self.model):
            return super().fit(train_data, valid_data, verbose, saved, show_progress, callback_fn)
        self.eval_collector.data_collect(train_data)
        found = self.evaluate(valid_data, show_progress=show_progress) if valid_data else None
        return float((found or {}).get(self.config["valid_metric"].lower(), 0.0)), found
