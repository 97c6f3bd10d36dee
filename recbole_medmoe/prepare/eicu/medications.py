"""Medication orders of eICU: what each is, which count, and the item of each at the level asked for."""
from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path
from typing import Any, Callable

import pandas as pd

from ..visits.drugs import Drug, DrugMaps
from ..visits.frame import VisitTables
from ..visits.session import rows, run, table

__all__ = ["AGREEMENT", "read_medications"]
AGREEMENT = 0.6  # share of a HICL code's named orders that must name one drug before orders without a name take it
NO_CODE = "0"  # stands for no HICL code
_COLUMNS = ["patientunitstayid", "drugorderoffset", "drugstopoffset", "drugordercancelled", "drugname", "drughiclseqno",
            "routeadmin"]


def read_medications(tables: VisitTables, folder: Path, maps: DrugMaps, level: str, fluids: bool,
                     progress: Callable[[str], None]) -> None:
    """Makes ``medications``, ``items`` (without names) and ``ingredients``, the tables of ``read_orders``.

    An order is what its name says; without a name that says it, what its HICL code stands for, learnt from the named
    rows of ``medication`` and ``admissiondrug``. It counts if it was not cancelled, is a drug (with ``fluids`` also an
    infusion fluid, flush or parenteral nutrition), was ordered by the discharge from the unit and not stopped before
    the admission (times are minutes from the admission). An order without a time of ordering does not count; one
    without a time of stopping was not stopped.

    Args:
        tables: with ``stays`` of ``read_stays``.
        folder: eICU's tables.
        maps: drug names and codes.
        level: level of the items, a key of ``drugs.LEVELS``.
        fluids: see above.
        progress: called with a warning where under half of the orders are known.

    Raises:
        DataError: a missing table or column.
    """
    session = tables.session
    source = table(session, folder, "medication", _COLUMNS)
    run(session, f"""
        CREATE OR REPLACE TABLE orders AS
        SELECT patientunitstayid AS visit_id, upper(coalesce(drugname, '')) AS drug,
               coalesce(drughiclseqno, '') AS hicl, lower(coalesce(routeadmin, '')) AS route,
               lower(coalesce(drugordercancelled, 'no')) = 'yes' AS cancelled,
               TRY_CAST(drugorderoffset AS INTEGER) AS ordered, TRY_CAST(drugstopoffset AS INTEGER) AS stopped
        FROM {source}""")
    read = tables.number("SELECT count(*) FROM orders")
    tables.count("medication orders read", read)
    run(session, "DELETE FROM orders WHERE visit_id IS NULL OR visit_id NOT IN (SELECT visit_id FROM stays)")
    stayed = tables.number("SELECT count(*) FROM orders")
    tables.count("orders of a stay that was read", stayed, read)
    run(session, "DELETE FROM orders WHERE cancelled")
    tables.count("orders not cancelled", tables.number("SELECT count(*) FROM orders"), stayed)
    _resolve(tables, maps, _learnt(tables, folder, maps), level)
    rule = _count_steps(tables, level, fluids, progress)
    run(session, f"CREATE OR REPLACE TABLE ingredients AS SELECT DISTINCT visit_id, ingredient, item_id FROM known "
                 f"WHERE {rule}")
    run(session, "CREATE OR REPLACE TABLE medications AS SELECT DISTINCT visit_id, item_id FROM ingredients")
    tables.count("medications of stays, each once", tables.number("SELECT count(*) FROM medications"))
    run(session, "CREATE OR REPLACE TABLE items AS SELECT item_id, '' AS name, min(atc) AS atc FROM resolved "
                 "WHERE item_id IN (SELECT item_id FROM medications) GROUP BY item_id")


def _count_steps(tables: VisitTables, level: str, fluids: bool, progress: Callable[[str], None]) -> str:
    """Makes ``known``, the orders whose drug is known; counts what each rule keeps and gives them all as SQL."""
    run(tables.session, """
        CREATE OR REPLACE TABLE known AS
        SELECT visit_id, kind, how, ingredient, item_id, ordered, stopped, discharged
        FROM orders JOIN resolved USING (drug, hicl, route) JOIN stays USING (visit_id)""")
    valid, known = tables.counts[-1].kept, tables.number("SELECT count(*) FROM known")
    tables.count("orders whose drug is known", known, valid)
    if 2 * known < valid:
        progress(f"warning: the drug of only {known / valid:.1%} of the orders is known; other maps go in with "
                 "--codes-dir")
    by_name = tables.number("SELECT count(*) FROM known WHERE how = 'name'")
    tables.notes["orders whose drug is known by name / by HICL code"] = \
        f"{by_name / max(1, valid):.1%} / {(known - by_name) / max(1, valid):.1%}"
    drugs = ("orders of drugs and fluids", "kind IN ('drug', 'fluid')") if fluids else \
        ("orders of drugs (no fluids, flushes, nutrition, contrast)", "kind = 'drug'")
    times = "ordered <= coalesce(discharged, ordered) AND coalesce(stopped, 0) >= 0"
    rule, before = "TRUE", known
    for told, more in (drugs, ("orders not after discharge and not stopped before admission", times),
                       (f"orders with an item at level {level}", "item_id IS NOT NULL")):
        rule += f" AND {more}"
        left = tables.number(f"SELECT count(*) FROM known WHERE {rule}")
        tables.count(told, left, before)
        before = left
    return rule


def _learnt(tables: VisitTables, folder: Path, maps: DrugMaps) -> dict[str, Drug]:
    """HICL code -> the drug that at least 60 % of its named rows name; a name that is not known counts against it."""
    admission = table(tables.session, folder, "admissiondrug", ["patientunitstayid", "drugname", "drughiclseqno"])
    votes: dict[str, Counter[str]] = defaultdict(Counter)
    drugs: dict[str, Drug] = {}
    for drug, hicl, count in rows(tables.session, f"""
            SELECT drug, hicl, count(*) FROM (
                SELECT drug, hicl FROM orders UNION ALL
                SELECT upper(coalesce(drugname, '')), coalesce(drughiclseqno, '') FROM {admission})
            WHERE drug <> '' AND hicl NOT IN ('', '{NO_CODE}') GROUP BY ALL ORDER BY ALL"""):
        found = maps.by_name(drug)
        if found is not None:
            drugs[found.ingredient] = found
        votes[hicl][found.ingredient if found else ""] += count
    learnt = {}
    for hicl, tally in votes.items():
        best, count = min(tally.items(), key=lambda item: (-item[1], item[0]))
        if best and count >= AGREEMENT * sum(tally.values()):
            learnt[hicl] = drugs[best]
    return learnt


def _resolve(tables: VisitTables, maps: DrugMaps, learnt: dict[str, Drug], level: str) -> None:
    """Makes ``resolved(drug, hicl, route, how, kind, ingredient, atc, item_id)``, one row per kind of known order."""
    found: list[tuple[Any, ...]] = []
    for drug, hicl, route in rows(tables.session, "SELECT DISTINCT drug, hicl, route FROM orders ORDER BY ALL"):
        known, how = maps.by_name(drug, route), "name"
        if known is None and hicl in learnt:
            known, how = maps.by_name(learnt[hicl].ingredient, route) or learnt[hicl], "hicl"
        if known is not None:
            item = known.code(level)
            atc = item if level != "ingredient" else known.atc
            found.append((drug, hicl, route, how, known.kind, known.ingredient, atc, item))
    columns = ["drug", "hicl", "route", "how", "kind", "ingredient", "atc", "item_id"]
    tables.session.register("given_resolved", pd.DataFrame(found, columns=columns, dtype=object))
    run(tables.session, "CREATE OR REPLACE TABLE resolved AS SELECT * FROM given_resolved")
    tables.session.unregister("given_resolved")
