"""Tables of token ids to one vector per text, by a backbone that is cut in two, in length-bucketed chunks."""
from __future__ import annotations

import hashlib
from contextlib import contextmanager
from typing import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from ..layers import ModalityInput
from .batches import token_batches
from .kept import Entry, KeptTexts
from .progress import LONG, meter
from .split import SplitBackbone
from .tokens import PADDING


class PromptReader(nn.Module):
    """Reads texts with a `SplitBackbone`; what its lower half makes of a text can be kept, so that it runs once.

    Kept states take T x D numbers per text in the lower half's format, in main memory: 1,639 patients of 157 tokens and
    width 576 take 590 MB in float32, and half of that where the processor computes in bfloat16.

    Args:
        backbone: both halves.
        batch_tokens: most tokens per chunk, padding included.
        keep: whether to keep what the lower half gives, under the token ids of the text. Nothing is kept of a backbone
            whose blocks are all tuned: its lower half is a look-up.
        progress: see `progress.meter`; shown where many texts are read for the first time.
        store: where a later run finds what the frozen part gave: what the lower half makes of a text, or its read-out
            by a backbone that is not cut and has learned nothing. None for nowhere.

    Attributes:
        tuning: while False, read-outs carry no gradient and each text's is kept; only as long as the adapters are new,
            since an adapter that has learned nothing changes nothing.
        tokens_read: in training mode so far, by the half that is tuned; without padding.
    """

    def __init__(self, backbone: SplitBackbone, batch_tokens: int, keep: bool, progress: str | bool = "auto",
                 store: KeptTexts | None = None) -> None:
        super().__init__()
        self.backbone, self.batch_tokens, self.progress, self.store = backbone, batch_tokens, progress, store
        self.keep, self.tuning = keep and backbone.cut > 0, True
        self.tokens_read = 0
        self._kept: dict[str, Entry] = {}
        self._untuned: dict[str, Entry] = {}

    def forward(self, ids: Tensor, present: Tensor) -> Tensor:
        """Read-outs of B texts.

        Args:
            ids: [B, T], filled up with -1 on the right; any device.
            present: [B] bool; what is not present is not read, and its row is zero and means nothing.

        Returns:
            [B, width] float32.
        """
        rows = [row[row != PADDING] for row in ids[present].cpu()]
        empty = torch.zeros(len(ids), self.backbone.width, device=self.backbone.device)
        if not rows:
            return empty
        self.tokens_read += sum(map(len, rows)) if self.training and self.tuning else 0
        vectors = self._read(rows) if self.tuning else self._read_untuned(rows)  # [R, W]
        return empty.index_copy(0, present.nonzero().squeeze(1).to(empty.device), vectors)

    def tune(self, on: bool) -> None:
        """Switches the tuning: while off, read-outs are kept and only what reads them learns.

        Raises:
            RuntimeError: switched off although the adapters have learned something.
        """
        if not on and self.backbone.is_tuned:
            raise RuntimeError("what reads the LLM is trained alone before the LLM is tuned, not afterwards")
        self.tuning = on
        if on:
            self._untuned.clear()

    @contextmanager
    def nothing_kept(self) -> Iterator[None]:
        """Within it every text is read anew, as a new one would be."""
        kept = self._kept, self._untuned, self.store
        self._kept, self._untuned, self.store = {}, {}, None
        try:
            yield
        finally:
            self._kept, self._untuned, self.store = kept

    def fit_untuned(self, standard: ModalityInput, ids: Tensor, present: Tensor, seen: Tensor) -> None:
        """Takes mean and spread of ``standard`` from what the untuned LLM makes of the training texts.

        Args:
            standard: is fitted where there is a training text.
            ids, present: of U texts, as `forward` takes them.
            seen: [U] bool, those of training.
        """
        rows = (seen & present).nonzero().squeeze(1)
        if len(rows):
            was, self.tuning = self.tuning, False
            with torch.no_grad():
                standard.fit(self(ids[rows], present[rows]).cpu())
            self.tuning = was

    def _read(self, rows: list[Tensor]) -> Tensor:
        """Texts of like length go through the upper half together -> [R, W], in the order given."""
        if self.keep:
            self._fill(self._kept, rows, self._enter, self.store)
        order: list[int] = []
        vectors: list[Tensor] = []
        for chunk in token_batches([len(row) for row in rows], self.batch_tokens):
            vectors.append(self.backbone.leave(*self._entries([rows[place] for place in chunk])))  # [C, W]
            order += chunk
        back = torch.empty(len(order), dtype=torch.int64)
        back[order] = torch.arange(len(order))
        return torch.cat(vectors)[back.to(self.backbone.device)]

    @torch.no_grad()
    def _read_untuned(self, rows: list[Tensor]) -> Tensor:
        self.backbone.eval()
        if self.keep:
            self._fill(self._kept, rows, self._enter, self.store)
        # Of a backbone that is cut the store has what its lower half gives.
        self._fill(self._untuned, rows, self._leave, None if self.backbone.cut else self.store)
        self.backbone.train(self.training)
        return torch.stack([self._untuned[_key(row)]["read_out"] for row in rows]).to(self.backbone.device)

    def _entries(self, rows: list[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Entry states [C, T, D], means [C, L, D] and mask [C, T] of one chunk."""
        ids, mask = self._padded(rows)
        if not self.keep:
            return (*self.backbone.enter(ids, mask), mask)
        kept = [self._kept[_key(row)] for row in rows]
        states = pad_sequence([entry["states"] for entry in kept], batch_first=True).to(mask.device)
        return states, torch.stack([entry["means"] for entry in kept]).to(mask.device), mask

    def _padded(self, rows: list[Tensor]) -> tuple[Tensor, Tensor]:
        ids = pad_sequence(rows, batch_first=True, padding_value=PADDING).to(self.backbone.device)  # [C, T]
        return ids.clamp(min=0), (ids != PADDING).to(torch.int64)

    def _enter(self, rows: list[Tensor]) -> list[Entry]:
        """What the lower half makes of one chunk: states [T, D], and means of middle layers [L, D]."""
        states, means = self.backbone.enter(*self._padded(rows))
        return [{"states": some[:len(row)].to("cpu", copy=True), "means": mean.to("cpu", copy=True)}
                for row, some, mean in zip(rows, states, means)]

    def _leave(self, rows: list[Tensor]) -> list[Entry]:
        """Read-outs [W] of one chunk."""
        vectors = self.backbone.leave(*self._entries(rows)).cpu()
        return [{"read_out": vector.clone()} for vector in vectors]

    def _fill(self, kept: dict[str, Entry], rows: list[Tensor], read: Callable[[list[Tensor]], list[Entry]],
              store: KeptTexts | None) -> None:
        """Adds to ``kept`` the texts that are not there: from the store, else read, a chunk at a time."""
        new = {_key(row): row for row in rows if _key(row) not in kept}
        if store is not None and new:
            kept.update(store.get(new))
        texts = [row for key, row in new.items() if key not in kept]
        lengths = [len(row) for row in texts]
        chunks = token_batches(lengths, self.batch_tokens)
        progress = self.progress if len(chunks) >= LONG else False
        with meter("frozen layers read the texts", sum(lengths), "tokens", progress) as advance:
            for chunk in chunks:
                some = [texts[place] for place in chunk]
                fresh = dict(zip(map(_key, some), read(some)))
                kept.update(fresh)
                if store is not None:
                    store.add(fresh)
                advance(sum(lengths[place] for place in chunk))
        if store is not None:
            store.save()


def _key(row: Tensor) -> str:
    """Name of a text: a digest of its token ids."""
    return hashlib.sha256(row.numpy().tobytes()).hexdigest()
