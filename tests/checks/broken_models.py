"""A sound toy model, and for each check a copy of it that is wrong in one thing."""
from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path
from typing import Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from recbole_medmoe.data import FeatureRequest
from recbole_medmoe.encoders import EncoderSpec
from recbole_medmoe.layers.sets import multi_hot
from recbole_medmoe.model.base import FeatureRecommender, ModelParams
from recbole_medmoe.model.visit import VisitRecommender

YAML = ("width: 8\ndropout: 0.1\nmodality_dropout: 0.1\nepochs: 3\nlearning_rate: 0.01\ntrain_batch_size: 1024\n")


class ToyParams(ModelParams):
    width: int = Field(ge=1, description="D")
    dropout: float = Field(ge=0, lt=1, description="share of hidden units that training drops")
    modality_dropout: float = Field(ge=0, lt=1, description="share of rows that training hides")
    epochs: int = Field(ge=1, description="passes")
    learning_rate: float = Field(gt=0, description="step size")
    train_batch_size: int = Field(ge=1, description="pairs per step")


class Toy(FeatureRecommender):
    """Linear maps of the patient's conditions and of the item's text; ``breaks`` is the check that a copy fails."""

    breaks: ClassVar[str] = ""
    Params = ToyParams

    def __init__(self, config: Any, source: Any) -> None:
        super().__init__(config, source)
        self.drop = nn.Dropout(self.params.dropout)
        self.user_map = nn.Linear(self.width("user"), self.params.width)
        self.item_map = nn.Linear(self.width("item"), self.params.width)

    @classmethod
    def feature_requests(cls, params: Any) -> tuple[FeatureRequest, ...]:
        return (FeatureRequest("codes", "user", "codes", fields=("conditions",)),
                FeatureRequest("text", "item", "text", EncoderSpec("text", "minilm-l6", "mean")))

    def forward(self, users: Any, items: Any) -> Tensor:
        return self.drop(self.user_map(self.read("user", users))) @ self.item_map(self.read("item", items)).T


class Deaf(Toy):
    """Forgets to read ``width``."""

    breaks = "builds_from_yaml"

    def __init__(self, config: Any, source: Any) -> None:
        FeatureRecommender.__init__(self, config, source)
        self.drop = nn.Dropout(self.params.dropout)
        self.user_map = nn.Linear(self.width("user"), 8)
        self.item_map = nn.Linear(self.width("item"), 8)


class Unlisted(Toy):
    """Its YAML has a key that ``Params`` lacks."""

    breaks = "builds_from_yaml"


class Curious(Toy):
    """Reads a key that nobody has."""

    breaks = "builds_from_yaml"

    def __init__(self, config: Any, source: Any) -> None:
        super().__init__(config, source)
        self.depth = config["depht"]


class Detached(Toy):
    """Cuts the items off from the loss."""

    breaks = "gradients"

    def forward(self, users: Any, items: Any) -> Tensor:
        return self.user_map(self.read("user", users)) @ self.item_map(self.read("item", items)).detach().T


class Thawed(Toy):
    """Moves a frozen parameter."""

    breaks = "gradients"

    def __init__(self, config: Any, source: Any) -> None:
        super().__init__(config, source)
        self.frozen = nn.Parameter(torch.zeros(3), requires_grad=False)

    def calculate_loss(self, interaction: Any) -> Any:
        self.frozen += 1
        return super().calculate_loss(interaction)


class Lost(Toy):
    """Its loss is no number."""

    breaks = "gradients"

    def calculate_loss(self, interaction: Any) -> Any:
        return super().calculate_loss(interaction) * float("nan")


class Lazy(Toy):
    """Says the same of everybody."""

    breaks = "overfits_eight_rows"

    def forward(self, users: Any, items: Any) -> Tensor:
        return super().forward(users, items) * 0 + self.item_map(self.read("item", items)).sum(-1)


class TwoFaced(Toy):
    """Its pairs have other scores."""

    breaks = "predict_matches_full_sort"

    def predict(self, interaction: Any) -> Tensor:
        return super().predict(interaction) + 0.01


class Herd(Toy):
    """Looks at the whole batch."""

    breaks = "independent_of_batch"

    def forward(self, users: Any, items: Any) -> Tensor:
        scores = super().forward(users, items)
        return scores - scores.mean(0)


class Ordered(Toy):
    """The first of a batch is the best."""

    breaks = "independent_of_batch"

    def forward(self, users: Any, items: Any) -> Tensor:
        scores = super().forward(users, items)
        return scores if len(scores) == 1 else scores - torch.arange(len(scores))[:, None].clamp(max=1)


class Dicey(Toy):
    """Throws dice in evaluation too."""

    breaks = "eval_is_deterministic"

    def forward(self, users: Any, items: Any) -> Tensor:
        scores = super().forward(users, items)
        return scores + 0.1 * torch.rand_like(scores)


class DiceyOnce(Toy):
    """Throws dice in evaluation, and keeps what came until the next loss."""

    breaks = "eval_is_deterministic"
    kept: Tensor | None = None

    def calculate_loss(self, interaction: Any) -> Any:
        self.kept = None
        return super().calculate_loss(interaction)

    def forward(self, users: Any, items: Any) -> Tensor:
        if self.training:
            return super().forward(users, items)
        if self.kept is None:
            self.kept = 0.1 * torch.rand(len(items["text"][0]))
        return super().forward(users, items) + self.kept


class HardwiredOnce(Toy):
    """Has a dropout that no key sets, and keeps what it left until the next loss."""

    breaks = "dropout_is_all_that_training_adds"
    kept: Tensor | None = None

    def calculate_loss(self, interaction: Any) -> Any:
        self.kept = None
        loss = super().calculate_loss(interaction)
        self.kept = None
        return loss

    def forward(self, users: Any, items: Any) -> Tensor:
        if self.kept is None:
            self.kept = nn.functional.dropout(torch.ones(len(items["text"][0])), 0.5, self.training)
        return super().forward(users, items) * self.kept


class Hardwired(Toy):
    """Has a dropout that no key sets."""

    breaks = "dropout_is_all_that_training_adds"

    def forward(self, users: Any, items: Any) -> Tensor:
        return nn.functional.dropout(super().forward(users, items), 0.5, self.training)


class Wild(Toy):
    """Starts from numbers of its own."""

    breaks = "same_seed_same_weights"

    def __init__(self, config: Any, source: Any) -> None:
        super().__init__(config, source)
        with torch.no_grad():
            self.user_map.weight.normal_(generator=torch.Generator().manual_seed(int.from_bytes(os.urandom(4), "big")))


class Stubborn(Toy):
    """Sets the seed itself."""

    breaks = "same_seed_same_weights"

    def __init__(self, config: Any, source: Any) -> None:
        torch.manual_seed(7)
        super().__init__(config, source)


class Forgetful(Toy):
    """What it learns of items is not saved."""

    breaks = "fresh_process_same_scores"

    def __init__(self, config: Any, source: Any) -> None:
        super().__init__(config, source)
        self.counts = torch.zeros(self.n_items)

    def calculate_loss(self, interaction: Any) -> Any:
        self.counts += torch.bincount(interaction[self.ITEM_ID], minlength=self.n_items)
        return super().calculate_loss(interaction)

    def forward(self, users: Any, items: Any) -> Tensor:
        return super().forward(users, items) + self.counts


class Coarse(Toy):
    """Its scores are small differences of large numbers."""

    breaks = "bf16"

    def forward(self, users: Any, items: Any) -> Tensor:
        return super().forward(users, items) + 500


class Normed(Toy):
    """Cannot train on one row."""

    breaks = "batch_of_one"

    def __init__(self, config: Any, source: Any) -> None:
        super().__init__(config, source)
        self.norm = nn.BatchNorm1d(self.n_items)

    def forward(self, users: Any, items: Any) -> Tensor:
        return self.norm(super().forward(users, items))


class Spread(Toy):
    """Divides by the spread over the items."""

    breaks = "one_item_catalogue"

    def forward(self, users: Any, items: Any) -> Tensor:
        scores = super().forward(users, items)[:, 1:]
        scores = (scores - scores.mean(-1, keepdim=True)) / scores.std(-1, keepdim=True, unbiased=False)
        return nn.functional.pad(scores, (1, 0))


class Bossy(Toy):
    """Asks for its own cut-off."""

    breaks = "k_above_catalogue"

    def __init__(self, config: Any, source: Any) -> None:
        super().__init__(config, source)
        config["topk"] = [5, 1000]


class Pushy(Toy):
    """Sets a key of everybody's."""

    breaks = "inputs_unchanged"

    def __init__(self, config: Any, source: Any) -> None:
        super().__init__(config, source)
        config["learning_rate"] = 5


class Rash(Toy):
    """Divides by the number of conditions."""

    breaks = "all_modalities_missing"

    def forward(self, users: Any, items: Any) -> Tensor:
        codes, present = users["codes"]
        return super().forward({"codes": (codes / codes.sum(-1, keepdim=True), present)}, items) * (
            codes.sum(-1, keepdim=True) / codes.sum(-1, keepdim=True))


class Rude(Toy):
    """Writes into the batch."""

    breaks = "inputs_unchanged"

    def calculate_loss(self, interaction: Any) -> Any:
        loss = super().calculate_loss(interaction)
        interaction[self.ITEM_ID].clamp_(max=1)
        return loss


class Careless(Toy):
    """Scales the data set's own feature table."""

    breaks = "inputs_unchanged"

    def __init__(self, config: Any, source: Any) -> None:
        super().__init__(config, source)
        self.get_buffer("table_item_text").mul_(2)


class Blinding(Toy):
    """Takes a modality away from everybody who reads the table after it."""

    breaks = "inputs_unchanged"

    def __init__(self, config: Any, source: Any) -> None:
        super().__init__(config, source)
        self.get_buffer("present_item_text").fill_(False)


class Chatty(Toy):
    """Calls home, and hides that nobody answered."""

    breaks = "no_network"

    def calculate_loss(self, interaction: Any) -> Any:
        with contextlib.suppress(OSError):
            socket.create_connection(("192.0.2.1", 80), timeout=0.1)
        return super().calculate_loss(interaction)


class Messy(Toy):
    """Leaves notes in the working folder."""

    breaks = "no_write_outside_run_folder"

    def calculate_loss(self, interaction: Any) -> Any:
        Path("notes.txt").write_text("loss", encoding="utf-8")
        return super().calculate_loss(interaction)


class Hoarder(Toy):
    """Keeps checkpoints in the working folder, by torch's own writer."""

    breaks = "no_write_outside_run_folder"

    def calculate_loss(self, interaction: Any) -> Any:
        torch.save(self.state_dict(), "best.pth")
        return super().calculate_loss(interaction)


class ToyVisits(VisitRecommender):
    """Bags of codes and of earlier medications; sound."""

    breaks: ClassVar[str] = ""
    Params = ToyParams

    def __init__(self, config: Any, source: Any) -> None:
        super().__init__(config, source)
        width = self.params.width
        self.bags = nn.ModuleDict({kind: nn.EmbeddingBag(count, width, mode="sum", padding_idx=0)
                                   for kind, count in self.code_counts.items()})
        self.before = nn.Linear(self.n_items, width)
        self.drop = nn.Dropout(self.params.dropout)
        self.head = nn.Linear(width, self.n_items)

    def given(self, users: Any) -> Tensor:
        return multi_hot(users["earlier_medications"][0].flatten(1), self.n_items)

    def forward(self, users: Any, items: Any) -> Tensor:
        codes = sum(bag(users[kind][0]) for kind, bag in self.bags.items())
        return self.head(self.drop(codes + self.before(self.given(users))))


class Peeking(ToyVisits):
    """Takes all medications of the patient for earlier ones."""

    breaks = "no_medication_leak"

    def user_inputs(self, ids: Tensor) -> Any:
        found = dict(super().user_inputs(ids))
        own = self._sets("medications", ids)[:, None]  # [B, 1, M]
        found["earlier_medications"] = (own, torch.ones(own.shape[:2], dtype=torch.bool))
        return found
