"""Every fault of a configuration, all at once, each with its place and a remedy."""
from __future__ import annotations

from pathlib import Path

import pytest

from recbole_medmoe.config import MedConfig
from recbole_medmoe.errors import ConfigError


def _faults(model: str = "BPR", dataset: str = "ml-100k", split: str | None = None, *argv: str,
            files: tuple[Path, ...] = ()) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        MedConfig(model, dataset, split=split, argv=argv, files=files)
    return caught.value.faults


def _one(*argv: str, model: str = "BPR", dataset: str = "ml-100k", split: str | None = None) -> str:
    faults = _faults(model, dataset, split, *argv)
    assert len(faults) == 1, faults
    return faults[0]


def test_five_misspellings_are_five_faults() -> None:
    faults = _faults("MedMoF", "healthfod", "cold_pateint", "--epocs=5", "--metrics=[Recal,NDCG]")
    assert len(faults) == 5
    for fault, wrong, right in zip(faults, ("MedMoF", "healthfod", "cold_pateint", "epocs", "Recal"),
                                   ("MedMoE", "healthfood", "cold_patient", "epochs", "Recall")):
        assert f"'{wrong}'" in fault and f"did you mean '{right}'" in fault


def test_faults_of_files_have_file_and_line(home: Path) -> None:
    first, second = home / "one.yaml", home / "two.yaml"
    first.write_text("\nlerning_rate: 0.1\n")
    second.write_text("seed: 1\nepochs: many\n")
    faults = _faults("BPR", "ml-100k", None, "--embedding_size=big", files=(first, second, home / "none.yaml"))
    assert len(faults) == 4
    text = "\n".join(faults)
    assert f"unknown key 'lerning_rate' ({first}:2); did you mean 'learning_rate'" in text
    assert f"epochs = 'many' ({second}:2): input should be a valid integer" in text
    assert "embedding_size = 'big' (command line): expected int" in text
    assert "none.yaml' can not be read" in text


@pytest.mark.parametrize("argument, message", [
    ("--epochs=0", "epochs = 0 (command line): input should be greater than 0"),
    ("--epochs=1.5", "epochs = 1.5"), ("--epochs='5'", "epochs = '5'"), ("--epochs=true", "epochs = True"),
    ("--learning_rate=-1", "learning_rate = -1"), ("--learning_rate=.nan", "learning_rate = nan"),
    ("--seed=-1", "seed = -1"), ("--train_batch_size=0", "train_batch_size = 0"),
    ("--learner=adamm", "learner = 'adamm'"), ("--topk=0", "topk = 0"), ("--topk=[]", "topk = []"),
    ("--topk=[5,-1]", "topk = [5, -1]"), ("--metrics=[]", "metrics = []"), ("--device=gpu", "device = 'gpu'"),
    ("--precision=fp16", "precision = 'fp16'"), ("--lr_schedule=step", "lr_schedule = 'step'"),
    ("--task=riddle", "task = 'riddle'"), ("--reencode=maybe", "reencode = 'maybe'"),
    ("--min_group=0", "min_group = 0"), ("--shuffle=1", "shuffle = 1"), ("--extra_keys=a", "extra_keys = 'a'"),
    ("--eval_args=full", "eval_args = 'full'"), ("--split=3", "split = 3"), ("--data_path=[a]", "data_path = ['a']"),
    ("--labels=3", "labels = 3"),
    ("--labels=A", "no label variant 'A' (command line) of data set 'ml-100k'; it has only labels of its own"),
    ("--train_share=0", "train_share = 0 (command line): input should be greater than 0"),
    ("--train_share=1.5", "train_share = 1.5 (command line): input should be less than or equal to 1"),
    ("--train_share=.nan", "train_share = nan"), ("--train_share='0.5'", "train_share = '0.5'"),
    ("--images=photos", "images = 'photos' (command line): input should be 'catalogue', 'photo', 'blurred' or 'none'"),
    ("--images=photo", "images = 'photo' (command line): model 'BPR' looks at no pictures with these parameters"),
    ("--load_col=all", "load_col = 'all' (command line): expected dict"),
    ("--MAX_ITEM_LIST_LENGTH=2.5", "MAX_ITEM_LIST_LENGTH = 2.5 (command line): expected int"),
    ("--eval_args={mode: fulll}", "mode 'fulll'; valid: full, labeled, uniN, popN"),
    ("--eval_args={mod: full}", "unknown part 'mod'; did you mean 'mode'"),
    ("--eval_args={order: XX}", "order 'XX'; valid: RO, TO"),
    ("--eval_args={group_by: item}", "group_by 'item'; valid: user, none"),
    ("--eval_args={split: {RS: half}}", "split {'RS': 'half'}; write one of"),
    ("--train_neg_sample_args={distribution: unifrom}", "distribution 'unifrom'; expected uniform"),
    ("--train_neg_sample_args={sample_num: 0}", "sample_num 0; expected a whole number from 1"),
    ("--metrics=[Recall,AUC]", "ranking metrics and value metrics"),
    ("--metrics=AUC", "value metrics need eval_args mode labeled"),
    ("--valid_metric=Recal@10", "unknown metric 'Recal' in valid_metric (command line); did you mean 'Recall'"),
    ("--valid_metric=Recall@7", "with topk [10] the values are Recall@10"),
    ("--valid_metric=MAP@10", "'MAP' is not among metrics"),
    ("--save_dataset=true", "save_dataset = True (command line) is not offered: nothing is pickled here"),
    ("--enable_amp=true", "use precision: bf16"), ("--checkpoint_dir=mine", "use runs_dir"),
    ("--log_wandb=true", "log.jsonl"), ("--neg_sampling={uniform: 1}", "use train_neg_sample_args"),
    ("--USER_ID_FEILD=u", "unknown key 'USER_ID_FEILD' (command line); did you mean 'USER_ID_FIELD'"),
    ("--zzzzqqq=1", "a key of your own is admitted by extra_keys: [zzzzqqq]"),
])
def test_one_wrong_value_is_one_fault(argument: str, message: str) -> None:
    assert message in _one(argument)


def test_split_of_a_data_set_without_splits() -> None:
    assert "it has no pre-split files" in _one(split="warm")


def test_split_gets_the_nearest_of_its_data_set() -> None:
    assert "did you mean 'warm'" in _one(dataset="healthfood", split="wram")


def test_unknown_data_set_names_the_folders() -> None:
    fault = _one(dataset="ml-100")
    assert "did you mean 'ml-100k'" in fault and "dataset_atomic" in fault


def test_sequential_models_repeat() -> None:
    assert "sequential models need repeatable: true" in _one("--repeatable=false", model="SASRec")


def test_loss_that_tells_no_input() -> None:
    assert "valid: CE, BPR" in _one("--loss_type=MSE", model="SASRec")


def test_class_that_is_no_recommender(home: Path) -> None:
    assert "is no RecBole model" in _one(model="h1_model:Stranger")


@pytest.mark.parametrize("argument, message", [
    ("--width=0", "width = 0 (command line): input should be greater than or equal to 1"),
    ("--width='8'", "width = '8'"), ("--widths=[4,a]", "widths = [4, 'a'] (command line) at 1"),
    ("--fusion=early", "fusion = 'early'"), ("--widht=3", "unknown key 'widht' (command line); did you mean 'width'"),
    ("--mf_train=true", "unknown key 'mf_train'"),
])
def test_params_of_a_model_are_checked(home: Path, argument: str, message: str) -> None:
    assert message in _one(argument, model="h1_model:Tiny", dataset="tinyfood", split="cold")


def test_key_that_params_and_settings_both_know_is_told_once() -> None:
    assert _one("--epochs=0", model="MedMoE", dataset="healthfood").startswith("epochs = 0")


def test_missing_default_of_a_parameter_is_told(home: Path) -> None:
    (home / "Tiny.yaml").write_text("width: 8\nwidths: [1]\n")
    assert _one(model="h1_model:Tiny", dataset="tinyfood", split="cold") == "fusion: field required"


def test_model_without_params_knows_its_yaml_and_what_it_reads(home: Path) -> None:
    config = MedConfig("h1_model:Loose", "tinyfood", split="cold", argv=["--loose_size=5", "--loose_depth=2"])
    assert config.params is None and config["loose_size"] == 5
    assert "'loose_siz'" in _one("--loose_siz=5", model="h1_model:Loose", dataset="tinyfood", split="cold")
    assert "expected int" in _one("--loose_size=x", model="h1_model:Loose", dataset="tinyfood", split="cold")


def test_extra_keys_admit_what_nothing_knows() -> None:
    config = MedConfig("BPR", "ml-100k", argv=["--extra_keys=[mine]", "--mine=3"])
    assert config["mine"] == 3


def test_bad_arguments_stand_beside_the_other_faults() -> None:
    faults = _faults("BRP", "ml-100k", None, "epochs=5", "--seed=1", "--seed=2")
    assert len(faults) == 3


def _variant(home: Path, name: str, *splits: str) -> None:
    folder = home / "dataset" / "tinyfood" / "labels" / name
    folder.mkdir(parents=True)
    for split in splits:
        for phase in ("train", "valid", "test"):
            (folder / f"tinyfood.{split}.{phase}.inter").write_text("user_id:token\titem_id:token\nu1\ti1\n")


def test_an_unknown_label_variant_gets_the_nearest(home: Path) -> None:
    _variant(home, "D01", "cold")
    assert _one("--labels=D02", dataset="tinyfood", split="cold") == (
        "no label variant 'D02' (command line) of data set 'tinyfood'; did you mean 'D01'?")


def test_a_label_variant_that_does_not_offer_the_split_names_those_it_does(home: Path) -> None:
    _variant(home, "A", "cold")
    assert _one("--labels=A", dataset="tinyfood", split="warm") == (
        "labels = 'A' (command line): this label variant does not offer split 'warm'; splits that work: cold")


def test_a_label_variant_needs_a_split(home: Path) -> None:
    _variant(home, "A", "cold")
    assert "takes the place of a split's files; splits that work: cold" in _one(
        "--labels=A", "--benchmark_filename=[cold.train, cold.valid, cold.test]", dataset="tinyfood")


def test_a_label_variant_of_the_split_is_taken(home: Path) -> None:
    _variant(home, "A", "cold")
    config = MedConfig("BPR", "tinyfood", split="cold", argv=["--labels=A"])
    assert config.labels == config["labels"] == config.resolved()["labels"] == "A"
    assert MedConfig("BPR", "tinyfood", split="cold").labels is None


def test_other_pictures_need_a_model_that_looks_at_some() -> None:
    assert MedConfig("MedMoE", "healthfood", argv=["--images=none"])["images"] == "none"
    told = _one("--images=blurred", "--image_encoder=null", model="MedMoE", dataset="healthfood")
    assert "model 'MedMoE' looks at no pictures" in told


def test_faults_of_parameters_are_not_taken_for_a_lack_of_pictures() -> None:
    assert _one("--images=photo", "--width=0", model="MedMoE", dataset="healthfood").startswith("width = 0")
