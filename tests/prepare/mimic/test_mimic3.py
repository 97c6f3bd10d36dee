from __future__ import annotations

import stat
from pathlib import Path
from typing import Any, Callable

import pytest

from recbole_medmoe.atomic import check_manifest, read_atomic, read_manifest, read_texts, validate_folder
from recbole_medmoe.errors import DataError
from recbole_medmoe.prepare import VisitOptions, prepare_mimic3

Rows = dict[str, list[list[str]]]
Write = Callable[..., Path]
FEW = VisitOptions(min_item_visits=2)


def _prepare(raw: Path, out: Path, options: VisitOptions = FEW, **more: Any) -> dict[str, str]:
    return prepare_mimic3(raw, out, lambda line: None, options, **more)


def _bytes(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture
def made(write3: Write, tmp_path: Path) -> Path:
    _prepare(write3(), tmp_path / "m3")
    return tmp_path / "m3"


def test_the_folder_keeps_the_rules_of_a_data_set(made: Path) -> None:
    assert not validate_folder(made) and not check_manifest(made)


def test_single_visit_patients_are_kept(made: Path) -> None:
    users = read_atomic(made / "m3.user")
    assert len(users) == 36 and users["patient_id"].nunique() == 24


def test_visits_are_in_the_order_of_their_times_not_of_their_numbers(made: Path) -> None:
    users = read_atomic(made / "m3.user").set_index("visit_id")
    second = users[users["visit_no"] == 2]
    assert len(second) == 12
    assert all(len(earlier) == 1 and users.loc[earlier[0], "visit_no"] == 1 for earlier in second["earlier"])
    assert set(second["age"]) == {60.0} and set(users.drop(second.index)["age"]) == {59.0}


def test_the_profile_is_told(made: Path) -> None:
    users = read_atomic(made / "m3.user")
    told = {name: set(users[name]) for name in ("sex", "language", "admission_type", "ethnicity")}
    assert told == {"sex": {"female", "male"}, "language": {"unknown"}, "admission_type": {"EMERGENCY"},
                    "ethnicity": {"WHITE"}}


def test_codes_say_their_system(made: Path) -> None:
    users = read_atomic(made / "m3.user")
    assert set(users["diag"].explode()) == {"icd9_4280", "icd9_25000", "icd9_4019"}
    assert (made / "codes.csv").read_text().splitlines()[1:] == [
        "diag,icd9_25000,Diabetes mellitus", "diag,icd9_4280,Congestive heart failure",
        "proc,icd9_3893,Venous catheterization"]


def test_fluids_are_left_out_and_items_are_classes(made: Path) -> None:
    items = read_atomic(made / "m3.item")
    assert dict(zip(items["item_id"], items["name"])) == {
        "B01AA": "warfarin", "C03CA": "furosemide", "C07AB": "metoprolol", "C09AA": "lisinopril"}


def test_fluids_stay_where_asked_for(write3: Write, tmp_path: Path) -> None:
    _prepare(write3(), tmp_path / "m3", VisitOptions(min_item_visits=2, fluids=True))
    assert "B05BA" in set(read_atomic(tmp_path / "m3" / "m3.item")["item_id"])


def test_texts_name_no_medication(made: Path) -> None:
    texts = " ".join(read_texts(made / "text" / "user.jsonl").values()).lower()
    assert "heart failure" in texts and not any(drug in texts for drug in ("furosemide", "warfarin", "lisinopril"))


def test_no_raw_id_is_written(made: Path) -> None:
    users = read_atomic(made / "m3.user")
    assert set(users["visit_id"].str[0]) == {"v"} and set(users["patient_id"].str[0]) == {"p"}


def test_gzip_case_and_the_order_of_rows_change_no_byte(write3: Write, made: Path, tmp_path: Path) -> None:
    _prepare(write3("other", ending=".csv.gz", lower=True, seed=3), tmp_path / "again" / "m3")
    assert _bytes(tmp_path / "again" / "m3") == _bytes(made)


def test_times_of_another_form_are_told(write3: Write, rows3: Rows, tmp_path: Path) -> None:
    for row in rows3["ADMISSIONS"]:
        row[3] = "05.01.2150 (secret)"
    lines: list[str] = []
    prepare_mimic3(write3(), tmp_path / "m3", lines.append, FEW)
    warned = [line for line in lines if line.startswith("warning: 100.0% of the cells of admissions, column admittime")]
    assert len(warned) == 1 and "2150-01-31 14:05:00" in warned[0] and "secret" not in warned[0]


def test_times_of_a_spreadsheet_are_read(write3: Write, rows3: Rows, made: Path, tmp_path: Path) -> None:
    def short(time: str) -> str:
        date, clock = time.split()
        return f"{int(date[5:7])}/{int(date[8:])}/{date[2:4]} {clock[:5].lstrip('0') or '0:00'}"

    for row in rows3["ADMISSIONS"]:
        row[3:5] = map(short, row[3:5])
    for row in rows3["PATIENTS"]:
        row[3] = "6/1/90 0:00"
    _prepare(write3("short"), tmp_path / "again" / "m3")
    assert _bytes(tmp_path / "again" / "m3")["m3.user"] == _bytes(made)["m3.user"]


def test_ages_above_89_are_90(write3: Write, rows3: Rows, tmp_path: Path) -> None:
    rows3["PATIENTS"][0][3] = "1850-06-01 00:00:00"
    _prepare(write3(), tmp_path / "m3")
    assert max(read_atomic(tmp_path / "m3" / "m3.user")["age"]) == 90


def test_credentialed_records_stay_with_their_owner(made: Path) -> None:
    assert read_manifest(made).derived_from_credentialed
    assert stat.S_IMODE(made.stat().st_mode) == 0o700


def test_open_records_carry_their_licence(write3: Write, tmp_path: Path) -> None:
    raw = write3()
    (raw / "LICENSE.txt").write_text("Open Database License")
    _prepare(raw, tmp_path / "m3")
    assert not read_manifest(tmp_path / "m3").derived_from_credentialed
    assert "Open Database License" in (tmp_path / "m3" / "LICENSE-ODbL.txt").read_text()


def test_admissions_without_a_known_patient_are_dropped_and_counted(write3: Write, rows3: Rows, tmp_path: Path) -> None:
    del rows3["PATIENTS"][3]
    summary = _prepare(write3(), tmp_path / "m3")
    assert (summary["admissions read"], summary["admissions of a known patient"]) == ("36", "35")


def test_visits_without_a_diagnosis_or_a_medication_are_dropped(write3: Write, rows3: Rows, tmp_path: Path) -> None:
    rows3["DIAGNOSES_ICD"] = [row for row in rows3["DIAGNOSES_ICD"] if row[2] != "2001"]
    rows3["PRESCRIPTIONS"] = [row for row in rows3["PRESCRIPTIONS"] if row[2] != "2003"]
    summary = _prepare(write3(), tmp_path / "m3")
    assert (summary["visits with a diagnosis"], summary["visits with at least 1 of them"]) == ("35", "34")


def test_prescriptions_that_end_before_they_begin_do_not_count(write3: Write, rows3: Rows, tmp_path: Path) -> None:
    rows3["PRESCRIPTIONS"].append(["1", "0", "2000", "2150-01-06", "2150-01-05", "MAIN", "Heparin", "0", "IV"])
    summary = _prepare(write3(), tmp_path / "m3")
    assert (summary["orders read"], summary["orders that do not end before they begin"]) == ("109", "108")


def test_prescriptions_that_come_twice_count_once(write3: Write, rows3: Rows, made: Path, tmp_path: Path) -> None:
    rows3["PRESCRIPTIONS"] *= 2
    _prepare(write3("twice"), tmp_path / "again" / "m3")
    assert _bytes(tmp_path / "again" / "m3")["m3.inter"] == _bytes(made)["m3.inter"]


def test_an_admission_with_two_contents_is_refused(write3: Write, rows3: Rows, tmp_path: Path) -> None:
    rows3["ADMISSIONS"].append([*rows3["ADMISSIONS"][0][:5], "ELECTIVE", *rows3["ADMISSIONS"][0][6:]])
    with pytest.raises(DataError, match="1 hadm_id come twice in the table 'admissions'"):
        _prepare(write3(), tmp_path / "m3")


@pytest.mark.parametrize("table", ["ADMISSIONS", "PRESCRIPTIONS", "D_ICD_PROCEDURES"])
def test_a_missing_table_is_named(write3: Write, rows3: Rows, tmp_path: Path, table: str) -> None:
    del rows3[table]
    with pytest.raises(DataError, match=f"no table '{table.lower()}'"):
        _prepare(write3(), tmp_path / "m3")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["raw"]


def test_a_missing_column_is_named_with_its_table(write3: Write, tmp_path: Path) -> None:
    raw = write3()
    path = raw / "PRESCRIPTIONS.csv"
    path.write_text(path.read_text().replace(",NDC,", ",CODE,", 1))
    with pytest.raises(DataError, match="PRESCRIPTIONS.csv: no column ndc"):
        _prepare(raw, tmp_path / "m3")


def test_a_damaged_gzip_leaves_the_earlier_data_set_whole(write3: Write, made: Path) -> None:
    before = _bytes(made)
    raw = write3("other", ending=".csv.gz")
    path = raw / "PRESCRIPTIONS.csv.gz"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match="PRESCRIPTIONS"):
        _prepare(raw, made)
    assert _bytes(made) == before


def test_drugs_by_ndc_alone(write3: Write, rows3: Rows, tmp_path: Path) -> None:
    codes = tmp_path / "codes"
    codes.mkdir()
    (codes / "RxNorm_to_ATC.csv").write_text("RxNorm,ATC\n7,C07AB02\n")
    (codes / "ndc2rxnorm.csv").write_text("ndc,rxnorm\n00000000077,7\n")
    for row in rows3["PRESCRIPTIONS"][::3]:
        row[7] = "77"
    summary = _prepare(write3(), tmp_path / "m3", VisitOptions(min_item_visits=2, codes_dir=codes), drugs_by="ndc")
    assert summary["orders whose drug is known by ndc"] == "33.3%"
    assert list(read_atomic(tmp_path / "m3" / "m3.item")["item_id"]) == ["C07AB"]


def test_drugs_by_ndc_need_maps(write3: Write, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="give --codes-dir"):
        _prepare(write3(), tmp_path / "m3", drugs_by="ndc")


def test_an_unknown_level_is_refused_with_the_right_ones() -> None:
    with pytest.raises(DataError, match="--codes atc9: unknown; did you mean"):
        VisitOptions(codes="atc9")


def test_interactions_ride_along(write3: Write, tmp_path: Path) -> None:
    (tmp_path / "ddi.csv").write_text("Drug_A,Drug_B,Level\nWarfarin,Furosemide,Major\n")
    summary = _prepare(write3(), tmp_path / "m3", VisitOptions(min_item_visits=2, ddi=tmp_path / "ddi.csv"))
    assert (tmp_path / "m3" / "ddi.csv").read_text() == "item_a,item_b,severity\nB01AA,C03CA,Major\n"
    assert summary["interacting pairs of medications"] == "1"


def test_a_published_cohort_is_made(write3: Write, rows3: Rows, tmp_path: Path) -> None:
    """24 visits are of the 12 patients with two; one of them has no procedure."""
    rows3["PROCEDURES_ICD"] = [["1", row[1], row[2], "1", "3893"] for row in rows3["ADMISSIONS"] if row[2] != "2004"]
    options = VisitOptions(min_item_visits=1, min_visits=2, top_medications=3, top_diagnoses=1, need_procedures=True,
                           split_by="id")
    summary = _prepare(write3(), tmp_path / "m3", options)
    assert [summary[name] for name in (
        "visits of patients with at least 2 visits that have a medication", "the 3 commonest medications",
        "the 1 commonest diagnosis codes", "visits with a procedure")] == ["24", "3", "1", "23"]
    manifest = read_manifest(tmp_path / "m3")
    assert manifest.command.endswith("--min-visits 2 --top-medications 3 --top-diagnoses 1 --split-by id "
                                     "--need-procedures")
    assert "in the order of their raw ids" in manifest.splits["patient"].description


def test_the_command_names_every_option_and_no_place(made: Path) -> None:
    assert read_manifest(made).command == ("recbole-medmoe prepare mimic3 MIMIC_DIR --drugs-by name --out m3 "
                                           "--codes atc4 --min-item-visits 2 --min-items 1")
