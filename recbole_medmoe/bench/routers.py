"""Inside a model with routers: which experts they choose in which layer, together with which, and for whom."""
from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log
from typing import Any

from ..quick_start.stored import StoredRun
from .diagnostics import plain
from .figures import Figure, Panel, heat
from .numbers import count, score


_CAUTION = ("Experts of one number in two layers have nothing to do with each other, and another seed's experts are "
            "others: this is one seed.")


@dataclass(frozen=True)
class Routers:
    """What is shown of a model's routers, of its first seed: another seed's experts are others.

    Args:
        name: the row's label.
        told: the block ``routing`` of its record, see `evaluation.RoutingCounts.table`.
    """

    name: str
    told: Mapping[str, Any]

    @property
    def told_of(self) -> str:
        """What is read beside the figures."""
        return f"{self.sentence} {_CAUTION}"

    @property
    def figures(self) -> dict[str, tuple[str, Figure]]:
        """Short name to caption and figure."""
        groups = self.group_figure
        return {"load": ("Share of the choices that each expert has.", self.load_figure),
                "together": ("Share of the tokens for which two experts are chosen together.", self.together_figure),
                **({} if groups is None else {"groups": (
                    "Specialisation: how far the choices for a group are from those for all rows, in each block "
                    "(Kullback-Leibler divergence; 0 where they are the same).", groups)})}

    @property
    def sentence(self) -> str:
        """The layers together in one line."""
        experts = len(self.told["load"])
        load, used, entropy = self.told["load"][0], self.told["used"], self.told["entropy"]
        return (f"{count(self.told['tokens'])} tokens of the test rows, mean over {len(self.told['layers'])} layers: "
                f"the busiest of {experts} experts has {load:.0%} of the choices (even use would be "
                f"{1 / experts:.0%}), in all {used:.1f} experts are used; a router's entropy is {score(entropy)} of at "
                f"most {score(log(experts))} nats.").replace("%", " %")

    @property
    def load_figure(self) -> Figure:
        """Share of the choices that each expert has, blocks below each other, maps beside each other."""
        blocks, maps = _grid(self.told["layers"])
        empty = (0.0,) * len(self.told["load"])
        return heat("of the choices", [f"block {block}" for block in blocks], [
            Panel(kind, tuple(str(number + 1) for number in range(len(empty))),
                  tuple(tuple(where[block]["load"]) if block in where else empty for block in blocks))
            for kind, where in maps.items()])

    @property
    def together_figure(self) -> Figure:
        """How often two experts are chosen for the same token, in the top block."""
        blocks, maps = _grid(self.told["layers"])
        numbers = tuple(str(number + 1) for number in range(len(self.told["load"])))
        return heat(f"of the tokens, block {blocks[-1]}", [f"expert {number}" for number in numbers], [
            Panel(kind, numbers, tuple(
                tuple(share if column != row else 0.0 for column, share in enumerate(line))
                for row, line in enumerate(where[blocks[-1]]["together"])))
            for kind, where in maps.items() if blocks[-1] in where])

    @property
    def group_figure(self) -> Figure | None:
        """How far each group's choices are from those of all rows, layer by layer; None without groups."""
        if not self.told["groups"]:
            return None
        blocks, maps = _grid(self.told["layers"])
        names = {(kind, block): name for name in self.told["layers"] for kind, block in [_place(name)]}
        ordered = sorted(self.told["groups"].items(), key=lambda item: (-item[1]["specialisation"], item[0]))
        return heat("nats from the choices of all", [plain(group.removeprefix("task:")) for group, _ in ordered], [
            Panel(kind, tuple(str(block) for block in blocks), tuple(
                tuple(_divergence(told["layers"][names[kind, block]], where[block]["load"]) if block in where else 0.0
                      for block in blocks) for _, told in ordered))
            for kind, where in maps.items()])


def routers_of(by_name: Mapping[str, Sequence[StoredRun]]) -> tuple[Routers, ...]:
    """Of each row whose model has routers."""
    return tuple(Routers(name, runs[0].record["routing"]) for name, runs in by_name.items()
                 if "layers" in (runs[0].record["routing"] or {}))


def _place(layer: str) -> tuple[str, int]:
    """``model.layers.7.mlp.up_proj`` as its map's name and its block's number."""
    number = re.search(r"\.(\d+)\.", layer)
    return layer.rpartition(".")[2], int(number.group(1)) if number else 0


def _grid(layers: Mapping[str, Any]) -> tuple[list[int], dict[str, dict[int, Any]]]:
    """Blocks in order, and of each map what its layers tell, by block."""
    maps: dict[str, dict[int, Any]] = {}
    for name, told in layers.items():
        kind, block = _place(name)
        maps.setdefault(kind, {})[block] = told
    return sorted({block for where in maps.values() for block in where}), maps


def _divergence(load: Sequence[float], of: Sequence[float]) -> float:
    """As in `evaluation.routing`; the record's rounded shares may miss it by a little."""
    return max(0.0, sum(share * log(share / other) for share, other in zip(load, of) if share > 0 and other > 0))
