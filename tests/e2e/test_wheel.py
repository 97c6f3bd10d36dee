"""The wheel carries properties/ and dataset_atomic/ and works away from the source tree."""
from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def _pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    source = tmp_path_factory.mktemp("source") / "tree"
    # A copy of the committed kind of files, so that a build leaves nothing in the working tree.
    command = ["git", "ls-files", "-co", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    for name in names.stdout.splitlines():
        if (ROOT / name).is_file() and not name.startswith("tests/"):
            target = source / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((ROOT / name).read_bytes())
    _pip("wheel", str(source), "--no-deps", "--no-build-isolation", "--quiet", "-w", str(out))
    return next(out.glob("*.whl"))


@pytest.mark.e2e
def test_the_wheel_carries_defaults_prompts_and_data(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for name in ("properties/overall.yaml", "properties/model/MedMoE.yaml", "properties/prompt/food_user.txt",
                 "dataset_atomic/healthfood/healthfood.inter", "dataset_atomic/healthfood/text/user.jsonl",
                 "dataset_atomic/healthfood/LICENSE-ODbL.txt", "dataset_atomic/med-mcq/candidates.csv",
                 "prepare/choice/document.yaml", "dataset_atomic/eicu-demo/eicu-demo.inter",
                 "prepare/visits/drug_names.csv", "prepare/eicu/treatments.yaml"):
        assert f"recbole_medmoe/{name}" in names, name


@pytest.mark.e2e
def test_lists_of_interactions_stay_out_of_the_wheel(wheel: Path) -> None:
    """Their licence forbids sale; they lie in the source tree."""
    names = {Path(name).name for name in zipfile.ZipFile(wheel).namelist()}
    assert not names & {"ddi.csv", "LICENSE-ddi.txt"}


@pytest.mark.e2e
def test_an_installed_wheel_trains_and_scores_on_its_own_data(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    _pip("install", "--no-deps", "--no-index", "--quiet", "--target", str(site), str(wheel))
    environment = {**os.environ, "PYTHONPATH": str(site), "OMP_NUM_THREADS": "1"}
    code = ("import sys, recbole_medmoe; assert recbole_medmoe.__file__.startswith(sys.argv[1]); "
            "from recbole_medmoe.cli import main; "
            "raise SystemExit(main(['--model', 'Pop', '--dataset', 'healthfood', '--runs-dir', sys.argv[2]]))")
    runs = tmp_path / "runs"
    done = subprocess.run([sys.executable, "-c", code, str(site), str(runs)], cwd=tmp_path, env=environment,
                          capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert len(list(runs.glob("healthfood/Pop/*/record.json"))) == 1
