"""The tiny data set of visits."""
from __future__ import annotations

from pathlib import Path

from recbole_medmoe.atomic import read_atomic, validate_folder
from recbole_medmoe.checks.tiny_visits import FOLDS, make_visits


def test_it_keeps_the_rules_of_atomic_folders(tiny_visits: Path) -> None:
    validate_folder(tiny_visits, user="visit_id", item="item_id")


def test_the_same_bytes_come_out_twice(tiny_visits: Path, tmp_path: Path) -> None:
    again = make_visits(tmp_path / "tinyvisits")
    files = sorted(path.relative_to(again) for path in again.rglob("*") if path.is_file())
    assert len(files) > 20 and all((again / name).read_bytes() == (tiny_visits / name).read_bytes() for name in files)


def test_folds_test_every_visit_once_and_keep_patients_whole(tiny_visits: Path) -> None:
    patient = dict(read_atomic(tiny_visits / "tinyvisits.user")[["visit_id", "patient_id"]].to_numpy().tolist())
    tested: list[str] = []
    for fold in range(FOLDS):
        parts = [set(read_atomic(tiny_visits / f"tinyvisits.fold{fold}.{part}.inter")["visit_id"])
                 for part in ("train", "valid", "test")]
        owners = [{patient[visit] for visit in part} for part in parts]
        assert not owners[0] & owners[1] and not owners[2] & (owners[0] | owners[1])
        tested += parts[2]
    assert sorted(tested) == sorted(patient)
