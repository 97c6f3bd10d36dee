"""Drug names, NDC codes and routes of orders to ingredients and ATC codes.

``drug_names.csv`` beside this module lists the common ingredients with brand names, American names, abbreviations and
one ATC code each, and what an order list holds besides drugs; more comes from the user's own maps (``--codes-dir``):

- ``RxNorm_to_ATC.csv`` (columns RxNorm, ATC; level 5), as GraphCare ships it;
- ``ndc2rxnorm_mapping.txt``, a mapping of 11-digit NDCs written as ``{'00338500341': u'1665046', ...}``, as the MoleRec
  and SafeDrug repositories ship it, or ``ndc2rxnorm.csv`` (columns ndc, rxnorm);
- ``atcd.csv`` (columns atc_code, atc_name), the names of the ATC index.

Each may be gzipped. No file is executed or evaluated.
"""
from __future__ import annotations

import csv
import gzip
import re
import zlib
from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Iterator

from ...errors import DataError

__all__ = ["LEVELS", "LOCAL", "Drug", "DrugMaps", "words_of"]
LEVELS = {"ingredient": 0, "atc3": 4, "atc4": 5, "atc5": 7}  # --codes -> characters of the ATC code
_TABLE = Path(__file__).resolve().parent / "drug_names.csv"
_RXNORM, _NDC, _NAMES = "RxNorm_to_ATC.csv", ("ndc2rxnorm_mapping.txt", "ndc2rxnorm.csv"), "atcd.csv"
_PAIR = re.compile(r"u?['\"]([0-9*-]+)['\"]\s*:\s*u?['\"]([0-9]*)['\"]")
_TOO_GENERAL = {"alum", "combinations", "food", "oil", "others", "various"}
_LONGEST = 6  # words of a name
# Words of a route -> where the drug acts; any other route is systemic.
_SITES = {"eye": "eye eyes ophthalmic ophth ou od os", "ear": "ear ears otic", "nose": "nasal nostril nostrils nose",
          "skin": "topical top tp skin external", "inhaled": "inhalation inhaled inh ih neb nebulization nebulizer svn",
          "rectal": "rectal pr rectally", "vaginal": "vaginal vag vg pv"}
_SITE_OF = {word: site for site, words in _SITES.items() for word in words.split()}
_CODES_OF_SITE = {"eye": ("S01",), "ear": ("S02", "S03"), "nose": ("R01",), "skin": ("D", "M02"),
                  "inhaled": ("R03", "R05CB"), "rectal": ("A06AG", "C05A", "A07E"), "vaginal": ("G01", "G02")}
LOCAL = ("A01", "A06AG", "B05C", "C05", "D", "G01", "G02B", "M02", "R01A", "R02", "S", "V04", "V07", "V08")
_FLUIDS = ("B05BA", "B05BB", "B05C", "B05D", "B05XA03", "B05Z")
_NO_DRUGS = ("V04", "V06", "V07", "V08", "V09")


@dataclass(frozen=True)
class Drug:
    """What an order is.

    Args:
        ingredient: its name in lower case, of the ATC index where that has one.
        atc: its ATC code, of level 5 where one is known (some names stand for a class), else None.
        kind: ``drug``; ``fluid`` (infusion fluids, flushes, parenteral nutrition, dialysis and irrigation); or
            ``other`` (contrast, tests, foods, devices).
        codes: every ATC code that the ingredient has; ``atc`` is the one that fits the route.
    """

    ingredient: str
    atc: str | None
    kind: str = "drug"
    codes: tuple[str, ...] = ()

    def code(self, level: str) -> str | None:
        """The item of this drug at a level of ``LEVELS``, or None where its code does not reach that level."""
        if level == "ingredient":
            return "_".join(words_of(self.ingredient))
        digits = LEVELS[level]
        return self.atc[:digits] if self.atc and len(self.atc) >= digits else None


def words_of(text: str) -> tuple[str, ...]:
    """The words of a name: runs of letters and digits, in lower case."""
    return tuple(re.findall(r"[a-z0-9]+", text.lower()))


@dataclass
class DrugMaps:
    """All names and codes that are known.

    Args:
        names: words of a name -> its drug; the longest name at a place wins.
        whole: words that name a drug only where they are the whole text, e.g. ``calcium``.
        atc_of_rxcui: RxNorm concept -> its ATC codes of level 5.
        rxcui_of_ndc: NDC of 11 digits -> RxNorm concept.
        atc_names: ATC code of any level -> name.
        ingredients: ATC code of level 5 -> ingredient, in lower case.
        products: ATC code -> RxNorm concepts that have it: the commoner of two codes wins.
    """

    names: dict[tuple[str, ...], Drug] = field(default_factory=dict)
    whole: dict[tuple[str, ...], Drug] = field(default_factory=dict)
    atc_of_rxcui: dict[str, tuple[str, ...]] = field(default_factory=dict)
    rxcui_of_ndc: dict[str, str] = field(default_factory=dict)
    atc_names: dict[str, str] = field(default_factory=dict)
    ingredients: dict[str, str] = field(default_factory=dict)
    products: Counter[str] = field(default_factory=Counter)

    @classmethod
    def read(cls, codes_dir: Path | None = None) -> DrugMaps:
        """Reads the table of this package and, where a folder is given, the user's maps.

        Raises:
            DataError: no such folder, none of the files in it, or a file of another layout.
        """
        maps = cls()
        if codes_dir is not None:
            maps._read_folder(Path(codes_dir))
        by_name: dict[tuple[str, ...], list[str]] = {}
        for code, name in maps.atc_names.items():
            if len(code) == 7 and " ".join(words_of(name)) in _TOO_GENERAL:
                maps.ingredients[code] = f"{maps.atc_names.get(code[:5], code)}, {name}".lower()
            elif len(code) == 7:
                maps.ingredients[code] = name.lower()
                by_name.setdefault(words_of(name), []).append(code)
        for words, codes in by_name.items():
            if len(words) <= _LONGEST:
                maps.names[words] = Drug(maps.ingredients[codes[0]], None, _kind_of(codes), tuple(sorted(codes)))
        taken = set()
        for ingredient, atc, kind, names in _shipped():
            codes = sorted({*by_name.get(words_of(ingredient), []), *([atc] if atc else [])})
            drug = Drug(ingredient.lower(), atc or None, kind, tuple(codes))
            if len(atc) == 7:
                maps.ingredients[atc] = drug.ingredient
            for name in names:
                (maps.whole if name.startswith("=") else maps.names)[words_of(name)] = drug
            if ingredient not in taken:  # an ingredient may have a second row, for a form with a code of its own
                maps.names[words_of(ingredient)] = drug
                taken.add(ingredient)
        return maps

    def _read_folder(self, folder: Path) -> None:
        found = {name: path for name in (_RXNORM, *_NDC, _NAMES) if (path := _file(folder, name))}
        if not found:
            raise DataError(f"{folder}: none of the code maps {_RXNORM}, {_NDC[0]}, {_NAMES} (or gzipped); "
                            "docs/data/medication.md tells where they come from")
        if _RXNORM in found:
            codes: dict[str, list[str]] = {}
            for rxcui, atc in _columns(found[_RXNORM], ("RxNorm", "ATC")):
                if len(atc) == 7:
                    codes.setdefault(rxcui, []).append(atc)
            self.atc_of_rxcui = {rxcui: tuple(sorted(set(some))) for rxcui, some in codes.items()}
            self.products = Counter(code for some in self.atc_of_rxcui.values() for code in some)
        if _NDC[0] in found:
            pairs = _PAIR.findall(_text(found[_NDC[0]]))
            if not pairs:
                raise DataError(f"{found[_NDC[0]]}: no pair of NDC and RxNorm; a right one: '00338500341': u'1665046'")
            self.rxcui_of_ndc = {ndc: rxcui for ndc, rxcui in pairs if rxcui}
        elif _NDC[1] in found:
            self.rxcui_of_ndc = {ndc.zfill(11): rxcui for ndc, rxcui in _columns(found[_NDC[1]], ("ndc", "rxnorm"))}
        if _NAMES in found:
            self.atc_names = {code: name for code, name in _columns(found[_NAMES], ("atc_code", "atc_name"))}

    def by_name(self, text: str | None, route: str | None = None) -> Drug | None:
        """The drug that a text names, whatever strength, form and packing stand around the name.

        The first drug named wins, at each place the longest name; fluids and other matter count only where no drug is
        named, so ``vancomycin in dextrose 5 %`` is vancomycin.
        """
        words = words_of(text or "")
        found = _find(self.names, words) or ([self.whole[words]] if words in self.whole else [])
        if not found:
            return None
        return self.at_site(next((drug for drug in found if drug.kind == "drug"), found[0]), route)

    def by_ndc(self, ndc: str | None, text: str | None = None, route: str | None = None) -> Drug | None:
        """The drug of an NDC of 11 digits; as ``by_rxcui`` for the rest."""
        return self.by_rxcui(self.rxcui_of_ndc.get(ndc or ""), text, route)

    def by_rxcui(self, rxcui: str | None, text: str | None = None, route: str | None = None) -> Drug | None:
        """The drug of an RxNorm concept; where it has several ATC codes, name and route of the order decide."""
        codes = self.atc_of_rxcui.get(rxcui or "")
        if not codes:
            return None
        named = self.by_name(text, route)
        shared = tuple(code for code in codes if named and code in named.codes)
        if named and named.atc in shared:
            return named
        drug = self.at_site(Drug("", None, "drug", shared or codes), route)
        return self.by_atc(drug.atc or codes[0])

    def by_atc(self, code: str) -> Drug:
        """The drug of an ATC code; without its name the code stands for the ingredient."""
        code = code.strip().upper()
        return Drug(self.ingredients.get(code, code.lower()), code, _kind_of([code]), (code,))

    def at_site(self, drug: Drug, route: str | None) -> Drug:
        """The drug with the ATC code that fits the route: of its site, else the table's own, else the commonest."""
        site = next((_SITE_OF[word] for word in words_of(route or "") if word in _SITE_OF), None)
        here = [code for code in drug.codes if code.startswith(_CODES_OF_SITE[site])] if site else []
        if not here:
            if drug.atc or not drug.codes:
                return drug
            here = [code for code in drug.codes if not code.startswith(LOCAL)] or list(drug.codes)
        elif drug.atc in here:
            return drug
        chosen = min(here, key=lambda code: (-self.products[code], code))
        return Drug(drug.ingredient, chosen, drug.kind, drug.codes)


def _find(names: dict[tuple[str, ...], Drug], words: tuple[str, ...]) -> list[Drug]:
    """Drugs named, from left to right, at each place the longest name."""
    found, place = [], 0
    while place < len(words):
        for size in range(min(_LONGEST, len(words) - place), 0, -1):
            drug = names.get(words[place:place + size])
            if drug:
                found.append(drug)
                place += size
                break
        else:
            place += 1
    return found


def _kind_of(codes: list[str]) -> str:
    """Kind by ATC codes: a fluid or no drug only where every code says so."""
    if all(code.startswith(_FLUIDS) for code in codes):
        return "fluid"
    return "other" if all(code.startswith(_NO_DRUGS + _FLUIDS) for code in codes) else "drug"


@lru_cache(maxsize=1)
def _shipped() -> tuple[tuple[str, str, str, tuple[str, ...]], ...]:
    """Rows of drug_names.csv: ingredient, ATC code or empty, kind, other names."""
    with open(_TABLE, encoding="utf-8", newline="") as file:
        return tuple((row["ingredient"], row["atc"], row["kind"],
                      tuple(name.strip() for name in row["names"].split(";") if name.strip()))
                     for row in csv.DictReader(file))


def _file(folder: Path, name: str) -> Path | None:
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; --codes-dir names the folder with the code maps")
    return next((path for path in (folder / name, folder / f"{name}.gz") if path.is_file()), None)


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
        return (gzip.decompress(content) if path.suffix == ".gz" else content).decode("utf-8-sig")
    except (gzip.BadGzipFile, EOFError, zlib.error) as fault:
        raise DataError(f"{path}: not a whole gzip file ({fault}); restore the file") from fault
    except UnicodeDecodeError as fault:
        raise DataError(f"{path}: not UTF-8; save it as UTF-8") from fault


def _columns(path: Path, wanted: tuple[str, str]) -> Iterator[tuple[str, str]]:
    """Two columns of a CSV file, rows with an empty cell left out."""
    reader = csv.reader(_text(path).splitlines())
    header = [name.strip().lower() for name in next(reader, [])]
    missing = [name for name in wanted if name.lower() not in header]
    if missing:
        raise DataError(f"{path}: no column {', '.join(missing)}; it has {', '.join(header) or 'none'}")
    first, second = (header.index(name.lower()) for name in wanted)
    for row in reader:
        if len(row) > max(first, second) and row[first].strip() and row[second].strip():
            yield row[first].strip(), row[second].strip()
