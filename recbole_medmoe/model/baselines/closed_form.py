"""ClosedForm: base of the baselines that are solved at once instead of trained step by step."""
from __future__ import annotations

from typing import Annotated, Any, ClassVar

import torch
from pydantic import AfterValidator, Field
from recbole.utils import ModelType
from torch import Tensor, nn

from ..base import FeatureRecommender


def _above_zero(values: tuple[float, ...]) -> tuple[float, ...]:
    if min(values) <= 0:
        raise ValueError("every penalty must be above 0")
    return values


# At least one, which is asked first: an empty tuple has no smallest.
Penalties = Annotated[tuple[float, ...], Field(min_length=1), AfterValidator(_above_zero)]


class ClosedForm(FeatureRecommender):
    """Solved on the first batch of its single epoch (RecBole's ``TRADITIONAL`` type).

    A subclass makes its tensors in ``__init__`` by `place` and fills them in `solve`.
    """

    type = ModelType.TRADITIONAL
    groups_by_user: ClassVar[bool] = False

    def __init__(self, config: Any, source: Any) -> None:
        super().__init__(config, source)
        self.fake_loss = nn.Parameter(torch.zeros(1))  # RecBole's trainer wants a parameter to step
        for module in self.inputs.values():
            module.requires_grad_(False)
        self._pairs: tuple[Tensor, Tensor] | None = source.training_pairs()

    def place(self, *shape: int, device: torch.device | None = None) -> nn.Parameter:
        """A tensor that is saved and counted, and that no optimiser touches."""
        return nn.Parameter(torch.zeros(shape, device=device), requires_grad=False)

    def solve(self, users: Tensor, targets: Tensor) -> None:
        """Fills the model's tensors.

        Args:
            users: internal ids of the training users [N].
            targets: 1 where a training user has the item, else 0 [N, I].
        """
        raise NotImplementedError

    def solve_pairs(self, users: Tensor, items: Tensor) -> None:
        """Fills the model's tensors from the training rows, user ids [N] and item ids [N]: here by `solve`."""
        distinct, row = torch.unique(users, return_inverse=True)
        targets = torch.zeros(len(distinct), self.n_items, device=users.device)
        targets[row, items] = 1.0
        self.solve(distinct, targets)

    @torch.no_grad()
    def calculate_loss(self, interaction: Any) -> Tensor:
        """Solves once; the loss says nothing."""
        if self._pairs is not None:
            self.solve_pairs(*(ids.to(self.fake_loss.device) for ids in self._pairs))
            self._pairs = None
        with torch.enable_grad():
            return self.fake_loss.sum() * 0
