"""From the tables of eICU to a data set folder of visits."""
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
from ..visits.write import check_out
from .codes import read_codes
from .medications import read_medications
from .stays import PROFILE, read_stays
from .treatments import TREATMENTS

__all__ = ["EICU_OPTIONS", "prepare_eicu"]
FOLDER = Path(__file__).resolve().parent
EICU_OPTIONS = VisitOptions(min_items=2)
_TOLD = {"all": "all", "non-drug": "those that name no drug and no class of drugs, since the others tell the answer",
         "none": "none"}


def prepare_eicu(raw: Path, out: Path, progress: Callable[[str], None], options: VisitOptions = EICU_OPTIONS,
                 treatments: str = "non-drug") -> dict[str, str]:
    """Makes a data set folder from the tables of eICU, the demo's or the full ones.

    Args:
        raw: folder with patient, diagnosis, treatment, medication and admissiondrug as CSV, gzipped or not.
        out: the data set folder, named like the data set.
        progress: called with one line per stage.
        options: what the converters share.
        treatments: ``all``, ``non-drug`` (paths that name no drug and no class of drugs) or ``none``.

    Returns:
        What to print, as ``write_visits`` gives it.

    Raises:
        DataError: a source is missing or not of the expected layout, too little is left, or ``out`` holds something
            else.
    """
    raw, out = Path(raw), Path(out)
    if treatments not in TREATMENTS:
        raise DataError(f"--treatments {treatments}: unknown{nearest(treatments, TREATMENTS)}")
    check_out(out)
    maps = DrugMaps.read(options.codes_dir)
    with options.session(out) as session:
        tables = VisitTables(session, dict(PROFILE), not_loaded=("hospital",))
        read_stays(tables, raw)
        progress("stays read")
        read_codes(tables, raw, treatments)
        progress("diagnoses and treatments read")
        read_medications(tables, raw, maps, options.codes, options.fluids, progress)
        progress("medication orders read")
        return finish_visits(tables, options, maps, out, _about(raw, out, options, treatments), progress)


def _about(raw: Path, out: Path, options: VisitOptions, treatments: str) -> About:
    words = yaml.safe_load((FOLDER / "document.yaml").read_text(encoding="utf-8"))
    open_data = is_open(raw)
    kind = "open" if open_data else "credentialed"
    text = Template((FOLDER / "README.part.md").read_text(encoding="utf-8"))
    return About(words["title"][kind], [words["source"][kind]], words["licence"][kind],
                 options.command(f"eicu EICU_DIR --treatments {treatments}", out), open_data, "Treatments",
                 text.substitute(level=options.codes, treatments=treatments, told=_TOLD[treatments],
                                 fluids="kept" if options.fluids else "left out", cite=words["cite"][kind]),
                 open_licence(raw, words["notice"]) if open_data else {})
