"""The page in a real browser: ``make browser``. Not part of ``make test``, since not every machine has Chromium.

Each test puts a short script at the end of a page, has headless Chromium run it, and reads what it found. The pages of
``leaderboard/`` are looked at too.
"""
from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from recbole_medmoe.bench.curves import cost_curve
from recbole_medmoe.bench.figures import Spot
from recbole_medmoe.bench.report import render_html
from recbole_medmoe.bench.sections import Section

Look = Callable[..., Any]
PAGES = sorted((Path(__file__).parents[2] / "leaderboard").glob("*/page.html"))
PHONE, DESK = 390, 1200
_HELPERS = """
const table = document.querySelector("table.models");
const names = () => [...table.tBodies[0].rows].filter(row => !row.hidden).map(row => row.cells[0].textContent);
const head = text => [...table.tHead.rows[0].cells].find(cell => cell.textContent === text);
const press = text => head(text).querySelector("button").click();
const write = text => { const field = document.querySelector(".tools input"); field.value = text;
                        field.dispatchEvent(new Event("input")); };
"""
_LISTEN = """<pre id="found"></pre><script>
addEventListener("message", event => { document.getElementById("found").textContent = event.data; });
</script>"""


@pytest.fixture
def look(section: Section, tmp_path: Path) -> Look:
    """``look("names()")`` -> value of a JavaScript expression on the page, ``look.console`` what the console held."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert browser is not None, "make browser needs Chromium (apt install chromium)"
    spots = [Spot(row.name, 2.0 + place, row.metrics["map@5"].value) for place, row in enumerate(section.rows)]
    second = replace(section, split="warm", curves=tuple(cost_curve("MAP@5", spots, True)))

    def run(expression: str, page: Path | None = None, width: int = DESK) -> Any:
        text = render_html([section, second]) if page is None else page.read_text(encoding="utf-8")
        driver = (f"<script>{_HELPERS if page is None else ''}\nconst found = (() => {expression})();\n"
                  "parent.postMessage(JSON.stringify(found), '*');</script></body>")
        (tmp_path / "page.html").write_text(text.replace("</body>", driver), encoding="utf-8")
        frame = tmp_path / "frame.html"   # a window of Chromium is never narrower than 500 pixels, a frame is
        frame.write_text(f'<iframe src="page.html" style="width:{width}px;height:2000px;border:0"></iframe>{_LISTEN}',
                         encoding="utf-8")
        done = subprocess.run(
            [str(browser), "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--dump-dom",
             "--enable-logging=stderr", f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1400,2100",
             "--virtual-time-budget=10000", frame.as_uri()], capture_output=True, text=True, timeout=120)
        run.console = re.findall(r"CONSOLE.*", done.stderr)   # type: ignore[attr-defined]
        told = re.search(r'<pre id="found">(.+?)</pre>', done.stdout, re.DOTALL)
        assert told is not None, f"the script did not end: {done.stderr[-2000:]}"
        return json.loads(html.unescape(told[1]))

    return run


def test_a_press_on_a_head_sorts_by_number_and_a_third_one_puts_the_rows_back(look: Look) -> None:
    before, down, up, after = look("{ const seen = [names()]; for (let i = 0; i < 3; i++) { press('MAP@5'); "
                                   "seen.push(names()); } return seen; }")
    assert down == ["FeatureRidge", "MedMoE", "LLMOnly", "MoEOnly", "Pop"] and up == down[::-1]
    assert before == after and before[0] == "MedMoE"


def test_what_has_no_number_comes_last_both_ways(look: Look) -> None:
    down, up = look("{ press('Δ MAP@5'); const seen = [names()]; press('Δ MAP@5'); seen.push(names()); return seen; }")
    assert down[-1] == up[-1] == "MedMoE" and down[0] == up[-2] == "FeatureRidge"


def test_a_sorted_column_says_so_and_only_one_is(look: Look) -> None:
    assert look("{ press('NDCG@5'); press('MAP@5'); press('MAP@5'); "
                "return [...table.tHead.rows[0].cells].map(cell => cell.getAttribute('aria-sort')); }")[:2] == [
        None, "ascending"]


def test_names_are_sorted_as_text(look: Look) -> None:
    assert look("{ press('Model'); return names(); }") == ["FeatureRidge", "LLMOnly", "MedMoE", "MoEOnly", "Pop"]


def test_heads_can_be_pressed_from_the_keyboard(look: Look) -> None:
    assert look("{ const button = head('Model').querySelector('button'); button.focus(); "
                "return document.activeElement === button && button.type === 'button'; }") is True


def test_words_filter_the_rows_of_every_table_and_the_columns_of_groups(look: Look) -> None:
    rows, columns, told, everything = look(
        "{ write(' ridge, POP '); const shown = [...document.querySelectorAll('table.models')].map(one => "
        "[...one.tBodies[0].rows].filter(row => !row.hidden).map(row => row.cells[0].textContent)); "
        "const columns = [...document.querySelector('table.groups').tHead.rows[0].cells]"
        ".filter(cell => !cell.hidden).map(cell => cell.textContent); "
        "const told = document.querySelector('output').textContent; write(''); "
        "return [shown, columns, told, names()]; }")
    assert rows and all(shown == ["FeatureRidge", "Pop"] for shown in rows)
    assert columns == ["Group", "Rows", "FeatureRidge", "Pop"] and told == "2 of 5 shown" and len(everything) == 5


def test_the_console_is_heard_and_the_page_may_ask_no_network(look: Look) -> None:
    look("{ const picture = new Image(); picture.src = 'https://example.org/a.png'; return 1; }")
    assert any("Content Security Policy" in line for line in look.console)   # type: ignore[attr-defined]


@pytest.mark.parametrize("width", [PHONE, DESK])
@pytest.mark.parametrize("page", [None, *PAGES], ids=lambda page: "made" if page is None else page.parent.name)
def test_nothing_is_wider_than_the_window_and_nothing_complains(look: Look, page: Path | None, width: int) -> None:
    inner, wide, small = look(
        "{ const texts = [...document.querySelectorAll('main p, main td, main li, main th')];"
        "return [innerWidth, document.documentElement.scrollWidth, Math.min(...texts.map(text => "
        "parseFloat(getComputedStyle(text).fontSize)))]; }", page, width)
    assert inner == width and wide <= inner and small >= 12 and look.console == []   # type: ignore[attr-defined]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.parent.name)
def test_every_column_of_every_table_of_the_leaderboard_can_be_sorted(look: Look, page: Path) -> None:
    columns, rows = look(
        "{ let columns = 0, lost = 0; for (const one of document.querySelectorAll('table')) { "
        "const count = one.tBodies[0].rows.length; for (const button of one.tHead.querySelectorAll('button')) { "
        "button.click(); columns += 1; lost += one.tBodies[0].rows.length !== count; } } return [columns, lost]; }",
        page)
    assert columns > 0 and rows == 0 and look.console == []   # type: ignore[attr-defined]
