"""Suites: ``properties/suite/<name>.yaml`` says which rows, splits and seeds answer which question."""
from __future__ import annotations

from pathlib import Path
from typing import Any, Iterable, Literal, Mapping

from pydantic import (BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt, PrivateAttr, ValidationError,
                      field_validator, model_validator)

from ..config.loading import read_yaml
from ..errors import ConfigError, nearest
from ..metrics import WHOLE_METRICS
from ..paths import properties_dir

__all__ = ["Claim", "Compared", "Row", "SearchBudget", "Suite", "load_suites", "parse_suite", "suite_names"]
Kind = Literal["tables", "differences", "variants", "personal", "equivalence", "swapped", "levels", "curve", "fall",
               "missing", "others"]
# What a suite stands in for where its own value has a fault, so that the rest is judged in the same message.
_STAND_IN: dict[str, Any] = {"title": "-", "question": "-", "dataset": "", "seeds": [0], "splits": [], "rows": {},
                             "metrics": ["map@5"], "figure": "tables"}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Claim(_Strict):
    """One sentence of a paper, in our words, and where it stands."""

    text: str
    source: str


class Compared(_Strict):
    """Comparisons named beforehand: one row against others.

    Args:
        row: label of the row.
        against: labels of the others.
        called: what the others are called together, e.g. ``its halves``.
        claim: whether the suite's claim rests on them; others are told beside it.
    """

    row: str
    against: list[str] = Field(min_length=1)
    called: str
    claim: bool = True


class Row(BaseModel):
    """One row: a model, and any keys that its configuration takes.

    ``config`` names packaged variants of the model's values, or YAML files; the row's own keys lie above them.
    ``splits``, ``labels``, ``train_share`` and ``images`` narrow or replace the suite's own lists for this row.
    """

    model_config = ConfigDict(extra="allow", strict=True)
    model: str | None = None
    config: list[str] = []
    splits: list[str] | None = None
    labels: list[str | None] | None = None
    train_share: list[float] | None = None
    images: list[str] | None = None

    @field_validator("config", "splits", "train_share", "images", mode="before")
    @classmethod
    def _one_is_a_list(cls, value: Any) -> Any:
        return [value] if isinstance(value, (str, float, int)) else value

    @field_validator("labels", mode="before")
    @classmethod
    def _one_variant_is_a_list(cls, value: Any) -> Any:
        return value if isinstance(value, list) else [value]

    @property
    def overrides(self) -> dict[str, Any]:
        """Keys of the configuration."""
        return dict(self.model_extra or {})


class SearchBudget(_Strict):
    """What every row of a suite gets for the search of its parameters, on validation, before it runs.

    Args:
        trials, minutes: of each row; one of them, or both, whichever ends first.
        algorithm: tpe, random or exhaustive.
        seed: of the search and its trials; not one of the suite's own, so that no row is tuned on a seed it shows.
        split: where the values of all splits are searched; None searches each split by itself.
    """

    trials: PositiveInt | None = None
    minutes: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    algorithm: Literal["tpe", "random", "exhaustive"] = "tpe"
    seed: NonNegativeInt = 100
    split: str | None = None

    @model_validator(mode="after")
    def _has_an_end(self) -> SearchBudget:
        if self.trials is None and self.minutes is None:
            raise ValueError("neither trials nor minutes are given")
        return self


class _Others(_Strict):
    """A suite of other suites: what its file may hold."""

    title: str
    question: str
    includes: list[str] = Field(min_length=1)


class Suite(_Strict):
    """A question, the runs that answer it, and how the answer is drawn.

    Args:
        title, question, claim: what the page says above the figure.
        dataset, splits, seeds, labels, train_share, images: every row runs on each combination. Without ``splits`` the
            data set is split its own way ('').
        pooled: name to splits whose test rows are also judged together, clustered by patient.
        settings: keys of the configuration for every row.
        search: the same budget for every row; None takes the rows as they stand.
        metrics: shown ones; the first is the primary metric, which the tests are made on.
        lower: those of ``metrics`` where less is what the claim speaks of.
        rows: label to model and keys. reference: label of the row that tables compare with.
        rows_of: another suite, whose rows come before the own ones. A row of its own with the same label stands in the
            place of the other's, whole: no key is taken from both.
        comparisons: named beforehand; Holm corrects over all of them and all splits of this suite.
        margin: largest difference of the primary metric that still counts as none. level: of all intervals.
        figure: kind of the figure, and with it the way in which the claim is judged; ``others``: the suite has no rows
            and stands for those that it includes. tables: whether all tables of the rows stand below it.
        includes: other suites that run and are shown with this one.
    """

    title: str
    question: str
    claim: Claim | None = None
    dataset: str
    seeds: list[NonNegativeInt] = Field(min_length=1)
    splits: list[str] = Field(default=[""], min_length=1)
    pooled: dict[str, list[str]] = {}
    labels: list[str | None] = Field(default=[None], min_length=1)
    train_share: list[float] = Field(default=[1.0], min_length=1)
    images: list[str] = Field(default=["catalogue"], min_length=1)
    settings: dict[str, Any] = {}
    search: SearchBudget | None = None
    metrics: list[str] = Field(min_length=1)
    lower: list[str] = []
    rows: dict[str, Row] = Field(min_length=1)
    rows_of: str | None = None
    reference: str | None = None
    comparisons: list[Compared] = []
    margin: float | None = Field(default=None, gt=0, lt=1, allow_inf_nan=False)
    level: float = Field(default=0.95, gt=0.5, lt=1)
    figure: Kind
    tables: bool = False
    includes: list[str] = []
    name: str = ""
    _part: str = PrivateAttr("")

    @property
    def part(self) -> str:
        """The options that left splits or seeds of the suite out, e.g. ``--splits warm``; empty: it is whole."""
        return self._part

    @property
    def primary(self) -> str:
        """The metric that the tests are made on."""
        return self.metrics[0]

    @property
    def has_tables(self) -> bool:
        """Whether its rows are shown in tables, below a figure or by themselves."""
        return self.tables or self.figure == "tables"

    def narrowed(self, splits: Iterable[str] | None, seeds: Iterable[int] | None) -> Suite:
        """The same suite with some of its splits and seeds; what it does not have is left out."""
        kept = self.splits if splits is None else [split for split in self.splits if split in set(splits)]
        fewer = self.seeds if seeds is None else [seed for seed in self.seeds if seed in set(seeds)]
        pooled = {name: parts for name, parts in self.pooled.items() if set(parts) <= set(kept)}
        part = self.model_copy(update={"splits": kept, "seeds": fewer, "pooled": pooled})
        told = [f"--splits {','.join(kept)}"] if kept != self.splits else []
        told += [f"--seeds {','.join(map(str, fewer))}"] if fewer != self.seeds else []
        part._part = " ".join(told)
        return part


def suite_names() -> list[str]:
    """Suites that ship."""
    return sorted(path.stem for path in (properties_dir() / "suite").glob("*.yaml"))


def suite_path(name: str, beside: Path = Path()) -> Path:
    """File of a suite: a shipped one by name, or any YAML file by its path, seen from the folder ``beside``.

    Raises:
        ConfigError: neither; with the nearest name.
    """
    shipped = properties_dir() / "suite" / f"{name}.yaml"
    if shipped.is_file():
        return shipped
    if (beside / name).is_file():
        return beside / name
    raise ConfigError([f"no suite '{name}'{nearest(name, suite_names())}"])


def load_suites(name: str) -> tuple[list[Suite], list[str]]:
    """A suite and those that it includes, each with as much as can be read, and every fault of their files."""
    first_path = suite_path(name)
    first, faults = parse_suite(first_path)
    suites = [first]
    for other in first.includes:
        try:
            path = suite_path(other, first_path.parent)
        except ConfigError as error:
            faults += [f"{first.name}, includes: {fault}" for fault in error.faults]
            continue
        found, wrong = parse_suite(path)
        faults += wrong
        if any(found.name == known.name for known in suites):
            faults.append(f"{first.name}, includes: two suites are named '{found.name}'; give one file another name")
        suites.append(found)
        if found.includes:
            faults.append(f"{first.name}, includes: suite '{other}' includes others itself; name them all here")
    return suites, faults


def parse_suite(path: Path) -> tuple[Suite, list[str]]:
    """Reads a suite; parts with faults are left out, so that the rest can still be judged.

    Raises:
        ConfigError: the file is no YAML mapping; rows of a suite that is not there, or has none of its own.
    """
    raw = read_yaml(path).values
    faults: list[str] = []
    rows = _rows(raw, path)
    labels = list(rows) if isinstance(rows, dict) else []
    if isinstance(rows, dict):
        raw["rows"] = {label: {} if row is None else row for label, row in rows.items()}   # `Pop:` has no keys
    suite = _readable(raw, path.stem, faults)
    faults += _cross_faults(suite, labels)
    return suite, [f"{path}: {fault}" for fault in faults]


def _rows(raw: Mapping[str, Any], path: Path) -> Any:
    """Rows as a suite's file has them, behind those of the suite that it names for that."""
    own, other = raw.get("rows"), raw.get("rows_of")
    if not isinstance(other, str):
        return own
    try:
        taken = read_yaml(suite_path(other, path.parent)).values
    except ConfigError as error:
        raise ConfigError([f"{path}: rows_of: {fault}" for fault in error.faults]) from error
    if "rows_of" in taken or not isinstance(taken.get("rows"), dict):
        why = f"takes its own from '{taken['rows_of']}'; name that one" if "rows_of" in taken else "has no rows"
        raise ConfigError([f"{path}: rows_of: suite '{other}' {why}"])
    return own if own is not None and not isinstance(own, dict) else {**taken["rows"], **(own or {})}


def _readable(raw: Mapping[str, Any], name: str, faults: list[str]) -> Suite:
    values = {**raw, "name": name}
    if raw.get("includes") and set(raw) <= set(_Others.model_fields):   # no rows of its own
        values |= {**{key: value for key, value in _STAND_IN.items() if key not in raw}, "figure": "others"}
    try:
        if values.get("figure") == "others":
            return Suite.model_construct(**{**Suite.model_construct().model_dump(), **values,
                                            **_Others.model_validate(raw).model_dump()})
        return Suite.model_validate(values)
    except ValidationError as error:
        for detail in error.errors():
            head, *rest = [str(part) for part in detail["loc"]]
            shown = f" {detail['input']!r}" if not isinstance(detail["input"], (dict, list)) else ""
            hint = nearest(head, [*Suite.model_fields]) if detail["type"] == "extra_forbidden" and not rest else ""
            faults.append(f"{', '.join([head, *rest])}{shown}: {detail['msg'][:1].lower()}{detail['msg'][1:]}{hint}")
            if head == "rows" and rest and isinstance(values["rows"], dict):
                values["rows"] = {label: row for label, row in values["rows"].items() if str(label) != rest[0]}
            else:
                values.pop(head, None)
    return Suite.model_construct(**{**Suite.model_construct().model_dump(), **_STAND_IN, **_parts(values)})


def _parts(values: Mapping[str, Any]) -> dict[str, Any]:
    """What is left of a faulty suite, as its own types."""
    kept = dict(values)
    kept["rows"] = {label: Row.model_validate(row) for label, row in values.get("rows", {}).items()}
    kept["comparisons"] = [Compared.model_validate(one) for one in values.get("comparisons", [])]
    return kept


def _cross_faults(suite: Suite, labels: list[str]) -> list[str]:
    """Names that point to nothing, and what the kind of the figure asks for."""
    faults = []
    if suite.reference is not None and suite.reference not in labels:
        faults.append(f"reference: no row '{suite.reference}'{nearest(suite.reference, labels)}")
    for one in suite.comparisons:
        faults += [f"comparisons: no row '{label}'{nearest(label, labels)}" for label in (one.row, *one.against)
                   if label not in labels]
        faults += [f"comparisons: '{one.row}' against itself"] if one.row in one.against else []
    for label, row in suite.rows.items():
        faults += [f"rows, {label}: no split '{split}' in splits{nearest(split, suite.splits)}"
                   for split in row.splits or [] if split not in suite.splits]
    for name, splits in suite.pooled.items():
        faults += [f"pooled, {name}: no split '{split}' in splits{nearest(split, suite.splits)}" for split in splits
                   if split not in suite.splits]
    faults += [f"lower: '{metric}' is not in metrics{nearest(metric, suite.metrics)}" for metric in suite.lower
               if metric not in suite.metrics]
    return faults + _kind_faults(suite)


def _kind_faults(suite: Suite) -> list[str]:
    by_kind = {
        "equivalence": [(suite.margin is not None, "margin: is missing; 'no difference' needs one, stated before")],
        "variants": [(len(suite.labels) > 1, "labels: needs at least two variants")],
        "swapped": [("catalogue" in suite.images and len(suite.images) > 1,
                     "images: needs catalogue and at least one other")],
        "curve": [(len(suite.train_share) > 1, "train_share: needs at least two shares")],
        "fall": [(len(suite.splits) == 2, "splits: needs two, the one and the harder one")],
        "missing": [(bool(suite.settings.get("missing")), "settings, missing: is missing; name shares of the items")],
        "tables": [(bool(suite.reference), "reference: is missing; tables compare all rows with one"),
                   *((len(getattr(row, name) or getattr(suite, name)) < 2,
                      f"rows, {label}, {name}: a table shows one; name the others as rows of their own")
                     for label, row in suite.rows.items() for name in ("labels", "train_share", "images"))],
    }
    asked = by_kind.get(suite.figure, []) + (by_kind["tables"] if suite.has_tables and suite.figure != "tables" else [])
    compares = suite.figure in ("differences", "variants", "personal", "equivalence", "levels", "curve", "fall")
    tested = () if suite.figure in ("tables", "personal") else suite.metrics
    asked += [(metric.partition("@")[0] not in WHOLE_METRICS,
               f"metrics: '{metric}' has one value for all rows together, so that no test can be made on it; show it "
               "in a suite with figure: tables") for metric in tested]
    asked.append((bool(suite.comparisons) or not compares, "comparisons: is missing; name which row against which"))
    return [f"{fault} (figure: {suite.figure})" for right, fault in asked if not right]
