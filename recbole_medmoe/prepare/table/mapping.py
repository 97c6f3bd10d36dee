"""The mapping of ``prepare table``: which files and columns hold visits, patients, codes and medications."""
from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from ...errors import DataError

__all__ = ["Coded", "Given", "Mapping", "Patients", "Visits", "read_mapping"]
_TAKEN = {"atc", "diag", "earlier", "item_id", "name", "patient_id", "proc", "visit_id", "visit_no"}
_Profile = dict[Annotated[str, StringConstraints(pattern="^[a-z][a-z0-9_]*$")], str]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    file: str


class _Timed(_Table):
    """A table with times; ``times`` is the ``strptime`` form of its own, in place of the mapping's."""

    times: str | None = None


class _Described(_Timed):
    """A table with profile columns: name in the data set -> column; what is missing is ``unknown`` or an empty cell."""

    words: _Profile = Field(default_factory=dict)
    numbers: _Profile = Field(default_factory=dict)

    @model_validator(mode="after")
    def _free_names(self) -> _Described:
        taken = sorted({*self.words, *self.numbers} & _TAKEN)
        if taken:
            raise ValueError(f"{', '.join(taken)}: a name of the data set's own; choose another")
        return self


class Visits(_Described):
    """One row for each visit.

    Args:
        visit: column of the visit's id, unique over all patients.
        patient: column of the patient's id.
        begin: column of the time of beginning.
        end: column of the time of end.
        order: column of a number that orders the visits of a patient; in place of times. With neither, no visit is
            history of another.
    """

    visit: str
    patient: str
    begin: str | None = None
    end: str | None = None
    order: str | None = None

    @model_validator(mode="after")
    def _one_order(self) -> Visits:
        if self.order is not None and (self.begin or self.end):
            raise ValueError("order stands in place of begin and end; give one of the two")
        if self.end is not None and self.begin is None:
            raise ValueError("end needs begin")
        return self


class Patients(_Described):
    """One row for each patient.

    Args:
        patient: column of the patient's id.
        born: column of the date of birth, which gives ``age`` in years at the beginning of a visit; ``times`` beside it
            is its form, where it is another than that of the visits.
    """

    patient: str
    born: str | None = None


class Coded(_Table):
    """One row for each code of a visit.

    Args:
        visit: column of the visit's id.
        code: column of the code: ICD, SNOMED CT or local.
        name: column of its words, for prompts.
        version: column that tells the code's system, e.g. 9 or 10 for ICD; it is put before the code.
    """

    visit: str
    code: str
    name: str | None = None
    version: str | None = None


class Given(_Timed):
    """One row for each medication of a visit.

    Args:
        visit: column of the visit's id.
        system: what tells the drug. ``name``: its name, strength and form may stand in it; ``rxnorm``, ``ndc``: the
            code, by the maps of ``--codes-dir``, else the name; ``atc``: the code, whole or truncated at a level;
            ``local``: the codes are the items.
        code: column of the code.
        name: column of the name.
        route: column of the route.
        begin: column of the time of beginning; a row that ends before it begins does not count.
        end: column of the time of end.
    """

    visit: str
    system: Literal["name", "rxnorm", "ndc", "atc", "local"] = "name"
    code: str | None = None
    name: str | None = None
    route: str | None = None
    begin: str | None = None
    end: str | None = None

    @model_validator(mode="after")
    def _told(self) -> Given:
        needed = "name" if self.system == "name" else "code"
        if getattr(self, needed) is None:
            raise ValueError(f"system {self.system} needs the column of the {needed}, e.g. {needed}: DRUG")
        return self


class Mapping(BaseModel):
    """A whole mapping file.

    Args:
        title: one line for lists.
        source: what the records are and where they come from.
        licence: what may be done with the data set.
        open: openly licensed; else the folder is for its owner alone and marked as derived from credentialed records.
        times: ``strptime`` form of times, e.g. ``%d.%m.%Y %H:%M``, for every table that has none of its own; without
            it they are ISO dates or times.
        visits: the visits.
        patients: the patients; a visit of a patient that it does not hold is left out.
        diagnoses: the diagnoses.
        procedures: the procedures, if any.
        medications: the medications.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str = "Medications of visits"
    source: str = "local records"
    licence: str = "Not stated. Do not share this folder."
    open: bool = False
    times: str | None = None
    visits: Visits
    patients: Patients | None = None
    diagnoses: Coded
    procedures: Coded | None = None
    medications: Given

    def form(self, part: Visits | Patients | Given) -> str | None:
        """The ``strptime`` form of a table's times; None: ISO."""
        return part.times if part.times is not None else self.times

    @model_validator(mode="after")
    def _profile_once(self) -> Mapping:
        names = [name for part in (self.visits, self.patients) if part for name in (*part.words, *part.numbers)]
        names += ["age"] if self.patients and self.patients.born else []
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"{', '.join(twice)}: a profile column comes twice")
        if self.patients and self.patients.born and not self.visits.begin:
            raise ValueError("patients.born gives the age at the beginning of a visit and needs visits.begin")
        return self


def read_mapping(path: Path) -> Mapping:
    """Reads a mapping file.

    Raises:
        DataError: no such file, not YAML, or entries that do not fit, all of them named.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file; docs/data/medication.md shows a mapping")
    try:
        text = path.read_text(encoding="utf-8")
        twice = _named_twice(yaml.compose(text, Loader=yaml.SafeLoader))
        if twice:
            raise DataError(f"{path}: {', '.join(twice)}: an entry comes twice; leave one")
        return Mapping.model_validate(yaml.safe_load(text))
    except ValidationError as fault:
        places = [".".join(str(part) for part in error["loc"]) or "mapping" for error in fault.errors()]
        told = "; ".join(f"{place}: {error['msg']}" for place, error in zip(places, fault.errors()))
        raise DataError(f"{path}: {told}. docs/data/medication.md shows a mapping") from fault
    except (yaml.YAMLError, UnicodeDecodeError) as fault:
        raise DataError(f"{path}: not YAML ({fault})") from fault
    except OSError as fault:
        raise DataError(f"{path}: cannot be read ({fault.strerror or fault})") from fault


def _named_twice(node: yaml.Node | None) -> list[str]:
    """Entries that stand twice in one table of the file, with their lines; YAML itself takes the last."""
    if not isinstance(node, yaml.MappingNode):
        return []
    names = [key.value for key, _ in node.value]
    own = [f"{key.value} (line {key.start_mark.line + 1})" for place, (key, _) in enumerate(node.value)
           if key.value in names[:place]]
    return own + [told for _, value in node.value for told in _named_twice(value)]
