"""Lists of interacting drugs to pairs of a data set's own items."""
from __future__ import annotations

import re
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import AbstractSet, Callable, Iterator, Sequence

import pandas as pd

from ...errors import DataError
from .drugs import LOCAL, Drug, DrugMaps, words_of
from .session import Session, batches, open_session, quoted_file, rows, table_header, view

__all__ = ["DDINTER_LICENCE", "SEVERITIES", "read_interactions"]
SEVERITIES = ("Major",)  # levels of DDInter that count
RAREST_EFFECTS = 40  # of TWOSIDES' side effects; GAMENet and its successors keep these
_OUTSIDE = ("D", "S")  # skin, eye and ear: what is put there hardly meets another drug
_EFFECT = "reported"  # severity of a pair of TWOSIDES, which grades none
_SUFFIXES = (".csv", ".csv.gz", ".parquet")
_STITCH = "drug-atc.csv"  # STITCH id -> ATC code, beside drug-DDI.csv
_ITEMS, _DDINTER = ("item_a", "item_b", "severity"), ("Drug_A", "Drug_B", "Level")
_STITCH_PAIRS = ("STITCH 1", "STITCH 2", "Polypharmacy Side Effect")
_TWOSIDES = ("drug_1_concept_name", "drug_2_concept_name", "condition_meddra_id")
_RIGHT = "; ".join(", ".join(columns) for columns in (_DDINTER, _TWOSIDES, _STITCH_PAIRS, _ITEMS))
DDINTER_LICENCE = """ddi.csv is made from DDInter 1.0, the drug-drug interaction database (http://ddinter.scbdd.com):
G. Xiong and others, DDInter: an online drug-drug interaction database towards improving clinical decision-making and
patient safety, Nucleic Acids Research 50 (D1), 2022, D1200-D1207, doi 10.1093/nar/gkab880. Its drugs were mapped to the
items of this data set, and only pairs of the severities named in ddi.csv were kept.

DDInter is licensed under Creative Commons Attribution-NonCommercial-ShareAlike 4.0 International (CC BY-NC-SA 4.0,
https://creativecommons.org/licenses/by-nc-sa/4.0/), and so is ddi.csv. No other file of this folder is made from it.
"""
Pairs = Iterator[tuple[str, str, str]]  # two drugs as the list names them, severity
ToItems = Callable[[str], Sequence[str]]  # a drug as the list names it -> items


def read_interactions(path: Path, items: pd.DataFrame, level: str, maps: DrugMaps | None = None, *,
                      severities: Sequence[str] = SEVERITIES,
                      held: AbstractSet[tuple[str, str]] | None = None) -> pd.DataFrame:
    """Pairs of items that a list of interactions names.

    A class interacts where one of its drugs in the data does, a combination where one of its parts does.

    Layouts, told apart by their columns:

    - DDInter (Xiong et al., Nucleic Acids Research 2022): a CSV file or the folder of its files, Drug_A, Drug_B, Level;
    - TWOSIDES (Tatonetti et al., Science Translational Medicine 2012): drug_1_concept_name, drug_2_concept_name,
      condition_meddra_id; or ``drug-DDI.csv`` of the GAMENet repository with ``drug-atc.csv`` beside it. Pairs count
      that were reported with one of the 40 rarest side effects, as GAMENet, SafeDrug and LEADER take them;
    - item_a, item_b, severity: tokens of this data set as they are, all severities.

    Args:
        path: file or folder; CSV, gzipped or not, or Parquet.
        items: the data set's items: item_id, name, atc.
        level: level of the items, a key of ``drugs.LEVELS``; ``local`` for items that no code map knows.
        maps: drug names and codes; None: the package's own.
        severities: levels of DDInter that count.
        held: (item, ingredient) of the data: only these drugs of a class count where the list names drugs; where the
            data have the code of a class in place of an ingredient (``c07ab``), every drug of that class. None: all
            that are known, also such as nobody had (butalbital, which would make paracetamol's class interact).

    Returns:
        item_a < item_b, severity (the worst that is named), sorted, each pair once; empty where no pair is named.
        ``attrs["licence"]``: DDInter's notice, which holds for what is made from it; None for other lists.
        ``attrs["named"]``: how many items the list names, in whatever pair and severity; None for a list of items.

    Raises:
        DataError: no such file, another layout, or a list of drugs for items without ATC codes.
    """
    files = _files(Path(path))
    known, maps = set(items["item_id"]), maps or DrugMaps.read()
    order = {severity.lower(): place for place, severity in enumerate(severities)}
    worst: dict[tuple[str, str], tuple[int, str]] = {}
    named: set[str] = set()
    from_ddinter = of_drugs = False
    with tempfile.TemporaryDirectory(prefix="recbole_medmoe-ddi-") as folder, \
            open_session("500MB", Path(folder) / "ddi") as session:
        for file in files:
            header = {name.lower() for name in table_header(session, file)}
            from_ddinter |= {name.lower() for name in _DDINTER} <= header
            of_drugs |= not set(_ITEMS[:2]) <= header
            pairs, to_items, drugs = _reader(session, file, level, maps, severities, held)
            found = {drug: [item for item in to_items(drug) if item in known] for drug, in rows(session, drugs)}
            named.update(*found.values())
            for first, second, severity in pairs:
                rank = (order.get(severity.lower(), len(order)), severity)
                for a in found[first]:
                    for b in found[second]:
                        if a != b:
                            pair = (min(a, b), max(a, b))
                            worst[pair] = min(worst.get(pair, rank), rank)
    made = pd.DataFrame([(*pair, severity) for pair, (_, severity) in sorted(worst.items())], columns=list(_ITEMS))
    made.attrs["licence"] = DDINTER_LICENCE if from_ddinter else None
    made.attrs["named"] = len(named) if of_drugs else None
    return made


def _files(path: Path) -> list[Path]:
    """The file, or the tables of a folder in the order of their names."""
    if path.is_file():
        return [path]
    found = sorted(file for file in path.iterdir() if file.name.lower().endswith(_SUFFIXES)) if path.is_dir() else []
    if not found:
        raise DataError(f"{path}: no list of interactions; --ddi names a CSV file or a folder of such files with the "
                        f"columns {_RIGHT}")
    return found


def _reader(session: Session, file: Path, level: str, maps: DrugMaps, severities: Sequence[str],
            held: AbstractSet[tuple[str, str]] | None) -> tuple[Pairs, ToItems, str]:
    """Pairs of one file, what makes items of its drugs, and the query of all drugs that it names."""
    have = {name.lower() for name in table_header(session, file)}

    def holds(columns: Sequence[str]) -> bool:
        return {name.lower() for name in columns} <= have

    if holds(_ITEMS[:2]):
        view(session, file, "ddi", _ITEMS[:2], optional=_ITEMS[2:])
        query = "SELECT item_a, item_b, coalesce(severity, '') FROM ddi WHERE item_a IS NOT NULL AND item_b IS NOT NULL"
        return _pairs(session, query), lambda item: [item], _names(_ITEMS)
    if not any(map(holds, (_DDINTER, _TWOSIDES, _STITCH_PAIRS))):
        raise DataError(f"{file}: no list of interactions: it has the columns {', '.join(sorted(have))}; right ones "
                        f"are {_RIGHT}")
    if level == "local":
        raise DataError(f"{file}: names drugs, but the items of this data set have local codes; give pairs of items "
                        f"with the columns {', '.join(_ITEMS)}")
    reached = _combinations(maps, level)

    def by_name(name: str) -> list[str]:
        """Its whole name must be known, since ``sodium phosphate P-32`` is another drug."""
        drug = maps.names.get(words_of(name))
        if drug is None or drug.kind != "drug":
            return []
        return sorted({item for item, one in (*_items_of(maps, drug, level), *reached.get(drug.ingredient, ()))
                       if held is None or not held.isdisjoint(_ways_to_hold(item, one))})

    if holds(_DDINTER):
        view(session, file, "ddi", _DDINTER)
        wanted = ", ".join(f"'{name.lower()}'" for name in severities)
        query = f"SELECT drug_a, drug_b, level FROM ddi WHERE lower(level) IN ({wanted}) AND drug_a IS NOT NULL " \
                "AND drug_b IS NOT NULL"
        return _pairs(session, query), by_name, _names(_DDINTER)
    if holds(_TWOSIDES):
        view(session, file, "ddi", _TWOSIDES)
        return _pairs(session, _rarest(_TWOSIDES)), by_name, _names(_TWOSIDES)
    view(session, file, "ddi", _STITCH_PAIRS)
    codes = _stitch_codes(session, file.parent)
    return _pairs(session, _rarest(_STITCH_PAIRS)), \
        lambda stitch: _items_of_codes(maps, codes.get(stitch, ()), level), _names(_STITCH_PAIRS)


def _names(columns: Sequence[str]) -> str:
    """Query: all drugs that a list names, in whatever pair."""
    first, second = (f'"{name.lower()}"' for name in columns[:2])
    return (f"SELECT DISTINCT unnest([{first}, {second}]) AS drug FROM ddi "
            f"WHERE {first} IS NOT NULL AND {second} IS NOT NULL")


def _items_of(maps: DrugMaps, drug: Drug, level: str) -> list[tuple[str, Drug]]:
    """(item, the drug with that item's code): its own code, and the others that it has for use in the whole body."""
    codes = {maps.at_site(drug, None).atc, *(code for code in drug.codes if not code.startswith(LOCAL))}
    ones = [replace(drug, atc=code) for code in codes]
    return [(item, one) for one in ones if (item := one.code(level))]


def _ways_to_hold(item: str, drug: Drug) -> set[tuple[str, str]]:
    """(item, ingredient) by which data may hold a drug: its name, or the code of its class in place of a name."""
    return {(item, drug.ingredient), *((item, (drug.atc or "")[:digits].lower()) for digits in (4, 5) if drug.atc)}


def _pairs(session: Session, query: str) -> Pairs:
    for part in batches(session, query):
        yield from part


def _rarest(columns: Sequence[str]) -> str:
    """Query: pairs reported with one of the rarest side effects; of equally rare ones the first by code."""
    first, second, effect = (f'"{name.lower()}"' for name in columns)
    return (f"SELECT DISTINCT {first}, {second}, '{_EFFECT}' FROM ddi "
            f"WHERE {first} IS NOT NULL AND {second} IS NOT NULL AND {effect} IN (SELECT {effect} FROM ddi "
            f"WHERE {effect} IS NOT NULL GROUP BY 1 ORDER BY count(*), {effect} LIMIT {RAREST_EFFECTS})")


def _combinations(maps: DrugMaps, level: str) -> dict[str, list[tuple[str, Drug]]]:
    """Ingredient -> (item, drug) of the combinations that it is a part of, ``hydrocodone and paracetamol``.

    Not for skin and eye, and not where the item is that of another part alone: ``butalbital with paracetamol`` is in
    the class of paracetamol, which does not interact as butalbital does.
    """
    found: dict[str, list[tuple[str, Drug]]] = {}
    for drug in {drug.ingredient: drug for drug in maps.names.values() if drug.kind == "drug"}.values():
        known = [maps.names.get(words_of(name)) for name in re.split(r",? and |, | with ", drug.ingredient)]
        parts = {part.ingredient: part for part in known if part and part.ingredient != drug.ingredient}
        one = maps.at_site(drug, None)
        item = one.code(level)
        if item is None or (drug.atc or "").startswith(_OUTSIDE):
            continue
        for part in parts:
            others = {maps.at_site(other, None).code(level) for name, other in parts.items() if name != part}
            if item not in others:
                found.setdefault(part, []).append((item, one))
    return found


def _items_of_codes(maps: DrugMaps, codes: Sequence[str], level: str) -> list[str]:
    return [item for code in codes if (item := maps.by_atc(code).code(level))]


def _stitch_codes(session: Session, folder: Path) -> dict[str, list[str]]:
    """STITCH id -> ATC codes, from the file of pairs without a header beside the list."""
    found = [path for path in (folder / _STITCH, folder / f"{_STITCH}.gz") if path.is_file()]
    if not found:
        raise DataError(f"{folder}: no {_STITCH}, which tells the ATC codes of the STITCH ids of the list beside it")
    codes: dict[str, list[str]] = {}
    for stitch, code in rows(session, f"SELECT column0, column1 FROM read_csv({quoted_file(found[0])}, header = false, "
                                      "all_varchar = true, delim = ',', names = ['column0', 'column1'], "
                                      "null_padding = true, hive_partitioning = false)"):
        if stitch and code:
            codes.setdefault(stitch, []).append(code)
    return codes
