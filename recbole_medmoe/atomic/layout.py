"""Where a data set folder keeps what: pre-split triples, the triples of its label variants, texts of one split."""
from __future__ import annotations

from pathlib import Path

__all__ = ["PARTS", "inter_path", "label_variants", "text_path"]
PARTS = ("train", "valid", "test")


def label_variants(folder: str | Path) -> list[str]:
    """Names of the label variants that a data set folder offers, e.g. ``['A', 'B', 'D01']``; none: its own labels."""
    folder = Path(folder).absolute()
    found = (folder / "labels").glob(f"*/{folder.name}.*.train.inter")
    return sorted({path.parent.name for path in found})


def inter_path(folder: str | Path, split: str, part: str, labels: str | None = None) -> Path:
    """File of one part of a split, under the data set's own labels or under a variant's; it need not exist.

    Args:
        part: ``train``, ``valid`` or ``test``.
        labels: a label variant; None means the data set's own labels.
    """
    folder = Path(folder).absolute()
    place = folder / "labels" / labels if labels else folder
    return place / f"{folder.name}.{split}.{part}.inter"


def text_path(folder: str | Path, side: str, split: str | None = None) -> Path:
    """File of the texts of ``user`` or ``item``: the split's own where it has one, else the common one."""
    folder = Path(folder).absolute()
    own = folder / "text" / str(split) / f"{side}.jsonl"
    return own if split and own.is_file() else folder / "text" / f"{side}.jsonl"
