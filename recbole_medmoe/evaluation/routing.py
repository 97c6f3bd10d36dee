"""What gates and experts do: mean weights over all rows and over groups of them, and how many experts a row uses."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

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
    kept = {name: np.asarray(mask, dtype=bool) for name, mask in groups.items()
            if np.count_nonzero(mask) >= max(min_group, 1)}
    told["groups"] = {
        name: {"n": int(mask.sum()), **{key: values[mask].mean(0).tolist() for key, values in columns.items()}}
        for name, mask in kept.items()}
    return told


def _entropy(weights: Array) -> Array:
    """H of weights [..., E] in nats, 0 log 0 being 0 -> [...]."""
    logs = np.log(weights, out=np.zeros_like(weights), where=weights > 0)
    return -(weights * logs).sum(-1) + 0.0   # no -0.0
