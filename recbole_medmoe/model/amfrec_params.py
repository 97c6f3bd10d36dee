"""Parameters of AMFRec, and the features that they ask for."""
from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from ..data.requests import CollaborativeSpec, FeatureRequest, TokenSpec
from ..encoders import EncoderSpec
from .base import ModelParams

Modality = Literal["image", "collaborative", "text", "profile"]


class PromptParams(ModelParams):
    """What the language model reads. All is our choice: of the paper only the abstract is public."""

    backbone: str = Field(description="frozen LLM: packaged name, folder, or cached Hugging Face name; our choice")
    soft_layer: int = Field(ge=0, description="blocks below the soft tokens: what they make of each text is kept, and "
                                              "only those above are run again; 0 puts soft tokens among the "
                                              "embeddings; our choice")
    prompt: str = Field(description="prompt template with {user} and {history}; our choice")
    title_prompt: str = Field(description="template of an item's title, beginning with a space; our choice")
    title_max_tokens: int = Field(ge=1, description="longest title in tokens; our choice")
    title_tokens: Literal["all", "last"] = Field(
        description="tokens of a title in the list: all, or the last alone, whose state has read the others; our "
                    "choice")
    user_text: Literal["vector", "tokens", "none"] = Field(
        description="how the user's text is told: one soft token of its vector, its own tokens, or not at all; our "
                    "choice")
    user_prompt: str = Field(description="template of the user's text; our choice")
    user_max_tokens: int = Field(ge=1, description="longest user's text in tokens; our choice")
    history_items: int = Field(ge=1, description="most items of the list that are told, the last ones; our choice")
    prompt_max_tokens: int = Field(ge=1, description="longest prompt in tokens; the oldest items give way; our choice")
    batch_tokens: int = Field(ge=1, description="most tokens through the LLM at once, padding included; our choice")

    @property
    def most_user_tokens(self) -> int:
        """Most tokens that a prompt tells of a user."""
        return self.user_max_tokens if self.user_text == "tokens" else int(self.user_text == "vector")


class FusionParams(ModelParams):
    """Which modalities there are, and how they become soft tokens."""

    modalities: tuple[Modality, ...] = Field(description="what soft tokens are made of, empty for a text-only LLM; our "
                                                         "choice")
    text_encoder: str = Field(description="frozen encoder of texts as vectors; our choice")
    text_max_tokens: int = Field(ge=1, description="longest text in tokens; our choice")
    image_encoder: str = Field(description="frozen encoder of item pictures, or given; our choice")
    collaborative: Literal["SASRec", "BPR", "LightGCN", "none"] = Field(
        description="model whose item vectors are the collaborative modality, trained first; our choice")
    collaborative_keys: dict[str, Any] = Field(description="keys of that model's configuration; the rest from its own "
                                                           "defaults; our choice")
    fusion: Literal["adaptive", "equal", "concat"] = Field(
        description="adaptive: a gate weighs the modalities of each item, as in the paper; equal: even weights; "
                    "concat: one projector over all of them side by side")
    projector: Literal["experts", "linear"] = Field(description="mixture of experts, as in the paper, or one linear "
                                                                "map")
    experts: int = Field(ge=1, description="E, experts of each projector; our choice")
    hidden: int = Field(ge=1, description="D inside an expert; our choice")
    soft_tokens: int = Field(ge=1, description="K, soft tokens of an item; our choice")
    gate_hidden: int = Field(ge=1, description="D inside the gate over the modalities; our choice")
    modality_dropout: float = Field(ge=0, lt=1, description="share of the items whose modality training hides, each "
                                                            "modality by itself, title and text together; our choice")

    @property
    def used_modalities(self) -> tuple[str, ...]:
        """The modalities without a collaborative one that is switched off."""
        return tuple(name for name in dict.fromkeys(self.modalities)
                     if name != "collaborative" or self.collaborative != "none")


class TuningParams(ModelParams):
    """What is trained beside projectors and gate: nothing in the paper."""

    tuning: Literal["frozen", "lora"] = Field(description="frozen, as in the paper; lora adapts the blocks above "
                                                          "soft_layer too, as the costly upper reference")
    lora_rank: int = Field(ge=1, description="r of LoRA; our choice")
    lora_alpha: float = Field(gt=0, description="LoRA adds alpha / r times its product; our choice")
    lora_dropout: float = Field(ge=0, lt=1, description="share of an adapter's inputs that training drops; our choice")
    lora_targets: tuple[str, ...] = Field(min_length=1, description="names of the linear maps that carry LoRA; our "
                                                                    "choice")


class AMFRecParams(PromptParams, FusionParams, TuningParams):
    """All of them, and how the model learns and scores."""

    losses: tuple[Literal["catalogue", "title"], ...] = Field(
        min_length=1, description="catalogue: cross-entropy of the next item over all; title: next-token loss of its "
                                  "title; our choice")
    place_weight: float = Field(ge=0, description="weight of the catalogue loss at each item of the list, which "
                                                  "predicts the one after it; our choice")
    scoring: Literal["catalogue", "likelihood"] = Field(
        description="catalogue: product of the last state and every item's vector; likelihood: of the titles of the "
                    "candidates; our choice")
    candidates: int | None = Field(ge=1, description="items whose titles are read by likelihood, the best by the "
                                                     "catalogue; null for all; our choice")
    width: int = Field(ge=1, description="D in which states and items are matched; our choice")
    state_scale: float = Field(gt=0, description="average length of states and features on their way into the match; "
                                                 "our choice")
    dropout: float = Field(ge=0, lt=1, description="share of features and hidden units that training drops; our choice")
    epochs: int = Field(ge=1, description="most passes; our choice")
    epoch_rows: int | None = Field(ge=1, description="training rows of a pass, drawn anew for each, null for all; our "
                                                     "choice")
    stopping_step: int = Field(ge=0, description="validations without a better one before training ends; our choice")
    learner: str = Field(description="optimiser; our choice")
    learning_rate: float = Field(gt=0, description="step size of the optimiser; our choice")
    weight_decay: float = Field(ge=0, description="decay of the optimiser; our choice")
    train_batch_size: int = Field(ge=1, description="training rows per step; our choice")

    @model_validator(mode="after")
    def _fit_together(self) -> AMFRecParams:
        if "catalogue" not in self.losses and self.scoring == "catalogue":
            raise ValueError("scoring 'catalogue' needs 'catalogue' among the losses")
        if "catalogue" not in self.losses and self.candidates is not None:
            raise ValueError("candidates are the best by the catalogue, which is not among the losses; null reads all")
        if self.title_tokens == "last" and not self.soft_layer:
            raise ValueError("title_tokens 'last' needs a soft_layer above 0: an embedding has read no other token")
        return self

    @property
    def prompt_templates(self) -> tuple[str, ...]:
        """Templates beside those of `amfrec_requests`: the one that user, list and question stand in."""
        return (self.prompt,)


def amfrec_requests(p: AMFRecParams) -> tuple[FeatureRequest, ...]:
    """Titles, and of items and users what the parameters name."""
    text = EncoderSpec("text", p.text_encoder, "mean", max_tokens=p.text_max_tokens)
    spoken = TokenSpec(p.backbone, p.title_prompt, p.title_max_tokens, special=False, setting="title_max_tokens")
    requests = [FeatureRequest("title", "item", "tokens", spoken, optional=True),  # data of MMRec's layout has none
                FeatureRequest("text", "item", "text", text)]
    if "image" in p.used_modalities:
        image = EncoderSpec("image", p.image_encoder, "pool")
        requests.append(FeatureRequest("image", "item", "image", image, optional=True))
    if "collaborative" in p.used_modalities:
        requests.append(FeatureRequest("collaborative", "item", "collaborative",
                                       CollaborativeSpec.of(p.collaborative, p.collaborative_keys)))
    if "profile" in p.used_modalities:
        requests.append(FeatureRequest("profile", "item", "profile"))
    if p.user_text == "vector":
        requests.append(FeatureRequest("text", "user", "text", text, optional=True))
    if p.user_text == "tokens":
        spec = TokenSpec(p.backbone, p.user_prompt, p.user_max_tokens, special=False, setting="user_max_tokens")
        requests.append(FeatureRequest("prompt", "user", "tokens", spec, optional=True))
    return tuple(requests)
