"""What fixes the numbers of an encoder: backbone, read-out, prompt and length. No torch."""
from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ConfigError

FORMAT = 1  # raise it when the way to compute features changes: older banks are then of "another encoder"
READOUTS = {"llm": ("last", "mean", "layers"), "text": ("mean",), "image": ("pool",)}


@dataclass(frozen=True)
class EncoderSpec:
    """One frozen encoder.

    Args:
        modality: ``text`` or ``image``.
        backbone: a packaged name, a local folder, a ``.gguf`` file, a cached Hugging Face name, or
            ``torchvision:<model>:<weights file>``.
        readout: ``mean`` over tokens, ``last`` token, ``layers`` (mean of each middle layer, then the last token and
            the mean of the last layer, side by side), or ``pool`` for pictures.
        template: name or path of a prompt template with ``{text}``; None gives the raw text.
        max_tokens: longest prompt in tokens; what is longer loses the end of its text, never of its template.
        layers: middle layers of ``layers``, counted in blocks from 1; empty means the one in the middle.

    Raises:
        ConfigError: values that do not go together.
    """

    modality: str
    backbone: str
    readout: str
    template: str | None = None
    max_tokens: int = 512
    layers: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        faults = []
        if self.modality not in ("text", "image"):
            faults.append(f"encoder modality '{self.modality}': text or image")
        valid = READOUTS["image"] if self.modality == "image" else READOUTS["llm"]
        if self.readout not in valid:
            faults.append(f"read-out '{self.readout}' of {self.modality} encoder '{self.backbone}': {', '.join(valid)}")
        if self.modality == "text" and self.max_tokens < 1:
            faults.append(f"max_tokens {self.max_tokens} of encoder '{self.backbone}': 1 or more")
        if self.modality == "image" and self.template is not None:
            faults.append(f"prompt template '{self.template}' for pictures: they take none")
        if self.layers and self.readout != "layers":
            faults.append(f"layers {list(self.layers)} of encoder '{self.backbone}' need the read-out 'layers'")
        if faults:
            raise ConfigError(faults)

    @property
    def label(self) -> str:
        """Short name of the backbone, without folders."""
        if self.backbone.startswith("torchvision:"):
            return self.backbone.split(":")[1]
        return Path(self.backbone).name

    @property
    def slug(self) -> str:
        """A name that is safe in file names, e.g. ``smollm2-135m-layers-food_user``."""
        parts = [self.label, self.readout] + [str(layer) for layer in self.layers]
        if self.template is not None:
            parts.append(Path(self.template).stem)
        return re.sub(r"[^A-Za-z0-9_.]+", "-", "-".join(parts)).strip("-.")

    def key(self, backbone_sha: str, template_sha: str | None) -> dict[str, Any]:
        """What two feature banks must share to be of the same encoder; names and folders may differ."""
        return {
            "format": FORMAT,
            "modality": self.modality,
            "backbone_sha256": backbone_sha,
            "readout": self.readout,
            "layers": list(self.layers),
            "template_sha256": template_sha,
            "max_tokens": self.max_tokens if self.modality == "text" else None,
        }
