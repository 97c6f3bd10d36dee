from __future__ import annotations

from typing import Callable

import pandas as pd
import pytest

from recbole_medmoe.prepare.visits.drugs import DrugMaps
from recbole_medmoe.prepare.visits.frame import VisitTables
from recbole_medmoe.prepare.visits.medications import Orders, name_items, ndc_column, read_orders
from recbole_medmoe.prepare.visits.session import Session

ROWS = [("v1", "lasix", "", "iv", True), ("v1", "furosemide 20 mg", "", "po", True), ("v1", "torsemide", "", "", True),
        ("v2", "torsemide", "", "", True), ("v2", "sodium chloride 0.9%", "", "", True), ("v2", "zzz", "", "", True),
        ("v2", "heparin", "", "", False), ("absent", "heparin", "", "", True), ("v2", "syringe", "", "", True),
        ("v3", "torsemide", "", "", True)]
Read = Callable[..., VisitTables]


@pytest.fixture
def read(session: Session) -> Read:
    """``read("atc4", ...)`` reads ``ROWS``, or rows given."""
    def made(level: str = "atc4", rows: list[tuple[object, ...]] | None = None, maps: DrugMaps | None = None,
             progress: Callable[[str], None] = lambda line: None, **more: object) -> VisitTables:
        given = pd.DataFrame(rows if rows is not None else ROWS, columns=["visit_id", "drug", "code", "route", "given"])
        session.register("given_orders", given)
        session.execute("CREATE TABLE orders AS SELECT * FROM given_orders")
        session.execute("CREATE TABLE visits AS SELECT unnest(['v1', 'v2', 'v3']) AS visit_id")
        tables = VisitTables(session, {})
        how = Orders(level, **more)  # type: ignore[arg-type]
        read_orders(tables, "orders", maps or DrugMaps.read(), how, progress)
        return tables

    return made


def _sets(tables: VisitTables) -> set[tuple[str, str]]:
    return set(tables.session.execute("SELECT visit_id, item_id FROM medications").fetchall())


def test_orders_become_sets(read: Read) -> None:
    assert _sets(read()) == {("v1", "C03CA"), ("v2", "C03CA"), ("v3", "C03CA")}


def test_ingredients_are_items_of_their_own(read: Read) -> None:
    found = _sets(read("ingredient"))
    assert found == {("v1", "furosemide"), ("v1", "torasemide"), ("v2", "torasemide"), ("v3", "torasemide")}


def test_every_step_is_counted(read: Read) -> None:
    counts = {count.filter.split(" (")[0]: count.kept for count in read().counts}
    assert counts == {
        "orders read": 10, "orders of a visit that was read": 9, "orders that do not end before they begin": 8,
        "orders whose drug is known": 7, "orders of drugs": 5, "orders with an item at level atc4": 5,
        "medications of visits, each once": 3}


def test_fluids_stay_where_asked_for(read: Read) -> None:
    assert ("v2", "B05XA") in _sets(read(fluids=True))


def test_a_class_is_named_by_its_commonest_ingredients(read: Read) -> None:
    tables = read()
    name_items(tables)
    assert tables.session.execute("SELECT item_id, name, atc FROM items").fetchall() == \
        [("C03CA", "torasemide, furosemide", "C03CA")]


def test_a_way_that_knows_under_half_is_a_warning(read: Read) -> None:
    told: list[str] = []
    read(rows=[("v1", name, "", "", True) for name in ("aaa", "bbb", "heparin")], progress=told.append)
    assert told[0] == "warning: only 33.3% of the orders are known by name; other maps go in with --codes-dir"


def test_the_first_way_that_knows_a_drug_wins(read: Read) -> None:
    maps = DrugMaps.read()
    maps.atc_of_rxcui, maps.rxcui_of_ndc = {"7": ("C07AB02",)}, {"00000000001": "7"}
    rows = [("v1", "heparin", "00000000001", "", True), ("v2", "zzz", "00000000001", "", True)]
    assert _sets(read(rows=rows, maps=maps, ways=("name", "ndc"))) == {("v1", "B01AB"), ("v2", "C07AB")}


def test_no_known_drug_leaves_empty_tables(read: Read) -> None:
    tables = read(rows=[("v1", "zzz", "", "", True)])
    assert not _sets(tables) and tables.number("SELECT count(*) FROM items") == 0


@pytest.mark.parametrize(("ndc", "eleven"), [
    ("338005034", "00338005034"), ("0", ""), (None, ""), ("0338-0050-34", "00338005034"),
    ("00338-0050-34", "00338005034"), ("00338005034", "00338005034")])
def test_an_ndc_has_eleven_digits(session: Session, ndc: str | None, eleven: str) -> None:
    query = f"SELECT {ndc_column('n')} FROM (SELECT CAST(? AS VARCHAR) AS n)"
    assert session.execute(query, [ndc]).fetchall() == [(eleven,)]
