from __future__ import annotations

from pathlib import Path

import pytest

from recbole_medmoe.cli import main
from recbole_medmoe.cli.listing import METRICS


@pytest.mark.parametrize(("words", "shown"), [
    (["models"], ["MedMoE", "LightGCN"]), (["metrics"], ["NDCG"]), (["backbones"], ["smollm2-135m"]),
    (["datasets"], ["healthfood", "ml-100k"]), ([], ["MedMoE"])])
def test_lists_show_what_there_is(words: list[str], shown: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", *words]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in shown)


def test_no_model_is_listed_twice(capsys: pytest.CaptureFixture[str]) -> None:
    main(["list", "models"])
    names = capsys.readouterr().out.replace(",", " ").split()
    assert names.count("Pop") == 1


def test_a_model_is_shown_with_default_range_and_meaning(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "models", "MedMoE"]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("experts "))
    assert line.split()[:5] == ["experts", "4", "integer", ">=", "1"]


def test_recboles_models_show_their_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "models", "BPR"]) == 0
    assert ["embedding_size", "64"] in [line.split() for line in capsys.readouterr().out.splitlines()]


def test_a_data_set_is_shown_with_its_label_variants_and_splits(tiny_food: Path,
                                                                capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "datasets", "tinyfood", "--data-path", str(tiny_food.parent)]) == 0
    labels, *lines = capsys.readouterr().out.splitlines()
    assert labels == "Label variants (--labels=NAME): A"
    assert [line.split()[0] for line in lines] == ["split", "cold_item0", "cold_patient", "phrasing", "warm"]


@pytest.mark.parametrize(("words", "message"), [
    (["modles"], "list modles: no such list; did you mean 'models'?"),
    (["models", "MedMOO"], "no model 'MedMOO'; did you mean 'MedMoE'?"),
    (["datasets", "healthfod"], "did you mean 'healthfood'?"),
    (["metrics", "NDGC"], "no metric 'NDGC'; did you mean 'NDCG'?"),
    (["backbones", "minilm"], "no packaged backbone 'minilm'; did you mean 'minilm-l6'?")])
def test_misspelt_names_are_told_with_the_nearest(
        words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", *words]) == 2
    assert message in capsys.readouterr().err


def test_the_metrics_are_those_that_recbole_knows() -> None:
    from recbole_medmoe.compat import apply
    from recbole_medmoe.metrics import register

    apply()
    from recbole.evaluator import metrics_dict

    register()

    assert {metric.lower() for metric in METRICS} == set(metrics_dict)


def test_a_data_set_with_its_own_id_columns_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "datasets", "eicu-demo"]) == 0
    counts = [line.split()[:3] for line in capsys.readouterr().out.splitlines()]
    assert ["patient", "1551", "155"] in counts
