"""The whole converter: raw folder in, data set out."""
from __future__ import annotations

import random

import pytest

from recbole_medmoe.atomic import check_manifest, read_atomic, read_manifest, validate_folder
from recbole_medmoe.cli import main
from recbole_medmoe.errors import DataError
from recbole_medmoe.prepare import VisitOptions, prepare_eicu


def _quiet(_: str) -> None:
    pass


def _bytes(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*"))
            if path.is_file()}


@pytest.fixture
def prepare(raw, write_raw, tmp_path):
    """``prepare(...)`` writes ``tmp_path / "small"`` with loose filters."""
    def prepared(tables=None, name="small", raw_given=None, **options):
        folder = write_raw(tables or raw, **(raw_given or {}))
        treatments = options.pop("treatments", "non-drug")
        chosen = VisitOptions(**{"min_item_visits": 5, "min_items": 2, **options})
        return prepare_eicu(folder, tmp_path / name, _quiet, chosen, treatments)

    return prepared


def test_the_folder_is_valid(prepare, tmp_path):
    prepare()
    validate_folder(tmp_path / "small", user="visit_id")
    assert check_manifest(tmp_path / "small") == []


def test_shuffled_rows_and_a_second_run_give_the_same_bytes(prepare, raw, tmp_path):
    raw["medication"] += [["2", "s1", "10", "20", "No", "", "77", ""], ["3", "s2", "10", "20", "No", "LASIX", "77", ""]]
    prepare()
    first = _bytes(tmp_path / "small")
    prepare()
    assert _bytes(tmp_path / "small") == first
    for table in raw.values():
        random.Random(3).shuffle(table)
    prepare(raw_given={"gzipped": True})
    assert _bytes(tmp_path / "small") == first


def test_what_a_stay_has(prepare, tmp_path):
    prepare()
    user = read_atomic(tmp_path / "small" / "small.user").set_index("visit_id")
    items = read_atomic(tmp_path / "small" / "small.inter").groupby("visit_id")["item_id"].agg(set)
    assert len(user) == 30 and user["patient_id"].nunique() == 20
    assert sorted(map(sorted, items)) == [["B01AC", "C03CA", "C07AB"]] * 15 + [["B01AC", "C07AB", "C09AA"]] * 15
    assert sorted(user["earlier"].map(len)) == [0] * 20 + [1] * 10


def test_the_hospital_is_in_the_file_but_not_loaded(prepare, tmp_path):
    prepare()
    assert "hospital" in read_atomic(tmp_path / "small" / "small.user")
    assert "hospital" not in (tmp_path / "small" / "small.yaml").read_text()


def test_all_options_are_in_the_command(prepare, tmp_path):
    prepare(codes="atc3", treatments="all", min_items=3, fluids=True)
    command = read_manifest(tmp_path / "small").command
    assert command == ("recbole-medmoe prepare eicu EICU_DIR --treatments all --out small --codes atc3 --fluids "
                       "--min-item-visits 5 --min-items 3")
    assert str(tmp_path) not in command


def test_interactions_of_classes_come_with_their_licence(prepare, tmp_path):
    (tmp_path / "ddi.csv").write_text("Drug_A,Drug_B,Level\nLisinopril,Furosemide,Major\nAspirin,Lisinopril,Minor\n"
                                      "Acetylsalicylic acid,Metoprolol,Major\n")
    prepare(ddi=tmp_path / "ddi.csv")
    assert (tmp_path / "small" / "ddi.csv").read_text().splitlines()[1:] == ["B01AC,C07AB,Major", "C03CA,C09AA,Major"]
    assert "CC BY-NC-SA 4.0" in (tmp_path / "small" / "LICENSE-ddi.txt").read_text()


def test_open_records_bring_their_licence(prepare, tmp_path):
    prepare()
    assert "Derivative Database" in (tmp_path / "small" / "LICENSE-ODbL.txt").read_text()
    assert not read_manifest(tmp_path / "small").derived_from_credentialed


def test_credentialed_records_stay_with_their_owner(prepare, tmp_path):
    prepare(raw_given={"licence": "PhysioNet Credentialed Health Data License"})
    assert read_manifest(tmp_path / "small").derived_from_credentialed
    assert not (tmp_path / "small").stat().st_mode & 0o077
    assert not (tmp_path / "small" / "LICENSE-ODbL.txt").exists()


@pytest.mark.parametrize("table", ["patient", "diagnosis", "treatment", "medication", "admissiondrug"])
def test_a_missing_table_is_named_and_nothing_is_written(raw, write_raw, tmp_path, table):
    folder = write_raw(raw)
    (folder / f"{table}.csv.gz").unlink()
    with pytest.raises(DataError, match=f"no table '{table}'"):
        prepare_eicu(folder, tmp_path / "small", _quiet)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["eicu"]


def test_too_strict_filters_leave_no_visit(prepare):
    with pytest.raises(DataError, match="no visit is left.*medications in at least 1000 visits: 0. Do"):
        prepare(min_item_visits=1000)


@pytest.mark.parametrize(("option", "told"), [({"codes": "atc44"}, "did you mean 'atc4'"),
                                              ({"treatments": "nodrug"}, "did you mean 'non-drug'")])
def test_a_misspelt_option_gets_the_nearest_right_one(prepare, option, told):
    with pytest.raises(DataError, match=told):
        prepare(**option)


def test_the_command_prints_what_every_filter_kept(raw, write_raw, tmp_path, capsys):
    code = main(["prepare", "eicu", str(write_raw(raw)), "--out", str(tmp_path / "small"), "--min-item-visits", "5"])
    told = capsys.readouterr().out
    assert code == 0 and "orders not cancelled" in told and "split warm_visit" in told and "--dataset small" in told


def test_the_command_tells_a_fault_in_one_message(tmp_path, capsys):
    code = main(["prepare", "eicu", str(tmp_path), "--out", str(tmp_path / "small")])
    told = capsys.readouterr().err
    assert code == 2 and "no table 'patient'" in told and "Traceback" not in told
