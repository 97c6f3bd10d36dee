"""The text of a fault."""
from __future__ import annotations

from recbole_medmoe.atomic.faults import AtomicError, Fault, fault_at


def test_place_rule_and_example() -> None:
    fault = Fault("x.inter", "duplicate row", 7, "item_id", "u1\ti1")
    assert str(fault) == "x.inter, line 7, column 'item_id': duplicate row; right: u1<TAB>i1"


def test_two_lines() -> None:
    assert str(fault_at("x.inter", [2, 5], "blank line")) == "x.inter, line 2: blank line (also line 5)"


def test_head_counts_faults() -> None:
    assert str(AtomicError("food", [Fault("x", "y")])).startswith("1 fault in the data set food:\n  - x: y")
