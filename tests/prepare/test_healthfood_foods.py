from __future__ import annotations

import json

import numpy as np
import pytest

from recbole_medmoe.errors import DataError
from recbole_medmoe.prepare.healthfood.foods import FLAGS, feature_columns, read_foods, read_map
from recbole_medmoe.prepare.healthfood.nutrients import NUTRIENTS, packet_values, read_usda


@pytest.fixture
def foods(raw):
    return {food.token: food for food in read_foods(raw.grocery, raw.usda)}


def test_text_is_name_and_description_alone(foods):
    assert foods["arla-standard-milk"].text == "Arla Standard Milk. What Arla-Standard-Milk is like."


def test_packet_comes_before_the_table(foods):
    assert (foods["oatly-oat-milk"].nutrients["energy"], foods["oatly-oat-milk"].nutrients["sodium"]) == (45.0, 40.0)


def test_share_scales_the_table(raw, foods):
    assert foods["oatly-oat-milk"].nutrients["iron"] == pytest.approx(0.1 * read_usda(raw.usda)["20038"]["iron"])


def test_fallback_fills_an_empty_cell(raw, foods):
    assert foods["golden-delicious"].nutrients["energy"] == read_usda(raw.usda)["09003"]["energy"]


def test_packet_reads_swedish_and_english():
    lines = ["fett ca 3 gram", "varav mättat fett ca 1.9 gram", "of which sugars ca 4.8 gram", "salt ca 0.1 gram",
             "folsyra ca 15 mikrogram"]
    expected = {"fat": 3.0, "saturated_fat": 1.9, "sugar": 4.8, "sodium": 40.0, "folate": 15.0}
    assert packet_values("\n".join(lines)) == expected


def test_printed_sodium_beats_salt():
    assert packet_values("sodium ca 0.1 gram\nsalt ca 1 gram") == {"sodium": 100.0}


def test_columns_are_standardised_and_clipped(raw):
    foods = read_foods(raw.grocery, raw.usda)
    columns = feature_columns(foods, 2.5)
    assert set(columns) == {*NUTRIENTS, *FLAGS, "latex_fruit"}
    assert abs(columns["potassium"].mean()) < 1e-9 and np.abs(columns["potassium"]).max() <= 2.5


def test_an_unknown_nutrient_counts_as_average(raw):
    foods = read_foods(raw.grocery, raw.usda)
    foods[0].nutrients["iron"] = None
    assert feature_columns(foods, 2.5)["iron"][0] == 0.0


def test_an_item_without_a_line_in_the_map_is_named(raw):
    entries = json.loads((raw.grocery / "items.json").read_text())
    entries[0]["name"] = "Dragon-Fruit"
    (raw.grocery / "items.json").write_text(json.dumps(entries))
    with pytest.raises(DataError, match="'Dragon-Fruit' is not in usda_map.csv"):
        read_foods(raw.grocery, raw.usda)


def test_another_table_than_usda_is_refused(tmp_path):
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="is this USDA's abbreviated table"):
        read_usda(tmp_path / "other.csv")


def test_the_map_has_81_items_with_flags_between_0_and_1():
    table = read_map()
    assert len(table) == 81
    assert all(0 <= float(row[flag]) <= 1 for row in table.values() for flag in FLAGS)


def test_flags_of_the_map_agree_with_its_allergens():
    for row in read_map().values():
        allergens = set(row["allergens"].split())
        assert (row["soy"] == "1") == ("soy" in allergens)
        assert (float(row["lactose"]) > 0) == ("lactose" in allergens)
        assert (row["vegan"] == "0") == ("milk" in allergens)


def test_usda_reader_keeps_empty_cells_apart_from_zero(raw):
    assert read_usda(raw.usda)["09501"]["energy"] is None
