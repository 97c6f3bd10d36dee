"""ddi.csv: pairs of medications that interact."""
from __future__ import annotations

from pathlib import Path

import pytest
import torch

from recbole_medmoe.data.ddi import ddi_statistics, read_ddi
from recbole_medmoe.data.visit_tables import Ragged
from recbole_medmoe.errors import DataError

ITEMS = ["[PAD]", "aspirin", "warfarin", "iron"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "ddi.csv").write_text("item_a,item_b,severity\nwarfarin,aspirin,Major\naspirin,warfarin,Minor\n"
                                      "iron,iron,Major\n")
    return tmp_path


def test_pairs_are_symmetric_and_nothing_interacts_with_itself(folder: Path) -> None:
    found = read_ddi(folder, ITEMS)
    assert found is not None and found.nonzero().tolist() == [[1, 2], [2, 1]]


def test_no_file_is_no_list(tmp_path: Path) -> None:
    assert read_ddi(tmp_path, ITEMS) is None


def test_an_item_that_the_data_set_lacks_is_named_with_its_line(folder: Path) -> None:
    with pytest.raises(DataError, match="line 2, column 'item_a': no item 'warfarin'"):
        read_ddi(folder, ["[PAD]", "aspirin", "iron"])


def test_another_header_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ddi.csv").write_text("a,b\naspirin,iron\n")
    with pytest.raises(DataError, match="line 1: the header must be item_a,item_b,severity"):
        read_ddi(tmp_path, ITEMS)


def test_the_rate_is_listed_pairs_over_all_pairs_given_together(folder: Path) -> None:
    ddi = read_ddi(folder, ITEMS)
    assert isinstance(ddi, torch.Tensor)
    told = ddi_statistics(folder, ddi, Ragged.of([[], [1, 2, 3], [1, 2], [3], [1, 3]]))
    assert told["pairs"] == 1 and told["rate"] == round(2 / 5, 4)
