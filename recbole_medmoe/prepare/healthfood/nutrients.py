"""Nutrients per 100 g: USDA's abbreviated table, and the label printed on a packet."""
from __future__ import annotations

import csv
import gzip
import re
from pathlib import Path

from ...errors import DataError

# nutrient -> start of its column's name in the USDA table (per 100 g: kcal, g, mg or microgram)
NUTRIENTS = {
    "energy": "Energ_Kcal", "protein": "Protein", "fat": "Lipid_Tot", "saturated_fat": "FA_Sat",
    "carbohydrate": "Carbohydrt", "sugar": "Sugar_Tot", "fibre": "Fiber_TD", "sodium": "Sodium",
    "potassium": "Potassium", "phosphorus": "Phosphorus", "calcium": "Calcium", "magnesium": "Magnesium",
    "iron": "Iron", "vitamin_c": "Vit_C", "folate": "Folate_Tot", "vitamin_k": "Vit_K",
}
# nutrient -> its line on a packet, in Swedish or English
PACKET = {
    "energy": r"energ[iy] ca ([\d.]+) kilo[kc]al",
    "protein": r"protein ca ([\d.]+) gram",
    "fat": r"(?:fett|fat) ca ([\d.]+) gram",
    "saturated_fat": r"(?:mättat fett|saturated fat) ?ca ([\d.]+) gram",
    "carbohydrate": r"(?:kolhydrat|carbohydrate) ca ([\d.]+) gram",
    "sugar": r"(?:sockerarter|sugars) ca ([\d.]+) gram",
    "fibre": r"fiber ca ([\d.]+) gram",
    "sodium": r"sodium ca ([\d.]+) gram",
    "vitamin_c": r"vitamin c ca ([\d.]+) milligram",
    "calcium": r"(?:kalcium|calcium) ca ([\d.]+) milligram",
    "potassium": r"(?:kalium|potassium) ca ([\d.]+) milligram",
    "phosphorus": r"(?:fosfor|phosphorus) ca ([\d.]+) milligram",
    "folate": r"(?:folsyra|folic acid) ca ([\d.]+) mi[kc]rogram",
}
_SALT = re.compile(r"\bsalt ca ([\d.]+) gram")
SALT_PER_SODIUM = 2.5  # EU food labels: salt = 2.5 x sodium

Values = dict[str, float | None]


def read_usda(path: Path) -> dict[str, Values]:
    """Nutrients per 100 g by NDB number; None where USDA's cell is empty.

    Raises:
        DataError: no such file, or a column is missing.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file; give USDA's abbreviated table (SR ABBREV) as CSV, gzipped or not")
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="latin-1", newline="") as handle:
        reader = csv.DictReader(handle)
        header = list(reader.fieldnames or ())
        columns = {key: next((name for name in header if name.startswith(start)), "")
                   for key, start in NUTRIENTS.items()}
        missing = [NUTRIENTS[key] for key, name in columns.items() if not name]
        if "NDB_No" not in header or missing:
            raise DataError(f"{path}: no column {', '.join(missing or ['NDB_No'])}; is this USDA's abbreviated table?")
        return {row["NDB_No"]: {key: float(row[name]) if row[name] else None for key, name in columns.items()}
                for row in reader}


def packet_values(information: str) -> dict[str, float]:
    """Nutrients printed on a packet, per 100 g; sodium in mg, worked out from salt where only that is printed."""
    text = information.lower()
    found = {key: float(hit.group(1)) for key, pattern in PACKET.items() if (hit := re.search(pattern, text))}
    salt = _SALT.search(text)
    if "sodium" in found:
        found["sodium"] *= 1000.0
    elif salt:
        found["sodium"] = float(salt.group(1)) * 1000.0 / SALT_PER_SODIUM
    return found
