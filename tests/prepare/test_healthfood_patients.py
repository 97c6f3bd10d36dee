from __future__ import annotations

import gzip
import hashlib

import pytest

from recbole_medmoe.errors import DataError
from recbole_medmoe.prepare.healthfood.patients import find_table, read_patients


def digest(unique: str) -> str:
    return hashlib.sha256(f"healthfood:{unique}".encode()).hexdigest()


@pytest.fixture
def patients(raw):
    return {patient.digest: patient for patient in read_patients(raw.eicu)[0]}


def test_stays_of_a_patient_are_merged(patients):
    first = patients[digest("P-A")]
    assert len(patients) == 5
    last = {text.split("|")[-1] for text in first.diagnoses}
    assert last == {"hypertension", "hypokalemia", "severe ( < 2.8 meq/dl)"}


def test_age_over_89_is_90(patients):
    assert patients[digest("P-B")].age == 90


def test_implausible_height_leaves_the_body_mass_index_open(patients):
    assert patients[digest("P-B")].bmi is None


def test_weight_is_the_lower_median_of_the_stays(patients):
    assert patients[digest("P-A")].bmi == pytest.approx(80 / 1.8**2, abs=0.05)


def test_weight_at_discharge_stands_in_for_a_missing_one(patients):
    assert patients[digest("P-C")].bmi == pytest.approx(90 / 1.6**2, abs=0.05)


def test_missing_sex_and_age_stay_missing(patients):
    assert (patients[digest("P-D")].sex, patients[digest("P-D")].age) == ("unknown", None)


def test_brand_names_become_the_medicine(patients):
    assert patients[digest("P-D")].medicines == {"allopurinol"}


def test_an_order_without_a_name_takes_what_its_code_is_named(patients):
    assert patients[digest("P-B")].medicines == {"simvastatin"}


def test_cancelled_orders_do_not_count(patients):
    assert "furosemide" not in patients[digest("P-B")].medicines


def test_medicines_before_admission_count(patients):
    assert patients[digest("P-C")].medicines == {"metformin"}


def test_patients_come_in_the_order_of_their_digests(raw):
    order = [patient.digest for patient in read_patients(raw.eicu)[0]]
    assert order == sorted(order)


def test_order_of_the_rows_does_not_matter(tmp_path, write_raw):
    plain, turned = write_raw(tmp_path / "a"), write_raw(tmp_path / "b", reverse=True)
    assert read_patients(plain.eicu) == read_patients(turned.eicu)


def test_file_names_may_be_in_capitals(raw):
    (raw.eicu / "allergy.csv.gz").rename(raw.eicu / "ALLERGY.csv.gz")
    assert find_table(raw.eicu, "allergy").name == "ALLERGY.csv.gz"


def test_a_missing_table_is_named(raw):
    (raw.eicu / "diagnosis.csv.gz").unlink()
    with pytest.raises(DataError, match="no diagnosis.csv"):
        read_patients(raw.eicu)


def test_a_missing_column_is_named(raw):
    with gzip.open(raw.eicu / "allergy.csv.gz", "wt") as handle:
        handle.write("patientunitstayid,allergyname\n1,x\n")
    with pytest.raises(DataError, match="no column allergytype"):
        read_patients(raw.eicu)
