"""One layer: values, lines, and faults with their line."""
from __future__ import annotations

from pathlib import Path

import pytest

from recbole_medmoe.config.loading import read_arguments, read_mapping, read_yaml
from recbole_medmoe.errors import ConfigError


def _file(folder: Path, text: str) -> Path:
    path = folder / "my.yaml"
    path.write_text(text)
    return path


def test_keys_keep_their_lines(tmp_path: Path) -> None:
    layer = read_yaml(_file(tmp_path, "# note\nepochs: 5\n\nlearning_rate: 1e-3\n"), given=True)
    assert layer.values == {"epochs": 5, "learning_rate": 0.001}
    assert layer.place("learning_rate") == f"{tmp_path / 'my.yaml'}:4"


def test_named_origin_hides_lines(tmp_path: Path) -> None:
    assert read_yaml(_file(tmp_path, "a: 1\n"), "properties/x.yaml").place("a") == "properties/x.yaml"


def test_empty_file_has_no_keys(tmp_path: Path) -> None:
    assert read_yaml(_file(tmp_path, "# nothing\n")).values == {}


@pytest.mark.parametrize("text, message", [
    ("a: 1\na: 2\n", r"my.yaml:2: key 'a' was already given on line 1"),
    ("a: 1\nb: [1, 2\n", r"my.yaml:3: not valid YAML"),
    ("- a\n", r"my.yaml:1: a configuration file holds lines 'key: value'"),
    ("3: a\n", r"key 3 is not a name"),
    ("a: !!python/object/apply:os.getcwd []\n", r"my.yaml:1: not valid YAML"),
])
def test_bad_file_is_told_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_yaml(_file(tmp_path, text))


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="none.yaml' can not be read: No such file"):
        read_yaml(tmp_path / "none.yaml")


def test_binary_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "my.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not UTF-8"):
        read_yaml(tmp_path / "my.yaml")


@pytest.mark.parametrize("text, value", [
    ("5", 5), ("1e-3", 0.001), ("-2.5E+3", -2500.0), ("[5,10]", [5, 10]), ("None", None), ("True", True), ("", None),
    ("{'distribution': 'uniform', 'sample_num': 1}", {"distribution": "uniform", "sample_num": 1}),
    ("MRR@10", "MRR@10"), ("a=b", "a=b"), ("__import__('os').getcwd()", "__import__('os').getcwd()"),
])
def test_argument_values(text: str, value: object) -> None:
    assert read_arguments([f"--key={text}"]).values == {"key": value}


def test_all_bad_arguments_are_told() -> None:
    with pytest.raises(ConfigError) as caught:
        read_arguments(["epochs=5", "--seed", "--a=[1", "--b=1", "--b=2"])
    assert len(caught.value.faults) == 4
    assert "'b' is given twice" in caught.value.faults[3]


def test_tuples_become_lists() -> None:
    assert read_mapping({"a": (1, (2,)), "b": Path("x")}, "overrides").values == {"a": [1, [2]], "b": "x"}
