"""Any tables of visits, by a mapping of their files and columns: Synthea, hospital exports, research databases."""
from __future__ import annotations

from pathlib import Path
from string import Template
from typing import Callable

from ...errors import DataError
from ..visits.converter import VisitOptions, finish_visits
from ..visits.document import About
from ..visits.drugs import DrugMaps
from ..visits.frame import VisitTables
from ..visits.medications import Orders
from ..visits.order import check_form
from ..visits.session import run
from ..visits.write import check_out
from .mapping import Mapping, read_mapping
from .records import WAYS_OF, profile_of, read_coded, read_given, read_visits

__all__ = ["prepare_table"]
FOLDER = Path(__file__).resolve().parent
_TOLD = {"name": "its name says", "rxnorm": "its RxNorm code says, else its name", "ndc": "its NDC says, else its name",
         "atc": "its ATC code says", "local": "its local code says: these are the items, and `--codes` does not apply"}


def prepare_table(raw: Path, mapping_file: Path, out: Path, progress: Callable[[str], None],
                  options: VisitOptions = VisitOptions()) -> dict[str, str]:
    """Makes a data set folder from tables of visits, diagnoses, procedures and medications, as CSV or Parquet.

    Args:
        raw: folder of the files that the mapping names.
        mapping_file: the mapping, YAML; see ``mapping.Mapping``.
        out: the data set folder, named like the data set.
        progress: called with one line per stage.
        options: what all converters of timed visits share.

    Returns:
        What to print, as ``write_visits`` gives it.

    Raises:
        DataError: a mapping that does not fit, a missing file or column, too little left, or ``out`` holds something
            else.
    """
    raw, out = Path(raw), Path(out)
    mapping = read_mapping(Path(mapping_file))
    check_out(out)
    maps = DrugMaps.read(options.codes_dir)
    orders = Orders(options.codes, _ways(mapping, options), options.fluids)
    local = mapping.medications.system == "local"
    with options.session(out) as session:
        tables = VisitTables(session, profile_of(mapping))
        for place, timed in (("", mapping), ("visits.", mapping.visits), ("patients.", mapping.patients),
                             ("medications.", mapping.medications)):
            if timed and timed.times is not None:
                check_form(session, timed.times, f"{mapping_file}: {place}times")
        read_visits(tables, raw, mapping, progress)
        progress("visits read")
        run(session, "CREATE OR REPLACE TABLE codes (visit_id VARCHAR, kind VARCHAR, code VARCHAR)")
        run(session, "CREATE OR REPLACE TABLE code_names (kind VARCHAR, code VARCHAR, name VARCHAR)")
        for kind, part in (("diag", mapping.diagnoses), ("proc", mapping.procedures)):
            if part:
                read_coded(tables, raw, kind, part)
        progress("codes read")
        read_given(tables, raw, mapping, maps, orders, progress)
        return finish_visits(tables, options, maps, out, _about(mapping, options, out), progress,
                             "local" if local else None)


def _ways(mapping: Mapping, options: VisitOptions) -> tuple[str, ...]:
    """What says which drug a row is; codes help only where a map was given, names only where there is a column."""
    part = mapping.medications
    ways = WAYS_OF.get(part.system, ())
    able = tuple(way for way in ways if not (way == "name" and part.name is None or
                                             way in ("rxnorm", "ndc") and options.codes_dir is None))
    if ways and not able:
        raise DataError(f"medications of system {part.system} need a map of these codes (--codes-dir) or, in the "
                        "mapping, the column of their names")
    return able


def _about(mapping: Mapping, options: VisitOptions, out: Path) -> About:
    text = Template((FOLDER / "README.part.md").read_text(encoding="utf-8"))
    fluids = "kept" if options.fluids else "left out"
    return About(mapping.title, [mapping.source], mapping.licence,
                 options.command("table RAW_DIR --mapping MAPPING.yaml", out), mapping.open, "Procedures",
                 text.substitute(level=options.codes, told=_TOLD[mapping.medications.system], fluids=fluids))
