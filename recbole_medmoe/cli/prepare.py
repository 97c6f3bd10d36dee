"""``prepare``: raw sources to a data set folder of atomic files."""
from __future__ import annotations

import inspect
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Callable, Mapping, Optional

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

_MMREC = """Make a data set from the layout of MMRec: one .inter file with x_label, image_feat.npy, text_feat.npy.

Its features are read as they are: --image_encoder=given --text_encoder=given.

**Example**

```text
recbole-medmoe prepare mmrec baby/ --out data/baby
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

Out = Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder to write, named like the data set.")]
DrugsBy = Annotated[str, typer.Option("--drugs-by", metavar="WAY", help="What says which drug a prescription is: name "
                                      "(else its NDC), or ndc alone (as published work has it; needs --codes-dir).")]
# Options that all sources of visits share.
Codes = Annotated[str, typer.Option("--codes", metavar="LEVEL", help="Items: ingredient, atc3, atc4 or atc5.")]
CodesDir = Annotated[Optional[Path], typer.Option("--codes-dir", metavar="DIR", help="Folder of code maps.")]
Ddi = Annotated[Optional[Path], typer.Option("--ddi", metavar="PATH", help="Interactions: DDInter or TWOSIDES.")]
Fluids = Annotated[bool, typer.Option("--fluids", help="Keep infusion fluids, flushes and parenteral nutrition.")]
MinItemVisits = Annotated[int, typer.Option("--min-item-visits", min=1, help="Visits that a medication needs.")]
MinItems = Annotated[int, typer.Option("--min-items", min=1, help="Medications that a visit needs.")]
Memory = Annotated[str, typer.Option("--memory", metavar="SIZE", help="Limit of the reader's memory, e.g. 500MB.")]
# Those of published cohorts; docs/protocol.md has a command for each.
MinVisits = Annotated[int, typer.Option("--min-visits", min=1, help="Visits with a medication that a patient needs, "
                                        "counted before the filters above.")]
TopMedications = Annotated[Optional[int], typer.Option("--top-medications", metavar="N", min=1,
                                                       help="Only the N commonest medications.")]
TopDiagnoses = Annotated[Optional[int], typer.Option("--top-diagnoses", metavar="N", min=1,
                                                     help="Only the N commonest diagnosis codes of all visits.")]
NeedProcedures = Annotated[bool, typer.Option("--need-procedures", help="Only visits with a procedure (eICU: with a "
                                              "treatment that became a code).")]
SplitBy = Annotated[str, typer.Option("--split-by", metavar="WAY", help="Default split of patients: hash (66:17:17, "
                                      "drawn) or id (8:1:1, in the order of their raw ids).")]
Command = Callable[..., None]


def _visit_options(codes: Codes = "atc4", codes_dir: CodesDir = None, ddi: Ddi = None, fluids: Fluids = False,
                   min_item_visits: MinItemVisits = 10, min_items: MinItems = 1, min_visits: MinVisits = 1,
                   top_medications: TopMedications = None, top_diagnoses: TopDiagnoses = None,
                   need_procedures: NeedProcedures = False, split_by: SplitBy = "hash", memory: Memory = "2GB") -> Any:
    """The options that all sources of visits share, as ``VisitOptions``."""
    from ..prepare import VisitOptions

    return VisitOptions(codes, codes_dir, ddi, fluids, min_item_visits, min_items, memory, min_visits, top_medications,
                        top_diagnoses, need_procedures, split_by, bar=True)


def _of_visits(**defaults: object) -> Callable[[Command], Command]:
    """Gives a command the options of ``_visit_options`` on its command line, and their result as ``options``.

    Args:
        defaults: values that stand for others in this command where the user gives none.
    """
    shared = [option.replace(kind=inspect.Parameter.KEYWORD_ONLY, default=defaults.get(option.name, option.default))
              for option in inspect.signature(_visit_options, eval_str=True).parameters.values()]

    def decorate(command: Command) -> Command:
        own = [option for option in inspect.signature(command, eval_str=True).parameters.values()
               if option.name != "options"]

        @wraps(command)
        def with_options(**given: Any) -> None:
            options = _visit_options(**{option.name: given.pop(option.name) for option in shared})
            command(**given, options=options)

        # typer reads a command's options from its signature and annotations.
        with_options.__signature__ = inspect.Signature([*own, *shared])  # type: ignore[attr-defined]
        with_options.__annotations__ = {option.name: option.annotation for option in (*own, *shared)}
        return with_options

    return decorate


def _printed(summary: Mapping[str, object], out: Path, model: str, keys: str = "") -> None:
    """The table of what each step left, and what to do next, with the keys that the data ask for."""
    rows = [[str(key), str(value)] for key, value in summary.items()]
    console().print(table("", ["step", "rows"], rows, right=(1,)))
    say(f"written: {out}    next: recbole-medmoe --model {model} --dataset {out.name} --data_path={out.parent}{keys}")


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
@_of_visits(min_items=2)
def eicu(
    raw: Annotated[Path, typer.Argument(metavar="EICU_DIR", help="Folder of eICU's CSV files.")],
    out: Out,
    options: Any,
    treatments: Annotated[str, typer.Option("--treatments", metavar="WHICH", help="Treatments that become codes: all, "
                                            "non-drug (those that name no drug or class) or none.")] = "non-drug",
) -> None:
    """Calls the converter and prints its counts."""
    from ..prepare import prepare_eicu

    _printed(prepare_eicu(raw, out, note, options, treatments), out, "VisitLR")


@app.command("mimic3", help=_MIMIC3)
@_of_visits()
def mimic3(
    raw: Annotated[Path, typer.Argument(metavar="MIMIC_DIR", help="Folder of MIMIC-III's CSV files.")],
    out: Out,
    options: Any,
    drugs_by: DrugsBy = "name",
) -> None:
    """Calls the converter and prints its counts."""
    from ..prepare import prepare_mimic3

    _printed(prepare_mimic3(raw, out, note, options, drugs_by), out, "VisitLR")


@app.command("mimic4", help=_MIMIC4)
@_of_visits()
def mimic4(
    raw: Annotated[Path, typer.Argument(metavar="MIMIC_DIR", help="Folder of MIMIC-IV that holds hosp/ and icu/.")],
    out: Out,
    options: Any,
    drugs_by: DrugsBy = "name",
    icu_only: Annotated[bool, typer.Option("--icu-only", help="Only admissions with a stay in an ICU.")] = False,
) -> None:
    """Calls the converter and prints its counts."""
    from ..prepare import prepare_mimic4

    _printed(prepare_mimic4(raw, out, note, options, drugs_by, icu_only), out, "VisitLR")


@app.command("table", help=_TABLE)
@_of_visits()
def tables(
    raw: Annotated[Path, typer.Argument(metavar="RAW_DIR", help="Folder of the files that the mapping names.")],
    mapping: Annotated[Path, typer.Option("--mapping", metavar="FILE", help="YAML: which file and column holds what.")],
    out: Out,
    options: Any,
) -> None:
    """Calls the converter and prints its counts."""
    from ..prepare import prepare_table

    _printed(prepare_table(raw, mapping, out, note, options), out, "VisitLR")


@app.command("mmrec", help=_MMREC)
def mmrec(
    raw: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of one .inter file and its feature files.")],
    out: Out,
) -> None:
    """Calls the converter and prints its counts."""
    from ..prepare import prepare_mmrec

    _printed(prepare_mmrec(raw, out, note), out, "AMFRec", " --image_encoder=given --text_encoder=given")
