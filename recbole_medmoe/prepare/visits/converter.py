"""What the converters of timed visits share: their options, and all that follows once their tables are read."""
from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Iterator

import pandas as pd

from ...errors import DataError, nearest
from .document import About
from .drugs import LEVELS, DrugMaps
from .frame import Filters, VisitTables, keep_visits
from .interactions import read_interactions
from .medications import name_items
from .session import Session, open_session, rows
from .splits import SHARES
from .watch import shown
from .write import write_visits

__all__ = ["VisitOptions", "finish_visits"]
# Of the items; a list of drugs that names fewer is told as a warning. A list of items need not name them all.
_HALF = 0.5


@dataclass(frozen=True)
class VisitOptions:
    """Options of ``prepare eicu | mimic3 | mimic4 | table``.

    Args:
        codes: level of the items, a key of ``drugs.LEVELS``.
        codes_dir: folder with code maps; None: the package's own table of drug names.
        ddi: list of interactions; None: none.
        fluids: keep infusion fluids, flushes and parenteral nutrition, as published work on MIMIC does.
        min_item_visits: visits that a medication needs.
        min_items: medications that a visit needs.
        memory: limit of DuckDB's memory.
        min_visits, top_medications, top_diagnoses, need_procedures: those of published cohorts, see ``frame.Filters``.
        split_by: what orders the patients of the default split, a key of ``splits.SHARES``.
        bar: show on a terminal how far a long query has come.

    Raises:
        DataError: an unknown level or way to split.
    """

    codes: str = "atc4"
    codes_dir: Path | None = None
    ddi: Path | None = None
    fluids: bool = False
    min_item_visits: int = 10
    min_items: int = 1
    memory: str = "2GB"
    min_visits: int = 1
    top_medications: int | None = None
    top_diagnoses: int | None = None
    need_procedures: bool = False
    split_by: str = "hash"
    bar: bool = False

    def __post_init__(self) -> None:
        if self.codes not in LEVELS:
            raise DataError(f"--codes {self.codes}: unknown{nearest(self.codes, LEVELS)}")
        if self.split_by not in SHARES:
            raise DataError(f"--split-by {self.split_by}: unknown{nearest(self.split_by, SHARES)}")

    @contextmanager
    def session(self, out: Path) -> Iterator[Session]:
        """``open_session`` as the options have it."""
        with open_session(self.memory, out) as session, shown(session, self.bar):
            yield session

    def command(self, words: str, out: Path) -> str:
        """The command with the value of every option and no path of this machine; ``words`` begin it.

        Options of published cohorts stand in it where they are in use.
        """
        folders = [f" --{name} {name.replace('-', '_').upper()}"
                   for name, given in (("codes-dir", self.codes_dir), ("ddi", self.ddi)) if given]
        fluids = " --fluids" if self.fluids else ""
        cohort = [f" --{name.replace('_', '-')} {value}" for name, value, off in (
            ("min_visits", self.min_visits, 1), ("top_medications", self.top_medications, None),
            ("top_diagnoses", self.top_diagnoses, None), ("split_by", self.split_by, "hash")) if value != off]
        procedures = " --need-procedures" if self.need_procedures else ""
        return (f"recbole-medmoe prepare {words} --out {out.name} --codes {self.codes}{fluids} --min-item-visits "
                f"{self.min_item_visits} --min-items {self.min_items}{''.join(cohort)}{procedures}{''.join(folders)}")


def finish_visits(tables: VisitTables, options: VisitOptions, maps: DrugMaps, out: Path, about: About,
                  progress: Callable[[str], None], level: str | None = None) -> dict[str, str]:
    """Filters, names, interactions and files.

    Args:
        tables: with all tables that a converter makes, and ``ingredients`` of ``read_orders``.
        maps: drug names and codes that made the items.
        level: level of the items for interactions; None: ``options.codes``.

    Returns:
        What to print, as ``write_visits`` gives it.

    Raises:
        DataError: too little is left, an unreadable list of interactions, or ``out`` holds something else.
    """
    keep_visits(tables, Filters(options.min_item_visits, options.min_items, True, options.min_visits,
                                options.top_medications, options.top_diagnoses, options.need_procedures), progress)
    name_items(tables)
    pairs = None
    if options.ddi is not None:
        pairs = _interactions(tables, options.ddi, level or options.codes, maps, progress)
    tables.split_by = options.split_by
    return write_visits(tables, out, about, ddi=pairs, progress=progress)


def _interactions(tables: VisitTables, path: Path, level: str, maps: DrugMaps,
                  progress: Callable[[str], None]) -> pd.DataFrame:
    """Pairs of the items; tells how many items the list names, and warns where it names few or no pair of them."""
    items = tables.session.execute("SELECT item_id, name, atc FROM items ORDER BY item_id").df()
    held = set(rows(tables.session, "SELECT DISTINCT item_id, ingredient FROM ingredients JOIN visits "
                                    "USING (visit_id)"))
    pairs = read_interactions(Path(path), items, level, maps, held=held)
    named, remedy = pairs.attrs["named"], "give pairs of items (item_a, item_b), tokens of .item"
    if named is not None:
        remedy = "drugs are matched by ingredient: names of ATC codes go in with --codes-dir (atcd.csv); or " + remedy
        tables.notes["medications that the list of interactions names"] = f"{named:,} of {len(items):,}"
    if pairs.empty:
        progress("warning: the list of interactions names no pair of these medications, so that every interaction rate "
                 f"will be 0 and say nothing; {remedy}")
    elif named is not None and named < _HALF * len(items):
        progress(f"warning: the list of interactions names only {named / len(items):.1%} of the medications, and "
                 f"interaction rates will be too low; {remedy}")
    return pairs
