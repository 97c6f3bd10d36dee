from __future__ import annotations

from pathlib import Path
from typing import Callable

import pytest

from recbole_medmoe.bench.diagnostics import diagnose
from recbole_medmoe.quick_start.stored import StoredRun

Leave = Callable[..., Path]
ROUTING = {"load": [.6, .4], "entropy": .6, "branches_mean": [.7, .3],
           "groups": {"condition:gout": {"n": 25, "experts": [.9, .1], "branches": [.8, .2]},
                      "condition:low_calcium": {"n": 3, "experts": [.5, .5], "branches": [.5, .5]},
                      "cold_patient": {"n": 40, "experts": [.6, .4], "branches": [.7, .3]}}}


def _runs(leave: Leave) -> dict[str, list[StoredRun]]:
    return {"MedMoE": [StoredRun.read(leave("MedMoE", .6, seed=seed, routing=ROUTING)) for seed in (0, 1)],
            "MoEOnly": [StoredRun.read(leave("MoEOnly", .5))], "LLMOnly": [StoredRun.read(leave("LLMOnly", .4))],
            "Pop": [StoredRun.read(leave("Pop", .9))]}


def test_a_hybrid_is_compared_with_its_better_half_by_group(leave: Leave) -> None:
    found = diagnose(_runs(leave), "map@5")
    assert found is not None and (found.hybrid, found.half) == ("MedMoE", "MoEOnly")
    assert [(win.group, win.rows) for win in found.wins] == [("all patients", 40), ("gout", 25)]   # not the 3
    assert found.wins[0].paired.difference == pytest.approx(.1, abs=.03) and found.wins[0].paired.low > 0


def test_gates_are_told_for_everyone_once_and_for_groups_above_the_floor(leave: Leave) -> None:
    found = diagnose(_runs(leave), "map@5")
    assert found is not None
    assert [(gate.group, gate.branches) for gate in found.gates] == [
        ("all patients", pytest.approx((.7, .3))), ("gout", pytest.approx((.8, .2)))]


def test_the_figures_tell_the_same(leave: Leave) -> None:
    found = diagnose(_runs(leave), "map@5")
    assert found is not None
    assert "gout (25): experts 80%, LLM 20%" in found.branch_figure.label
    assert "gout (25): expert 1 90%, expert 2 10%" in found.expert_figure.label
    assert "MedMoE − MoEOnly, MAP@5" in found.win_figure.label


def test_without_a_hybrid_there_is_nothing_to_show(leave: Leave) -> None:
    runs = _runs(leave)
    del runs["MedMoE"]
    assert diagnose(runs, "map@5") is None


def test_without_its_halves_a_hybrid_still_shows_its_gates(leave: Leave) -> None:
    found = diagnose({"MedMoE": _runs(leave)["MedMoE"]}, "map@5")
    assert found is not None and found.gates and not found.wins


def test_weights_of_modalities_are_shown_by_their_names(leave: Leave) -> None:
    routing = {**ROUTING, "modalities_mean": [.3, .7],
               "groups": {"cold_patient": {"n": 40, "experts": [.6, .4], "modalities": [.3, .7]}}}
    run = StoredRun.read(leave("AMFRec", .6, routing=routing))
    run.record["model"]["config"] |= {"modalities": ["image", "collaborative"], "collaborative": "SASRec"}
    found = diagnose({"AMFRec": [run]}, "map@5")
    assert found is not None and found.part == "modality"
    assert "all patients (40): image 30%, collaborative 70%" in found.branch_figure.label
