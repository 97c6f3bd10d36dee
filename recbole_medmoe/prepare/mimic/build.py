"""From MIMIC's tables to a data set folder of visits."""
from __future__ import annotations

from pathlib import Path
from string import Template
from typing import Callable

import yaml

from ...errors import DataError, nearest
from ..licence import is_open, open_licence
from ..visits.converter import VisitOptions, finish_visits
from ..visits.document import About
from ..visits.drugs import DrugMaps
from ..visits.frame import VisitTables
from ..visits.medications import Orders
from ..visits.write import check_out
from .admissions import PROFILE3, PROFILE4, read_admissions3, read_admissions4
from .records import read_codes3, read_codes4, read_prescriptions

__all__ = ["DRUGS_BY", "prepare_mimic3", "prepare_mimic4"]
FOLDER = Path(__file__).resolve().parent
# --drugs-by -> what says which drug a prescription is: the first that knows it wins.
DRUGS_BY = {"name": ("name", "ndc"), "ndc": ("ndc",)}
_TOLD = {
    "name": "its name says (the package's `prepare/visits/drug_names.csv` lists\n  names, brands and codes); where the "
            "name is unknown, its NDC, if a map of NDCs was given",
    "ndc": "its NDC says, by the maps that were given; where\n  those leave several codes, name and route of the order "
           "decide"}


def prepare_mimic3(raw: Path, out: Path, progress: Callable[[str], None], options: VisitOptions = VisitOptions(),
                   drugs_by: str = "name") -> dict[str, str]:
    """Makes a data set folder from MIMIC-III v1.4: admissions, patients, *_icd, d_icd_* and prescriptions.

    Args:
        raw: folder with the tables as CSV, gzipped or not, names and headers in any case.
        out: the data set folder, named like the data set.
        progress: called with one line per stage.
        options: what all converters of timed visits share.
        drugs_by: ``name``: the drug's name says what a prescription is, its NDC only where the name is unknown;
            ``ndc``: the NDC alone, as published work has it.

    Returns:
        What to print, as ``write_visits`` gives it.

    Raises:
        DataError: a source is missing or not of the expected layout, too little is left, or ``out`` holds something
            else.
    """
    raw = Path(raw)

    def read(tables: VisitTables, maps: DrugMaps) -> None:
        read_admissions3(tables, raw, progress)
        progress("admissions read")
        read_codes3(tables, raw)
        progress("diagnoses and procedures read")
        read_prescriptions(tables, raw, "prescriptions", ("startdate", "enddate"), maps, _orders(options, drugs_by),
                           progress)

    return _prepare("mimic3", raw, Path(out), progress, options, read, PROFILE3, drugs_by)


def prepare_mimic4(raw: Path, out: Path, progress: Callable[[str], None], options: VisitOptions = VisitOptions(),
                   drugs_by: str = "name", icu_only: bool = False) -> dict[str, str]:
    """Makes a data set folder from MIMIC-IV v2.2 or v3: the same tables in ``hosp/``, ICD-9 and ICD-10 side by side.

    Args:
        raw: folder that holds ``hosp/``, and ``icu/`` for ``icu_only``.
        icu_only: only admissions with a stay in an intensive-care unit, as MIMIC-III has them. All else as
            ``prepare_mimic3``.

    Raises:
        DataError: as ``prepare_mimic3``.
    """
    raw = Path(raw)
    if not (raw / "hosp").is_dir():
        raise DataError(f"{raw}: no folder hosp/; give the folder of MIMIC-IV that holds hosp/ and icu/")

    def read(tables: VisitTables, maps: DrugMaps) -> None:
        read_admissions4(tables, raw, icu_only, progress)
        progress("admissions read")
        read_codes4(tables, raw)
        progress("diagnoses and procedures read")
        read_prescriptions(tables, raw, "hosp/prescriptions", ("starttime", "stoptime"), maps,
                           _orders(options, drugs_by), progress)

    return _prepare("mimic4", raw, Path(out), progress, options, read, PROFILE4, drugs_by,
                    " --icu-only" if icu_only else "")


def _orders(options: VisitOptions, drugs_by: str) -> Orders:
    """How prescriptions are read; NDCs help only where a map of them was given."""
    ways = DRUGS_BY[drugs_by]
    return Orders(options.codes, ways if options.codes_dir else ways[:1], options.fluids)


def _prepare(name: str, raw: Path, out: Path, progress: Callable[[str], None], options: VisitOptions,
             read: Callable[[VisitTables, DrugMaps], None], profile: dict[str, str], drugs_by: str,
             more: str = "") -> dict[str, str]:
    """Checks, reads and writes; ``read`` makes the tables, ``more`` are further words of the command."""
    if drugs_by not in DRUGS_BY:
        raise DataError(f"--drugs-by {drugs_by}: unknown{nearest(drugs_by, DRUGS_BY)}")
    if drugs_by == "ndc" and options.codes_dir is None:
        raise DataError("--drugs-by ndc: needs maps of NDC to RxNorm and of RxNorm to ATC; give --codes-dir")
    check_out(out)
    maps = DrugMaps.read(options.codes_dir)
    with options.session(out) as session:
        tables = VisitTables(session, dict(profile))
        read(tables, maps)
        command = options.command(f"{name} MIMIC_DIR --drugs-by {drugs_by}{more}", out)
        return finish_visits(tables, options, maps, out, _about(name, raw, command, options, drugs_by), progress)


def _about(name: str, raw: Path, command: str, options: VisitOptions, drugs_by: str) -> About:
    words = yaml.safe_load((FOLDER / "document.yaml").read_text(encoding="utf-8"))
    open_data = is_open(raw)
    kind = "open" if open_data else "credentialed"
    own = words[name]
    fluids = "kept" if options.fluids else "left out"
    text = Template((FOLDER / "README.part.md").read_text(encoding="utf-8"))
    return About(own["title"][kind], [own["source"][kind]], words["licence"][kind], command, open_data, "Procedures",
                 text.substitute(level=options.codes, drugs=_TOLD[drugs_by], fluids=fluids, codes=own["codes"],
                                 age=own["age"], cite=own["cite"]),
                 open_licence(raw, own["notice"]) if open_data else {})
