"""Medication orders to the medication sets of visits: what each order is, which count, the item of each."""
from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, Callable, Sequence

import pandas as pd

from .drugs import Drug, DrugMaps
from .frame import VisitTables
from .session import rows, run, spaced

__all__ = ["Orders", "item_column", "name_items", "ndc_column", "read_orders"]
_HALF = 0.5  # of the rows; a map that knows fewer is told as a warning
_NAMES_TOLD = 3


@dataclass(frozen=True)
class Orders:
    """How orders are read.

    Args:
        level: level of the items, a key of ``drugs.LEVELS``.
        ways: what says which drug an order is: ``name``, ``ndc``, ``rxnorm``, ``atc``; the first that knows it wins.
        fluids: keep infusion fluids, flushes, parenteral nutrition and dialysis solutions too.
    """

    level: str
    ways: Sequence[str] = ("name",)
    fluids: bool = False


def read_orders(tables: VisitTables, source: str, maps: DrugMaps, orders: Orders,
                progress: Callable[[str], None]) -> None:
    """Makes ``medications``, ``items`` (without names, see ``name_items``) and ``ingredients``.

    Every kind of order (name, code and route) is looked up once; the orders themselves never leave DuckDB.
    ``ingredients(visit_id, ingredient, item_id)`` tells what each item of a visit was.

    Args:
        source: a view (visit_id, drug, code, route, given) of all orders, empty text where a name, code or route is
            missing; ``code`` is the NDC, RxNorm concept or ATC code, as ``orders.ways`` has it; ``given`` is false for
            an order that ended before it began.
        maps: drug names and codes.
        orders: how to read them.
        progress: called with one line per stage, and a warning where a way knows under half of the orders.
    """
    session = tables.session
    found: list[tuple[Any, ...]] = []
    read: Counter[str] = Counter()
    for drug, code, route, all_rows, of_visits, count in rows(session, f"""
            SELECT drug, code, route, count(*), count(v.visit_id),
                   count(*) FILTER (WHERE v.visit_id IS NOT NULL AND given)
            FROM {source} LEFT JOIN visits v USING (visit_id) GROUP BY ALL ORDER BY ALL"""):
        read.update({"all": all_rows, "of visits": of_visits, "orders": count})
        if not count:
            continue
        known = None
        for way in orders.ways:
            by_way = _by(maps, way, drug, code, route)
            read[way] += count * (by_way is not None)
            known = known or by_way
        if known is None:
            continue
        read["known"] += count
        if known.kind != "drug" and not (orders.fluids and known.kind == "fluid"):
            continue
        read["drugs"] += count
        item = known.code(orders.level)
        if item is not None:
            read["items"] += count
            atc = known.atc if orders.level == "ingredient" else item
            found.append((drug, code, route, known.ingredient, atc, item))
    _tell(tables, read, orders, progress)
    progress(f"orders: {read['all']:,} read, {len(found):,} kinds of them are items")
    columns = ["drug", "code", "route", "ingredient", "atc", "item_id"]
    run(session, f"CREATE OR REPLACE TABLE resolved ({', '.join(f'{name} VARCHAR' for name in columns)})")
    session.register("given_kinds", pd.DataFrame(found, columns=columns, dtype=object))
    run(session, f"INSERT INTO resolved SELECT {', '.join(f'CAST({name} AS VARCHAR)' for name in columns)} "
                 "FROM given_kinds")
    session.unregister("given_kinds")
    run(session, f"CREATE OR REPLACE TABLE ingredients AS SELECT DISTINCT visit_id, ingredient, item_id "
                 f"FROM {source} JOIN resolved USING (drug, code, route) JOIN visits USING (visit_id) WHERE given")
    run(session, "CREATE OR REPLACE TABLE medications AS SELECT DISTINCT visit_id, item_id FROM ingredients")
    run(session, "CREATE OR REPLACE TABLE items AS SELECT item_id, '' AS name, min(atc) AS atc FROM resolved "
                 "GROUP BY item_id")
    tables.count("medications of visits, each once", tables.number("SELECT count(*) FROM medications"))


def _by(maps: DrugMaps, way: str, drug: str, code: str, route: str) -> Drug | None:
    if way == "name":
        return maps.by_name(drug, route)
    if way == "ndc":
        return maps.by_ndc(code, drug, route)
    if way == "rxnorm":
        return maps.by_rxcui(code, drug, route)
    return maps.by_atc(code) if code else None


def _tell(tables: VisitTables, read: Counter[str], orders: Orders, progress: Callable[[str], None]) -> None:
    """Adds what each step kept, and a warning for each way that knows too little."""
    left = "orders of drugs and fluids (no contrast, tests, devices)" if orders.fluids else \
        "orders of drugs (no fluids, flushes, nutrition, contrast, tests, devices)"
    tables.count("orders read", read["all"])
    tables.count("orders of a visit that was read", read["of visits"], read["all"])
    tables.count("orders that do not end before they begin", read["orders"], read["of visits"])
    tables.count("orders whose drug is known", read["known"], read["orders"])
    tables.count(left, read["drugs"], read["known"])
    tables.count(f"orders with an item at level {orders.level}", read["items"], read["drugs"])
    for way in orders.ways:
        share = read[way] / max(1, read["orders"])
        tables.notes[f"orders whose drug is known by {way}"] = f"{share:.1%}"
        if share < _HALF:
            remedy = "name the column of the codes" if way == "atc" else "other maps go in with --codes-dir"
            progress(f"warning: only {share:.1%} of the orders are known by {way}; {remedy}")


def item_column(column: str) -> str:
    """SQL: a local code as an item's token, without spaces and quotation marks."""
    return spaced(column, "_")


def ndc_column(column: str) -> str:
    """SQL: an NDC as 11 digits, empty where there is none (``0`` stands for none).

    One written with dashes is filled up part by part (5-4-2); one that lost its leading zeros in a spreadsheet gets
    them back.
    """
    parts = " || ".join(f"lpad(split_part({column}, '-', {place}), {digits}, '0')"
                        for place, digits in ((1, 5), (2, 4), (3, 2)))
    return (f"CASE WHEN coalesce(ltrim({column}, '0'), '') = '' THEN '' WHEN contains({column}, '-') THEN {parts} "
            f"ELSE lpad({column}, CAST(greatest(11, length({column})) AS INTEGER), '0') END")


def name_items(tables: VisitTables, at_most: int = _NAMES_TOLD) -> None:
    """Names each item by its commonest ingredients in the visits that are kept, the commonest first."""
    run(tables.session, f"""
        UPDATE items SET name = named.name FROM (
            SELECT item_id, string_agg(ingredient, ', ' ORDER BY place) AS name FROM (
                SELECT item_id, ingredient,
                       row_number() OVER (PARTITION BY item_id ORDER BY count(*) DESC, ingredient) AS place
                FROM ingredients WHERE visit_id IN (SELECT visit_id FROM visits) GROUP BY item_id, ingredient)
            WHERE place <= {at_most} GROUP BY item_id) named
        WHERE items.item_id = named.item_id""")
