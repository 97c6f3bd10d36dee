"""OptionPosition, LongestOption, OptionOverlap: how far choices go without understanding the question.

They are the shortcuts that multiple-choice questions are known for; what a language model scores has to be read beside
them.
"""
from __future__ import annotations

from typing import Any

import torch
from pydantic import Field
from torch import Tensor

from ...data.requests import FeatureRequest, WordSpec
from ..base import Features, ModelParams
from ..choice import ChoiceRecommender
from .closed_form import ClosedForm

_NOTHING = {"overfits_eight_rows": "nothing is trained"}


class OptionPositionParams(ModelParams):
    """How much few questions are believed."""

    smoothing: float = Field(gt=0, description="questions added to each place before its share is taken; our choice")


class OptionPosition(ClosedForm, ChoiceRecommender):
    """Log of the share of training questions, of as many options, whose right option stands at this place.

    It reads neither the question nor an option. A number of options that training has not met leaves all alike.
    """

    Params = OptionPositionParams
    checks_not_applicable = {"overfits_eight_rows": "it sees places only, which do not tell one question from another"}

    def __init__(self, config: Any, source: Any) -> None:
        super().__init__(config, source)
        self._reserve(1)

    @classmethod
    def feature_requests(cls, params: Any) -> tuple[FeatureRequest, ...]:
        return ()

    def _reserve(self, most: int) -> None:
        """Room for questions of up to ``most`` options; how many there are is known from training only."""
        self.counts = self.place(most + 1, most + 1, device=self.fake_loss.device)  # [options, place from 1]

    def _load_from_state_dict(self, state: dict[str, Tensor], prefix: str, *rest: Any) -> None:
        if f"{prefix}counts" in state:
            self._reserve(len(state[f"{prefix}counts"]) - 1)
        super()._load_from_state_dict(state, prefix, *rest)

    def solve_pairs(self, users: Tensor, items: Tensor) -> None:
        own, places = self.own_options(users), self.place_of(users, items)
        self._reserve(own.shape[1])
        cells = (own > 0).sum(-1) * len(self.counts) + places + 1
        self.counts.copy_(torch.bincount(cells, minlength=self.counts.numel()).view_as(self.counts))

    def forward(self, users: Features, items: Features) -> Tensor:
        places, there = users["options"]
        known = len(self.counts) - 1
        sizes = there.sum(-1, keepdim=True)  # [B, 1]
        met = (sizes <= known) & (places <= known)
        counts = self.counts[sizes.clamp(max=known), places.clamp(max=known)] * met  # [B, C]
        return torch.log(counts + self.params.smoothing)


class LongestOptionParams(ModelParams):
    """Nothing to set."""


class LongestOption(ClosedForm, ChoiceRecommender):
    """The number of characters of each option: right options are often worded with more care."""

    Params = LongestOptionParams
    checks_not_applicable = _NOTHING

    @classmethod
    def feature_requests(cls, params: Any) -> tuple[FeatureRequest, ...]:
        return (FeatureRequest("length", "item", "length"),)

    def solve_pairs(self, users: Tensor, items: Tensor) -> None:
        """Nothing to solve."""

    def forward(self, users: Features, items: Features) -> Tensor:
        return users["option_length"][0].squeeze(-1)  # [B, C]


class OptionOverlapParams(ModelParams):
    """Which words count."""

    ngrams: int = Field(ge=1, le=5, description="longest n-gram in words")
    min_count: int = Field(ge=1, description="training texts that an n-gram must stand in")
    max_words: int = Field(ge=1, description="most n-grams kept on each side, the frequent ones first")


class OptionOverlap(ClosedForm, ChoiceRecommender):
    """Inner product of the TF-IDF weights of the question's n-grams and the option's, over those that both sides know.

    Vocabulary and weights of the questions come from training questions, those of the options from their options.
    """

    Params = OptionOverlapParams
    checks_not_applicable = _NOTHING

    def __init__(self, config: Any, source: Any) -> None:
        super().__init__(config, source)
        questions, options = ({word: place for place, word in enumerate(self.states[key]["vocabulary"])}
                              for key in ("user_words", "item_words"))
        shared = sorted(questions.keys() & options.keys())
        self.register_buffer("in_question", torch.tensor([questions[word] for word in shared], dtype=torch.int64),
                             persistent=False)  # [S]
        self.register_buffer("in_option", torch.tensor([options[word] for word in shared], dtype=torch.int64),
                             persistent=False)  # [S]

    @classmethod
    def feature_requests(cls, params: Any) -> tuple[FeatureRequest, ...]:
        words = WordSpec(params.ngrams, params.min_count, params.max_words)
        return FeatureRequest("words", "user", "words", words), FeatureRequest("words", "item", "words", words)

    def solve_pairs(self, users: Tensor, items: Tensor) -> None:
        """Nothing to solve."""

    def forward(self, users: Features, items: Features) -> Tensor:
        question = users["words"][0].index_select(1, self.get_buffer("in_question"))  # [B, S]
        option = users["option_words"][0].index_select(2, self.get_buffer("in_option"))  # [B, C, S]
        return torch.einsum("bs,bcs->bc", question, option)
