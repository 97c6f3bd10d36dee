"""JointTrainer: one language model trained on several data sets together, each with its loader, loss and protocol."""
from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from recbole.utils import early_stopping
from torch import nn

from .adapting import AdapterTrainer, is_trained
from .memory import Snapshot


class JointBatch(NamedTuple):
    """A batch, and which data set it is from."""

    place: int
    interaction: Any

    def to(self, device: torch.device) -> JointBatch:
        """As RecBole's ``Interaction`` has it."""
        return JointBatch(self.place, self.interaction.to(device))


class JointLoader:
    """Every batch of several loaders once per epoch, in one shuffled order: a larger data set has more of the steps.

    Args:
        loaders: RecBole's, by the place of their data set.
    """

    def __init__(self, loaders: Mapping[int, Any]) -> None:
        self.loaders = dict(loaders)

    def __len__(self) -> int:
        return sum(map(len, self.loaders.values()))

    def __iter__(self) -> Iterator[JointBatch]:
        turns = torch.tensor([place for place, loader in self.loaders.items() for _ in range(len(loader))])
        running = {place: iter(loader) for place, loader in self.loaders.items()}
        for place in turns[torch.randperm(len(turns))].tolist():
            yield JointBatch(place, next(running[place]))


class JointModel(nn.Module):
    """The recommenders of all data sets; what they share is trained once.

    Args:
        views: one recommender per data set.
    """

    fused_steps = True  # as `FeatureRecommender`

    def __init__(self, views: Sequence[Any]) -> None:
        super().__init__()
        self.views = nn.ModuleList(views)

    def calculate_loss(self, batch: JointBatch) -> Any:
        """Loss of a batch, by the recommender of its data set."""
        return self.views[batch.place].calculate_loss(batch.interaction)  # type: ignore[operator, union-attr]

    def other_parameter(self) -> dict[str, Any]:
        """None: all weights are in ``state_dict``."""
        return {}

    def load_other_parameter(self, other: dict[str, Any]) -> None:
        """Nothing to load."""


class JointTrainer(AdapterTrainer):
    """Trains the recommenders of several data sets that share a language model.

    One optimiser steps on the batches of all. After an epoch every data set is scored on its validation rows by its own
    protocol; the mean over data sets of their ``valid_metric`` chooses the best epoch and ends training.

    Args:
        trainers: of each data set, the first one's configuration tells learner, rate, epochs and stopping; what they
            know of the training afterwards (``history``, ``best``, ``trace``) is this trainer's.
    """

    def __init__(self, trainers: Sequence[Any]) -> None:
        self.trainers = list(trainers)
        super().__init__(trainers[0].config, JointModel([trainer.model for trainer in trainers]))

    def fit_all(self, train: Sequence[Any], valid: Sequence[Any],
                show_progress: bool = False) -> list[dict[str, float]]:
        """Trains, and leaves the best weights in all models.

        Args:
            train: training loaders, in the order of the trainers.
            valid: validation loaders.
            show_progress: show a bar.

        Returns:
            Validation metrics of each data set at the best epoch.

        Raises:
            TrainingError: a loss that is not finite, or memory that ran out.
        """
        for trainer, loader in zip(self.trainers, train):
            trainer.eval_collector.data_collect(loader)
        # A recommender of which nothing is trained (zero-shot) is only scored.
        learning = {place: loader for place, loader in enumerate(train) if is_trained(self.trainers[place].model)}
        batches, best, waited = JointLoader(learning), float("-inf"), 0
        found: list[dict[str, float]] = []
        if learning:
            self.start_schedule(len(batches), self.epochs)
        if self.trace is not None and learning:
            self.trace.start()
        for epoch in range(self.epochs if learning else 0):
            self._train_epoch(batches, epoch, show_progress=show_progress)
            told = self._validate(valid, show_progress)
            score = self.history[-1]["valid_score"]
            best, waited, stop, better = early_stopping(score, best, waited, self.stopping_step, True)
            if better:
                found = told
                self._save_checkpoint(epoch)
            if stop:
                break
        if self.trace is not None:
            self.trace.stop()
        if not found:
            found = [trainer.evaluate(loader, show_progress=show_progress) or {}
                     for trainer, loader in zip(self.trainers, valid)]
        self.restore_best()
        for trainer in self.trainers:
            trainer.history, trainer.trace = self.history, self.trace
        return found

    def _save_checkpoint(self, epoch: int, verbose: bool = True, **kwargs: Any) -> None:
        super()._save_checkpoint(epoch, verbose, **kwargs)
        for trainer in self.trainers:  # each can restore and save its own part
            trainer.best = Snapshot.take(trainer.model, epoch)

    def _validate(self, valid: Sequence[Any], show_progress: bool) -> list[dict[str, float]]:
        """Metrics of each data set; notes the mean of what validation chooses by."""
        told = []
        for trainer, loader in zip(self.trainers, valid):
            told.append(trainer.evaluate(loader, show_progress=show_progress) or {})
        scores = {trainer.config["dataset"]: float(metrics[trainer.config["valid_metric"].lower()])
                  for trainer, metrics in zip(self.trainers, told)}
        self.history[-1].update(valid_score=sum(scores.values()) / len(scores), valid=scores)
        self._tell_epoch()
        return told
