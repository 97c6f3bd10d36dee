"""LLMOnlyLoRA: LLMOnly whose language model is tuned on the task by low-rank adapters.

Xu and Wang, https://arxiv.org/abs/2412.11557, do not say whether their LLM is tuned, so all of it is our choice: LoRA
(Hu et al., https://arxiv.org/abs/2106.09685) on the top n blocks.

    patient  prompt -> frozen blocks (once per text, kept) -> n blocks with LoRA -> read-out -> tower -> u --+
                                                                                                             +-- match
    item     prompt -> frozen LLM (or the same tuned one) --------------------------> read-out -> tower -> v -+
"""
from __future__ import annotations

from typing import Any

from pydantic import Field
from torch import Tensor, nn

from ..data.requests import FeatureRequest, TokenSpec
from ..encoders.lora import LoraSpec
from ..layers import ModalityInput
from .backbone import read_backbone
from .base import FeatureRecommender, Features
from .medmoe import LanguageBranch, LLMOnlyParams, language_requests


class LLMOnlyLoRAParams(LLMOnlyParams):
    """LLMOnly's, and what is tuned of its backbone; ``epochs`` are those of the tuning."""

    head_epochs: int = Field(ge=0, description="most passes in which the towers alone learn, before the LLM is tuned; "
                                               "cheap, since the LLM's states are kept; our choice")
    tuned_layers: int | None = Field(ge=1, description="n, blocks at the top that carry LoRA, null for all; few blocks "
                                                       "train on a CPU; our choice")
    lora_rank: int = Field(ge=1, description="r of LoRA; our choice")
    lora_alpha: float = Field(gt=0, description="LoRA adds alpha / r times its product; our choice")
    lora_dropout: float = Field(ge=0, lt=1, description="share of an adapter's inputs that training drops; our choice")
    lora_targets: tuple[str, ...] = Field(min_length=1, description="names of the linear maps that carry LoRA; our "
                                                                    "choice")
    tuned_items: bool = Field(description="whether the tuned LLM reads the items too, all of them in every step; else "
                                          "their states are the frozen LLM's; our choice")
    cache_states: bool = Field(description="keep in main memory what the frozen blocks make of each text; our choice")
    batch_tokens: int = Field(ge=1, description="most tokens that run through the LLM at once, padding included; our "
                                                "choice")


class LLMOnlyLoRA(FeatureRecommender):
    """The paper's "LLM only" row with the LLM tuned: LoRA on its top blocks, and `LLMOnly`'s towers on its read-out.

    The towers learn alone first, which makes an `LLMOnly`, then together with the adapters: tuning under towers that
    know nothing yet would spoil the states (Kumar et al., https://arxiv.org/abs/2202.10054). Items are by default read
    by the frozen LLM: the tuned one would read all of them in every step, which costs more than the patients do.

    Source: https://arxiv.org/abs/2412.11557; see `MedMoE` for what is our choice.
    """

    Params = LLMOnlyLoRAParams

    def __init__(self, config: Any, source: Any) -> None:
        super().__init__(config, source)
        p = self.params
        self.llm = read_backbone(p, config, LoraSpec(p.lora_rank, p.lora_alpha, p.lora_dropout, p.lora_targets))
        tuned = [request.side for request in self.requests if request.modality == "tokens"]
        self.states_of = nn.ModuleDict({side: ModalityInput(self.llm.backbone.width, p.modality_dropout)
                                        for side in tuned})
        item_width = self.llm.backbone.width if p.tuned_items else self.width("item")
        self.branch = LanguageBranch(self.llm.backbone.width, item_width, p)
        for side in tuned:
            self.llm.fit_untuned(self.states_of[side], *self._rows(side, None)["llm"],
                                 source.train_users if side == "user" else source.train_items)

    @classmethod
    def feature_requests(cls, params: Any) -> tuple[FeatureRequest, ...]:
        p = params
        user, item = (FeatureRequest("llm", side, "tokens", TokenSpec(
            p.backbone, prompt, p.prompt_max_tokens, setting="prompt_max_tokens"))
                      for side, prompt in (("user", p.user_prompt), ("item", p.item_prompt)))
        return user, item if p.tuned_items else language_requests(p)[1]

    def tune(self, on: bool) -> None:
        """Switches the tuning of the LLM: while off, the towers alone learn, on read-outs that are kept.

        Raises:
            RuntimeError: switched off although the adapters have learned something.
        """
        self.llm.tune(on)

    def _states(self, side: str, features: Features) -> Tensor:
        """Standardised read-outs of the tuned LLM -> [B, W]."""
        ids, present = features["llm"]
        return self.states_of[side](self.llm(ids, present), present)

    def forward(self, users: Features, items: Features) -> Tensor:
        read = self._states("item", items) if self.params.tuned_items else self.read("item", items)
        return self.branch(self._states("user", users), read)  # [B, I]
