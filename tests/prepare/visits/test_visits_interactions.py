from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from recbole_medmoe.errors import DataError
from recbole_medmoe.prepare.visits.drugs import DrugMaps
from recbole_medmoe.prepare.visits.interactions import read_interactions

ITEMS = pd.DataFrame([(code, "", code) for code in ("C07AB", "B01AA", "C01BD", "B01AC")],
                     columns=["item_id", "name", "atc"])
DDINTER = """DDInterID_A,Drug_A,DDInterID_B,Drug_B,Level
DDInter1,Warfarin,DDInter2,Amiodarone,Major
DDInter2,Amiodarone,DDInter1,Warfarin,Major
DDInter3,Metoprolol,DDInter2,Amiodarone,Moderate
DDInter3,Atenolol,DDInter4,Acetylsalicylic acid,Major
DDInter1,Warfarin,DDInter9,Unknown drug,Major
DDInter1,Simvastatin,DDInter2,Amiodarone,Major
"""


def _pairs(path: Path, level: str = "atc4", items: pd.DataFrame = ITEMS,
           **more: tuple[str, ...]) -> list[tuple[str, ...]]:
    found = read_interactions(path, items, level, **more)  # type: ignore[arg-type]
    assert list(found.columns) == ["item_a", "item_b", "severity"]
    return [tuple(row) for row in found.itertuples(index=False)]


def test_major_pairs_of_ddinter_become_pairs_of_classes(tmp_path: Path) -> None:
    (tmp_path / "A.csv").write_text(DDINTER)
    assert _pairs(tmp_path / "A.csv") == [("B01AA", "C01BD", "Major"), ("B01AC", "C07AB", "Major")]


def test_the_files_of_a_folder_are_joined(tmp_path: Path) -> None:
    lines = DDINTER.splitlines(keepends=True)
    (tmp_path / "B.csv").write_text("".join(lines[:2]))
    (tmp_path / "C.csv").write_text("".join([lines[0], *lines[3:]]))
    assert _pairs(tmp_path) == [("B01AA", "C01BD", "Major"), ("B01AC", "C07AB", "Major")]


def test_other_severities_count_where_asked_for_and_the_worst_is_told(tmp_path: Path) -> None:
    (tmp_path / "A.csv").write_text(DDINTER + "D,Warfarin,D,Amiodarone,Moderate\n")
    found = _pairs(tmp_path / "A.csv", severities=("Major", "Moderate"))
    assert found == [("B01AA", "C01BD", "Major"), ("B01AC", "C07AB", "Major"), ("C01BD", "C07AB", "Moderate")]


def test_pairs_of_items_are_taken_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text("item_a,item_b,severity\nC07AB,B01AA,bad\nC07AB,elsewhere,bad\nB01AA,B01AA,bad\n")
    assert _pairs(tmp_path / "own.csv", "local") == [("B01AA", "C07AB", "bad")]


def test_twosides_counts_pairs_of_the_rarest_effects(tmp_path: Path) -> None:
    common = [f"{first},{second},common" for first in ("Metoprolol", "Warfarin") for second in ("Aspirin", "Digoxin")]
    rare = [f"Warfarin,Amiodarone,rare{number:02d}" for number in range(40)]
    lines = ["drug_1_concept_name,drug_2_concept_name,condition_meddra_id", *common, *rare]
    (tmp_path / "TWOSIDES.csv").write_text("\n".join(lines) + "\n")
    assert _pairs(tmp_path / "TWOSIDES.csv") == [("B01AA", "C01BD", "reported")]


def test_stitch_ids_are_read_through_the_map_beside_them(tmp_path: Path) -> None:
    (tmp_path / "drug-DDI.csv").write_text("STITCH 1,STITCH 2,Polypharmacy Side Effect,Side Effect Name\n"
                                           "CID1,CID2,C01,pain\nCID1,CID3,C01,pain\n")
    (tmp_path / "drug-atc.csv").write_text("CID1,B01AA03\nCID2,C01BD01\nCID2,C07AB02\n")
    assert _pairs(tmp_path / "drug-DDI.csv") == [("B01AA", "C01BD", "reported"), ("B01AA", "C07AB", "reported")]


def test_stitch_ids_without_the_map_are_refused(tmp_path: Path) -> None:
    (tmp_path / "drug-DDI.csv").write_text("STITCH 1,STITCH 2,Polypharmacy Side Effect\nCID1,CID2,C01\n")
    with pytest.raises(DataError, match="no drug-atc.csv"):
        _pairs(tmp_path / "drug-DDI.csv")


def test_ingredients_are_items_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "A.csv").write_text(DDINTER)
    items = pd.DataFrame([(name, name, None) for name in ("warfarin", "amiodarone", "metoprolol")],
                         columns=["item_id", "name", "atc"])
    assert _pairs(tmp_path / "A.csv", "ingredient", items) == [("amiodarone", "warfarin", "Major")]


def test_a_list_of_drugs_says_nothing_of_local_codes(tmp_path: Path) -> None:
    (tmp_path / "A.csv").write_text(DDINTER)
    with pytest.raises(DataError, match="item_a, item_b, severity"):
        _pairs(tmp_path / "A.csv", "local")


def test_another_layout_is_refused_with_the_right_ones(tmp_path: Path) -> None:
    (tmp_path / "A.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="no list of interactions: it has the columns a, b; right ones are Drug_A"):
        _pairs(tmp_path / "A.csv")


def test_a_missing_list_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="--ddi names a CSV file or a folder"):
        _pairs(tmp_path / "absent.csv")


COMBINED = pd.DataFrame([(code, "", code) for code in ("N02AJ", "N02BE", "N05BA", "B01AA")],
                        columns=["item_id", "name", "atc"])


def _write_ddinter(path: Path, *pairs: tuple[str, str]) -> Path:
    path.write_text("Drug_A,Drug_B,Level\n" + "".join(f"{first},{second},Major\n" for first, second in pairs))
    return path


def test_a_combination_interacts_as_its_parts_do(tmp_path: Path) -> None:
    path = _write_ddinter(tmp_path / "A.csv", ("Hydrocodone", "Lorazepam"))
    assert _pairs(path, items=COMBINED) == [("N02AJ", "N05BA", "Major")]


def test_a_class_that_is_a_part_alone_does_not_interact_as_the_other_part(tmp_path: Path) -> None:
    """Codeine is part of drugs in N02AJ, paracetamol of the same; N02BE is paracetamol and no codeine."""
    path = _write_ddinter(tmp_path / "A.csv", ("Codeine", "Lorazepam"))
    assert _pairs(path, items=COMBINED) == [("N02AJ", "N05BA", "Major")]


def test_only_drugs_of_the_data_make_a_class_interact(tmp_path: Path) -> None:
    path = _write_ddinter(tmp_path / "A.csv", ("Butalbital", "Warfarin"), ("Lorazepam", "Warfarin"))
    held = {("N02BE", "paracetamol"), ("N05BA", "lorazepam"), ("B01AA", "warfarin")}
    assert _pairs(path, items=COMBINED, held=held) == [("B01AA", "N05BA", "Major")]  # type: ignore[arg-type]
    assert ("B01AA", "N02BE", "Major") in _pairs(path, items=COMBINED)


@pytest.mark.parametrize(("layout", "licence"), [("Drug_A,Drug_B,Level\n", "CC BY-NC-SA 4.0"),
                                                 ("item_a,item_b,severity\n", None)])
def test_what_is_made_from_ddinter_bears_its_licence(tmp_path: Path, layout: str, licence: str | None) -> None:
    (tmp_path / "A.csv").write_text(layout)
    told = read_interactions(tmp_path / "A.csv", ITEMS, "atc4").attrs["licence"]
    assert (licence in told) if licence else told is None


def test_where_the_data_hold_the_code_of_a_class_every_drug_of_it_counts(tmp_path: Path) -> None:
    (tmp_path / "A.csv").write_text(DDINTER)
    held = {("B01AA", "b01aa"), ("C01BD", "amiodarone"), ("C07AB", "c07ab02"), ("B01AC", "acetylsalicylic acid")}
    assert _pairs(tmp_path / "A.csv", held=held) == [("B01AA", "C01BD", "Major")]  # type: ignore[arg-type]


def test_at_a_higher_level_only_the_class_of_the_data_counts(tmp_path: Path) -> None:
    """C07AB in the data is an item C07A: metoprolol is in it, propranolol (C07AA) is not."""
    path = _write_ddinter(tmp_path / "A.csv", ("Metoprolol", "Warfarin"), ("Propranolol", "Amiodarone"))
    items = pd.DataFrame([(code, "", code) for code in ("C07A", "B01A", "C01B")], columns=["item_id", "name", "atc"])
    held = {("C07A", "c07ab"), ("B01A", "b01a"), ("C01B", "amiodarone")}
    assert _pairs(path, "atc3", items, held=held) == [("B01A", "C07A", "Major")]  # type: ignore[arg-type]


def test_another_code_of_an_ingredient_counts_where_the_data_have_it(tmp_path: Path) -> None:
    """With the ATC index acetylsalicylic acid is N02BA01 too, and D10AF (skin) never counts."""
    (tmp_path / "atcd.csv").write_text("atc_code,atc_name\nN02BA01,acetylsalicylic acid\nB01AC06,acetylsalicylic acid\n"
                                       "D10AF01,acetylsalicylic acid\n")
    path = _write_ddinter(tmp_path / "A.csv", ("Acetylsalicylic acid", "Warfarin"))
    items = pd.DataFrame([(code, "", code) for code in ("N02BA", "B01AA", "B01AC", "D10AF")],
                         columns=["item_id", "name", "atc"])
    held = {(code, "acetylsalicylic acid") for code in ("N02BA", "D10AF")} | {("B01AA", "warfarin")}
    found = read_interactions(path, items, "atc4", DrugMaps.read(tmp_path), held=held)
    assert found[["item_a", "item_b"]].values.tolist() == [["B01AA", "N02BA"]]


def test_items_that_a_list_of_drugs_names_are_counted_whatever_the_severity(tmp_path: Path) -> None:
    """Metoprolol's class stands in a Moderate pair alone, and no drug of B01AC is named."""
    (tmp_path / "A.csv").write_text("Drug_A,Drug_B,Level\nWarfarin,Amiodarone,Major\nMetoprolol,Amiodarone,Moderate\n")
    assert read_interactions(tmp_path / "A.csv", ITEMS, "atc4").attrs["named"] == 3


def test_a_list_of_items_is_not_asked_how_many_it_names(tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text("item_a,item_b\nC07AB,B01AA\n")
    assert read_interactions(tmp_path / "own.csv", ITEMS, "local").attrs["named"] is None
