"""README of a data set of visits: counts, statistics, columns and splits, the same for every source."""
from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import Any, Iterable, Mapping

from ...atomic import PARTS
from .frame import VisitTables
from .session import rows

__all__ = ["About", "readme", "statistic_rows"]
_TEMPLATE = Path(__file__).resolve().parent / "README.template.md"
_COLUMNS = {"token": "word", "float": "number"}


@dataclass(frozen=True)
class About:
    """What a converter says of its data set.

    Args:
        title: one line for lists.
        source: each raw source: its name, or a mapping with name, address, licence.
        licence: licence of what is in the folder, short.
        command: the command that makes it, with the value of every option and no path of this machine.
        is_open: openly licensed; else the folder is marked as derived from credentialed records.
        procedures: what the records call codes of kind ``proc``.
        text: sections of the README on how this source was read, in Markdown.
        licences: file name -> text of licences and notices to put beside the data.
    """

    title: str
    source: list[str | dict[str, str]]
    licence: str
    command: str
    is_open: bool
    procedures: str = "Procedures"
    text: str = ""
    licences: dict[str, str] = field(default_factory=dict)


def statistic_rows(tables: VisitTables, with_ddi: bool) -> dict[str, str]:
    """Statistics of the whole data set, ready to print: codes, medications per visit, groups, true interaction rate.

    Args:
        with_ddi: the writer made a table ``ddi(item_a, item_b, severity)``.
    """
    facts = {}
    for kind, word in (("diag", "diagnosis codes"), ("proc", "procedure codes")):
        codes = tables.number(f"SELECT count(DISTINCT code) FROM codes WHERE kind = '{kind}'")
        per_visit = rows(tables.session, f"SELECT count(*) / (SELECT count(*) FROM visits) FROM codes "
                                         f"WHERE kind = '{kind}'")[0][0]
        facts[word] = f"{codes:,} ({per_visit:.1f} per visit)"
    mean, median, most = rows(tables.session, "SELECT avg(n), median(n), max(n) FROM (SELECT count(*) AS n "
                                              "FROM medications GROUP BY visit_id)")[0]
    facts["medications per visit"] = f"mean {mean:.1f}, median {median:g}, at most {most}"
    for group, visits in rows(tables.session, _GROUPS):
        facts[f"visits: {group}"] = f"{visits:,}"
    if not with_ddi:
        return facts | {"interactions": "no list: pass --ddi"}
    pairs, all_pairs, listed = rows(tables.session, _DDI)[0]
    facts["interacting pairs of medications"] = f"{listed:,}"
    facts["true interaction rate (pooled over visits)"] = f"{pairs / max(1, all_pairs):.4f}"
    return facts


# The groups of an evaluation: whoever has one visit that cannot be ordered against this one has an unknown order.
_GROUPS = """
    WITH counts AS (SELECT patient_id, count(*) AS visits FROM visits GROUP BY patient_id),
    links AS (SELECT visit_id, count(*) FILTER (WHERE side = 'before') AS before, count(*) AS known FROM (
        SELECT visit_id, 'before' AS side FROM earlier UNION ALL SELECT earlier_id, 'after' FROM earlier)
        GROUP BY visit_id)
    SELECT told, count(visit_id) FROM (
        SELECT visit_id, CASE WHEN visits = 1 THEN 'the patient''s only one'
            WHEN coalesce(known, 0) < visits - 1 THEN 'order unknown'
            WHEN coalesce(before, 0) > 0 THEN 'with history' ELSE 'first of several' END AS told
        FROM visits JOIN counts USING (patient_id) LEFT JOIN links USING (visit_id))
    RIGHT JOIN (VALUES ('the patient''s only one', 0), ('first of several', 1), ('with history', 2),
                       ('order unknown', 3)) groups(told, place) USING (told)
    GROUP BY told, place ORDER BY place"""
_DDI = """
    WITH pairs AS (SELECT DISTINCT item_a, item_b FROM ddi)
    SELECT (SELECT count(*) FROM medications x JOIN medications y USING (visit_id)
            JOIN pairs ON x.item_id = item_a AND y.item_id = item_b),
           (SELECT sum(n * (n - 1) // 2) FROM (SELECT count(*) AS n FROM medications GROUP BY visit_id)),
           (SELECT count(*) FROM pairs)"""


def _rows(lines: Iterable[Iterable[Any]]) -> str:
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def readme(name: str, tables: VisitTables, about: About, facts: Mapping[str, str], splits: Mapping[str, str],
           parts: Mapping[tuple[str, str], int]) -> str:
    """The data set's README.md.

    Args:
        facts: what ``statistic_rows`` gave.
        splits: split -> description.
        parts: rows by split and part.
    """
    profile = "\n".join(f"- `{column}`: {_COLUMNS[kind]}" for column, kind in tables.profile.items())
    counts = [(count.filter, f"{count.kept:,}", "" if count.dropped is None else f"{count.dropped:,}")
              for count in tables.counts]
    return Template(_TEMPLATE.read_text(encoding="utf-8")).substitute(
        name=name, title=about.title, command=about.command, licence=about.licence, text=about.text.strip(),
        counts=_rows(counts), facts=_rows([*tables.notes.items(), *facts.items()]), profile=profile,
        procedures=about.procedures.lower(),
        splits=_rows((f"`{split}`", " / ".join(f"{parts[split, part]:,}" for part in PARTS), told)
                     for split, told in splits.items()))
