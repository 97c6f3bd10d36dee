"""``prepare``: raw sources to a data set folder of atomic files."""
from __future__ import annotations

from pathlib import Path
from typing import Annotated

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


@app.callback()
def _group() -> None:
    """Keeps ``prepare SOURCE`` a group also while there is one source."""


@app.command("healthfood", help=_HEALTHFOOD)
def healthfood(
    eicu: Annotated[Path, typer.Argument(metavar="EICU_DIR", help="Folder of the eICU demo's CSV files.")],
    grocery: Annotated[Path, typer.Argument(metavar="GROCERY_DIR", help="Folder of the Grocery Store data set.")],
    usda: Annotated[Path, typer.Argument(metavar="USDA_FILE", help="USDA nutrient file.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder to write; it must not hold a data set.")],
) -> None:
    """Calls the converter and prints its counts."""
    from ..prepare import prepare_healthfood

    summary = prepare_healthfood(eicu, grocery, usda, out, note)
    rows = [[str(key), str(value)] for key, value in summary.items()]
    console().print(table("", ["step", "rows"], rows, right=(1,)))
    say(f"written: {out}    next: recbole-medmoe --model MedMoE --dataset {out.name} --data_path={out.parent}")
