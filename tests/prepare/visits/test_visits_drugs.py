from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from recbole_medmoe.errors import DataError
from recbole_medmoe.prepare.visits.drugs import DrugMaps

ATC = """atc_code,atc_name
B01AC,Platelet aggregation inhibitors
B01AC06,acetylsalicylic acid
N02BA01,acetylsalicylic acid
C07AB02,metoprolol
S01BA01,dexamethasone
H02AB02,dexamethasone
A01AC02,dexamethasone
X01AA01,newdrug
X01AA02,newdrug
B01AC30,combinations
V08AB02,iohexol
"""
RXNORM = """RxNorm,ATC
11,B01AC06
12,N02BA01
12,B01AC06
13,X01AA02
14,X01AA02
15,X01AA01
16,B01AC30
17,C07AB
"""
NDC = "{'00000000011': u'11', '00000000012': u'12', '00000000016': u'16', '00000000099': u''}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "codes"
    made.mkdir()
    (made / "atcd.csv").write_text(ATC)
    (made / "RxNorm_to_ATC.csv.gz").write_bytes(gzip.compress(RXNORM.encode()))
    (made / "ndc2rxnorm_mapping.txt").write_text(NDC)
    return made


@pytest.fixture(scope="module")
def own() -> DrugMaps:
    return DrugMaps.read()


@pytest.mark.parametrize(("text", "ingredient", "atc"), [
    ("METOPROLOL TARTRATE 25 MG PO TABS", "metoprolol", "C07AB02"),
    ("Lasix", "furosemide", "C03CA01"),
    ("10 ml vial : insulin lispro (human) 100 unit/ml sc soln", "insulin lispro", "A10AB04"),
    ("vancomycin 1 gm in dextrose 5 %", "vancomycin", "J01XA01"),
    ("HYDROcodone-acetaminophen 5-325", "hydrocodone and paracetamol", "N02AJ22"),
    ("potassium chl 20 meq / 1000 ml d5 1/2 ns", "potassium chloride", "A12BA01"),
])
def test_a_drug_is_found_whatever_stands_around_its_name(own: DrugMaps, text: str, ingredient: str, atc: str) -> None:
    drug = own.by_name(text)
    assert drug is not None and (drug.ingredient, drug.atc, drug.kind) == (ingredient, atc, "drug")


@pytest.mark.parametrize(("text", "kind"), [
    ("sodium chloride 0.9% 1,000 ml bag", "fluid"), ("Heparin Flush (10 units/ml)", "fluid"), ("D5W", "fluid"),
    ("optiray 320", "other"), ("Syringe (IV Room)", "other")])
def test_fluids_and_other_matter_are_told_apart(own: DrugMaps, text: str, kind: str) -> None:
    drug = own.by_name(text)
    assert drug is not None and drug.kind == kind


@pytest.mark.parametrize("text", ["", None, "zzz", "calcium replacement"])
def test_an_unknown_name_is_none(own: DrugMaps, text: str | None) -> None:
    assert own.by_name(text) is None


def test_a_general_word_names_a_drug_only_alone(own: DrugMaps) -> None:
    drug = own.by_name("CALCIUM")
    assert drug is not None and drug.ingredient == "calcium carbonate"


def test_every_shipped_code_has_the_form_of_an_atc_code(own: DrugMaps) -> None:
    codes = {drug.atc for drug in own.names.values() if drug.atc}
    assert all(code[0].isalpha() and code[1:3].isdigit() and len(code) in (3, 4, 5, 7) for code in codes)


def test_levels_cut_the_code(own: DrugMaps) -> None:
    drug = own.by_name("metoprolol")
    assert drug is not None
    assert [drug.code(level) for level in ("ingredient", "atc3", "atc4", "atc5")] == \
        ["metoprolol", "C07A", "C07AB", "C07AB02"]


def test_a_class_has_no_code_of_a_finer_level(own: DrugMaps) -> None:
    drug = own.by_name("multivitamin")
    assert drug is not None and drug.atc == "A11BA" and drug.code("atc5") is None


def test_names_of_the_atc_index_are_learnt(folder: Path) -> None:
    drug = DrugMaps.read(folder).by_name("NewDrug 5 mg")
    assert drug is not None and drug.ingredient == "newdrug"


def test_of_several_codes_the_one_with_most_products_wins(folder: Path) -> None:
    drug = DrugMaps.read(folder).by_name("newdrug")
    assert drug is not None and drug.atc == "X01AA02"


@pytest.mark.parametrize(("route", "atc"), [("BOTH EYES", "S01BA01"), ("IV", "H02AB02"), ("", "H02AB02")])
def test_the_route_chooses_the_code(folder: Path, route: str, atc: str) -> None:
    drug = DrugMaps.read(folder).by_name("dexamethasone", route)
    assert drug is not None and drug.atc == atc


def test_an_ndc_gives_its_code(folder: Path) -> None:
    drug = DrugMaps.read(folder).by_ndc("00000000011")
    assert drug is not None and (drug.ingredient, drug.atc) == ("acetylsalicylic acid", "B01AC06")


def test_of_the_codes_of_an_ndc_the_name_decides(folder: Path) -> None:
    drug = DrugMaps.read(folder).by_ndc("00000000012", "Aspirin EC")
    assert drug is not None and drug.atc == "B01AC06"


def test_combinations_are_no_name_but_bear_their_class(folder: Path) -> None:
    (folder / "atcd.csv").write_text(ATC + "X02AA,New class\nX02AA30,combinations\n")
    maps = DrugMaps.read(folder)
    assert maps.by_name("combinations") is None
    assert maps.by_atc("X02AA30").ingredient == "new class, combinations"


@pytest.mark.parametrize("ndc", ["00000000099", "00000000077", "", None])
def test_an_ndc_without_a_concept_is_none(folder: Path, ndc: str | None) -> None:
    assert DrugMaps.read(folder).by_ndc(ndc) is None


def test_a_concept_with_a_code_of_a_class_alone_is_none(folder: Path) -> None:
    assert DrugMaps.read(folder).by_rxcui("17") is None


def test_contrast_is_known_by_its_code(folder: Path) -> None:
    assert DrugMaps.read(folder).by_atc("V08AB02").kind == "other"


def test_a_table_of_ndcs_may_be_csv(folder: Path) -> None:
    (folder / "ndc2rxnorm_mapping.txt").unlink()
    (folder / "ndc2rxnorm.csv").write_text("ndc,rxnorm\n11,11\n")
    assert DrugMaps.read(folder).rxcui_of_ndc == {"00000000011": "11"}


def test_a_folder_without_maps_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="none of the code maps RxNorm_to_ATC.csv"):
        DrugMaps.read(tmp_path)


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        DrugMaps.read(tmp_path / "absent")


def test_a_map_without_its_column_is_refused(folder: Path) -> None:
    (folder / "atcd.csv").write_text("code,name\nA,b\n")
    with pytest.raises(DataError, match="atcd.csv: no column atc_code, atc_name; it has code, name"):
        DrugMaps.read(folder)


def test_a_map_of_ndcs_without_a_pair_is_refused(folder: Path) -> None:
    (folder / "ndc2rxnorm_mapping.txt").write_text("__import__('os')")
    with pytest.raises(DataError, match="no pair of NDC and RxNorm"):
        DrugMaps.read(folder)


def test_a_damaged_gzip_is_refused(folder: Path) -> None:
    path = folder / "RxNorm_to_ATC.csv.gz"
    path.write_bytes(path.read_bytes()[:-12])
    with pytest.raises(DataError, match="not a whole gzip file"):
        DrugMaps.read(folder)
