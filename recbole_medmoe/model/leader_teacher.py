"""LEADERTeacher: a language model that reads a patient's visits and scores every medication.

Liu et al., "Large Language Model Distilling Medication Recommendation Model", https://arxiv.org/abs/2402.02803:

    last 3 visits known to be earlier --+
    codes of the visit -----------------+-- prompt -- LLM with LoRA -- h, the state at the last token -- y = W h
"""
from __future__ import annotations

from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from ..data.requests import FeatureRequest, VisitPromptSpec
from ..data.visit_prompts import prompt_sha256
from ..encoders import PADDING
from ..encoders.backbones import backbone_sha256
from ..encoders.lora import LoraSpec
from ..layers import Dropout, ModalityInput
from .backbone import read_backbone, tell_cost
from .base import Features
from .visit import TrainedVisitParams, VisitRecommender

_AT_ONCE = 512
"""Visits whose prompts `LEADERTeacher.hidden` takes together."""


class LEADERTeacherParams(TrainedVisitParams):
    """What is read, what is tuned, and how. "Paper" means the paper with its released code."""

    backbone: str = Field(description="LLM: packaged name, folder, or cached Hugging Face name; paper LLaMA-7B")
    tuning: Literal["lora", "frozen"] = Field(description="adapters and head learn, as in the paper, or the head "
                                                          "alone")
    tuned_layers: int | None = Field(ge=1, description="blocks at the top that carry LoRA, null for all as in the "
                                                       "paper; few blocks train on a CPU")
    lora_rank: int = Field(ge=1, description="r of LoRA; paper 8")
    lora_alpha: float = Field(gt=0, description="LoRA adds alpha / r times its product; paper 32")
    lora_dropout: float = Field(ge=0, lt=1, description="share of an adapter's inputs that training drops; paper 0.1")
    lora_targets: tuple[str, ...] = Field(min_length=1, description="names of the linear maps that carry LoRA; "
                                                                    "paper all seven of a block")
    readout: Literal["last", "mean", "layers"] = Field(
        description="h: state at the last token, as in the paper, mean of the last layer, or a middle layer's mean, "
                    "the last token and the last layer's mean side by side")
    readout_layers: tuple[int, ...] = Field(description="middle layers of 'layers', empty for one; our choice")
    state_scale: float | None = Field(gt=0, description="average length of h, standardised on training visits, and a "
                                                        "head with bias; null for the paper's h as it is, without bias")
    dropout: float = Field(ge=0, lt=1, description="share of h that training drops before the head; paper 0")
    prompt: str = Field(description="prompt template of the visit that is scored; words our choice")
    visit_prompt: str = Field(description="prompt template of one earlier visit; words our choice")
    history_visits: int = Field(ge=0, description="most earlier visits that the prompt tells; paper 3")
    history_diagnoses: Literal["own", "current"] = Field(
        description="diagnoses told of an earlier visit: its own, or by mistake those of the visit that is scored, as "
                    "the released code does")
    append_eos: bool = Field(description="whether the prompt ends with the token for the end of a text, where the "
                                         "tokenizer has one, and h is the state there; paper yes")
    prompt_max_tokens: int = Field(ge=1, description="longest prompt in tokens; paper 2048")
    head_epochs: int = Field(ge=0, description="most passes in which the head alone learns, before the LLM is tuned; "
                                               "cheap, since the LLM's states are kept; paper 0")
    head_learning_rate: float | None = Field(gt=0, description="step size while the head learns alone, null for "
                                                               "learning_rate; our choice")
    lr_schedule: Literal["constant", "linear", "cosine"] = Field(
        description="learning rate over the steps of each stage; paper linear, to 0")
    cache_states: bool = Field(description="keep in main memory what the frozen blocks make of each prompt; our choice")
    gradient_checkpointing: bool = Field(description="keep only each tuned block's input for the backward pass: less "
                                                     "memory, more work; paper yes")
    quantise: Literal["nf4"] | None = Field(description="hold the LLM's linear maps in 4 bits, on a GPU with the "
                                                        "package bitsandbytes; paper null")
    batch_tokens: int = Field(ge=1, description="most tokens that run through the LLM at once, padding included; our "
                                                "choice")


class LEADERTeacher(VisitRecommender):
    """``logits = W h``, h the LLM's state after the prompt that tells the visit and those known to be earlier.

    The head scores every medication of the catalogue, so that the LLM cannot name one that is not there. Codes are told
    by their names; training need not have seen them.

    Attributes:
        llm: reads the prompts.
        hidden_width: W, of h.
    """

    Params = LEADERTeacherParams

    def __init__(self, config: Any, source: Any) -> None:
        super().__init__(config, source)
        p = self.params
        lora = LoraSpec(p.lora_rank, p.lora_alpha, p.lora_dropout, p.lora_targets) if p.tuning == "lora" else None
        paper = p.state_scale is None
        self._tell_cost(config, source, lora)
        self.llm = read_backbone(p, config, lora, checkpointing=p.gradient_checkpointing and lora is not None,
                                 quantise=p.quantise)
        self.hidden_width = self.llm.backbone.width
        self.standard = None if paper else ModalityInput(self.hidden_width)
        self.drop = Dropout(p.dropout, 1.0 if paper else p.state_scale)
        self.head = nn.Linear(self.hidden_width, self.n_items, bias=not paper)
        if self.standard is not None:
            self.llm.fit_untuned(self.standard, *self._rows("user", None)["prompt"], source.train_users)

    @classmethod
    def feature_requests(cls, params: Any) -> tuple[FeatureRequest, ...]:
        """The prompt of each visit."""
        p = params
        spec = VisitPromptSpec(p.backbone, p.prompt, p.visit_prompt, p.prompt_max_tokens, p.history_visits,
                               p.history_diagnoses, p.append_eos)
        return (FeatureRequest("prompt", "user", "tokens", spec),)

    def _tell_cost(self, config: Any, source: Any, lora: LoraSpec | None) -> None:
        """Tells in the log what training will take, where there is something to train on."""
        ids, present = self._rows("user", None)["prompt"]
        lengths = (ids != PADDING).sum(1)[source.train_users.to(ids.device) & present]
        if len(lengths):
            pairs = len(source.training_pairs()[0])
            tell_cost(self.params, config, lora, lengths, -(-pairs // config["train_batch_size"]), self.n_items)

    def tune(self, on: bool) -> None:
        """Switches the tuning of the LLM: while off, the head alone learns, on read-outs that are kept.

        Raises:
            RuntimeError: switched off although the adapters have learned something.
        """
        self.llm.tune(on and self.params.tuning == "lora")

    def _states(self, users: Features) -> Tensor:
        """What the head reads of B visits -> [B, W]; zero, or a learned vector, where there is no prompt."""
        states, present = self.llm(*users["prompt"]), users["prompt"][1]
        return states if self.standard is None else self.standard(states, present)

    def forward(self, users: Features, items: Features) -> Tensor:
        return self.head(self.drop(self._states(users)))  # [B, I]

    @torch.no_grad()
    def hidden(self, ids: Tensor) -> Tensor:
        """h of the visits with these internal ids [B], as a student learns it -> [B, W] float32.

        It is taken in evaluation mode, and lies on the model's device; the model must have been built on the data set
        that holds the visits.
        """
        was = self.training
        self.eval()
        states = [self._states({"prompt": self._rows("user", some)["prompt"]})
                  for some in ids.to(self.head.weight.device).split(_AT_ONCE)]
        self.train(was)
        return torch.cat(states).float()

    @property
    def prompt_sha256(self) -> str:
        """SHA-256 of the templates and of all options that change a prompt."""
        spec = self.requests[0].encoder
        assert isinstance(spec, VisitPromptSpec)
        return prompt_sha256(spec)

    @property
    def backbone_sha256(self) -> str:
        """SHA-256 of the backbone's files."""
        return backbone_sha256(self.params.backbone)
