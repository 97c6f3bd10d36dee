"""FrozenLLM: what a frozen language model's reading of the visit says of its medications."""
from __future__ import annotations

from typing import Any, Literal

from pydantic import Field
from torch import Tensor, nn

from ...data.requests import FeatureRequest
from ...encoders import EncoderSpec
from ...layers import Dropout
from ..base import Features
from ..visit import TrainedVisitParams, VisitRecommender


class FrozenLLMParams(TrainedVisitParams):
    """What is read, and how the head is trained."""

    backbone: str = Field(description="frozen LLM: packaged name, folder, or cached Hugging Face name; our choice")
    readout: Literal["last", "mean", "layers"] = Field(
        description="state per text: last token, mean of the last layer, or a middle layer's mean, the last token and "
                    "the last layer's mean side by side; our choice")
    readout_layers: tuple[int, ...] = Field(description="middle layers of 'layers', empty for one; our choice")
    user_prompt: str = Field(description="prompt template of visits; our choice")
    prompt_max_tokens: int = Field(ge=1, description="longest prompt in tokens; our choice")
    state_scale: float = Field(gt=0, description="average length of a state on its way into the head; our choice")
    dropout: float = Field(ge=0, lt=1, description="share of the state that training drops; our choice")
    modality_dropout: float = Field(ge=0, lt=1, description="share of visits whose text training hides, so that a "
                                                            "vector for absent ones is learned; our choice")


class FrozenLLM(VisitRecommender):
    """``logits = W h + b``, h the standardised state of the frozen LLM after the visit's prompt.

    It reads the text of the visit itself: neither earlier visits nor codes as ids. The prompt is encoded once, so that
    training is that of a logistic regression on h.
    """

    Params = FrozenLLMParams

    def __init__(self, config: Any, source: Any) -> None:
        super().__init__(config, source)
        self.head = nn.Sequential(Dropout(self.params.dropout, self.params.state_scale),
                                  nn.Linear(self.width("user"), self.n_items))

    @classmethod
    def feature_requests(cls, params: Any) -> tuple[FeatureRequest, ...]:
        spec = EncoderSpec("text", params.backbone, params.readout, params.user_prompt, params.prompt_max_tokens,
                           params.readout_layers)
        return (FeatureRequest("llm", "user", "text", spec),)

    def forward(self, users: Features, items: Features) -> Tensor:
        return self.head(self.read("user", users))  # [B, I]
