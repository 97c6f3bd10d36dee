from __future__ import annotations

from pathlib import Path

import pytest

from recbole_medmoe.encoders import load_template, render_prompt
from recbole_medmoe.encoders.prompts import text_fields
from recbole_medmoe.errors import ConfigError
from recbole_medmoe.paths import properties_dir

SHIPPED = sorted(path.stem for path in (properties_dir() / "prompt").glob("food_*.txt"))


@pytest.fixture
def template(tmp_path: Path):
    def write(text: str) -> str:
        path = tmp_path / "mine.txt"
        path.write_text(text, encoding="utf-8")
        return str(path)
    return write


def test_places_are_filled(template) -> None:
    assert render_prompt(template("Food: {text}. {{kept}}\n"), {"text": "{banana}"}) == "Food: {banana}. {kept}"


def test_an_unknown_place_names_the_nearest(template) -> None:
    with pytest.raises(ConfigError, match="'{txt}'.*did you mean 'text'"):
        render_prompt(template("{txt}"), {"text": "x"})


@pytest.mark.parametrize("text", ["{text.__class__}", "{text!r}", "{text:>9}", "{0}", "{}"])
def test_only_plain_names_are_places(template, text: str) -> None:
    with pytest.raises(ConfigError, match="must be a plain name"):
        load_template(template(text))


def test_a_lone_brace_is_refused(template) -> None:
    with pytest.raises(ConfigError, match="for a brace of the text"):
        load_template(template("a } b"))


def test_an_unknown_template_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'food_user'"):
        load_template("food_usr")


def test_a_file_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_bytes(b"ab\xff")
    with pytest.raises(ConfigError, match="not UTF-8 at byte 2"):
        load_template(str(tmp_path / "mine.txt"))


def test_the_hash_follows_the_words(template) -> None:
    assert load_template(template("a {text}")).sha256 != load_template(template("b {text}")).sha256


@pytest.mark.parametrize(("text", "name"), [
    ("Red Beet. A root.", "Red Beet"), ("Milk 1.5 %. Fresh.", "Milk 1.5 %"), ("Oats", "Oats"), ("Oats.", "Oats"),
    ("", ""),
])
def test_a_name_is_what_stands_before_the_first_full_stop(text: str, name: str) -> None:
    assert text_fields(text) == {"text": text, "name": name}


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_templates_take_a_text_or_its_name(name: str) -> None:
    assert load_template(name).places in (("text",), ("name",))
