"""Pictures that only the test sees."""
from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
import torch

from recbole_medmoe.data import FeatureTable
from recbole_medmoe.errors import DataError
from recbole_medmoe.quick_start import RunResult, load
from recbole_medmoe.quick_start.pictures import Shown, showing
from recbole_medmoe.store import read_rows
from recbole_medmoe.trainer import MedTrainerMixin

Maker = Callable[..., Any]
Runner = Callable[..., RunResult]
MODELS = ["MedMoE", "HalvesAverage", "MoEOnly", "FeatureRidge"]


def _keys(model: str) -> dict[str, Any]:
    return {"item_side": "features", "item_features": ["image"]} if model == "FeatureRidge" else {}


@pytest.mark.parametrize("model", MODELS)
def test_every_part_of_a_model_sees_the_other_pictures_and_the_catalogues_again(model: str, food_data: Maker) -> None:
    config, train, _, test = food_data(model, **_keys(model))
    built = config.spec.load()(config, train._dataset)
    for batch in train:
        losses = built.calculate_loss(batch)   # a closed form is solved, others stay as they start
        break
    built.eval()
    users = next(iter(test))[0]
    before = built.full_sort_predict(users).clone()
    with showing("photo", built, train._dataset) as shown:
        other = built.full_sort_predict(users)
    assert losses is not None and not torch.allclose(before, other)
    assert torch.equal(built.full_sort_predict(users), before)
    names = [train._dataset.item_tokens[item] for item in np.flatnonzero(shown.wrong)]
    assert names == ["apple"] and shown.present.sum() == 11


def test_the_catalogue_is_back_after_a_failure(food_data: Maker) -> None:
    config, train, _, _ = food_data("MoEOnly")
    model = config.spec.load()(config, train._dataset)
    known = model.get_buffer("present_item_image")
    with pytest.raises(KeyboardInterrupt), showing("none", model, train._dataset):
        assert not model.get_buffer("present_item_image").any()
        raise KeyboardInterrupt
    assert model.get_buffer("present_item_image") is known


def test_training_and_validation_see_the_catalogue(run_food: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, int]] = []
    known = MedTrainerMixin.evaluate_rows

    def spy(self: Any, loader: Any, phase: str | None = None, show_progress: bool = False) -> Any:
        seen.append((loader._sampler.phase, int(self.model.get_buffer("present_item_image").sum())))
        return known(self, loader, phase, show_progress)

    monkeypatch.setattr(MedTrainerMixin, "evaluate_rows", spy)
    run_food("MoEOnly", images="photo")
    assert seen == [("valid", 12)] * 2 + [("test", 11), ("test", 12)]


def test_the_trained_folder_keeps_the_catalogues_pictures(run_food: Runner) -> None:
    models = [load(run_food("MoEOnly", images=kind).folder).model for kind in ("catalogue", "photo")]
    for name in ("table_item_image", "present_item_image"):
        assert torch.equal(models[0].get_buffer(name), models[1].get_buffer(name))
    assert all(torch.equal(models[0].state_dict()[name], value) for name, value in models[1].state_dict().items())


def test_the_record_tells_what_was_shown(run_food: Runner) -> None:
    record = run_food("MoEOnly", images="photo").record
    assert record["evaluation"]["images"] == "photo" and record["evaluation"]["test_scored"] == 2
    assert record["data"]["statistics"]["pictures"] == {
        "shown": "photo", "swapped": 11, "absent": 1, "reclassified": 1, "reclassified_share": pytest.approx(1 / 11)}


def test_the_record_of_catalogue_pictures_has_no_groups_of_items(run_food: Runner) -> None:
    record = run_food("MoEOnly").record
    assert record["evaluation"]["images"] == "catalogue" and "pictures" not in record["data"]["statistics"]
    assert not any(name.startswith("items:") for name in record["evaluation"]["groups"])


def test_no_pictures_at_all_are_counted_as_absent(run_food: Runner) -> None:
    record = run_food("MoEOnly", images="none").record
    assert record["data"]["statistics"]["pictures"] == {"shown": "none", "swapped": 0, "absent": 12}
    assert not any(name.startswith("items:") for name in record["evaluation"]["groups"])


def test_positives_are_told_apart_by_their_pictures(run_food: Runner) -> None:
    result = run_food("MoEOnly", images="photo")
    groups, rows = result.record["evaluation"]["groups"], read_rows(result.folder)
    wanted = {user: 0 for user in rows["row"]}
    for line in (Path(result.record["model"]["config"]["data_path"]) / "tinyfood"
                 / "tinyfood.cold_patient.test.inter").read_text().splitlines()[1:]:
        user, item = line.split("\t")
        wanted[user] += item == "apple"
    assert groups["items: reclassified"]["n"] == sum(wanted.values()) and groups["items: no picture"]["n"] == 1
    column = np.asarray(rows["items: reclassified/recall@5"])
    for user, listed, value in zip(rows["row"], rows["topk"], column):
        assert value == float("apple" in listed[:5]) if wanted[user] else np.isnan(value)
    assert groups["items: reclassified"]["metrics"]["recall@5"] == pytest.approx(np.nanmean(column))


def test_the_same_items_are_told_with_the_catalogues_pictures_too(run_food: Runner) -> None:
    usual, other = (read_rows(run_food("MoEOnly", images=kind).folder) for kind in ("catalogue", "photo"))
    column, before = (np.asarray(other[f"items: reclassified{ending}/recall@5"]) for ending in ("", ", catalogue"))
    assert np.array_equal(np.isnan(before), np.isnan(column)) and not np.isnan(before).all()
    listed = dict(zip(usual["row"], usual["topk"]))
    for user, value in zip(other["row"], before):
        assert np.isnan(value) or value == float("apple" in listed[user][:5])


def test_the_radius_of_the_blur_is_told() -> None:
    shown = Shown("blurred", np.array([False, True, True]), np.array([False, True, False]))
    assert shown.statistics() == {"shown": "blurred", "swapped": 2, "absent": 0, "reclassified": 1,
                                  "reclassified_share": .5, "blur_radius": .02}


def test_pictures_that_are_not_there_are_told_before_training(
        own_food: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from recbole_medmoe.quick_start import run

    path = own_food / "images.csv"
    path.write_text("".join(line for line in path.read_text().splitlines(True) if "photo" not in line))
    monkeypatch.setattr(MedTrainerMixin, "fit", lambda *_, **__: pytest.fail("training began"))
    with pytest.raises(DataError, match="lists no picture for images = photo"):
        run("MoEOnly", "tinyfood", overrides={"data_path": str(own_food.parent), "images": "photo"}, runs_dir=tmp_path)
    assert not (tmp_path / "tinyfood").exists()


def test_a_blurred_picture_is_encoded_before_training(
        run_food: Runner, tiny_food: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from recbole_medmoe.data.tables import FolderFeatures

    fitted: list[bool] = []
    known = MedTrainerMixin.fit

    def other(self: FolderFeatures, spec: Any, kind: str) -> FeatureTable:
        assert not fitted and kind == "blurred"
        return FeatureTable(torch.ones(13, 8), torch.tensor([False] + [True] * 12))

    monkeypatch.setattr(FolderFeatures, "other_pictures", other)
    monkeypatch.setattr(MedTrainerMixin, "fit", lambda *words, **keys: fitted.append(True) or known(*words, **keys))
    record = run_food("MoEOnly", images="blurred").record
    # All look alike, so that one item at most is recognised.
    assert record["data"]["statistics"]["pictures"]["reclassified"] >= 11 and fitted
