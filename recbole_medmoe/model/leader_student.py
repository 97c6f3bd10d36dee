"""LEADERStudent: a small model of three sets per visit, which learns from medications, profile and an LLM's states.

Liu et al., "Large Language Model Distilling Medication Recommendation Model", https://arxiv.org/abs/2402.02803:

    diagnoses   of each visit -- set encoder --+
    procedures  of each visit -- set encoder --+-- visit encoder, the same -- 3 vectors -- linear f -- linear -- logits
    profile, then medications of each earlier visit -- set encoder --+                        |
                                                                                     KD: P f = the teacher's h

    loss = BCE + alpha mean (P f - h)^2 + beta (contrast of the profile's vector with the encoded target set)

The profile stands in front of the medications as a pseudo record, so that a patient without any earlier visit has one.
Beyond the paper, each by a key: copies of earlier medications, and a linear map from the visit's codes.
"""
from __future__ import annotations

import logging
from typing import Any, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from ..data.requests import FeatureRequest, FeatureSource
from ..data.visit_tables import KINDS, MEDICATIONS
from ..errors import ConfigError
from ..layers.alignment import Alignment
from ..layers.set_encoder import SetBlock, SetEncoder, set_mean
from ..layers.sets import padded_rows, set_shares
from ..layers.training_only import TrainingOnly
from .base import Features
from .visit import TrainedVisitParams, VisitRecommender

log = logging.getLogger("recbole_medmoe")
_STREAMS = (*KINDS, MEDICATIONS)
_EARLIER = f"earlier_{MEDICATIONS}"
_COPY_GAIN = 10.0
"""Adam moves all weights alike, and the few that every medication shares have far to go."""
_SPECIALS = 3
"""Ids in front of the medications in the released code's table of embeddings."""


class LEADERStudentParams(TrainedVisitParams):
    """Sizes, what is read, what is learned from. "Released" means the paper's code."""

    width: int = Field(ge=1, description="d, width of codes, sets and visits; released 64")
    heads: int = Field(ge=1, description="heads of each attention, a divisor of width; released 4")
    inner: int = Field(ge=1, description="inner width of each transformer block; released 300")
    dropout: float = Field(ge=0, lt=1, description="share that training drops after each part of a block, of its inner "
                                                   "width and of its output; released 0.4")
    attention_dropout: float = Field(ge=0, lt=1, description="share of the attention weights that training drops; "
                                                             "released 0.1")
    profile_fields: tuple[str, ...] | None = Field(
        description="columns of the .user file that make the pseudo medication record: null for all that the data "
                    "set's settings load, [] for none, which leaves one learned record for everyone")
    modality_dropout: float = Field(ge=0, lt=1, description="share of visits whose profile training hides, so that a "
                                                            "vector for absent ones is learned; our choice")
    longest_history: int = Field(ge=1, description="most visits that are read, the present one among them; released 10")
    keep_visits: Literal["last", "first"] = Field(
        description="which visits of a longer history: the last ones, or the first ones, without the present visit's "
                    "codes, as the released code does")
    visits_apart: bool = Field(description="whether a learned vector marks the present visit in each stream; without "
                                           "it, as in the released code, the present is told from the past by nothing")
    linear_skip: bool = Field(description="adds a linear map from the visit's codes to the logits; beyond the paper")
    copy_earlier: bool = Field(description="adds the share of the earlier visits that had a medication, with a weight "
                                           "and an offset that all medications have in common; beyond the paper")
    beta: float = Field(ge=0, description="weight of the alignment, 0 for none; paper 0.005 or 0.01")
    alignment_denominator: Literal["all", "negatives"] = Field(
        description="what the alignment contrasts with: all of the batch (InfoNCE), or all but the visit itself, as "
                    "the released code does")
    alignment_items: Literal["own", "shifted"] = Field(
        description="target sets of the alignment: the visit's own, or as in the released code, which forgets that "
                    "three special ids stand in front of the medications")
    teacher: str | None = Field(description="model that is trained first, such as LEADERTeacher, folder of a finished "
                                            "run, or file of states; null for none")
    teacher_keys: dict[str, Any] = Field(
        description="keys and values of a teacher that is trained first, over those of its own YAML; keys that only "
                    "the teacher has may stand among the rest; no effect without such a teacher")
    teacher_order: Literal["own", "shuffled"] = Field(
        description="each visit learns from its own state, or, as a control, from another training visit's")
    teacher_scale: Literal["standard", "raw"] = Field(
        description="each column of the teacher's states with mean 0 and spread 1 over the training visits, so that "
                    "alpha means the same for every LLM, or the states as they are, as in the paper")
    alpha: float = Field(ge=0, description="weight of the distance to the teacher's states; paper 0.4 or 0.8")


class LEADERStudent(VisitRecommender):
    """Sets of codes by self-attention, visits by self-attention, two linear maps.

    The teacher's states, the map to them and the alignment serve the loss alone: they are not saved, and a trained
    student scores without them.

    Source: https://arxiv.org/abs/2402.02803
    """

    Params = LEADERStudentParams

    def __init__(self, config: Any, source: FeatureSource) -> None:
        super().__init__(config, source)
        p = self.params
        if p.width % p.heads:
            raise ConfigError([f"heads: {p.heads} does not divide width {p.width}"])
        sizes = {**self.code_counts, MEDICATIONS: self.n_items}
        if p.alignment_items == "shifted":
            sizes[MEDICATIONS] += _SPECIALS - 1  # special ids, the one that pads is there already
        block = (p.width, p.heads, p.inner, p.dropout, p.attention_dropout)
        self.sets = nn.ModuleDict({name: SetEncoder(sizes[name], *block) for name in _STREAMS})
        self.visit = SetBlock(*block)
        if self.requests:
            self.profile = nn.Linear(self.width("user"), p.width)
        else:
            self.record = nn.Parameter(torch.randn(p.width))
        if p.visits_apart:
            self.present = nn.ParameterDict({name: nn.Parameter(torch.randn(p.width)) for name in _STREAMS})
        self.feature = nn.Linear(len(_STREAMS) * p.width, 2 * p.width)
        self.output = nn.Linear(2 * p.width, self.n_items)
        if p.linear_skip:
            self.skip = nn.ModuleDict({kind: nn.EmbeddingBag(sizes[kind], self.n_items, mode="sum", padding_idx=0)
                                       for kind in KINDS})
            for bag in self.skip.values():
                nn.init.zeros_(bag.weight)
        if p.copy_earlier:
            self.copied = nn.Parameter(torch.zeros(2))  # weight and offset
        self._learn_from(config, source)

    @classmethod
    def feature_requests(cls, params: Any) -> tuple[FeatureRequest, ...]:
        """The profile."""
        fields = params.profile_fields
        return () if fields == () else (FeatureRequest("profile", "user", "profile", fields=fields or ()),)

    def _learn_from(self, config: Any, source: FeatureSource) -> None:
        """Builds what the loss asks for; a model that is loaded has no training visits and needs none of it."""
        p, guides = self.params, {}
        trains = bool(source.train_users.any())
        if p.beta and trains:
            guides["alignment"] = Alignment(p.width, p.alignment_denominator == "all")
        shuffled, standard = p.teacher_order == "shuffled", p.teacher_scale == "standard"
        if p.teacher_keys and p.teacher is None:
            log.info("teacher_keys have no effect: no teacher is named")
        if p.alpha and p.teacher is not None and trains:
            if source.teacher_states is None:
                raise ConfigError([f"teacher: the states of '{p.teacher}' were not given to the data set; train by "
                                   "quick_start.run, or call dataset.teach(states) first"])
            states, known = source.teacher_states
            rows = known.nonzero().squeeze(-1)
            taught = states[rows].float()
            if standard:
                taught = (taught - taught.mean(0)) / taught.std(0, unbiased=False).clamp(min=1e-6)
            if shuffled:
                taught = taught[torch.randperm(len(rows), generator=torch.Generator().manual_seed(config["seed"]))]
            place = torch.full((len(known),), -1)
            place[rows] = torch.arange(len(rows))
            self.register_buffer("taught", taught.to(states.dtype), persistent=False)  # [N, W]
            self.register_buffer("taught_row", place, persistent=False)  # [U], -1 where there is none
            guides["projector"] = nn.Linear(2 * p.width, taught.shape[1])
        self.guides = TrainingOnly(guides)

    def forward(self, users: Features, items: Features) -> Tensor:
        return self._scores(users, self._read(users)[0])

    def _read(self, users: Features) -> tuple[Tensor, Tensor]:
        """f and the profile's vector -> [B, 2 d], [B, d]."""
        there = users[_EARLIER][1]  # [B, V]
        if self.requests:
            record = self.profile(self.read("user", users))  # [B, d]
        else:
            record = self.record.expand(len(there), -1)
        if there.any():
            codes, medications, now = self._kept(there)
            streams = [self._stream(kind, users, codes, now) for kind in KINDS]
            streams.append(self._stream(MEDICATIONS, users, medications, torch.ones_like(now), record))
        else:   # the present visits alone
            one = there.new_ones(len(there), dtype=torch.int64)
            streams = [(self._marked(kind, self.sets[kind](users[kind][0])), one) for kind in KINDS]
            streams.append((self._marked(MEDICATIONS, record), one))
        sizes = torch.cat([size for _, size in streams])  # [3 B]
        found = set_mean(self.visit(torch.cat([visits for visits, _ in streams]), sizes), sizes)
        joined = found.view(len(_STREAMS), len(there), -1).transpose(0, 1).flatten(1)  # [B, 3 d]
        return self.feature(F.relu(joined)), record

    def _marked(self, name: str, present: Tensor) -> Tensor:
        """Vectors of the present visits in one stream [B, d], told from earlier ones."""
        return present + self.present[name] if self.params.visits_apart else present

    def _kept(self, there: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Of the earlier visits [B, V], those whose codes and those whose medications are read, and whether the present
        visit's codes are [B]."""
        p, number = self.params, there.cumsum(-1)
        if p.keep_visits == "first":
            return (there & (number <= p.longest_history), there & (number < p.longest_history),
                    there.sum(-1) < p.longest_history)
        kept = there & (there.sum(-1, keepdim=True) - number < p.longest_history - 1)
        return kept, kept, torch.ones_like(there[:, 0])

    def _stream(self, name: str, users: Features, kept: Tensor, now: Tensor,
                last: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The visits of one stream, patient after patient [S, d], and their number [B].

        Args:
            kept: [B, V] bool, earlier visits that are in it.
            now: [B] bool, where the present one is.
            last: its vector [B, d]; None encodes its codes.
        """
        earlier = users[f"earlier_{name}"][0][kept]  # [K, L]
        if last is None:
            present = users[name][0]
            longest = max(present.shape[1], earlier.shape[1])
            both = [F.pad(ids, (0, longest - ids.shape[1])) for ids in (earlier, present)]
            old, last = self.sets[name](torch.cat(both)).split([len(earlier), len(present)])
        else:
            old = self.sets[name](earlier)
        last = self._marked(name, last)
        visits = old.new_zeros(*kept.shape, old.shape[-1])
        visits[kept] = old
        inside = torch.cat([kept, now.unsqueeze(-1)], dim=1)  # [B, V + 1]
        return torch.cat([visits, last.unsqueeze(1)], dim=1)[inside], inside.sum(-1)

    def _scores(self, users: Features, feature: Tensor) -> Tensor:
        """Logits of f [B, 2 d] -> [B, I]."""
        scores = self.output(F.relu(feature))
        if self.params.linear_skip:
            for kind, bag in self.skip.items():
                scores = scores + bag(users[kind][0])
        if not self.params.copy_earlier or not users[_EARLIER][1].any():
            return scores
        medications, kept = users[_EARLIER][0], self._kept(users[_EARLIER][1])[1]
        weight, offset = _COPY_GAIN * self.copied
        copied = weight * set_shares(medications, kept, self.n_items) + offset
        return scores + kept.any(-1, keepdim=True) * copied

    def calculate_loss(self, interaction: Any) -> tuple[Tensor, ...]:
        """Cross-entropy, then alpha times the distance to the teacher and beta times the alignment, where there are.

        Args:
            interaction: visit ids [N] and item ids [N], all pairs of each visit in it.
        """
        ids, truth = self.visit_targets(interaction)
        users = self.user_inputs(ids)
        feature, record = self._read(users)
        losses = [self.set_loss(self._scores(users, feature), truth)]
        if "projector" in self.guides:
            row = self.taught_row[ids]
            far = (self.guides["projector"](feature).float() - self.taught[row].float()).square().mean(-1)  # [B]
            losses.append(self.params.alpha * (far * (row >= 0)).sum() / (row >= 0).sum().clamp(min=1))
        if "alignment" in self.guides:
            losses.append(self.params.beta * self.guides["alignment"](self._targets(truth), record))
        return tuple(losses)

    def _targets(self, truth: Tensor) -> Tensor:
        """Encoded target sets -> [B, d]."""
        sizes = truth[:, 1:].sum(-1).long()
        items = truth[:, 1:].nonzero()[:, 1] + 1
        if self.params.alignment_items == "shifted":  # 1 pads, 2 and 3 are special ids, at the end of our table
            moved = items - _SPECIALS
            items = torch.where(moved > 0, moved, torch.where(items == 1, 0, self.n_items + moved + 1))
        offsets = torch.cat([sizes.new_zeros(1), sizes.cumsum(0)])
        sets = padded_rows(items, offsets, torch.arange(len(truth), device=truth.device))
        return self.sets[MEDICATIONS](sets)
