from __future__ import annotations

from pathlib import Path

import pytest

from recbole_medmoe.cli import main
from recbole_medmoe.cli.run import check_keys, check_names, parse_seeds
from recbole_medmoe.errors import ConfigError


def test_keys_pass_as_they_are() -> None:
    assert check_keys(["--topk=[5, 10]", "--learning_rate=1e-3"]) == ["--topk=[5, 10]", "--learning_rate=1e-3"]


def test_every_word_that_is_no_key_is_named_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        check_keys(["--splt", "warm", "--epochs=2"])
    assert caught.value.faults == ["'--splt': write a key as --key=value; did you mean '--split'?",
                                   "'warm' stands alone: write a key and its value as one word, --key=value"]


def test_a_missing_model_is_told_beside_the_option_that_was_meant() -> None:
    with pytest.raises(ConfigError, match="--model is missing .*did you mean '--model'"):
        check_names("", "ml-100k", ["--modle=BPR"])


def test_a_missing_data_set_is_told_with_an_example() -> None:
    with pytest.raises(ConfigError, match="--dataset is missing, e.g. --dataset healthfood"):
        check_names("BPR", "", [])


def test_a_model_named_twice_is_refused() -> None:
    with pytest.raises(ConfigError, match="--model names BPR twice"):
        check_names("BPR,Pop,BPR", "ml-100k", [])


def test_seeds_become_numbers() -> None:
    assert parse_seeds("0, 1,2", []) == [0, 1, 2]
    assert parse_seeds("", []) is None


@pytest.mark.parametrize(("seeds", "argv", "message"), [
    ("0,x", [], "whole numbers"), ("0,-1", [], "whole numbers"), ("1,1", [], "same seed twice"),
    ("0", ["--seed=3"], "not both")])
def test_seeds_that_make_no_sense_are_refused(seeds: str, argv: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_seeds(seeds, argv)


def test_dry_run_prints_values_with_origins_and_leaves_nothing(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text("embedding_size: 32\n")
    assert main(["--model", "BPR", "--dataset", "ml-100k", "--config", "mine.yaml", "--epochs=5", "--dry-run"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["embedding_size", "32", "mine.yaml:1"] in lines
    assert ["epochs", "5", "command", "line"] in lines
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.yaml"]


def test_dry_run_refuses_what_the_run_would_refuse(tiny_food: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--model", "EASE", "--dataset", "tinyfood", "--split", "cold_patient",
                 f"--data_path={tiny_food.parent}", "--dry-run"]) == 2
    assert "knows users only by their ids" in capsys.readouterr().err


def test_dry_run_shows_each_model_and_data_set_once(tiny_food: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--model", "Pop,ConditionLookup", "--dataset", "tinyfood", f"--data_path={tiny_food.parent}",
                 "--seeds", "0,1", "--dry-run"]) == 0
    titles = [line for line in capsys.readouterr().out.splitlines() if " on tinyfood" in line]
    assert [title.split()[0] for title in titles] == ["Pop", "ConditionLookup"]


def test_recboles_spelling_of_files_works(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.yaml").write_text("epochs: 3\n")
    (tmp_path / "b.yaml").write_text("epochs: 4\n")
    assert main(["--model", "BPR", "--dataset", "ml-100k", "--config_files", "a.yaml b.yaml", "--dry-run"]) == 0
    assert ["epochs", "4", "b.yaml:1"] in [line.split() for line in capsys.readouterr().out.splitlines()]


def test_a_comparison_prints_one_table_and_where_it_is_kept(
        tiny_food: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["--model", "ConditionLookup,Pop", "--dataset", "tinyfood", f"--data_path={tiny_food.parent}",
                 "--runs-dir", str(tmp_path), "--bootstrap_draws=100"])
    out = capsys.readouterr().out
    assert code == 0
    assert "Against ConditionLookup" in out and f"Kept in {tmp_path / 'tinyfood'}" in out
    assert [line.split()[0] for line in out.splitlines() if line.startswith(("Pop", "ConditionLookup"))] == [
        "ConditionLookup", "Pop"]


def test_a_teacher_and_a_packaged_variant_go_into_the_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--model", "LEADERStudent", "--teacher", "LEADERTeacher", "--dataset", "eicu-demo", "--config",
                 "LEADERStudent.released", "--tuned_layers=3", "--dry-run"]) == 0
    told = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line.strip()}
    assert "LEADERTeacher" in told["teacher"] and "command line" in told["teacher"]
    assert "'tuned_layers': 3" in told["teacher_keys"] and "'history_diagnoses'" in told["teacher_keys"]
    assert "first" in told["keep_visits"] and " properties/model/LEADERStudent.released.yaml:5" in told["keep_visits"]


def test_a_file_that_is_no_variant_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--model", "LEADERStudent", "--dataset", "eicu-demo", "--config", "LEADERStudent.relesed",
                 "--dry-run"]) == 2
    assert "'LEADERStudent.relesed' can not be read" in capsys.readouterr().err
