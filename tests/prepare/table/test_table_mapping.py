from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from recbole_medmoe.errors import DataError
from recbole_medmoe.prepare.table.mapping import Mapping, read_mapping

DOCS = Path(__file__).resolve().parents[3] / "docs" / "data" / "medication.md"


def _mapping(**changes: Any) -> dict[str, Any]:
    entries: dict[str, Any] = {
        "visits": {"file": "v.csv", "visit": "V", "patient": "P", "begin": "B"},
        "diagnoses": {"file": "d.csv", "visit": "V", "code": "C"},
        "medications": {"file": "m.csv", "visit": "V", "name": "N"}}
    for path, value in changes.items():
        part, _, key = path.partition("__")
        if key:
            entries[part] = {**entries.get(part, {}), key: value}
        else:
            entries[part] = value
    return entries


def _read(tmp_path: Path, entries: object) -> Mapping:
    (tmp_path / "m.yaml").write_text(yaml.safe_dump(entries), encoding="utf-8")
    return read_mapping(tmp_path / "m.yaml")


def test_a_mapping_of_three_tables_is_enough(tmp_path: Path) -> None:
    mapping = _read(tmp_path, _mapping())
    assert mapping.medications.system == "name" and mapping.patients is None and not mapping.open


@pytest.mark.parametrize(("changes", "told"), [
    ({"visits__vist": "X"}, "visits.vist: Extra inputs are not permitted"),
    ({"visit": {}}, "visit: Extra inputs are not permitted"),
    ({"diagnoses": {"file": "d.csv"}}, "diagnoses.visit: Field required; diagnoses.code: Field required"),
    ({"medications__system": "brand"}, "medications.system: Input should be 'name'"),
    ({"medications__system": "ndc"}, "system ndc needs the column of the code"),
    ({"visits__order": "O"}, "order stands in place of begin and end"),
    ({"visits__words": {"diag": "D"}}, "diag: a name of the data set's own"),
    ({"visits__words": {"Sex": "S"}}, "visits.words.Sex"),
    ({"visits__words": {"sex": "S"}, "patients": {"file": "p.csv", "patient": "P", "words": {"sex": "S"}}},
     "sex: a profile column comes twice"),
    ({"visits": {"file": "v.csv", "visit": "V", "patient": "P"},
      "patients": {"file": "p.csv", "patient": "P", "born": "D"}}, "needs visits.begin"),
])
def test_faults_are_named_with_their_place(tmp_path: Path, changes: dict[str, Any], told: str) -> None:
    with pytest.raises(DataError) as fault:
        _read(tmp_path, _mapping(**changes))
    assert told in str(fault.value) and "docs/data/medication.md" in str(fault.value)


def test_a_missing_mapping_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="absent.yaml: no such file"):
        read_mapping(tmp_path / "absent.yaml")


def test_what_is_no_yaml_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text("visits: [", encoding="utf-8")
    with pytest.raises(DataError, match="not YAML"):
        read_mapping(tmp_path / "m.yaml")


@pytest.mark.parametrize(("text", "told"), [("title: a\ntitle: b\n", "title (line 2)"),
                                            ("visits: {file: v.csv, visit: V, visit: W}", "visit (line 1)")])
def test_an_entry_that_comes_twice_is_refused(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "m.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(DataError) as fault:
        read_mapping(tmp_path / "m.yaml")
    assert f"{told}: an entry comes twice" in str(fault.value)


def test_the_mappings_of_the_documentation_are_right(tmp_path: Path) -> None:
    blocks = DOCS.read_text(encoding="utf-8").split("```yaml\n")[1:]
    assert len(blocks) >= 2
    for block in blocks:
        _read(tmp_path, yaml.safe_load(block.split("```")[0]))
