"""Pictures to vectors by a frozen convolutional network or transformer: EfficientNet-Lite0, torchvision by name."""
from __future__ import annotations

from pathlib import Path
from typing import Callable, Sequence

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor, nn

from ..compat import declare_torchvision_operators
from ..errors import ConfigError, DataError, nearest
from .backbones import Backbone, resolve_backbone
from .batches import row_batches
from .progress import meter
from .spec import EncoderSpec

_SHORT_SIDE, _CROP = 256, 224
Preprocess = Callable[[Image.Image], Tensor]


def encode_images(spec: EncoderSpec, paths: Sequence[Path], *, device: str | torch.device = "cpu", batch_rows: int = 16,
                  progress: str | bool = "auto") -> np.ndarray:
    """Encodes N pictures -> [N, D] float32, in the order of the paths: what the network's classifier would see.

    Args:
        spec: an image encoder.
        paths: N picture files.
        device: where.
        batch_rows: pictures per batch.
        progress: see `progress.meter`.

    Raises:
        DataError: a file that is missing or is no picture (named), or no path at all.
        ConfigError, MissingPackageError: the backbone is not there, or is none for pictures.
    """
    if not paths:
        raise DataError("nothing to encode: no picture was given")
    backbone = resolve_backbone(spec.backbone)
    if spec.modality != "image" or backbone.kind != "image":
        raise ConfigError([f"backbone '{spec.backbone}' encodes {backbone.kind} and is asked for {spec.modality}"])
    place = torch.device(device)
    network, preprocess = _torchvision(backbone) if backbone.name.startswith("torchvision:") else _lite(backbone)
    network = network.to(place, memory_format=torch.channels_last).eval().requires_grad_(False)
    found = []
    with torch.inference_mode(), meter(f"encoding with {spec.label}", len(paths), "pictures", progress) as advance:
        for rows in row_batches(len(paths), batch_rows):
            pictures = torch.stack([preprocess(open_picture(paths[row])) for row in rows])
            vectors = network(pictures.to(place, memory_format=torch.channels_last))
            found.append(vectors.flatten(1).float().cpu().numpy())
            advance(len(rows))
    return np.concatenate(found)


def open_picture(path: Path) -> Image.Image:
    """Reads a picture as RGB, turned as its camera noted.

    Raises:
        DataError: missing, truncated, too large, or no picture; names the file.
    """
    try:
        with Image.open(path) as picture:
            return ImageOps.exif_transpose(picture).convert("RGB")
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError, SyntaxError, ValueError) as fault:
        raise DataError(f"{path}: not a picture that can be read ({fault}); replace the file or take its row out of "
                        "images.csv") from fault


def lite_pixels(picture: Image.Image) -> Tensor:
    """Short side to 256 by bicubic, middle 224 x 224, (pixel - 127) / 128 -> [3, 224, 224]: as in training."""
    width, height = picture.size
    scale = _SHORT_SIDE / min(width, height)
    size = max(_CROP, round(width * scale)), max(_CROP, round(height * scale))
    sized = picture.resize(size, Image.Resampling.BICUBIC)
    left, top = (sized.width - _CROP) // 2, (sized.height - _CROP) // 2
    pixels = np.asarray(sized.crop((left, top, left + _CROP, top + _CROP)), dtype=np.float32)
    return torch.from_numpy((pixels - 127.0) / 128.0).permute(2, 0, 1)


class _LiteFeatures(nn.Module):
    """EfficientNet-Lite without its classifier: [B, 3, 224, 224] -> [B, 1280]."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pictures: Tensor) -> Tensor:
        return self.network.extract_features(pictures).mean((2, 3))


def _lite(backbone: Backbone) -> tuple[nn.Module, Preprocess]:
    from efficientnet_lite_pytorch import EfficientNet

    network = EfficientNet.from_name("efficientnet-lite0")
    _fill(network, backbone)
    return _LiteFeatures(network), lite_pixels


def _torchvision(backbone: Backbone) -> tuple[nn.Module, Preprocess]:
    """A torchvision classifier with its last linear layer taken off, and the preprocessing that torchvision publishes
    with the model's default weights."""
    declare_torchvision_operators()
    from torchvision import models

    name = backbone.name.split(":")[1]
    known = models.list_models(module=models)
    if name not in known:
        raise ConfigError([f"backbone '{backbone.name}': torchvision has no model '{name}'{nearest(name, known)}"])
    network = models.get_model(name, weights=None)
    _fill(network, backbone)
    heads = [place for place, module in network.named_modules() if isinstance(module, nn.Linear)]
    if not heads:
        raise ConfigError([f"backbone '{backbone.name}': '{name}' has no linear classifier to take off; use another"])
    network.set_submodule(heads[-1], nn.Identity())
    return network, models.get_model_weights(name).DEFAULT.transforms()


def _fill(network: nn.Module, backbone: Backbone) -> None:
    """Loads weights; ``.pth`` files through torch's loader of plain tensors, which runs nothing of the file."""
    from pickle import UnpicklingError

    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        if backbone.path.suffix == ".safetensors":
            state = load_file(backbone.path)
        else:
            state = torch.load(backbone.path, map_location="cpu", weights_only=True)
        network.load_state_dict(state)
    except (OSError, RuntimeError, TypeError, SafetensorError, UnpicklingError) as fault:
        raise ConfigError([f"backbone '{backbone.name}': {backbone.path} does not hold its weights "
                           f"({str(fault).splitlines()[0]})"]) from fault
