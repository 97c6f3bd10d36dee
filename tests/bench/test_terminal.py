from __future__ import annotations

import io

from recbole_medmoe.bench.terminal import print_section
from recbole_medmoe.bench.sections import Section
from rich.console import Console


def _printed(section: Section) -> str:
    stream = io.StringIO()
    print_section(section, Console(file=stream, width=160))
    return stream.getvalue()


def test_every_model_has_its_value_interval_and_difference(section: Section) -> None:
    line = next(line for line in _printed(section).splitlines() if line.startswith("FeatureRidge"))
    assert line.split()[:5] == ["FeatureRidge", "0.431", "0.401–0.461", "+0.029", "0.012"]


def test_a_pipe_gets_no_colour_codes(section: Section) -> None:
    assert "\x1b" not in _printed(section)


def test_a_small_group_says_so(section: Section) -> None:
    assert "n too small: condition: gout (7)" in _printed(section)
