"""Several processes on one run, as ``torchrun`` starts them: which one this is, its rows, and what all of them found.

With one process every function here does nothing. torch and accelerate load inside the functions that need them.
"""
from __future__ import annotations

import os
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Iterable, Iterator

import numpy as np

from .errors import TrainingError

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["average_gradients", "broadcast", "check_together", "count", "gather_rows", "is_main", "is_mine", "join",
           "leave", "local_rank", "main_first", "rank", "rows_of", "share_buffers", "total", "wait"]
_PATIENCE = timedelta(hours=12)   # the others wait while the first one encodes features


def count() -> int:
    """How many processes work on this run."""
    return int(os.environ.get("WORLD_SIZE") or 1)


def rank() -> int:
    """Number of this process, from 0."""
    return int(os.environ.get("RANK") or 0) if count() > 1 else 0


def local_rank() -> int:
    """Number of this process on its machine: that of its GPU."""
    return int(os.environ.get("LOCAL_RANK") or 0) if count() > 1 else 0


def is_main() -> bool:
    """Whether this is the process that writes and prints."""
    return rank() == 0


def is_mine(number: int) -> bool:
    """Whether this process does piece ``number`` of work that is dealt out in turn."""
    return number % count() == rank()


def join(device: Any) -> None:
    """Meets the other processes: gloo on the CPU, NCCL on GPUs. Later calls do nothing."""
    if count() > 1:
        from accelerate.state import PartialState

        PartialState(cpu=str(device) == "cpu", timeout=_PATIENCE)


def leave() -> None:
    """Parts from the other processes."""
    if count() > 1:
        import torch.distributed as distributed

        if distributed.is_initialized():
            distributed.destroy_process_group()


def wait() -> None:
    """Waits until every process is here."""
    if count() > 1:
        from accelerate.state import PartialState

        PartialState().wait_for_everyone()


@contextmanager
def main_first() -> Iterator[None]:
    """The first process goes alone, so that what it leaves in caches is there for the others."""
    if not is_main():
        wait()
    yield
    if is_main():
        wait()


def rows_of(owners: np.ndarray, whole: bool = False, per_owner: bool = False) -> tuple[slice, float]:
    """This process's rows of a batch, and the weight of their mean.

    The weight makes the mean over processes of the weighted means the mean over all rows. Where there are fewer parts
    than processes, some take one that is another's with weight 0.

    Args:
        owners: [N] the user of each row.
        whole: rows of one user, which stand together, are not parted.
        per_owner: what the model takes the mean of are users, not rows.
    """
    starts = np.flatnonzero(np.diff(owners, prepend=-1)) if whole else np.arange(len(owners))
    ends = [*starts, len(owners)]
    first, last = (len(starts) * place // count() for place in (rank(), rank() + 1))
    if first == last:
        return slice(0, int(ends[1])), 0.0
    rows = slice(int(ends[first]), int(ends[last]))
    share = (last - first) / len(starts) if per_owner else (rows.stop - rows.start) / len(owners)
    return rows, share * count()


def total(value: float) -> float:
    """Sum of a number over all processes."""
    return float(gather_rows(np.array([value], dtype=np.float64)).sum()) if count() > 1 else value


def broadcast(text: str) -> str:
    """What the first process says."""
    if count() == 1:
        return text
    said = gather_rows(np.frombuffer((text if is_main() else "").encode(), dtype=np.uint8))
    return said.tobytes().decode()


def gather_rows(array: np.ndarray) -> np.ndarray:
    """Rows of all processes, those of the first one first.

    Args:
        array: [N, ...]; N may differ between processes, what follows may not.
    """
    if count() == 1:
        return array
    import torch
    import torch.distributed as distributed
    from accelerate.state import PartialState

    device = PartialState().device
    content = np.frombuffer(np.ascontiguousarray(array).tobytes(), dtype=np.uint8)
    told = torch.tensor([len(content), array.dtype.num, *array.shape[1:]], device=device)
    sizes = [torch.zeros_like(told) for _ in range(count())]
    distributed.all_gather(sizes, told)
    longest = max(int(size[0]) for size in sizes)
    padded = torch.from_numpy(np.pad(content, (0, longest - len(content)))).to(device)
    parts = [torch.zeros_like(padded) for _ in range(count())]
    distributed.all_gather(parts, padded)
    whole = b"".join(part[:int(size[0])].cpu().numpy().tobytes() for part, size in zip(parts, sizes))
    # A process without rows may not know of what type they are.
    kind = next((int(size[1]) for size in sizes if int(size[0])), array.dtype.num)
    dtype = next(known for known in (array.dtype, *map(np.dtype, "?BilqfdhbHIQLe")) if known.num == kind)
    return np.frombuffer(whole, dtype=dtype).reshape(-1, *array.shape[1:])


def average_gradients(parameters: Iterable[Any], loss: float) -> float:
    """Replaces gradients by their mean over all processes, in one message per format.

    Args:
        parameters: of the model, in the same order everywhere; those that have a gradient nowhere keep none.
        loss: of this process.

    Returns:
        The mean of the losses; not finite everywhere where it is so anywhere.
    """
    import torch
    import torch.distributed as distributed

    trained = [parameter for parameter in parameters if parameter.requires_grad]
    device = trained[0].device if trained else "cpu"
    told = torch.tensor([*(parameter.grad is not None for parameter in trained), loss], dtype=torch.float64,
                        device=device)
    distributed.all_reduce(told)
    *used, summed = told.tolist()
    by_format: dict[Any, list[Tensor]] = {}
    for parameter, number in zip(trained, used):
        if number:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            by_format.setdefault(parameter.grad.dtype, []).append(parameter.grad)
    for gradients in by_format.values():
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
        distributed.all_reduce(flat)
        flat /= count()
        for gradient, mean in zip(gradients, flat.split([gradient.numel() for gradient in gradients])):
            gradient.copy_(mean.view_as(gradient))
    return summed / count()


def share_buffers(model: Any) -> None:
    """Gives every process the first one's stored buffers, e.g. the running means of a batch norm."""
    if count() == 1:
        return
    import torch.distributed as distributed

    weights = {name for name, _ in model.named_parameters()}
    for name, value in model.state_dict().items():
        if name not in weights:
            distributed.broadcast(value, src=0)


def check_together() -> None:
    """Makes sure that all processes draw the same batches.

    Raises:
        TrainingError: their random numbers went apart.
    """
    if count() == 1:
        return
    _, keys, place, *_ = np.random.get_state()
    states = gather_rows(np.array([[int(np.asarray(keys).sum()), int(place)]], dtype=np.int64))
    if (states != states[0]).any():
        raise TrainingError("the processes of this run drew different batches: the model takes NumPy's random numbers "
                            "while it trains; run it in one process")
