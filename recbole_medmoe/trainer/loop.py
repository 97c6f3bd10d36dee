"""One training epoch on accelerate, at the place of RecBole's own, so that its special trainers call it as theirs."""
from __future__ import annotations

from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch.optim.lr_scheduler import LambdaLR

from .. import compat, processes
from ..data.loaders import UserBatchLoader
from .trace import Trace

compat.apply()

from recbole.trainer import Trainer  # noqa: E402  (RecBole is mended first)


def build_accelerator(device: torch.device, precision: str) -> Accelerator:
    """An accelerator; of several processes each has one (`recbole_medmoe.processes.join`).

    Args:
        device: where the model is; RecBole's loaders and models are placed there without accelerate.
        precision: 'no' or 'bf16'.
    """
    held = AcceleratorState._shared_state
    if held and (held.get("_mixed_precision") != precision or held["device"].type != device.type):
        # Accelerate keeps one state per process and refuses a second precision; one process trains many models here.
        AcceleratorState._reset_state(reset_partial_state=True)
    return Accelerator(mixed_precision=precision, cpu=device.type == "cpu", device_placement=False)


class MedLoop(Trainer):
    """RecBole's ``Trainer`` with its inner loop on accelerate.

    With one process, precision 'no', one batch per step and a constant rate every operation is RecBole's, in its order,
    so that weights are equal bit for bit. Only models with ``fused_steps`` differ, in the last bit: see
    `MedTrainerMixin`.

    Of several processes (`recbole_medmoe.processes`) each draws every batch, and takes its part of the rows; gradients
    are averaged before each step. So a batch is the batch of all of them together, and where a model's loss is a mean
    over rows they train what one process trains, up to the order of additions.
    """

    accelerator: Accelerator
    accumulation: int
    schedule: LambdaLR | None
    trace: Trace | None

    def _train_epoch(self, train_data: Any, epoch_idx: int, loss_func: Any = None, show_progress: bool = False) -> Any:
        """Trains one epoch.

        Args:
            train_data: RecBole's loader.
            epoch_idx: counted from 0.
            loss_func: loss of a batch, a tensor or a tuple of parts; the model's ``calculate_loss`` when None.
            show_progress: show a bar.

        Returns:
            Sum of the losses of all batches, a tuple where the model gives parts.
        """
        self.model.train()
        loss_func = loss_func or self.model.calculate_loss
        batches, count, total = train_data, len(train_data), None
        if show_progress:
            from tqdm import tqdm

            batches = tqdm(train_data, total=count, desc=f"Train {epoch_idx:>5}", leave=False)
        held = 0.0
        for index, interaction in enumerate(batches):
            # The last group of an epoch may be short; its losses are averaged over what it has.
            group = min(self.accumulation, count - index // self.accumulation * self.accumulation)
            if index % self.accumulation == 0:
                self.optimizer.zero_grad()
            mine, weight = (interaction, 1.0) if processes.count() == 1 else self._own_part(interaction, train_data)
            with self.accelerator.autocast():
                losses = loss_func(mine.to(self.device))
            parts = losses if isinstance(losses, tuple) else (losses,)
            if processes.count() == 1:
                loss = sum(parts)
                self._check_nan(loss)
            else:
                parts = tuple(part * weight for part in parts)
                loss = sum(parts)
            values = tuple(part.item() for part in parts)
            held += sum(values)
            total = values if total is None else tuple(map(sum, zip(total, values)))
            self.accelerator.backward(loss / group)
            if (index + 1) % self.accumulation == 0 or index + 1 == count:
                self._optimizer_step(held)
                held = 0.0
            if self.trace is not None:
                self.trace.step()
        if total is not None and processes.count() > 1:
            processes.share_buffers(self.model)
            processes.check_together()
            total = tuple(processes.total(value) / processes.count() for value in total)
        return total if total is None or isinstance(losses, tuple) else total[0]

    def _own_part(self, interaction: Any, train_data: Any) -> tuple[Any, float]:
        """This process's rows of a batch and the weight of their loss; whole users where the model is given those."""
        owners = interaction[train_data._dataset.uid_field]
        rows, weight = processes.rows_of(owners.cpu().numpy(), whole=isinstance(train_data, UserBatchLoader),
                                         per_owner=getattr(self.model, "means_over_users", False))
        return interaction[rows], weight

    def _optimizer_step(self, loss: float) -> None:
        """Steps; ``loss`` is that of the batches since the last one."""
        if processes.count() > 1:
            # A process alone with a loss that is not finite would leave the others waiting.
            self._check_nan(torch.tensor(processes.average_gradients(self.model.parameters(), loss)))
        if self.clip_grad_norm:
            self.accelerator.clip_grad_norm_(self.model.parameters(), **self.clip_grad_norm)
        self.optimizer.step()
        if self.schedule is not None:
            self.schedule.step()
