"""``encode``: fill the feature banks that a model asks for, before any training."""
from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import ConfigError
from .output import PROGRAM, console, note, say, table
from .run import check_keys

if TYPE_CHECKING:
    from ..encoders import EncoderSpec

HELP = """Encode the texts or pictures of a data set with a frozen backbone, once, as a model will ask for them.

The features land in the cache, keyed by encoder and content; `--out` writes a copy that can ship with the data.

**Examples**

```text
recbole-medmoe encode healthfood --with smollm2-135m
recbole-medmoe encode healthfood --with ./my-llm --readout=last
recbole-medmoe encode healthfood --with efficientnet-lite0 --out features/
```
"""
CONTEXT = {"allow_extra_args": True, "ignore_unknown_options": True}
_KEY_OF_KIND = {"llm": "backbone", "text": "text_encoder", "image": "image_encoder"}


def encode(
    context: typer.Context,
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="A data set with texts or pictures.")],
    backbone: Annotated[str, typer.Option(
        "--with", metavar="BACKBONE", help="Packaged name, local folder, .gguf file, cached Hugging Face name, or "
                                           "torchvision:MODEL:FILE.")],
    model: Annotated[str, typer.Option(
        "--for", metavar="MODEL", help="The model whose prompts, read-out and lengths are used.")] = "MedMoE",
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Also write the banks here.")] = None,
    reencode: Annotated[bool, typer.Option("--reencode", help="Encode anew whatever is there already.")] = False,
) -> None:
    """Obtains each bank that the model asks of this backbone."""
    from ..config import MedConfig
    from ..data import create_dataset
    from ..encoders import bank_name, resolve_backbone

    argv = check_keys(context.args, ("--with", "--for", "--out", "--reencode"))
    found = resolve_backbone(backbone, allow_download="--allow_download=true" in [word.lower() for word in argv])
    config = MedConfig(model, dataset, argv=argv,
                       overrides={_KEY_OF_KIND[found.kind]: backbone} | ({"reencode": True} if reencode else {}))
    requests = requests_of(config, backbone)
    data = create_dataset(config)
    rows = []
    for side, spec in requests:
        note(f"{side} {spec.modality}: {spec.slug}")
        bank = data.store.bank(side, spec)
        place = "cache"
        if out is not None:
            path = out / f"{bank_name(side, spec)}.safetensors"
            bank.save(path)
            place = str(path)
        rows.append([side, spec.modality, f"{len(bank):,}", str(bank.width),
                     str(len(bank) - int(bank.present.sum())), place])
    columns = ["side", "of", "rows", "width", "missing", "in"]
    console().print(table(f"{dataset} by {backbone}", columns, rows, right=(2, 3, 4)))
    say(f"\nUse: {PROGRAM} --model {model} --dataset {dataset} "
        + " ".join([f"--{_KEY_OF_KIND[found.kind]}={backbone}", *argv]))


def requests_of(config: Any, backbone: str | None = None) -> list[tuple[str, EncoderSpec]]:
    """Side and encoder of all that a configuration's model asks of frozen encoders, of one backbone or of all.

    Raises:
        ConfigError: it asks for nothing.
    """
    from ..encoders import EncoderSpec

    ask = getattr(config.model_class, "feature_requests", None)
    asked = [] if ask is None else [(request.side, request.encoder) for request in ask(config.params)]
    frozen = [(side, spec) for side, spec in asked if isinstance(spec, EncoderSpec)]
    found = [(side, spec) for side, spec in frozen if backbone in (None, spec.backbone)]
    if not found:
        raise ConfigError([f"model {config.spec.name} asks nothing of "
                           + (f"backbone '{backbone}'" if backbone else "a frozen encoder")])
    return found
