"""Modules whose frozen weights are not saved: they come back by name, and must be the same ones."""
from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ..errors import CheckpointError

_MARK = "frozen_sha256"


def leave_out_frozen(module: nn.Module, sha256: str) -> None:
    """From now on the module's ``state_dict`` holds what is trained and a mark of the frozen rest, not the rest itself.

    ``load_state_dict`` then needs the same frozen weights to be in place already; it raises a `CheckpointError` where
    the mark tells that they are others.

    Args:
        module: parameters with ``requires_grad`` false are left out, now and later.
        sha256: hexadecimal hash that stands for the frozen weights.

    Example:
        >>> pair = nn.ModuleList([nn.Linear(2, 2).requires_grad_(False), nn.Linear(2, 1, bias=False)])
        >>> leave_out_frozen(pair, "ab" * 32)
        >>> sorted(pair.state_dict())
        ['1.weight', 'frozen_sha256']
    """
    module.register_buffer(_MARK, torch.frombuffer(bytearray.fromhex(sha256), dtype=torch.uint8))  # [32]
    module.register_state_dict_post_hook(_drop_frozen)
    module.register_load_state_dict_pre_hook(_put_frozen_back)


def _frozen(module: nn.Module) -> dict[str, Tensor]:
    return {name: weight for name, weight in module.named_parameters(remove_duplicate=False)
            if not weight.requires_grad}


def _drop_frozen(module: nn.Module, state: dict[str, Tensor], prefix: str, metadata: Any) -> None:
    frozen = {prefix + name for name in _frozen(module)}
    for key in list(state):  # the hook also runs for a state that a parent has begun
        # A weight that is held in 4 bits has its scales below its own name.
        parts = key.split(".")
        if not frozen.isdisjoint(".".join(parts[:count]) for count in range(1, len(parts) + 1)):
            del state[key]


def _put_frozen_back(module: nn.Module, state: dict[str, Tensor], prefix: str, *rest: Any) -> None:
    """Lets the frozen weights stand in for those that the state lacks, so that strict loading still holds."""
    mark, own = state.get(prefix + _MARK), module.get_buffer(_MARK)
    if mark is not None and not torch.equal(mark.cpu(), own.cpu()):
        raise CheckpointError(f"the weights were trained on a backbone of SHA-256 {_short(mark)}, and the one of that "
                              f"name here has {_short(own)}; bring that one back, or train again")
    state.update({prefix + name: weight.detach() for name, weight in _frozen(module).items()})


def _short(mark: Tensor) -> str:
    return bytes(mark.tolist()).hex()[:12]
