"""KeptTexts: tensors of texts in a folder, for later runs."""
from __future__ import annotations

from pathlib import Path

import pytest
import torch

from recbole_medmoe.encoders.kept import KeptTexts
from recbole_medmoe.errors import CheckpointError, MedMoEError

ORIGIN = {"backbone": "abc", "cut": 2}


def entry(value: float) -> dict[str, torch.Tensor]:
    return {"states": torch.full((3, 2), value, dtype=torch.bfloat16), "means": torch.full((1, 2), value)}


def keep(kept: KeptTexts, *texts: str) -> None:
    """Adds some texts and writes them."""
    kept.add({text: entry(place) for place, text in enumerate(texts, start=1)})
    kept.save()


def test_another_process_finds_what_was_added(tmp_path: Path) -> None:
    keep(KeptTexts(tmp_path, ORIGIN), "a", "b")
    found = KeptTexts(tmp_path, ORIGIN).get(["b", "c"])
    assert set(found) == {"b"}
    assert torch.equal(found["b"]["states"], entry(2.0)["states"])
    assert found["b"]["states"].dtype == torch.bfloat16


def test_what_another_adds_later_is_found(tmp_path: Path) -> None:
    first, second = KeptTexts(tmp_path, ORIGIN), KeptTexts(tmp_path, ORIGIN)
    assert first.get(["a"]) == {}
    keep(second, "a")
    assert set(first.get(["a"])) == {"a"}


def test_what_is_added_piece_by_piece_is_at_hand_at_once_and_written_as_one_file(tmp_path: Path) -> None:
    kept = KeptTexts(tmp_path, ORIGIN)
    kept.add({"a": entry(1.0)})
    kept.add({"b": entry(2.0)})
    assert set(kept.get(["a", "b", "c"])) == {"a", "b"} and not kept.folder.exists()
    kept.save()
    kept.save()
    assert len(list(kept.folder.iterdir())) == 1 and set(KeptTexts(tmp_path, ORIGIN).get("ab")) == {"a", "b"}


def test_some_hundred_texts_are_written_by_themselves(tmp_path: Path) -> None:
    kept = KeptTexts(tmp_path, ORIGIN)
    for number in range(600):
        kept.add({str(number): {"states": torch.zeros(1)}})
    assert len(list(kept.folder.iterdir())) == 1
    assert len(KeptTexts(tmp_path, ORIGIN).get(map(str, range(600)))) == 512


@pytest.mark.parametrize("other", [{"backbone": "abd"}, {"cut": 3}, {"more": 1}])
def test_another_origin_finds_nothing(tmp_path: Path, other: dict[str, object]) -> None:
    keep(KeptTexts(tmp_path, ORIGIN), "a")
    assert KeptTexts(tmp_path, ORIGIN | other).get(["a"]) == {}


def test_only_the_owner_may_enter(tmp_path: Path) -> None:
    kept = KeptTexts(tmp_path, ORIGIN)
    keep(kept, "a")
    assert kept.folder.stat().st_mode & 0o077 == 0
    assert all(path.stat().st_mode & 0o077 == 0 for path in kept.folder.iterdir())


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    kept = KeptTexts(tmp_path, ORIGIN)
    keep(kept, "a")
    path, = kept.folder.iterdir()
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(CheckpointError, match=rf"{path.name}.*remove the file"):
        KeptTexts(tmp_path, ORIGIN).get(["a"])


def test_a_file_of_another_origin_is_refused(tmp_path: Path) -> None:
    one, two = KeptTexts(tmp_path, ORIGIN), KeptTexts(tmp_path, ORIGIN | {"cut": 1})
    keep(one, "a")
    two.folder.mkdir()
    path, = one.folder.iterdir()
    (two.folder / path.name).write_bytes(path.read_bytes())
    with pytest.raises(CheckpointError, match="origin"):
        two.get(["a"])


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(MedMoEError, match="file"):
        keep(KeptTexts(tmp_path / "file", ORIGIN), "a")
