"""FeatureSASRec: RecBole's SASRec whose item vectors are a learned one and linear maps of the item's features, summed.

The multimodal recommender without a language model that AMFRec is held against.
"""
from __future__ import annotations

from typing import Any, Literal

from pydantic import Field
from recbole.model.sequential_recommender import SASRec
from torch import Tensor, nn

from ...data.requests import FeatureRequest
from ...encoders import EncoderSpec
from ...layers import ModalityInput
from ..base import ModelParams, read_params


class FeatureSASRecParams(ModelParams):
    """RecBole's parameters of SASRec, with its values where it has some, and the features."""

    modalities: tuple[Literal["text", "image"], ...] = Field(description="features that are summed into an item's "
                                                                         "vector; our choice")
    text_encoder: str = Field(description="frozen encoder of item texts; our choice")
    text_max_tokens: int = Field(ge=1, description="longest text in tokens; our choice")
    image_encoder: str = Field(description="frozen encoder of item pictures, or given; our choice")
    feature_scale: float = Field(gt=0, description="average length of a feature on its way into its map; our choice")
    n_layers: int = Field(ge=1, description="transformer blocks; RecBole 2")
    n_heads: int = Field(ge=1, description="attention heads; RecBole 2")
    hidden_size: int = Field(ge=1, description="D; RecBole 64")
    inner_size: int = Field(ge=1, description="D inside a block; RecBole 256")
    hidden_dropout_prob: float = Field(ge=0, lt=1, description="share of states that training drops; RecBole 0.5")
    attn_dropout_prob: float = Field(ge=0, lt=1, description="share of attention that training drops; RecBole 0.5")
    hidden_act: Literal["gelu", "relu", "swish", "tanh", "sigmoid"] = Field(description="RecBole gelu")
    layer_norm_eps: float = Field(gt=0, description="RecBole 1e-12")
    initializer_range: float = Field(gt=0, description="spread of the first weights; RecBole 0.02")
    loss_type: Literal["CE"] = Field(description="cross-entropy over the catalogue")


class SummedEmbedding(nn.Module):
    """Item ids to ``e_i + sum_m W_m x_m(i)``; a missing feature adds nothing.

    Args:
        ids: the learned part [I, D].
        requests: of the features.
        dataset: gives their tables, which are not saved with the model.
        scale: average length of a standardised feature.
    """

    def __init__(self, ids: nn.Embedding, requests: tuple[FeatureRequest, ...], dataset: Any, scale: float) -> None:
        super().__init__()
        self.ids, self.scale, self.requests, self.item_tokens = ids, scale, requests, dataset.item_tokens
        self.inputs, self.maps = nn.ModuleDict(), nn.ModuleDict()
        for request in requests:
            table, key = dataset.features(request), request.key
            self.register_buffer(f"table_{key}", table.matrix, persistent=False)  # [I, D]
            self.register_buffer(f"present_{key}", table.present, persistent=False)  # [I]
            standard = self.inputs[key] = ModalityInput(table.matrix.shape[1])
            standard.absent.requires_grad_(False)
            standard.fit(table.matrix[dataset.train_items & table.present])
            self.maps[key] = nn.Linear(table.matrix.shape[1], ids.embedding_dim, bias=False)

    @property
    def weight(self) -> Tensor:
        """Vectors of all items [I, D]."""
        found = self.ids.weight
        for key, linear in self.maps.items():
            present = self.get_buffer(f"present_{key}")
            rows = self.inputs[key](self.get_buffer(f"table_{key}"), present) * present.unsqueeze(1)
            found = found + self.scale * linear(rows)
        return found

    def forward(self, items: Tensor) -> Tensor:
        """ids [...] -> [..., D]."""
        return self.weight[items]


class FeatureSASRec(SASRec):
    """SASRec (Kang and McAuley, https://arxiv.org/abs/1808.09781) of RecBole on `SummedEmbedding`."""

    Params = FeatureSASRecParams
    item_embedding: Any

    def __init__(self, config: Any, dataset: Any) -> None:
        super().__init__(config, dataset)
        p: Any = read_params(self.Params, config)
        encoders = {}
        if "text" in p.modalities:
            encoders["text"] = EncoderSpec("text", p.text_encoder, "mean", max_tokens=p.text_max_tokens)
        if "image" in p.modalities:
            encoders["image"] = EncoderSpec("image", p.image_encoder, "pool")
        self.requests = tuple(FeatureRequest(name, "item", name, encoder, optional=True)
                              for name, encoder in encoders.items())
        self.item_embedding = SummedEmbedding(self.item_embedding, self.requests, dataset, p.feature_scale)
