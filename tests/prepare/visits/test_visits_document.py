"""README and statistics of a data set of visits."""
from __future__ import annotations

import pytest


def test_the_readme_tells_source_counts_splits_and_command(tables, write, tmp_path):
    tables.count("visits read", 60, 70)
    tables.notes["codes with words"] = "99%"
    write(tables)
    text = (tmp_path / "made" / "README.md").read_text()
    for part in ("Made-up visits.", "## How", "| visits read | 60 | 10 |", "| codes with words | 99% |", "`warm_visit`",
                 "made by a test", "| medications per visit | mean"):
        assert part in text
    assert "$" not in text


def test_codes_and_medications_are_counted(tables, write):
    told = write(tables)
    assert told["diagnosis codes"] == "7 (3.0 per visit)" and told["procedure codes"] == "1 (0.0 per visit)"
    assert told["medications per visit"] == "mean 4.3, median 3, at most 7"


@pytest.mark.parametrize(("visits", "earlier", "groups"), [
    ({"a": "p", "b": "q"}, [], (2, 0, 0, 0)),
    ({"a": "p", "b": "p"}, [("b", "a")], (0, 1, 1, 0)),
    ({"a": "p", "b": "p"}, [], (0, 0, 0, 2)),
    ({"a": "p", "b": "p", "c": "p"}, [("b", "a"), ("c", "a")], (0, 1, 0, 2)),
    ({"a": "p", "b": "p", "c": "p"}, [("b", "a"), ("c", "a"), ("c", "b")], (0, 1, 2, 0)),
])
def test_groups_by_what_is_known_of_the_order(fill, visit_rows, write, visits, earlier, groups):
    """Beside 40 patients with one visit each."""
    visit_rows["visits"] = [(f"raw{v}", f"patient{v}", 0, 50.0, "female") for v in range(40)]
    visit_rows["visits"] += [(visit, patient, place, 50.0, "male") for place, (visit, patient) in
                             enumerate(visits.items())]
    visit_rows["earlier"] = earlier
    visit_rows["medications"] += [(visit, "M0") for visit in visits]
    told = write(fill(visit_rows))
    names = ("the patient's only one", "first of several", "with history", "order unknown")
    found = tuple(int(told[f"visits: {name}"]) for name in names)
    assert (found[0] - 40, *found[1:]) == groups
