from __future__ import annotations

from dataclasses import replace

from recbole_medmoe.bench.sections import Estimate, Section, label
from recbole_medmoe.bench.tables import best_models


def test_the_primary_metric_comes_first_and_its_cutoff_before_the_others(section: Section) -> None:
    tables = section.metric_tables
    assert tables[0][0] == "map@5"
    assert set(tables[1]) == {"precision@10", "map@10"}


def test_the_headline_is_no_stronger_than_its_tests(section: Section) -> None:
    assert section.headline == (
        "Highest MAP@5: FeatureRidge, 0.431 (95 % interval 0.401–0.461). Against MedMoE: higher: FeatureRidge "
        "(+0.029); lower: MoEOnly (−0.041), Pop (−0.204); no difference shown: LLMOnly.")


def test_a_model_alone_is_compared_with_nothing(section: Section) -> None:
    assert "Against" not in replace(section, rows=section.rows[:1]).headline


def test_names_of_metrics_are_written_as_they_are_known() -> None:
    known = ("ndcg@5", "map@10", "recall@5", "gauc", "itemcoverage@5", "macroaccuracy")
    assert [label(name) for name in known] == ["NDCG@5", "MAP@10", "Recall@5", "GAUC", "Item coverage@5",
                                               "Macro accuracy"]


def test_what_a_guess_would_score_is_marked_as_nobodys_best(section: Section) -> None:
    rows = tuple(replace(row, metrics={"blindaccuracy": Estimate(.25)}) for row in section.rows)
    assert best_models(replace(section, rows=rows), "blindaccuracy") == []
