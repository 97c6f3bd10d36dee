"""A causal language model with its head, cut in two: frozen lower blocks, whose outputs are kept, and upper ones."""
from __future__ import annotations

import hashlib
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..layers.molora import MoLoRA
from ..layers.routers import Routing, collect_routing
from .batches import token_batches
from .kept import KeptTexts
from .packing import Row, Slots, attention_mask, padded, runs
from .progress import LONG, meter
from .readout import blocks_of, captured
from .split import load_halves, run_blocks_again
from .tokens import PADDING

Watch = Callable[[Routing, Tensor], None]
"""Takes what the routers did in one forward pass, and the question [R] of each of its rows."""


class CausalHalves(nn.Module):
    """What `PrefixScorer` takes in place of a whole model, so that the lower blocks run once per text.

    Adapters go on the upper half: ``halves.upper = get_peft_model(halves.upper, config)``. Its frozen weights lack the
    token embedding, which the lower half has.

    Kept are the states of a prefix's tokens, and those of an option's tokens behind that prefix: D numbers per token in
    the lower half's format, in main memory. So other options in every step (sampled negatives) are run once each too.

    Args:
        folder: the backbone in the Hugging Face layout.
        tuned: n blocks at the top that are not frozen; None for all, then the lower half is the embedding alone.
        device: where both halves run.
        lower_dtype: number format of the lower half, and of its outputs.
        upper_dtype: number format of the upper half's frozen weights.
        keep: whether to keep what the lower half gives.
        kept: where it is kept, to be handed on to other halves of the same backbone, cut and number formats.
        store: where later runs find it; all of it is written after each reading of an evaluation, and when the mode
            changes.
        progress: see `progress.meter`; shown where many texts are read for the first time.
        checkpointing: see `SplitBackbone`.
        quantise: see `load_backbone`.

    Attributes:
        cut: number of blocks in the lower half.
        upper: a causal language model of transformers, fed by ``inputs_embeds``.

    Raises:
        ConfigError: as `load_halves`; blocks that can not be run again.
    """

    def __init__(self, folder: Path, *, tuned: int | None, device: torch.device, lower_dtype: torch.dtype,
                 upper_dtype: torch.dtype, keep: bool = True, kept: dict[str, Tensor] | None = None,
                 store: KeptTexts | None = None, progress: str | bool = "auto", checkpointing: bool = False,
                 quantise: str | None = None) -> None:
        super().__init__()
        self.lower, self.upper, self.cut = load_halves(folder, tuned, device, lower_dtype, upper_dtype, head=True,
                                                       quantise=quantise)
        if checkpointing:
            run_blocks_again(self.upper)
        self.dtype, self.keep = upper_dtype, keep and self.cut > 0
        self._kept, self.store, self.progress = {} if kept is None else kept, store, progress
        self.train(False)

    @property
    def config(self) -> Any:
        """Configuration of the upper half."""
        return self.upper.config

    @property
    def device(self) -> torch.device:
        """Where it is now."""
        return next(self.upper.parameters()).device

    def train(self, mode: bool = True) -> CausalHalves:
        """As in torch, but the lower half stays in evaluation: what is kept of it must hold for ever."""
        if mode != self.training and self.store is not None:
            self.store.save()
        super().train(mode)
        self.lower.eval()
        return self

    @torch.no_grad()
    def enter(self, rows: Sequence[Row]) -> list[Tensor]:
        """States on entry to the upper half; within `reading`.

        Args:
            rows: prefixes with options.

        Returns:
            Of each row the states of its `Row.ids` [L, D], on the device.
        """
        if not self.cut:
            return [self.lower(torch.tensor(row.ids, device=self.device)).to(self.dtype) for row in rows]
        if not self.keep:
            return [states.to(self.dtype) for states in self._read(rows)]
        return [torch.cat([self._kept[name] for name in _names(row)]).to(self.device, self.dtype) for row in rows]

    @contextmanager
    def reading(self, rows: Sequence[Row], batch_tokens: int) -> Iterator[None]:
        """Around every `enter` of one task. Where states are kept, takes from the store what it has, and reads the rest
        at once, each prefix together with its options, so that no later chunk reads it again.

        Args:
            rows: all that is entered within.
            batch_tokens: most tokens per chunk, padding included.
        """
        if self.keep:
            if self.store is not None:
                new = {name for row in rows for name in _names(row) if name not in self._kept}
                self._kept.update({name: entry["states"] for name, entry in self.store.get(new).items()} if new else {})
            self._read_lacking([row._replace(options=part) for row in self._lacking(rows)
                                for part in runs(row.options, batch_tokens - len(row.prefix))], batch_tokens)
        yield
        if self.keep and not self.training and self.store is not None:
            self.store.save()   # nothing may follow: an evaluation is often the last thing that a process does

    def states(self, prefixes: Tensor, batch_tokens: int, watch: Watch | None = None) -> Tensor:
        """Last layer's states, after its norm, at the last tokens of texts; with gradients of the upper half.

        Args:
            prefixes: [B, T] token ids, filled up with -1, at least one in each row.
            batch_tokens: most tokens per chunk, padding included.
            watch: is told of the routers in each pass.

        Returns:
            [B, D] float32.
        """
        rows = [Row(number, [token for token in row if token != PADDING], [])
                for number, row in enumerate(prefixes.tolist())]
        net = self.upper.get_base_model() if hasattr(self.upper, "get_base_model") else self.upper
        found: list[Tensor] = []
        order: list[int] = []
        with self.reading(rows, batch_tokens):
            for batch in token_batches([row.length for row in rows], batch_tokens):
                some = [rows[place] for place in batch]
                slots = Slots.of_rows(some, self.device)
                with watched(net, some, slots, watch):
                    told = net.base_model(inputs_embeds=padded(self.enter(some), True), position_ids=slots.position,
                                          attention_mask=attention_mask(net.config, slots, slots, self.dtype),
                                          use_cache=False)
                found.append(told.last_hidden_state[:, -1].float())
                order += batch
        return torch.cat(found)[torch.tensor(order).argsort().to(self.device)]

    def _lacking(self, rows: Sequence[Row]) -> list[Row]:
        """Rows that were not read yet in full, with those options alone that were not; each text in one row."""
        found: list[Row] = []
        met: set[str] = set()
        for row in rows:
            prefix, *options = _names(row)
            new = {name: option for name, option in zip(options, row.options)
                   if name not in self._kept and name not in met}
            if new or not (prefix in self._kept or prefix in met):
                found.append(row._replace(options=list(new.values())))
                met |= {prefix, *new}
        return found

    @torch.no_grad()
    def _read_lacking(self, rows: Sequence[Row], batch_tokens: int) -> None:
        """Keeps the states of rows; of what is there already the first ones, since another batch rounds in another way.
        """
        chunks = token_batches([row.length for row in rows], batch_tokens)
        sizes = {name: size for row in rows for name, size in zip(_names(row), _sizes(row)) if name not in self._kept}
        progress = self.progress if len(chunks) >= LONG else False
        with meter("frozen layers read the texts", sum(sizes.values()), "tokens", progress) as advance:
            for chunk in chunks:
                some = [rows[place] for place in chunk]
                for row, states in zip(some, self._read(some)):
                    parts = zip(_names(row), states.cpu().split(_sizes(row)))
                    fresh = {name: part.clone() for name, part in parts  # a view would hold its batch mates
                             if name not in self._kept}
                    self._kept |= fresh
                    if self.store is not None:
                        self.store.add({name: {"states": part} for name, part in fresh.items()})
                    advance(sum(map(len, fresh.values())))

    def _read(self, rows: Sequence[Row]) -> list[Tensor]:
        """Runs the lower blocks -> of each row [L, D]."""
        slots = Slots.of_rows(rows, self.device)
        ids = padded([torch.tensor(row.ids, device=self.device) for row in rows], True)
        mask = attention_mask(self.lower.config, slots, slots, next(self.lower.parameters()).dtype)
        with torch.autocast(self.device.type, enabled=False), \
                captured({self.cut: blocks_of(self.lower, self.cut)[-1]}, lambda states: states) as top:
            self.lower(input_ids=ids, attention_mask=mask, position_ids=slots.position, use_cache=False)
        return [states[len(states) - row.length:] for row, states in zip(rows, top[self.cut])]


def routers_of(net: nn.Module) -> list[MoLoRA]:
    """Routed layers of a model."""
    return [layer for layer in net.modules() if isinstance(layer, MoLoRA) and layer.router_weight is not None]


@contextmanager
def watched(net: nn.Module, rows: Sequence[Row], slots: Slots, watch: Watch | None) -> Iterator[None]:
    """Around a forward pass over rows: tells routers which tokens are the prompt, and ``watch`` what they did."""
    if not routers_of(net):
        yield
        return
    with collect_routing(slots.counted, slots.branch == 0) as routing:
        yield
    if watch is not None and bool(slots.counted.any()):
        watch(routing, torch.tensor([row.question for row in rows]))


def _sizes(row: Row) -> list[int]:
    """Tokens that are read of a prefix and of each of its options."""
    return [len(row.prefix), *(len(tokens) - 1 for _, tokens in row.options)]


def _names(row: Row) -> list[str]:
    """What the states of a prefix and of each of its options are kept under: digests of the tokens that are read."""
    prefix = hashlib.sha256(array("q", row.prefix).tobytes())
    found = [prefix.hexdigest()]
    for _, tokens in row.options:
        digest = prefix.copy()
        digest.update(array("q", [len(row.prefix), *tokens[:-1]]).tobytes())
        found.append(digest.hexdigest())
    return found
