"""Tables of made-up visits inside a DuckDB session: 30 patients with two ordered visits each."""
from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Iterator, Sequence

import pandas as pd
import pytest

from recbole_medmoe.prepare.visits.document import About
from recbole_medmoe.prepare.visits.frame import VisitTables
from recbole_medmoe.prepare.visits.session import Session, open_session
from recbole_medmoe.prepare.visits.write import write_visits

ABOUT = About("Made-up visits", ["made up"], "none", "made by a test", True, text="## How\n\nBy hand.")
HEADERS = {"visits": ["visit_id", "patient_id", "place", "profile age", "profile sex"],
           "earlier": ["visit_id", "earlier_id"], "codes": ["visit_id", "kind", "code"],
           "code_names": ["kind", "code", "name"],
           "medications": ["visit_id", "item_id"], "items": ["item_id", "name", "atc"]}
Rows = dict[str, list[Sequence[object]]]


def _made_rows() -> Rows:
    """Visit ``2p`` comes before ``2p + 1``; every visit has a path of two levels and one of five signs."""
    visits = range(60)
    return {
        "visits": [(f"raw{visit}", f"patient{visit // 2}", visit % 2, 50.0 + visit % 30, "female") for visit in visits],
        "earlier": [(f"raw{visit}", f"raw{visit - 1}") for visit in visits if visit % 2],
        "codes": [(f"raw{visit}", "diag", code) for visit in visits for code in ("organ", "organ|liver pain",
                                                                                 f"sign{visit % 5}")]
        + [("raw0", "proc", "scan")],
        "code_names": [("diag", "organ", "organ"), ("diag", "organ|liver pain", "liver pain"), ("proc", "scan", "scan"),
                       *(("diag", f"sign{number}", f"sign {number}") for number in range(5))],
        "medications": [(f"raw{visit}", f"M{item}") for visit in visits for item in range(7) if visit * item % 3 == 0],
        "items": [(f"M{item}", f"medicine {item}", None) for item in range(7)],
    }


def _fill(session: Session, rows: Rows) -> VisitTables:
    for name, header in HEADERS.items():
        session.register("given", pd.DataFrame(rows[name], columns=header))
        session.execute(f"CREATE OR REPLACE TABLE {name} AS SELECT * FROM given")
        session.unregister("given")
    session.execute("ALTER TABLE items ALTER atc TYPE VARCHAR")
    return VisitTables(session, {"age": "float", "sex": "token"})


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    """A session that spills under ``tmp_path``."""
    with open_session("500MB", tmp_path / "out") as opened:
        yield opened


@pytest.fixture
def visit_rows() -> Rows:
    """Rows of the six tables, for tests that change some."""
    return _made_rows()


@pytest.fixture
def fill(session: Session) -> Callable[[Rows], VisitTables]:
    """``fill(visit_rows)`` makes the six tables."""
    return lambda rows: _fill(session, rows)


@pytest.fixture
def tables(session: Session, visit_rows: Rows) -> VisitTables:
    """The made-up visits."""
    return _fill(session, visit_rows)


@pytest.fixture
def about() -> About:
    """What the README and the manifest say."""
    return ABOUT


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., dict[str, str]]:
    """``write(tables, "name", ...)`` writes the data set ``tmp_path / name``; keywords go to ``write_visits``."""
    def written(tables: VisitTables, name: str = "made", about: About = ABOUT, **given: Any) -> dict[str, str]:
        return write_visits(tables, tmp_path / name, about, progress=lambda line: None, **given)

    return written
