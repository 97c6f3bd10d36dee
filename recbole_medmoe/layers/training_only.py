"""Parts of a model that only its loss uses: they learn with the rest, and are neither saved nor needed to score."""
from __future__ import annotations

from typing import Any, Mapping

from torch import Tensor, nn


class TrainingOnly(nn.ModuleDict):
    """Modules by name whose weights no ``state_dict`` holds; loading one leaves them as they are.

    Args:
        modules: those that the loss uses; none of them is no fault.

    Example:
        >>> model = nn.ModuleList([nn.Linear(2, 1, bias=False), TrainingOnly({"guide": nn.Linear(1, 9)})])
        >>> sorted(model.state_dict())
        ['0.weight']
    """

    def __init__(self, modules: Mapping[str, nn.Module]) -> None:
        super().__init__(modules)
        self.register_state_dict_post_hook(_drop)
        self.register_load_state_dict_pre_hook(_keep)


def _drop(module: nn.Module, state: dict[str, Tensor], prefix: str, metadata: Any) -> None:
    for name in [name for name in state if name.startswith(prefix)]:
        del state[name]


def _keep(module: nn.Module, state: dict[str, Tensor], prefix: str, *rest: Any) -> None:
    """Lets the present weights stand in for those that the state lacks, so that strict loading still holds."""
    state.update({prefix + name: weight.detach() for name, weight in module.named_parameters()})
