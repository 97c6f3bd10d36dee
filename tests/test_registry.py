"""Names become classes; wrong names become messages."""
from __future__ import annotations

import sys
from pathlib import Path

import pytest

from recbole_medmoe import registry
from recbole_medmoe.errors import ConfigError, MissingPackageError


def _module(folder: Path, name: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(str(folder))


def test_own_models_come_before_recboles() -> None:
    names = registry.model_names()
    assert names[:3] == ["MedMoE", "MoEOnly", "LLMOnly"]
    assert len(registry.model_names("recbole")) == 93   # RecBole's 94 without its Pop
    assert len(names) == len(set(names)) == 93 + len(registry.MODELS)


@pytest.mark.parametrize("spec", registry.MODELS, ids=lambda spec: spec.name)
def test_every_target_loads_a_class_of_its_name(spec: registry.ModelSpec) -> None:
    assert spec.load().__name__ == spec.name


@pytest.mark.parametrize("spec", registry.MODELS, ids=lambda spec: spec.name)
def test_every_trainer_named_loads(spec: registry.ModelSpec) -> None:
    trainer = spec.load_trainer()
    assert (trainer is None) == (spec.trainer is None)
    assert trainer is None or trainer.__name__ == str(spec.trainer).split(":")[1]


@pytest.mark.parametrize("name", ["BPR", "KD_DAGFM", "SASRec", "KTUP", "Random"])
def test_recbole_model_loads(name: str) -> None:
    spec = registry.find_model(name)
    assert spec.origin == "recbole"
    assert spec.load().__name__ == name


def test_origins() -> None:
    assert registry.find_model("MedMoE").origin == "recbole_medmoe"
    assert registry.find_model("my.module:Mine").origin == "third party"


def test_who_needs_known_users() -> None:
    assert registry.find_model("BPR").needs == ("known users",)
    assert registry.find_model("Pop").needs == registry.find_model("FM").needs == ()


@pytest.mark.parametrize("wrong, right", [("MedMoF", "MedMoE"), ("bpr", "BPR"), ("LightGNC", "LightGCN")])
def test_wrong_name_gets_the_nearest(wrong: str, right: str) -> None:
    with pytest.raises(ConfigError, match=f"no model '{wrong}'; did you mean '{right}'"):
        registry.find_model(wrong)


def test_dotted_path_without_class_is_explained() -> None:
    with pytest.raises(ConfigError, match="package.module:Class"):
        registry.find_model("my_package.my_module")


def test_third_party_class_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _module(tmp_path, "h1_third", "class Mine:\n    pass\n", monkeypatch)
    assert registry.find_model("h1_third:Mine").load().__name__ == "Mine"


def test_third_party_module_in_the_working_folder_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "h1_beside.py").write_text("class Mine:\n    pass\n")
    monkeypatch.setattr("sys.path", [entry for entry in sys.path if entry])
    monkeypatch.chdir(tmp_path)
    assert registry.find_model("h1_beside:Mine").load().__name__ == "Mine"


def test_missing_module_is_named() -> None:
    with pytest.raises(ConfigError, match="no module 'no_such_package'"):
        registry.find_model("no_such_package.sub:Mine").load()


def test_missing_class_gets_the_nearest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _module(tmp_path, "h1_classes", "class Mine:\n    pass\n", monkeypatch)
    with pytest.raises(ConfigError, match="no class 'Mina'.*'Mine'"):
        registry.find_model("h1_classes:Mina").load()


def test_package_that_a_model_misses_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _module(tmp_path, "h1_needs", "import no_such_dependency\n", monkeypatch)
    with pytest.raises(MissingPackageError, match="pip install no_such_dependency"):
        registry.find_model("h1_needs:Mine").load()
