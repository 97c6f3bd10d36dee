"""What gates, routers and experts do: over all rows and over groups of them, and how many experts are used.

Gates are dense and have one set of weights per row (`routing_table`). Routers choose for each token, in many layers
(`RoutingCounts`).
"""
from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .. import processes
from ..layers.routers import RouterCounts, Routing

Array = np.ndarray

EXPERTS = "experts"   # the gate that `load`, `entropy`, `effective`, `used` and `first` tell of


def routing_table(gates: Mapping[str, Array], groups: Mapping[str, Array], *, min_group: int = 20) -> dict[str, Any]:
    """Describes dense gates, whose weights sum to 1 in every row.

    Two numbers of experts: a gate that gives each row to one expert, another to another row, has ``effective`` 1 and
    ``used`` E; one that mixes all experts alike for every row has E for both; one that gives all rows to the same
    expert (collapse) has 1 for both.

    Args:
        gates: gate to weights [N, E] of N rows; ``experts`` must be among them.
        groups: group to [N] bool; groups may overlap.
        min_group: smallest number of rows whose mean is shown (design 7); smaller groups are left out.

    Returns:
        Plain values, the block ``routing`` of a record: ``load`` [E] mean weight of each expert; ``entropy`` mean over
        rows of H = -sum w log w, in nats; ``effective`` mean over rows of exp(H), the experts that a row uses; ``used``
        exp(H) of the load, the experts that all rows together use; ``first`` [E] share of rows whose largest weight is
        that expert's; ``<gate>_mean`` for each other gate; ``groups``: group to ``n``, the mean weights of every gate
        by its name, ``entropy`` and ``effective``.

    Raises:
        ValueError: no rows, or weights or a mask that do not have one entry per row.

    Example:
        >>> told = routing_table({"experts": np.array([[1.0, 0.0], [0.0, 1.0]])}, {})
        >>> told["load"], told["effective"], told["used"]
        ([0.5, 0.5], 1.0, 2.0)
    """
    columns = {name: np.asarray(weights, dtype=np.float64) for name, weights in gates.items()}
    rows = len(columns[EXPERTS])
    if not rows or any(len(weights) != rows for weights in columns.values()):
        raise ValueError(f"gates of {', '.join(f'{name}: {len(weights)}' for name, weights in columns.items())} rows")
    wrong = [name for name, mask in groups.items() if np.shape(mask) != (rows,)]
    if wrong:
        raise ValueError(f"groups {', '.join(wrong)} do not have one entry for each of {rows} rows")
    entropy = _entropy(columns[EXPERTS])  # [N]
    columns |= {"entropy": entropy, "effective": np.exp(entropy)}
    load, largest = columns[EXPERTS].mean(0), columns[EXPERTS].argmax(1)
    told: dict[str, Any] = {
        "load": load.tolist(), "entropy": float(entropy.mean()), "effective": float(np.exp(entropy).mean()),
        "used": float(np.exp(_entropy(load))),
        "first": (np.bincount(largest, minlength=len(load)) / rows).tolist()}
    told |= {f"{name}_mean": columns[name].mean(0).tolist() for name in gates if name != EXPERTS}
    kept = _large(groups, min_group)
    told["groups"] = {
        name: {"n": int(mask.sum()), **{key: values[mask].mean(0).tolist() for key, values in columns.items()}}
        for name, mask in kept.items()}
    return told


class RoutingCounts:
    """Counts what routers choose while rows are scored; costs a few small products per layer and pass.

    An evaluator tells `begin` which rows come next, the model calls the object after each forward pass.

    Args:
        cut: blocks below those that the layers' names count.

    Attributes:
        total: what each router did over all tokens, by its layer's name with the block's number in the whole backbone.
    """

    def __init__(self, cut: int = 0) -> None:
        self.cut = cut
        self.total: dict[str, RouterCounts] = {}
        self._ids: list[Tensor] = []
        self._rows: list[dict[str, Tensor]] = []  # of each batch [B, E] by layer

    def begin(self, ids: Tensor) -> None:
        """From now on the rows with these internal user ids [B] are scored."""
        self._ids.append(ids.cpu())
        self._rows.append({})

    def __call__(self, routing: Routing, questions: Tensor) -> None:
        """Takes one forward pass.

        Args:
            routing: of its routers.
            questions: [R], which of the B rows each row of the pass belongs to.

        Raises:
            TrainingError: router logits that are not finite.
            RuntimeError: nobody said which rows are scored.
        """
        if not self._ids:
            raise RuntimeError("routers ran before begin() told which rows are scored")
        for layer, counts in routing.counts().items():
            name = re.sub(r"\.(\d+)\.", lambda found: f".{int(found.group(1)) + self.cut}.", layer, count=1)
            new = replace(counts, rows=counts.rows[:0])  # rows are kept by their ids instead
            self.total[name] = self.total[name] + new if name in self.total else new
            rows = self._rows[-1].setdefault(name, torch.zeros(len(self._ids[-1]), counts.rows.shape[1]))
            rows.index_add_(0, questions, counts.rows.float())

    def gather(self) -> None:
        """Adds what the other processes of the run counted on their rows; each of them calls it, after the last row."""
        if processes.count() == 1:
            return
        ids = torch.cat([*self._ids, torch.zeros(0, dtype=torch.int64)])
        own = json.dumps({name: len(counts.chosen) for name, counts in self.total.items()}) + "\n"
        told = processes.gather_rows(np.frombuffer(own.encode(), dtype=np.uint8)).tobytes().decode()
        experts: dict[str, int] = {}
        for line in told.splitlines():   # a process without rows knows of no layer
            experts |= json.loads(line)
        total, rows = {}, {}
        for name, count in experts.items():
            here = name in self.total
            sums = _sums(self.total[name]) if here else np.zeros(2 + 2 * count + count ** 2)
            tokens, entropy, *parts = processes.gather_rows(sums[None]).sum(0)
            chosen, weight, together = torch.tensor(parts, dtype=torch.float64).split([count, count, count ** 2])
            total[name] = RouterCounts(int(tokens), chosen, weight, float(entropy), together.view(count, count),
                                       torch.zeros(0, count))
            mine = self._by_row(name) if here else np.zeros((len(ids), count))
            rows[name] = torch.tensor(processes.gather_rows(mine))
        self.total, self._rows = total, [rows]
        self._ids = [torch.tensor(processes.gather_rows(ids.numpy()))]

    def table(self, row_ids: Array, groups: Mapping[str, Array], *, min_group: int = 20) -> dict[str, Any]:
        """Describes the routers.

        Experts of one number in two layers have nothing to do with each other, so that values over layers are means of
        what each layer shows by itself.

        Args:
            row_ids: [N] internal user ids of the rows that groups are about.
            groups: group to [N] bool; groups may overlap.
            min_group: smallest number of rows of a group that is shown.

        Returns:
            Plain values, the block ``routing`` of a record: ``tokens`` that counted; ``load`` [E] shares of all choices
            from the busiest expert to the least, ``entropy`` of the softmax over all E in nats, and ``used``, exp(H) of
            the load, all three means over layers; ``layers``: name to ``load`` [E], ``weight`` [E] mean probability,
            ``entropy``, ``used``, ``together`` [E, E] share of tokens for which two experts were chosen (on the
            diagonal: one), and ``specialisation``; ``groups``: group to ``n``, its load in each layer and
            ``specialisation``, mean over layers. Specialisation of a group in a layer is the Kullback-Leibler
            divergence of its load from that of all rows, in nats; that of a layer the mean over its groups by choices,
            which is what expert and group tell of each other where groups part the rows.

        Raises:
            ValueError: rows that were not scored, or that no router saw.
        """
        place = {int(user): number for number, user in enumerate(torch.cat(self._ids).tolist())} if self._ids else {}
        if not self.total or any(int(user) not in place for user in row_ids):
            raise ValueError("no router ran" if not self.total else "rows that were not scored while routers counted")
        chosen = {name: self._by_row(name)[[place[int(user)] for user in row_ids]] for name in self.total}  # [N, E]
        kept = {name: mask for name, mask in _large(groups, min_group).items()
                if all(rows[mask].sum() > 0 for rows in chosen.values())}
        by_group = {group: {name: _load(rows[mask].sum(0)) for name, rows in chosen.items()}
                    for group, mask in kept.items()}
        layers = {name: _layer(counts) for name, counts in self.total.items()}
        for name, told in layers.items():
            weights = [float(chosen[name][mask].sum()) for mask in kept.values()]
            apart = [_divergence(loads[name], told["load"]) for loads in by_group.values()]
            told["specialisation"] = float(np.average(apart, weights=weights)) if apart else 0.0
        return {
            "tokens": max(counts.tokens for counts in self.total.values()),
            "load": np.mean([sorted(told["load"], reverse=True) for told in layers.values()], axis=0).tolist(),
            "entropy": float(np.mean([told["entropy"] for told in layers.values()])),
            "used": float(np.mean([told["used"] for told in layers.values()])),
            "layers": layers,
            "groups": {group: {"n": int(kept[group].sum()), **_group(loads, layers)}
                       for group, loads in by_group.items()}}

    def _by_row(self, name: str) -> Array:
        """Choices of each expert for every row that was scored [rows, E]; none for a row that no pass had."""
        count = len(self.total[name].chosen)
        parts = [rows.get(name, torch.zeros(len(ids), count)) for ids, rows in zip(self._ids, self._rows)]
        return torch.cat(parts).double().numpy()


_COUNTING: ContextVar[RoutingCounts | None] = ContextVar("counting", default=None)


@contextmanager
def watching(model: Any) -> Iterator[RoutingCounts | None]:
    """Counts what a model's routers choose while it is scored inside.

    Args:
        model: whose ``llm`` has an attribute ``watch``, called after each forward pass, and the backbone as ``halves``
            where it is cut; any other yields None. Of several processes all watch, and in the end each has all counts.
    """
    llm: Any = getattr(model, "llm", None)
    if not hasattr(llm, "watch"):
        yield None
        return
    counts = RoutingCounts(getattr(getattr(llm, "halves", None), "cut", 0))
    before, llm.watch = _COUNTING.set(counts), counts
    try:
        yield counts
    finally:
        _COUNTING.reset(before)
        llm.watch = None
    counts.gather()


def about_to_score(ids: Tensor) -> None:
    """Says which rows [B] are scored next, by their internal user ids, to whoever is `watching`."""
    counts = _COUNTING.get()
    if counts is not None:
        counts.begin(ids)


def _sums(counts: RouterCounts) -> Array:
    """One layer as a flat array, apart from its rows."""
    parts = counts.chosen, counts.weight, counts.together.flatten()
    return np.concatenate([[counts.tokens, counts.entropy], *(part.double().numpy() for part in parts)])


def _layer(counts: RouterCounts) -> dict[str, Any]:
    """One layer over all tokens."""
    load = _load(counts.chosen.double().numpy())
    return {"load": load.tolist(), "weight": (counts.weight.double() / counts.tokens).tolist(),
            "entropy": counts.entropy / counts.tokens, "used": float(np.exp(_entropy(load))),
            "together": (counts.together.double() / counts.tokens).tolist()}


def _group(loads: Mapping[str, Array], layers: Mapping[str, Any]) -> dict[str, Any]:
    """One group, from its load [E] in each layer."""
    apart = [_divergence(load, layers[name]["load"]) for name, load in loads.items()]
    return {"layers": {name: load.tolist() for name, load in loads.items()}, "specialisation": float(np.mean(apart))}


def _load(chosen: Array) -> Array:
    """Choices [E] as shares."""
    shares: Array = chosen / chosen.sum()
    return shares


def _divergence(load: Array, of: Array) -> float:
    """Kullback-Leibler divergence in nats; where ``load`` has something, ``of`` has something too."""
    some, all_rows = np.asarray(load), np.asarray(of)
    used = some > 0
    return float((some[used] * np.log(some[used] / all_rows[used])).sum())


def _large(groups: Mapping[str, Array], least: int) -> dict[str, Array]:
    """Groups of at least so many rows, and of one row."""
    return {name: np.asarray(mask, dtype=bool) for name, mask in groups.items()
            if np.count_nonzero(mask) >= max(least, 1)}


def _entropy(weights: Array) -> Array:
    """H of weights [..., E] in nats, 0 log 0 being 0 -> [...]."""
    logs = np.log(weights, out=np.zeros_like(weights), where=weights > 0)
    return -(weights * logs).sum(-1) + 0.0   # no -0.0
