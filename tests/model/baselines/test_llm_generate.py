"""LLMGenerate: on the tiny language model, and on one that writes as it is told."""
from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Sequence

import pytest
import torch

from recbole_medmoe import load, run
from recbole_medmoe.bench.reading import read_sections
from recbole_medmoe.checks.tiny_llama import make_llama
from recbole_medmoe.encoders.writer import Line, LineWriter
from recbole_medmoe.errors import ConfigError
from recbole_medmoe.quick_start import RunResult

Maker = Callable[..., Any]
LINE = Line(" iron; aspirin; Amlodipine 5 mg; iron; nothing", True)   # 4 names, 2 of them none of the data set


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_llama(tmp_path_factory.mktemp("writing_llama"))


@pytest.fixture
def made(visit_data: Maker, llama: Path) -> Maker:
    def make(**overrides: Any) -> tuple[Any, Any]:
        keys = {"backbone": str(llama), "prompt_max_tokens": 900, "max_new_tokens": 6, "progress": False,
                "device": "cpu", **overrides}
        config, train, _, _ = visit_data("LLMGenerate", **keys)
        return config.spec.load()(config, train._dataset).eval(), train._dataset

    return make


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Prompts that were asked, of a language model whose answer is `LINE`; none where the stay has no procedure."""
    prompts: list[str] = []

    def write(self: LineWriter, ids: Sequence[Sequence[int]]) -> list[Line]:
        told = [self.tokenizer.decode(row) for row in ids]
        prompts.extend(told)
        return [Line("", True) if "Procedures of this stay: none" in text else LINE for text in told]

    monkeypatch.setattr(LineWriter, "write", write)
    return prompts


def _scores(model: Any, visits: torch.Tensor) -> torch.Tensor:
    return model.forward(model.user_inputs(visits), model.item_inputs())


def test_what_is_mentioned_comes_first_in_the_order_of_mention(made: Maker, asked: list[str]) -> None:
    model, dataset = made()
    visit = dataset.user_tokens.index("v002")
    row = dict(zip(model.item_tokens, _scores(model, torch.tensor([visit]))[0].tolist()))
    assert row.pop("iron") == 1.0 and row.pop("amlodipine") == 0.5 and set(row.values()) == {-10.0}


def test_the_prompt_tells_the_stay_and_ends_where_a_name_follows(made: Maker, asked: list[str]) -> None:
    model, dataset = made()
    _scores(model, torch.tensor([dataset.user_tokens.index("v003")]))
    prompt, = asked
    assert prompt.endswith("Medications:") and "with 1 earlier stays" in prompt and "Stay 1. Diagnoses:" in prompt


def test_a_prompt_is_written_for_once(made: Maker, asked: list[str]) -> None:
    model, _ = made()
    first, again = _scores(model, torch.arange(1, 9)), _scores(model, torch.arange(1, 9))
    once = len(asked)
    with model.nothing_kept():
        anew = _scores(model, torch.arange(1, 9))
    assert torch.equal(first, again) and torch.equal(first, anew) and len(asked) == 2 * once
    _scores(model, torch.arange(1, 9))
    assert len(asked) == 2 * once


def test_it_counts_names_that_are_no_medication(made: Maker, asked: list[str]) -> None:
    model, dataset = made()
    visits = torch.tensor([dataset.user_tokens.index(token) for token in ("v001", "v002")])   # the first: no procedure
    told = model.diagnostics(model.user_inputs(visits), model.item_inputs())
    assert told["names"].tolist() == [0, 4] and told["unknown"].tolist() == [0, 2] and not told["cut"].any()


def test_a_tiny_model_writes_and_nothing_is_drawn_or_trained(made: Maker) -> None:
    model, _ = made()
    scores = _scores(model, torch.arange(1, 5))
    assert bool(scores.isfinite().all()) and set(model.state_dict()) == {"fake_loss"}
    assert [line.ended for line in model._lines(model.user_inputs(torch.tensor([1])))] == [False]
    assert torch.equal(scores, _scores(made()[0], torch.arange(1, 5)))


@pytest.fixture
def finished(tiny_visits: Path, llama: Path, tmp_path: Path, asked: list[str]) -> RunResult:
    keys = {"data_path": str(tiny_visits.parent), "backbone": str(llama), "progress": False, "device": "cpu",
            "bootstrap_draws": 20, "min_group": 1}
    return run("LLMGenerate", "tinyvisits", runs_dir=tmp_path / "runs", overrides=keys)


def test_record_and_table_tell_the_share_out_of_corpus(finished: RunResult, asked: list[str]) -> None:
    written = finished.record["evaluation"]["written"]
    told = written["visits"] - written["empty"]
    assert written == {"visits": len(finished.evaluation.row_ids), "empty": written["empty"], "names": 4 * told,
                       "unknown": 2 * told, "cut": 0} and 0 < written["empty"] < written["visits"]
    section, = read_sections(finished.folder)
    assert section.notes == (f"LLMGenerate wrote {4 * told} names for {written['visits']} visits; out of corpus (no "
                             "medication of the data set): 50.0 %.",)


def test_its_latency_is_not_that_of_a_look_up(finished: RunResult, asked: list[str]) -> None:
    timed = min(30, len(finished.evaluation.row_ids))
    assert len(asked) > timed and len(set(asked[-timed:])) <= timed
    assert set(asked[-timed:]) <= set(asked[:-timed])   # written for again


def test_a_run_folder_scores_visits_written_by_hand(finished: RunResult) -> None:
    trained = load(finished.folder)
    visit = {"diag": ["gout"], "proc": ["scan1"], "earlier": None}
    best = [trained.items[place] for place in trained.score([visit])[0].argsort()[::-1][:2]]
    assert trained.keys == ["diag", "proc", "earlier"] and best == ["iron", "amlodipine"]


@pytest.mark.parametrize("options, told", [
    ({"backbone": "minilm-l6"}, "backbone 'minilm-l6' does not continue texts"),
    ({"prompt_max_tokens": 1024, "max_new_tokens": 900}, "do not fit into the LLM's context of 1024")])
def test_what_cannot_write_is_refused(made: Maker, options: dict[str, Any], told: str) -> None:
    model, _ = made(**options)
    with pytest.raises(ConfigError, match=told):
        _scores(model, torch.tensor([1]))
