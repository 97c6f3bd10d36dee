"""``prepare``: raw sources to a data set folder of atomic files."""
from __future__ import annotations

from pathlib import Path
from typing import Annotated, Mapping, Optional

import typer

from .output import console, note, say, table

app = typer.Typer(help="Make a data set from raw sources: prints what every filter keeps.", no_args_is_help=True,
                  rich_markup_mode="markdown")

_HEALTHFOOD = """Make the simulated healthy-food data set from real patients, real items and published guidance.

Labels come from rules with published sources (the data set's README lists them); they are no clinical truth.

**Example**

```text
recbole-medmoe prepare healthfood eicu-demo/ GroceryStoreDataset/ sr28.zip --out data/healthfood
```
"""


_EICU = """Make a medication data set from eICU: unit stays, their diagnoses, treatments and medication orders.

Needs patient, diagnosis, treatment, medication and admissiondrug as CSV or CSV.GZ, of the open demo or all of eICU.

**Example**

```text
recbole-medmoe prepare eicu eicu-demo/ --out data/eicu-atc3 --codes atc3 --ddi ddinter/
```
"""

_MIMIC3 = """Make a medication data set from MIMIC-III v1.4: admissions, their diagnoses, procedures and prescriptions.

Needs ADMISSIONS, PATIENTS, DIAGNOSES_ICD, PROCEDURES_ICD, PRESCRIPTIONS and D_ICD_* as CSV or CSV.GZ, in any case.

**Example**

```text
recbole-medmoe prepare mimic3 mimic-iii-1.4/ --out data/mimic3 --codes atc3 --ddi ddinter/
```
"""

_MIMIC4 = """Make a medication data set from MIMIC-IV v2.2 or v3: hosp/ (and icu/), ICD-9 and ICD-10 side by side.

**Example**

```text
recbole-medmoe prepare mimic4 mimiciv/3.1/ --out data/mimic4 --icu-only --memory 4GB
```
"""

_TABLE = """Make a medication data set from any tables of visits, CSV or Parquet, by a mapping of their columns.

docs/data/medication.md shows mappings, one of them for Synthea.

**Example**

```text
recbole-medmoe prepare table synthea/csv/ --mapping synthea.yaml --out data/synthea
```
"""

_CHOICE = """Make a data set of multiple-choice questions, task `choice`, from JSON lines.

Each line is `{"question": ..., "options": {"A": ..., "B": ...}, "answer_idx": "A"}`; a file's source is its name up to
the first dot, and `subject`, `src` or `meta_info` name a subject. Repeats go, over all files; parts are drawn anew, so
that scores must not be compared with published ones.

**Example**

```text
recbole-medmoe prepare choice questions/*.jsonl.gz --out data/med-mcq
```
"""

# Options that all sources of visits share.
Out = Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder to write, named like the data set.")]
Codes = Annotated[str, typer.Option("--codes", metavar="LEVEL", help="Items: ingredient, atc3, atc4 or atc5.")]
CodesDir = Annotated[Optional[Path], typer.Option("--codes-dir", metavar="DIR", help="Folder of code maps.")]
Ddi = Annotated[Optional[Path], typer.Option("--ddi", metavar="PATH", help="Interactions: DDInter or TWOSIDES.")]
MinItemVisits = Annotated[int, typer.Option("--min-item-visits", min=1, help="Visits that a medication needs.")]
MinItems = Annotated[int, typer.Option("--min-items", min=1, help="Medications that a visit needs.")]
Fluids = Annotated[bool, typer.Option("--fluids", help="Keep infusion fluids, flushes and parenteral nutrition.")]
DrugsBy = Annotated[str, typer.Option("--drugs-by", metavar="WAY", help="What says which drug a prescription is: name "
                                      "(else its NDC), or ndc alone (as published work has it; needs --codes-dir).")]
Memory = Annotated[str, typer.Option("--memory", metavar="SIZE", help="Limit of the reader's memory, e.g. 500MB.")]


def _printed(summary: Mapping[str, object], out: Path, model: str) -> None:
    """The table of what each step left, and what to do next."""
    rows = [[str(key), str(value)] for key, value in summary.items()]
    console().print(table("", ["step", "rows"], rows, right=(1,)))
    say(f"written: {out}    next: recbole-medmoe --model {model} --dataset {out.name} --data_path={out.parent}")


@app.command("healthfood", help=_HEALTHFOOD)
def healthfood(
    eicu: Annotated[Path, typer.Argument(metavar="EICU_DIR", help="Folder of the eICU demo's CSV files.")],
    grocery: Annotated[Path, typer.Argument(metavar="GROCERY_DIR", help="Folder of the Grocery Store data set.")],
    usda: Annotated[Path, typer.Argument(metavar="USDA_FILE", help="USDA nutrient file.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder to write; it must not hold a data set.")],
) -> None:
    """Calls the converter and prints its counts."""
    from ..prepare import prepare_healthfood

    _printed(prepare_healthfood(eicu, grocery, usda, out, note), out, "MedMoE")


@app.command("choice", help=_CHOICE)
def choice(
    files: Annotated[list[Path], typer.Argument(metavar="FILES...", help="JSON lines of questions, gzipped or not.")],
    out: Out,
) -> None:
    """Calls the converter and prints its counts."""
    from ..prepare import prepare_choice

    _printed(prepare_choice(files, out, note), out, "OptionPosition")


@app.command("eicu", help=_EICU)
def eicu(
    raw: Annotated[Path, typer.Argument(metavar="EICU_DIR", help="Folder of eICU's CSV files.")],
    out: Out,
    codes: Codes = "atc4",
    treatments: Annotated[str, typer.Option("--treatments", metavar="WHICH", help="Treatments that become codes: all, "
                                            "non-drug (those that name no drug or class) or none.")] = "non-drug",
    codes_dir: CodesDir = None,
    ddi: Ddi = None,
    fluids: Fluids = False,
    min_item_visits: MinItemVisits = 10,
    min_items: MinItems = 2,
    memory: Memory = "2GB",
) -> None:
    """Calls the converter and prints its counts."""
    from ..prepare import VisitOptions, prepare_eicu

    options = VisitOptions(codes, codes_dir, ddi, fluids, min_item_visits, min_items, memory)
    _printed(prepare_eicu(raw, out, note, options, treatments), out, "VisitLR")


@app.command("mimic3", help=_MIMIC3)
def mimic3(
    raw: Annotated[Path, typer.Argument(metavar="MIMIC_DIR", help="Folder of MIMIC-III's CSV files.")],
    out: Out,
    codes: Codes = "atc4",
    codes_dir: CodesDir = None,
    ddi: Ddi = None,
    drugs_by: DrugsBy = "name",
    fluids: Fluids = False,
    min_item_visits: MinItemVisits = 10,
    min_items: MinItems = 1,
    memory: Memory = "2GB",
) -> None:
    """Calls the converter and prints its counts."""
    from ..prepare import VisitOptions, prepare_mimic3

    options = VisitOptions(codes, codes_dir, ddi, fluids, min_item_visits, min_items, memory)
    _printed(prepare_mimic3(raw, out, note, options, drugs_by), out, "VisitLR")


@app.command("mimic4", help=_MIMIC4)
def mimic4(
    raw: Annotated[Path, typer.Argument(metavar="MIMIC_DIR", help="Folder of MIMIC-IV that holds hosp/ and icu/.")],
    out: Out,
    codes: Codes = "atc4",
    codes_dir: CodesDir = None,
    ddi: Ddi = None,
    drugs_by: DrugsBy = "name",
    fluids: Fluids = False,
    icu_only: Annotated[bool, typer.Option("--icu-only", help="Only admissions with a stay in an ICU.")] = False,
    min_item_visits: MinItemVisits = 10,
    min_items: MinItems = 1,
    memory: Memory = "2GB",
) -> None:
    """Calls the converter and prints its counts."""
    from ..prepare import VisitOptions, prepare_mimic4

    options = VisitOptions(codes, codes_dir, ddi, fluids, min_item_visits, min_items, memory)
    _printed(prepare_mimic4(raw, out, note, options, drugs_by, icu_only), out, "VisitLR")


@app.command("table", help=_TABLE)
def tables(
    raw: Annotated[Path, typer.Argument(metavar="RAW_DIR", help="Folder of the files that the mapping names.")],
    mapping: Annotated[Path, typer.Option("--mapping", metavar="FILE", help="YAML: which file and column holds what.")],
    out: Out,
    codes: Codes = "atc4",
    codes_dir: CodesDir = None,
    ddi: Ddi = None,
    fluids: Fluids = False,
    min_item_visits: MinItemVisits = 10,
    min_items: MinItems = 1,
    memory: Memory = "2GB",
) -> None:
    """Calls the converter and prints its counts."""
    from ..prepare import VisitOptions, prepare_table

    options = VisitOptions(codes, codes_dir, ddi, fluids, min_item_visits, min_items, memory)
    _printed(prepare_table(raw, mapping, out, note, options), out, "VisitLR")
