"""What every trainer here adds to RecBole's: weights in memory, values per row, one message per fault, no files."""
from __future__ import annotations

import logging
import time
from typing import Any

import numpy as np
import torch

from .. import compat
from ..errors import CheckpointError, ConfigError, TrainingError, nearest
from ..evaluation.choices import evaluate_choices
from ..evaluation.evaluator import Evaluation, evaluate_full_sort, supports
from ..evaluation.pooled import POPULARITY_METRICS
from ..evaluation.ranking import LIFT
from ..evaluation.set_evaluator import evaluate_sets
from ..processes import is_main
from .loop import build_accelerator
from .memory import Snapshot, memory_guard
from .schedule import build_schedule
from .threshold import fixed_threshold
from .trace import Trace

compat.apply()

from recbole.data.dataloader import FullSortEvalDataLoader  # noqa: E402  (RecBole is mended first)
from recbole.trainer import Trainer  # noqa: E402

log = logging.getLogger("recbole_medmoe")

_EVERY = 30.0  # seconds between lines on epochs, at least
LEARNERS = ("adam", "adamw", "sgd", "adagrad", "rmsprop", "sparse_adam")


class MedTrainerMixin(Trainer):
    """Stands left of a RecBole trainer class; :func:`recbole_medmoe.trainer.build_trainer` composes the two.

    Attributes:
        history: one dict per epoch: epoch (from 0), loss (sum over batches, as RecBole prints it), losses (its parts),
            learning_rate, seconds, and where the epoch was scored valid_score, valid, valid_seconds.
        best: weights of the best epoch on the CPU, None before the first; after ``fit`` they are in the model.
        test_scored: how often test rows were scored so far.
        threshold: what makes sets of a visit's scores, once `choose_threshold` has fixed it.
        threshold_curve: what sets of validation visits are worth under other thresholds, where it was tuned.
        trace: of the first steps, where the key ``profile`` asks for one.
    """

    history: list[dict[str, Any]]
    best: Snapshot | None
    test_scored: int
    threshold: float | None
    threshold_curve: dict[str, list[float]] | None
    trace: Trace | None

    def __init__(self, config: Any, model: Any) -> None:
        self.history, self.best, self.schedule, self.threshold, self.threshold_curve = [], None, None, None, None
        self._epoch = self._step = self.test_scored = 0
        self._told = time.monotonic()
        self.accumulation = int(config["gradient_accumulation_steps"] or 1)
        self.precision = config["precision"] or "no"
        self.trace = Trace(torch.device(config["device"])) if config["profile"] else None
        self.accelerator = build_accelerator(torch.device(config["device"]), self.precision)
        with compat.without_side_effects():
            super().__init__(config, model)

    @property
    def best_epoch(self) -> int | None:
        """Epoch of the best weights, counted from 0."""
        return None if self.best is None else self.best.epoch

    def fit(self, train_data: Any, valid_data: Any = None, verbose: bool = True, saved: bool = True,
            show_progress: bool = False, callback_fn: Any = None) -> tuple[float, dict[str, float] | None]:
        """Trains, and leaves the best weights in the model. Arguments as RecBole's.

        Args:
            saved: has no effect: the best weights are always kept, in memory, and never in a file.

        Returns:
            Best validation score and its metrics.

        Raises:
            TrainingError: a loss that is not finite, or memory that ran out.
        """
        self.start_schedule(len(train_data), self.epochs - self.start_epoch)
        if self.trace is not None:
            self.trace.start()
        result = super().fit(train_data, valid_data, verbose, True, show_progress and is_main(), callback_fn)
        if self.trace is not None:
            self.trace.stop()
        self.restore_best()
        return result

    def start_schedule(self, batches: int, epochs: int) -> None:
        """Begins the learning rate's schedule over some epochs of so many batches."""
        steps = -(-batches // self.accumulation) * epochs
        self.schedule = build_schedule(self.optimizer, self.config["lr_schedule"] or "constant",
                                       int(self.config["warmup_steps"] or 0), steps)

    def restore_best(self) -> None:
        """Puts the best weights so far into the model, where there are any."""
        if self.best is not None:
            self.best.restore(self.model)

    def choose_threshold(self, valid_data: Any) -> float:
        """Fixes the threshold of medication sets, once, after training: tuned on validation, or the one asked for.

        Args:
            valid_data: loader of the validation visits.

        Returns:
            The threshold in units of the model's scores.
        """
        asked = self.config["set_threshold"]
        if asked == "tuned":
            found = self.evaluate_rows(valid_data, "valid")
            assert found.threshold is not None   # without a threshold given, validation tunes one
            self.threshold, self.threshold_curve = found.threshold, found.threshold_curve
        else:
            self.threshold = fixed_threshold(asked, self.model)
        return self.threshold

    def evaluate(self, eval_data: Any, load_best_model: bool = False, model_file: str | None = None,
                 show_progress: bool = False) -> dict[str, float] | None:
        """Metrics of a loader, rounded as RecBole's.

        Args:
            eval_data: loader of the part to score.
            load_best_model: put the best weights into the model first.
            model_file: refused, RecBole's files are pickles.
            show_progress: show a bar.

        Raises:
            CheckpointError: ``model_file`` is given.
            TrainingError: memory ran out, or scores that are not numbers.
        """
        if model_file:
            raise CheckpointError(f"{model_file}: RecBole's .pth files are pickles and are not read here")
        if not eval_data:
            return None
        if load_best_model:
            self.restore_best()
        found = self.evaluate_rows(eval_data, show_progress=show_progress)
        return found.rounded(self.config["metric_decimal_place"])

    def evaluate_rows(self, eval_data: Any, phase: str | None = None, show_progress: bool = False) -> Evaluation:
        """Metrics with their values per row.

        Args:
            eval_data: loader of the part to score.
            phase: 'valid' or 'test', which candidates are ranked; read from the loader when not given.
            show_progress: show a bar.

        Returns:
            The evaluation. For task medication the threshold is tuned anew on validation rows until
            `choose_threshold` has fixed it; metrics of sets are then the best that a threshold can reach there.
            Metrics or modes that RecBole alone knows (AUC, GAUC, uni100, labeled ...) go through its
            own collector and evaluator: then there are metrics, but no rows.

        Raises:
            TrainingError: memory ran out, scores that are not numbers, or test visits before a threshold is fixed.
        """
        phase = phase or _phase(eval_data)
        self.test_scored += phase == "test"
        with memory_guard("scoring", "eval_batch_size", self.config["eval_batch_size"]):
            if self.config["task"] == "medication":
                return self._evaluate_sets(eval_data, phase, show_progress)
            if self.config["task"] == "choice":
                return self._evaluate_choices(eval_data, show_progress)
            if isinstance(eval_data, FullSortEvalDataLoader) and supports(self.config["metrics"]):
                return self._evaluate_full_sort(eval_data, phase, show_progress)
            started = time.perf_counter()
            found = super().evaluate(eval_data, load_best_model=False, show_progress=show_progress)
            return Evaluation(dict(found), seconds=time.perf_counter() - started)

    def resume_checkpoint(self, resume_file: str) -> None:
        """Refused, RecBole's files are pickles.

        Raises:
            CheckpointError: always.
        """
        raise CheckpointError(f"{resume_file}: RecBole's .pth files are pickles and are not read here")

    def _evaluate_full_sort(self, eval_data: Any, phase: str, show_progress: bool) -> Evaluation:
        dataset = eval_data._dataset
        offers = getattr(dataset, "candidates", None)
        return evaluate_full_sort(
            self.model, eval_data, topk=self.config["topk"], metrics=self.config["metrics"], device=self.device,
            candidates=None if offers is None else offers(phase), item_num=dataset.item_num, precision=self.precision,
            train_counts=self._train_counts(dataset.item_num), tail_ratio=self.config["tail_ratio"],
            progress=show_progress)

    def _evaluate_sets(self, eval_data: Any, phase: str, show_progress: bool) -> Evaluation:
        if phase == "test" and self.threshold is None:
            raise TrainingError("test visits are scored only once the threshold is fixed: call choose_threshold with "
                                "the validation loader first")
        dataset = eval_data._dataset
        return evaluate_sets(self.model, eval_data, topk=self.config["topk"], metrics=self.config["metrics"],
                             device=self.device, threshold=self.threshold, ddi=dataset.ddi,
                             item_num=dataset.item_num, precision=self.precision, progress=show_progress)

    def _evaluate_choices(self, eval_data: Any, show_progress: bool) -> Evaluation:
        dataset = eval_data._dataset
        return evaluate_choices(self.model, eval_data, topk=self.config["topk"], metrics=self.config["metrics"],
                                device=self.device, options=dataset.options, tasks=dataset.tasks,
                                item_num=dataset.item_num, precision=self.precision, progress=show_progress)

    def _train_counts(self, item_num: int) -> np.ndarray | None:
        """[I] training rows of each item, which RecBole's ``fit`` collects; None where no metric asks for them."""
        if not {name.lower() for name in self.config["metrics"]} & {*POPULARITY_METRICS, LIFT}:
            return None
        held = self.eval_collector.data_struct
        if "data.count_items" not in held:
            raise TrainingError("AveragePopularity, TailPercentage and PopularityLift need the training rows: call "
                                "fit, or trainer.eval_collector.data_collect(train_loader), before evaluate")
        counts: np.ndarray = np.zeros(item_num, dtype=np.int64)
        for item, count in held.get("data.count_items").items():
            counts[item] = count
        return counts

    def _build_optimizer(self, **kwargs: Any) -> Any:
        learner = str(kwargs.get("learner", self.learner))
        if learner.lower() not in LEARNERS:
            raise ConfigError([f"learner: '{learner}' is no optimiser{nearest(learner, LEARNERS)}"])
        built = super()._build_optimizer(**kwargs)
        # RecBole's own models keep its steps, so that their weights equal its trainer's bit for bit.
        if getattr(self.model, "fused_steps", False) and isinstance(built, (torch.optim.Adam, torch.optim.AdamW)):
            for group in built.param_groups:
                group["fused"] = True
        return built

    def _train_epoch(self, train_data: Any, epoch_idx: int, loss_func: Any = None, show_progress: bool = False) -> Any:
        self._epoch, self._step = epoch_idx, 0
        rate, started = self.optimizer.param_groups[0]["lr"], time.perf_counter()
        with memory_guard("training", "train_batch_size", self.config["train_batch_size"]):
            losses = super()._train_epoch(train_data, epoch_idx, loss_func=loss_func, show_progress=show_progress)
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        parts = list(losses) if isinstance(losses, tuple) else [losses]
        self.history.append({"epoch": epoch_idx, "loss": sum(parts), "losses": parts, "learning_rate": rate,
                             "seconds": time.perf_counter() - started})
        return losses

    def _valid_epoch(self, valid_data: Any, show_progress: bool = False) -> tuple[float, dict[str, float]]:
        started = time.perf_counter()
        score, found = super()._valid_epoch(valid_data, show_progress=show_progress)
        self.history[-1].update(valid_score=score, valid=dict(found), valid_seconds=time.perf_counter() - started)
        self._tell_epoch()
        return score, found

    def _tell_epoch(self) -> None:
        """A line on the epoch that was just scored, for logs of long trainings; short ones stay silent."""
        if is_main() and time.monotonic() - self._told >= _EVERY:
            self._told = time.monotonic()
            last = self.history[-1]
            log.info("%s: epoch %d of at most %d, loss %.5g, valid score %.4f", self.config["model"], last["epoch"] + 1,
                     self.epochs, last["loss"], last["valid_score"])

    def _save_checkpoint(self, epoch: int, verbose: bool = True, **kwargs: Any) -> None:
        self.best = Snapshot.take(self.model, epoch)

    def _check_nan(self, loss: torch.Tensor) -> None:
        self._step += 1
        if bool(torch.isfinite(loss).all()):
            return
        self.restore_best()
        kept = ("no epoch was finished before it" if self.best is None
                else f"the model holds the weights of epoch {self.best.epoch + 1} again")
        raise TrainingError(f"the loss is not finite ({float(loss.detach().sum())}) at step {self._step} of epoch "
                            f"{self._epoch + 1}; {kept}. Lower learning_rate, or set clip_grad_norm: {{max_norm: 1}}")


def _phase(eval_data: Any) -> str:
    """'valid' or 'test', as RecBole's sampler of a loader says; a loader without one counts as test."""
    sampler = getattr(eval_data, "_sampler", None)
    return "test" if sampler is None else str(sampler.phase)
