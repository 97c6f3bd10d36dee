"""One command for teacher and student: what is trained, reused, refused and noted."""
from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable

import pytest
import torch

from recbole_medmoe.checks.tiny_llama import make_llama
from recbole_medmoe.checks.tiny_visits import make_visits
from recbole_medmoe.config import MedConfig
from recbole_medmoe.data.teacher_states import TeacherStates
from recbole_medmoe.errors import CheckpointError, ConfigError
from recbole_medmoe.quick_start import RunResult, compare, load, run
from recbole_medmoe.quick_start.distilling import STATES
from recbole_medmoe.quick_start.finished import Key
from recbole_medmoe.quick_start.teachers import teacher_config
from recbole_medmoe.store import file_sha256, read_record

Student = Callable[..., RunResult]
SMALL: dict[str, Any] = {"epochs": 2, "bootstrap_draws": 20, "min_group": 1, "device": "cpu", "progress": False}
TEACHER: dict[str, Any] = {"epochs": 1, "head_epochs": 1}


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Data, cache and a tiny backbone."""
    base = tmp_path_factory.mktemp("distilling")
    make_visits(base / "data" / "tinyvisits")
    return {"data_path": str(base / "data"), "cache_dir": str(base / "cache"),
            "backbone": str(make_llama(base / "llama"))}


@pytest.fixture(scope="module")
def taught(places: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> tuple[RunResult, Path]:
    """A student whose teacher was trained for it, and the folder of both runs; read only."""
    runs = tmp_path_factory.mktemp("taught") / "runs"
    return run("LEADERStudent", "tinyvisits", runs_dir=runs,
               overrides={**SMALL, **places, "teacher": "LEADERTeacher", "teacher_keys": TEACHER}), runs


@pytest.fixture
def student(places: dict[str, Any], taught: tuple[RunResult, Path], tmp_path: Path) -> Student:
    """``student(teacher=..., **keys)``: a run in a copy of the folder that holds the teacher."""
    runs = tmp_path / "runs"
    shutil.copytree(taught[1], runs)

    def make(teacher: Any = "LEADERTeacher", **keys: Any) -> RunResult:
        named = {"backbone": places["backbone"], "teacher_keys": TEACHER} if teacher == "LEADERTeacher" else {}
        given = {key: places[key] for key in ("data_path", "cache_dir")}
        return run("LEADERStudent", "tinyvisits", runs_dir=runs,
                   overrides={**SMALL, **given, **named, "teacher": teacher, **keys})

    return make


def _teachers(runs: Path) -> list[Path]:
    return sorted((runs / "tinyvisits" / "LEADERTeacher").iterdir())


def test_the_teacher_is_a_run_of_its_own_with_its_states(taught: tuple[RunResult, Path]) -> None:
    done, runs = taught
    teacher, = _teachers(runs)
    record, states = read_record(teacher), TeacherStates.read(teacher / STATES)
    assert record["training"]["epochs"] == 2 and record["training"]["seed"] == done.record["training"]["seed"]
    trained = done.dataset.train_users.nonzero().squeeze(-1).tolist()
    assert states.tokens == [done.dataset.user_tokens[visit] for visit in trained]  # and no other visit
    assert states.matrix.shape == (len(trained), 48)
    model = {"data_sha256": record["data"]["sha256"], "split": "patient", "run": teacher.name, "train_share": 1.0,
             "backbone_sha256": record["model"]["backbone"][0]["sha256"],
             "teacher_sha256": file_sha256(teacher / "model" / "model.safetensors")}
    assert {name: getattr(states.origin, name) for name in model} == model


def test_states_are_what_the_trained_teacher_makes_of_the_visits(taught: tuple[RunResult, Path], student: Student,
                                                                 tmp_path: Path) -> None:
    first, = _teachers(taught[1])
    again, = _teachers(tmp_path / "runs")
    (again / STATES).unlink()
    student(again)   # a teacher built again from its folder
    made, kept = (TeacherStates.read(folder / STATES) for folder in (again, first))
    assert made.origin == kept.origin and made.tokens == kept.tokens
    assert torch.allclose(made.matrix.float(), kept.matrix.float(), atol=1e-2)


def test_the_students_record_names_its_teacher(taught: tuple[RunResult, Path]) -> None:
    told, teacher = taught[0].record["model"]["teacher"], _teachers(taught[1])[0]
    origin = TeacherStates.read(teacher / STATES).origin
    assert told == {"name": "LEADERTeacher", "run": teacher.name, "sha256": origin.teacher_sha256,
                    "backbone_sha256": origin.backbone_sha256, "prompt_sha256": origin.prompt_sha256,
                    "states_sha256": file_sha256(teacher / STATES), "visits": 39}
    assert taught[0].record["training"]["epochs"] == 2   # its own, not those of its teacher
    lines = [json.loads(line) for line in (taught[0].folder / "log.jsonl").read_text().splitlines()]
    assert all(len(line["losses"]) == 3 for line in lines)


def test_a_student_of_other_prompts_or_another_llm_is_another_run(taught: tuple[RunResult, Path],
                                                                  places: dict[str, Any], tmp_path: Path) -> None:
    prompt = tmp_path / "mine.txt"
    prompt.write_text("{visits} {history} {diagnoses} {procedures} Medications:")
    given = {**SMALL, **places, "teacher": "LEADERTeacher"}
    config = MedConfig("LEADERStudent", "tinyvisits", overrides={**given, "teacher_keys": {**TEACHER,
                                                                                           "prompt": str(prompt)}})
    key = Key.of(config)
    prompt.write_text("Other words. {visits} {history} {diagnoses} {procedures} Medications:")
    assert Key.of(config).config_sha256 == key.config_sha256 and Key.of(config) != key
    usual = MedConfig("LEADERStudent", "tinyvisits", overrides={**given, "teacher_keys": TEACHER})
    assert Key.of(usual) == Key.of_record(taught[0].record)
    assert {used["sha256"] for used in taught[0].record["model"]["backbone"]} == set(Key.of(usual).backbones) != set()


def test_an_equal_teacher_is_reused(taught: tuple[RunResult, Path], student: Student, tmp_path: Path) -> None:
    done = student()
    assert len(_teachers(tmp_path / "runs")) == 1
    assert done.evaluation.metrics == taught[0].evaluation.metrics


def test_another_seed_or_share_has_a_teacher_of_its_own(student: Student, tmp_path: Path) -> None:
    student(seed=7)
    done = student(train_share=.5)
    assert len(_teachers(tmp_path / "runs")) == 3
    assert done.record["model"]["teacher"]["visits"] == int(done.dataset.train_users.sum()) < 39


def test_a_run_folder_and_its_states_teach_alike(taught: tuple[RunResult, Path], student: Student,
                                                 tmp_path: Path) -> None:
    teacher, = _teachers(tmp_path / "runs")
    by_folder, by_file = student(teacher), student(teacher / STATES)
    assert by_folder.evaluation.metrics == by_file.evaluation.metrics == taught[0].evaluation.metrics
    assert by_folder.record["model"]["teacher"] == by_file.record["model"]["teacher"]


def test_shuffled_states_teach_something_else(student: Student) -> None:
    own, other = student(), student(teacher_order="shuffled")
    assert own.record["model"]["teacher"] == other.record["model"]["teacher"]
    assert own.model.state_dict()["feature.weight"].ne(other.model.state_dict()["feature.weight"]).any()


def test_a_trained_student_needs_neither_teacher_nor_data(taught: tuple[RunResult, Path], tmp_path: Path) -> None:
    alone = shutil.copytree(taught[0].folder, tmp_path / "alone")
    visit = {"diag": ["gout"], "proc": None, "age": 70, "sex": "female",
             "earlier": [{"diag": ["gout"], "medications": ["iron"]}]}
    trained = load(alone)
    assert trained.score([visit]).shape == (1, 12) and set(trained.keys) == {"diag", "proc", "earlier", "age", "sex"}


def test_states_of_other_data_are_refused(student: Student, tmp_path: Path) -> None:
    teacher, = _teachers(tmp_path / "runs")
    for given in (teacher, teacher / STATES):
        with pytest.raises(CheckpointError, match="other data"):
            student(given, split="fold0")
    with pytest.raises(CheckpointError, match="other share of the training visits"):
        student(teacher / STATES, train_share=.5)


def test_states_of_another_teacher_are_refused(student: Student, tmp_path: Path) -> None:
    teacher, = _teachers(tmp_path / "runs")
    weights = teacher / "model" / "model.safetensors"
    weights.write_bytes(weights.read_bytes() + b" ")
    with pytest.raises(CheckpointError, match="other teacher"):
        student()


def test_states_of_other_prompts_are_refused(student: Student, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recbole_medmoe.quick_start.distilling.prompt_sha256", lambda spec: "0" * 64)
    with pytest.raises(CheckpointError, match="other prompts of the teacher"):
        student()


@pytest.mark.parametrize("named, fault", [("LEADERTeachr", "did you mean 'LEADERTeacher'"),
                                          ("VisitLR", "has no hidden states"), ("no/such/run", "is neither a model")])
def test_a_teacher_that_is_none_is_refused_before_anything_runs(student: Student, named: str, fault: str) -> None:
    with pytest.raises(ConfigError, match=fault):
        student(named, teacher_keys={})


def test_a_comparison_with_a_wrong_teacher_never_starts(places: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="LEADERStudent: teacher: 'LEADERTeachr' is neither"):
        compare(["VisitPop", "LEADERStudent"], "tinyvisits", runs_dir=tmp_path,
                overrides={"data_path": places["data_path"], "teacher": "LEADERTeachr"})
    assert not list(tmp_path.iterdir())


def test_keys_for_a_teacher_that_is_finished_are_refused(student: Student, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="teacher_keys: are for a teacher that is trained"):
        student(_teachers(tmp_path / "runs")[0], teacher_keys={"epochs": 3})


def _config(places: dict[str, Any], **keys: Any) -> MedConfig:
    beside = keys.pop("beside", ())
    return MedConfig("LEADERStudent", "tinyvisits", beside=beside,
                     overrides={"data_path": places["data_path"], "teacher": "LEADERTeacher", **keys})


def test_keys_that_only_the_teacher_has_are_its_own(places: dict[str, Any]) -> None:
    config = _config(places, tuned_layers=1, epochs=7, topk=[3], teacher_keys={"lora_rank": 2})
    teacher = teacher_config(config)
    assert config["teacher_keys"] == {"lora_rank": 2, "tuned_layers": 1} and config["epochs"] == 7
    assert (teacher["tuned_layers"], teacher["lora_rank"], teacher["topk"]) == (1, 2, [3])
    assert teacher["epochs"] == MedConfig("LEADERTeacher", "tinyvisits", overrides={
        "data_path": places["data_path"]})["epochs"]


def test_beside_its_teacher_a_student_learns_from_that_row(places: dict[str, Any]) -> None:
    keys = {"tuned_layers": 1, "epochs": 3, "topk": [5]}
    student = _config(places, beside=("LEADERTeacher", "LEADERStudent"), **keys)
    row = MedConfig("LEADERTeacher", "tinyvisits", beside=("LEADERTeacher", "LEADERStudent"), overrides={
        "data_path": places["data_path"], "teacher": "LEADERTeacher", **keys})
    assert teacher_config(student).resolved() == row.resolved()


def test_without_such_a_teacher_its_keys_are_unknown(places: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="tuned_layers"):
        _config(places, teacher=None, tuned_layers=1)


def test_in_a_comparison_the_row_of_the_teacher_teaches(places: dict[str, Any], tmp_path: Path) -> None:
    done = compare(["LEADERTeacher", "LEADERStudent", "VisitPop"], "tinyvisits", runs_dir=tmp_path, overrides={
        **SMALL, **places, "head_epochs": 1, "teacher": "LEADERTeacher"})
    teacher, = (tmp_path / "tinyvisits" / "LEADERTeacher").iterdir()   # its row, and no second run
    assert [folder.parent.name for folder in done.folders] == ["LEADERTeacher", "LEADERStudent", "VisitPop"]
    assert read_record(done.folders[1])["model"]["teacher"]["run"] == teacher.name


def test_with_states_at_hand_no_language_model_is_needed(taught: tuple[RunResult, Path], places: dict[str, Any],
                                                         tmp_path: Path) -> None:
    """In a process in which transformers and peft cannot be imported."""
    keys = {**SMALL, "data_path": places["data_path"], "cache_dir": places["cache_dir"]}
    named = [str(_teachers(taught[1])[0] / STATES), str(_teachers(taught[1])[0])]
    program = f"""
import sys
from importlib.abc import MetaPathFinder
class Refuse(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in ('transformers', 'peft', 'tokenizers'):
            raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, Refuse())
from recbole_medmoe.quick_start import load, run
for teacher in {named!r}:
    done = run('LEADERStudent', 'tinyvisits', runs_dir={str(tmp_path)!r}, overrides={{**{keys!r}, 'teacher': teacher}})
    visit = {{'diag': ['gout'], 'proc': None, 'earlier': None, 'age': 70, 'sex': 'female'}}
    assert load(done.folder).score([visit]).shape == (1, 12)
    print(done.evaluation.metrics['prauc'])
assert not {{'transformers', 'peft'}} & set(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True,
                          cwd=Path(__file__).resolve().parents[2])
    assert not done.returncode, done.stderr[-2000:]
    assert {float(line) for line in done.stdout.split()} == {taught[0].evaluation.metrics["prauc"]}
