"""MedMoE, and its two halves alone: MoEOnly and LLMOnly.

Xu and Wang, "Enhancing Healthcare Recommendation Systems with a Multimodal LLMs-based MOE Architecture",
https://arxiv.org/abs/2412.11557

    patient  [text ; profile] -> E experts, softmax gate -> u --+
                                                                +-- match -> [B, I] --+
    item     [text ; picture] -> tower -------------------> v --+                     |
                                                                                      +-- mixed by a gate that
    patient  prompt -> frozen LLM -> tower ---------------> u --+                     |   sees the patient
                                                                +-- match -> [B, I] --+
    item     prompt -> frozen LLM -> tower ---------------> v --+

The paper says that experts, a gate, and an LLM share the work, that text and pictures are read together, and that items
are chosen among all (its labels are item classes); hence the softmax over items. It gives no equation, no size, and no
name of an encoder or LLM. "Our choice" marks what this file had to decide.
"""
from __future__ import annotations

from typing import Any, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from ..data.requests import FeatureRequest
from ..encoders import EncoderSpec
from ..layers import Dropout, Match, MixtureOfExperts, Tower
from .base import FeatureRecommender, Features, ModelParams


class TrainedParams(ModelParams):
    """How any of the three is trained; all values are our choice."""

    epochs: int = Field(ge=1, description="most passes over the training pairs; our choice")
    stopping_step: int = Field(ge=0, description="validations without a better one before training ends; our choice")
    learner: str = Field(description="optimiser; our choice")
    learning_rate: float = Field(gt=0, description="step size of the optimiser; our choice")
    weight_decay: float = Field(ge=0, description="decay of the optimiser; our choice")
    train_batch_size: int = Field(ge=1, description="training pairs per step, in whole users; our choice")
    width: int = Field(ge=1, description="D in which users and items are matched; our choice")
    dropout: float = Field(ge=0, lt=1, description="share of features and hidden units that training drops; our choice")
    modality_dropout: float = Field(ge=0, lt=1, description="share of rows whose modality training hides, so that a "
                                                            "vector for absent ones is learned; our choice")


class ExpertInputs(ModelParams):
    """What the experts read: texts, profile and pictures."""

    text_encoder: str = Field(description="frozen encoder of patient and item texts; our choice")
    text_max_tokens: int = Field(ge=1, description="longest text in tokens; our choice")
    image_encoder: str | None = Field(description="frozen encoder of item pictures, null for none; our choice")
    profile_fields: tuple[str, ...] = Field(description="columns of the .user file, empty for all; our choice")


class LanguageInputs(ModelParams):
    """What the frozen language model reads, and how its states are read out."""

    backbone: str = Field(description="frozen LLM: packaged name, folder, or cached Hugging Face name; our choice")
    readout: Literal["last", "mean", "layers"] = Field(
        description="state per text: last token, mean of the last layer, or a middle layer's mean, the last token and "
                    "the last layer's mean side by side; our choice")
    readout_layers: tuple[int, ...] = Field(description="middle layers of 'layers', empty for one; our choice")
    user_prompt: str = Field(description="prompt template of patients; our choice")
    item_prompt: str = Field(description="prompt template of items; our choice")
    prompt_max_tokens: int = Field(ge=1, description="longest prompt in tokens; our choice")


class MoEOnlyParams(TrainedParams, ExpertInputs):
    """The mixture of experts alone."""

    experts: int = Field(ge=1, description="E, number of experts; our choice")
    top_k: int | None = Field(ge=1, description="k, experts kept per patient, null for all; our choice")
    hidden: int = Field(ge=1, description="D inside an expert; our choice")

    @model_validator(mode="after")
    def _at_most_all(self) -> MoEOnlyParams:
        if self.top_k is not None and self.top_k > self.experts:
            raise ValueError(f"top_k {self.top_k} is above experts {self.experts}")
        return self


class LLMOnlyParams(TrainedParams, LanguageInputs):
    """The language model alone."""

    state_scale: float = Field(gt=0, description="average length of an LLM state on its way into the towers; longer "
                                                 "ones are learned from faster; our choice")


class MedMoEParams(MoEOnlyParams, LLMOnlyParams):
    """Both halves and how they are joined."""

    fusion: Literal["late", "fixed", "concat"] = Field(
        description="late: a gate mixes the scores of both branches; fixed: constant weights; concat: one mixture of "
                    "experts over all features; our choice")
    fixed_weight: float = Field(ge=0, le=1, description="weight of the experts' scores if fusion is fixed; our choice")
    auxiliary_weight: float = Field(ge=0, description="weight of each branch's own loss beside the mix's; our choice")


def expert_requests(p: ExpertInputs) -> tuple[FeatureRequest, ...]:
    """Patient [text ; profile] and item [text ; picture], each from a frozen encoder."""
    text = EncoderSpec("text", p.text_encoder, "mean", max_tokens=p.text_max_tokens)
    requests = [FeatureRequest("text", "user", "text", text),
                FeatureRequest("profile", "user", "profile", fields=p.profile_fields),
                FeatureRequest("text", "item", "text", text)]
    if p.image_encoder is not None:
        requests.append(FeatureRequest("image", "item", "image", EncoderSpec("image", p.image_encoder, "pool")))
    return tuple(requests)


def language_requests(p: LanguageInputs) -> tuple[FeatureRequest, ...]:
    """States of the frozen LLM after reading the patient's prompt, and the item's."""
    return tuple(
        FeatureRequest("llm", side, "text",
                       EncoderSpec("text", p.backbone, p.readout, prompt, p.prompt_max_tokens, p.readout_layers))
        for side, prompt in (("user", p.user_prompt), ("item", p.item_prompt)))


class ExpertBranch(nn.Module):
    """Experts make the patient's vector, a tower the item's; scores by their match."""

    def __init__(self, user_width: int, item_width: int, p: MoEOnlyParams) -> None:
        super().__init__()
        self.drop = Dropout(p.dropout)
        self.experts = MixtureOfExperts(user_width, p.width, hidden=p.hidden, experts=p.experts, top_k=p.top_k,
                                        dropout=p.dropout)
        self.items = Tower(item_width, p.width, dropout=p.dropout)
        self.match = Match(p.width)

    def forward(self, users: Tensor, items: Tensor) -> tuple[Tensor, Tensor]:
        vectors, gate = self.experts(self.drop(users))  # [B, D], [B, E]
        return self.match(vectors, self.items(items)), gate  # [B, I], [B, E]


class LanguageBranch(nn.Module):
    """Linear towers over the LLM's states of patient and item; scores by their match."""

    def __init__(self, user_width: int, item_width: int, p: LLMOnlyParams) -> None:
        super().__init__()
        self.users = Tower(user_width, p.width, dropout=p.dropout, gain=p.state_scale)
        self.items = Tower(item_width, p.width, dropout=p.dropout, gain=p.state_scale)
        self.match = Match(p.width)

    def forward(self, users: Tensor, items: Tensor) -> Tensor:
        return self.match(self.users(users), self.items(items))  # [B, I]


class MoEOnly(FeatureRecommender):
    """The paper's "MoE only" row: experts and gate over texts, profile and pictures, no LLM.

    Source: https://arxiv.org/abs/2412.11557; see `MedMoE` for what is our choice.
    """

    Params = MoEOnlyParams

    def __init__(self, config: Any, source: Any) -> None:
        super().__init__(config, source)
        self.branch = ExpertBranch(self.width("user"), self.width("item"), self.params)

    @classmethod
    def feature_requests(cls, params: Any) -> tuple[FeatureRequest, ...]:
        return expert_requests(params)

    def forward(self, users: Features, items: Features) -> Tensor:
        return self.branch(self.read("user", users), self.read("item", items))[0]  # [B, I]

    def diagnostics(self, users: Features, items: Features) -> dict[str, Tensor]:
        return {"experts": self.branch.experts.weights(self.read("user", users))}  # [B, E]


class LLMOnly(FeatureRecommender):
    """The paper's "LLM only" row: a frozen LLM reads the patient and the item, no experts.

    Source: https://arxiv.org/abs/2412.11557; see `MedMoE` for what is our choice.
    """

    Params = LLMOnlyParams

    def __init__(self, config: Any, source: Any) -> None:
        super().__init__(config, source)
        self.branch = LanguageBranch(self.width("user"), self.width("item"), self.params)

    @classmethod
    def feature_requests(cls, params: Any) -> tuple[FeatureRequest, ...]:
        return language_requests(params)

    def forward(self, users: Features, items: Features) -> Tensor:
        return self.branch(self.read("user", users), self.read("item", items))  # [B, I]


class MedMoE(FeatureRecommender):
    """The paper's hybrid: both branches whole, their scores mixed by a gate that sees the patient.

    Our choices, each made on validation patients. Each branch also has a loss of its own: else the mix learns from the
    branch that learns faster, and the scores of the two need not be on one scale. The gate reads the centred text and
    has no bias, so that the average patient gets even weights: how well a branch fits the patients it was trained on
    says little about new ones, and a free gate leans on the branch that overfits first.

    Source: https://arxiv.org/abs/2412.11557
    """

    Params = MedMoEParams

    def __init__(self, config: Any, source: Any) -> None:
        super().__init__(config, source)
        p = self.params
        if p.fusion == "concat":
            self.joined = ExpertBranch(self.width("user"), self.width("item"), p)
            return
        self.item_names = ["text"] if p.image_encoder is None else ["text", "image"]
        self.moe = ExpertBranch(self.width("user", "text", "profile"), self.width("item", *self.item_names), p)
        self.llm = LanguageBranch(self.width("user", "llm"), self.width("item", "llm"), p)
        self.gate = nn.Linear(self.width("user", "text"), 2, bias=False)
        nn.init.zeros_(self.gate.weight)  # both branches count alike until the data say otherwise

    @classmethod
    def feature_requests(cls, params: Any) -> tuple[FeatureRequest, ...]:
        return expert_requests(params) + language_requests(params)

    def branch_scores(self, users: Features, items: Features) -> Tensor:
        """Scores of the experts and of the LLM -> [2, B, I]."""
        moe, _ = self.moe(self.read("user", users, "text", "profile"), self.read("item", items, *self.item_names))
        llm = self.llm(self.read("user", users, "llm"), self.read("item", items, "llm"))
        return torch.stack([moe, llm])

    def branch_weights(self, users: Features) -> Tensor:
        """Weight of the experts and of the LLM for each patient -> [B, 2]; each row sums to 1."""
        if self.params.fusion == "fixed":
            weight = self.params.fixed_weight
            return self.gate.weight.new_tensor([weight, 1 - weight]).expand(len(users["text"][0]), 2)
        return self.gate(self.read("user", users, "text")).softmax(-1)

    def mix(self, scores: Tensor, weights: Tensor) -> Tensor:
        """scores [2, B, I] and weights [B, 2] -> [B, I]."""
        return (weights.T.unsqueeze(-1) * scores).sum(0)

    def forward(self, users: Features, items: Features) -> Tensor:
        if self.params.fusion == "concat":
            return self.joined(self.read("user", users), self.read("item", items))[0]  # [B, I]
        return self.mix(self.branch_scores(users, items), self.branch_weights(users))  # [B, I]

    def calculate_loss(self, interaction: Any) -> Any:
        """Loss of the mix, and ``auxiliary_weight`` times the sum of the branches' own losses."""
        if self.params.fusion == "concat":
            return super().calculate_loss(interaction)
        ids, row = torch.unique(interaction[self.USER_ID], return_inverse=True)  # [B], [N]
        users, wanted = self.user_inputs(ids), interaction[self.ITEM_ID]
        scores = self.branch_scores(users, self.item_inputs())  # [2, B, I]
        mixed = self.pair_loss(self.mix(scores, self.branch_weights(users)), row, wanted)
        own = self.pair_loss(scores[0], row, wanted) + self.pair_loss(scores[1], row, wanted)
        return mixed, self.params.auxiliary_weight * own

    def diagnostics(self, users: Features, items: Features) -> dict[str, Tensor]:
        if self.params.fusion == "concat":
            return {"experts": self.joined.experts.weights(self.read("user", users))}  # [B, E]
        experts = self.moe.experts.weights(self.read("user", users, "text", "profile"))  # [B, E]
        return {"experts": experts, "branches": self.branch_weights(users)}  # [B, E], [B, 2]
