"""Other item pictures at test: shown while the test rows are scored, then the catalogue's are back."""
from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Iterator

import numpy as np
import torch

from ..compat import apply

apply()

from ..data import FeatureRequest, FeatureTable  # noqa: E402  (RecBole needs `apply` first)
from ..encoders.blur import BLUR_RADIUS  # noqa: E402
from ..evaluation import Evaluation, ItemGroup, ROW_METRICS, item_groups, reclassified  # noqa: E402
from ..model.base import FeatureRecommender  # noqa: E402

RECLASSIFIED, RECOGNISED, ABSENT = "items: reclassified", "items: recognised", "items: no picture"
BEFORE = ", catalogue"
"""Ends the name of a group of items that is told with the catalogue's pictures, to compare with."""


@dataclass
class Shown:
    """Which pictures the test saw.

    Attributes:
        kind: value of the key ``images``.
        present: [I] bool, items with a picture.
        wrong: [I] bool, items whose picture is nearest to another item's catalogue picture, by any of the model's
            image encoders.
    """

    kind: str
    present: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=bool))
    wrong: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=bool))

    def statistics(self) -> dict[str, Any]:
        """What the record tells of the pictures; nothing for the catalogue's own."""
        if self.kind == "catalogue":
            return {}
        swapped, items = int(self.present.sum()), len(self.present) - 1
        told: dict[str, Any] = {"shown": self.kind, "swapped": swapped, "absent": items - swapped}
        if swapped:
            told |= {"reclassified": int(self.wrong.sum()), "reclassified_share": float(self.wrong.sum() / swapped)}
        return told | ({"blur_radius": BLUR_RADIUS} if self.kind == "blurred" else {})

    @property
    def tells_items_apart(self) -> bool:
        """Whether some of the pictures may look like another item's."""
        return self.kind in ("photo", "blurred")

    def groups(self, evaluation: Evaluation, config: Any, test: Any, ending: str = "") -> dict[str, ItemGroup]:
        """Metrics of the positives that are reclassified, recognised, or without a picture; see `item_groups`.

        Args:
            evaluation: of the test rows, with these pictures or with the catalogue's.
            ending: what the names end with.
        """
        metrics = [name for name in config["metrics"] if name.lower() in ROW_METRICS]
        if not self.tells_items_apart or not evaluation.columns or not metrics:
            return {}
        rows = test._dataset.inter_feat
        positives = rows[test._dataset.uid_field].numpy(), rows[test._dataset.iid_field].numpy()
        kinds = {RECLASSIFIED + ending: self.wrong, RECOGNISED + ending: self.present & ~self.wrong,
                 ABSENT + ending: ~self.present}
        return item_groups(evaluation.row_ids, evaluation.topk_items, positives, kinds, metrics=metrics,
                           topk=config["topk"], min_group=config["min_group"])


def prepare(kind: str, model: Any, dataset: Any) -> None:
    """Makes the tables of the other pictures, so that a fault is told before training and not after it.

    Raises:
        DataError, MissingPackageError: the pictures or their encoder are not as they should be.
    """
    if kind != "catalogue":
        for _, request in _lookers(model):
            dataset.other_pictures(request, kind)


@contextmanager
def showing(kind: str, model: Any, dataset: Any) -> Iterator[Shown]:
    """Puts other pictures into every part of a model that looks at pictures, and the catalogue's back at the end.

    Args:
        kind: value of the key ``images``.
        model: trained; its standardisation stays that of the catalogue pictures.
        dataset: the `MedDataset` that `prepare` was called with.
    """
    shown = Shown(kind)
    kept: list[tuple[FeatureRecommender, str, FeatureTable]] = []
    if kind != "catalogue":
        for part, request in _lookers(model):
            kept.append((part, request.key, read_table(part, request.key)))
            other = dataset.other_pictures(request, kind)
            put_table(part, request.key, other)
            shown.present = other.present.numpy()
            if request.key in part.inputs:  # an ensemble leaves the standardisation to its members
                _judge(shown, part, request.key, kept[-1][2], other)
    try:
        yield shown
    finally:
        for part, key, table in kept:
            put_table(part, key, table)


def _lookers(model: Any) -> Iterator[tuple[FeatureRecommender, FeatureRequest]]:
    """Every part of a model that looks at item pictures, the model itself among them."""
    for part in model.modules():
        if isinstance(part, FeatureRecommender):
            for request in part.requests:
                if request.modality == "image":
                    yield part, request


def read_table(part: torch.nn.Module, key: str) -> FeatureTable:
    """A table as a part of a model holds it."""
    return FeatureTable(part.get_buffer(f"table_{key}"), part.get_buffer(f"present_{key}"))


def put_table(part: torch.nn.Module, key: str, table: FeatureTable) -> None:
    """Puts another table in its place, on the device of the one that was there."""
    device = part.get_buffer(f"table_{key}").device
    setattr(part, f"table_{key}", table.matrix.to(device))
    setattr(part, f"present_{key}", table.present.to(device))


@torch.no_grad()
def _judge(shown: Shown, part: FeatureRecommender, key: str, catalogue: FeatureTable, other: FeatureTable) -> None:
    """Notes which pictures are there, and which of them look like another item's, standardised as the model does."""
    scaling: Any = part.inputs[key]
    views = [((table.matrix.to(scaling.mean.device) - scaling.mean) / scaling.scale).cpu().numpy()
             for table in (other, catalogue)]
    wrong = reclassified(views[0], other.present.numpy(), views[1], catalogue.present.cpu().numpy())
    shown.wrong = shown.wrong | wrong if len(shown.wrong) else wrong
