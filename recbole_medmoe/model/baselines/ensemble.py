"""HalvesAverage and LLMPair: plain averages of separately trained models. What a hybrid must beat to be worth its gate.

Two models that err apart do better together than either alone, whatever they are (Hansen and Salamon, "Neural network
ensembles", https://doi.org/10.1109/34.58871). So the gain of a hybrid over its halves says something about the hybrid
only as far as it is above these.
"""
from __future__ import annotations

from typing import Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from ...data.requests import FeatureRequest
from ..base import FeatureRecommender, Features
from ..medmoe import LLMOnly, LLMOnlyParams, MoEOnly, MoEOnlyParams, expert_requests, language_requests


class Ensemble(FeatureRecommender):
    """Mean of its members' scores.

    What is averaged are the scores as they are (logits, as `MedMoE` mixes them; our choice): a member that is surer of
    a patient's items counts for more there. Members share no weight. `EnsembleTrainer` trains each in its own right;
    a plain loop over `calculate_loss` trains them side by side, each by its own loss.

    Attributes:
        members: name to model; a subclass names their classes in ``kinds``.
    """

    kinds: ClassVar[dict[str, type[FeatureRecommender]]]

    def __init__(self, config: Any, source: Any) -> None:
        super().__init__(config, source)
        self.inputs = nn.ModuleDict()  # each member holds its own
        self.members = nn.ModuleDict({name: kind(config, source) for name, kind in self.kinds.items()})

    def member_seeds(self, seed: int) -> dict[str, int]:
        """Seed with which each member is trained in a run of this seed."""
        return {name: seed for name in self.kinds}

    def forward(self, users: Features, items: Features) -> Tensor:
        return torch.stack([member(users, items) for member in self.members.values()]).mean(0)  # [B, I]

    def calculate_loss(self, interaction: Any) -> Any:
        """Loss of each member."""
        return tuple(member.calculate_loss(interaction) for member in self.members.values())

    def diagnostics(self, users: Features, items: Features) -> dict[str, Tensor]:
        return {name: value for member in self.members.values()
                for name, value in member.diagnostics(users, items).items()}


class HalvesAverageParams(MoEOnlyParams, LLMOnlyParams):
    """Keys of both halves; one that both have is the same for both."""


class HalvesAverage(Ensemble):
    """Mean of the scores of a `MoEOnly` and a `LLMOnly`, each trained on its own with the run's seed.

    So it is the average of the two models that stand beside it in a table of the same seed. Control for `MedMoE`.
    """

    Params = HalvesAverageParams
    kinds = {"moe": MoEOnly, "llm": LLMOnly}

    @classmethod
    def feature_requests(cls, params: Any) -> tuple[FeatureRequest, ...]:
        return expert_requests(params) + language_requests(params)


class LLMPairParams(LLMOnlyParams):
    """Keys of both members, and what sets them apart."""

    seed_step: int = Field(ge=1, description="added to the run's seed for the second member; large, so that runs of "
                                             "neighbouring seeds share no member; our choice")


class LLMPair(Ensemble):
    """Mean of the scores of two `LLMOnly` that differ in their seed alone. Control for what plain ensembling gives."""

    Params = LLMPairParams
    kinds = {"first": LLMOnly, "second": LLMOnly}

    @classmethod
    def feature_requests(cls, params: Any) -> tuple[FeatureRequest, ...]:
        return language_requests(params)

    def member_seeds(self, seed: int) -> dict[str, int]:
        return {"first": seed, "second": seed + self.params.seed_step}
