"""What the converters of timed visits share: their options, and all that follows once their tables are read."""
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from ...errors import DataError, nearest
from .document import About
from .drugs import LEVELS, DrugMaps
from .frame import Filters, VisitTables, keep_visits
from .interactions import read_interactions
from .medications import name_items
from .session import rows
from .write import write_visits

__all__ = ["VisitOptions", "finish_visits"]


@dataclass(frozen=True)
class VisitOptions:
    """Options of ``prepare mimic3 | mimic4 | table``.

    Args:
        codes: level of the items, a key of ``drugs.LEVELS``.
        codes_dir: folder with code maps; None: the package's own table of drug names.
        ddi: list of interactions; None: none.
        fluids: keep infusion fluids, flushes and parenteral nutrition, as published work on MIMIC does.
        min_item_visits: visits that a medication needs.
        min_items: medications that a visit needs.
        memory: limit of DuckDB's memory.

    Raises:
        DataError: an unknown level.
    """

    codes: str = "atc4"
    codes_dir: Path | None = None
    ddi: Path | None = None
    fluids: bool = False
    min_item_visits: int = 10
    min_items: int = 1
    memory: str = "2GB"

    def __post_init__(self) -> None:
        if self.codes not in LEVELS:
            raise DataError(f"--codes {self.codes}: unknown{nearest(self.codes, LEVELS)}")

    def command(self, words: str, out: Path) -> str:
        """The command with the value of every option and no path of this machine; ``words`` begin it."""
        folders = [f" --{name} {name.replace('-', '_').upper()}"
                   for name, given in (("codes-dir", self.codes_dir), ("ddi", self.ddi)) if given]
        fluids = " --fluids" if self.fluids else ""
        return (f"recbole-medmoe prepare {words} --out {out.name} --codes {self.codes}{fluids} --min-item-visits "
                f"{self.min_item_visits} --min-items {self.min_items}{''.join(folders)}")


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
    keep_visits(tables, Filters(options.min_item_visits, options.min_items), progress)
    name_items(tables)
    pairs = None
    if options.ddi is not None:
        items = tables.session.execute("SELECT item_id, name, atc FROM items ORDER BY item_id").df()
        held = set(rows(tables.session, "SELECT DISTINCT item_id, ingredient FROM ingredients JOIN visits "
                                        "USING (visit_id)"))
        pairs = read_interactions(Path(options.ddi), items, level or options.codes, maps, held=held)
    return write_visits(tables, out, about, ddi=pairs, progress=progress)
