"""A trained hybrid, copied away from its data set, reads a new patient with the real encoders."""
from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from recbole_medmoe import run
from recbole_medmoe.paths import dataset_folder, properties_dir

PATIENT = {"text": "64-year-old woman, BMI 33.0. Likes milk. Dislikes apple. Diet: no special diet. Wants any food. "
                   "History: hypertension requiring treatment. Problems: diabetes mellitus. Medicines: metformin. "
                   "Allergies: none recorded.",
           "age": 64, "sex": "female", "bmi": 33.0, "conditions": ["hypertension", "diabetes", "obesity"],
           "medicines": ["diabetes_medicine"]}
CODE = ("import json, sys; from recbole_medmoe import load; trained = load(sys.argv[1]); "
        "scores = trained.score([json.loads(sys.argv[2])] * 2); "
        "print(json.dumps([trained.items, scores.tolist()]))")


def _copy_under_another_name(target: Path) -> None:
    """healthfood as a user's own data set, which can be taken away again."""
    source = dataset_folder("healthfood")
    for path in source.rglob("*"):
        if path.is_file() and path.name != "manifest.json":
            copy = target / path.relative_to(source).with_name(path.name.replace("healthfood", target.name))
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
    shutil.copyfile(properties_dir() / "dataset" / "healthfood.yaml", target / f"{target.name}.yaml")


@pytest.mark.e2e
def test_a_copied_hybrid_scores_a_patient_written_by_hand_without_its_data_set(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "ownfood"
    _copy_under_another_name(folder)
    result = run("MedMoE", "ownfood", runs_dir=tmp_path / "runs",
                 overrides={"data_path": str(folder.parent), "epochs": 1})
    moved = tmp_path / "elsewhere"
    shutil.copytree(result.folder, moved)
    shutil.rmtree(folder.parent)
    shutil.rmtree(tmp_path / "runs")
    done = subprocess.run([sys.executable, "-c", CODE, str(moved), json.dumps(PATIENT)], cwd=tmp_path, check=True,
                          env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
                          capture_output=True, text=True)
    items, (first, second) = json.loads(done.stdout.splitlines()[-1])
    assert len(items) == len(first) == 81
    assert first == pytest.approx(second, abs=1e-5) and len(set(first)) > 40
