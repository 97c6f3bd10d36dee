"""A model's language model, from the model's parameters and the configuration, and what tuning it takes."""
from __future__ import annotations

import logging
from importlib.metadata import version
from pathlib import Path
from typing import Any, Callable, Generic, TypeVar

import torch
from torch import Tensor

from ..encoders.backbones import Backbone, resolve_backbone
from ..encoders.gguf import converted_folder
from ..encoders.estimate import ASSUMED_SHARE, Plan, Shape, epoch_operations, kept_bytes, product_rate, \
    trained_bytes, weight_bytes
from ..encoders.halves import CausalHalves
from ..encoders.hardware import compute_dtype, whole_memory
from ..encoders.kept import KeptTexts
from ..encoders.loading import load_backbone, load_tokenizer
from ..encoders.lora import LoraSpec
from ..encoders.progress import progress_mode
from ..encoders.reader import PromptReader
from ..encoders.soft_prompt import SoftPromptBackbone
from ..encoders.split import SplitBackbone
from ..encoders.tokens import PromptTokenizer
from ..errors import ConfigError
from ..layers import leave_out_frozen
from ..paths import cache_dir


log = logging.getLogger("recbole_medmoe")
Use = TypeVar("Use")
_LATEST: dict[tuple[str, ...], dict[str, Tensor]] = {}  # kept states of the last `read_halves`


def read_backbone(p: Any, config: Any, lora: LoraSpec | None, *, checkpointing: bool = False,
                  quantise: str | None = None) -> PromptReader:
    """The backbone with its adapters, on the device of the configuration; its frozen weights are not saved.

    Args:
        p: a model's parameters, with ``backbone``, ``tuned_layers``, ``readout``, ``readout_layers``,
            ``prompt_max_tokens``, ``batch_tokens`` and ``cache_states``.
        config: with ``device``, ``precision``, ``progress``, ``cache_dir``, ``keep_states`` and ``allow_download``.
        lora: the adapters; None freezes the whole backbone, and each text's read-out is kept.
        checkpointing, quantise: see `SplitBackbone`.

    Raises:
        ConfigError, MissingPackageError: the backbone is not there, is no language model, or cannot be tuned so.
    """
    found, folder = _find(p, config)
    lower, upper = _formats(config, lora)
    halves = SplitBackbone(
        folder, tuned=None if lora is None else p.tuned_layers, kind=p.readout, layers=p.readout_layers, lora=lora,
        device=torch.device(config["device"]), lower_dtype=lower, upper_dtype=upper, checkpointing=checkpointing,
        quantise=quantise)
    _check_context(p, halves)
    leave_out_frozen(halves, found.sha256)
    store = _store(config, {"backbone": found.sha256, "cut": halves.cut, "read_out": halves.kind,
                            "layers": list(halves.layers), "formats": [str(lower), str(upper), str(quantise)]})
    reader = PromptReader(halves, p.batch_tokens, p.cache_states,
                          progress_mode(config["progress"]), store)
    reader.tuning = lora is not None
    return reader


def soft_prompt_backbone(p: Any, config: Any, lora: LoraSpec | None, beginning: str,
                         with_head: bool) -> SoftPromptBackbone:
    """The backbone that reads soft tokens among its own, on the device of the configuration; what is frozen is not
    saved.

    Args:
        p: a model's parameters, with ``backbone``, ``soft_layer``, ``prompt_max_tokens``, ``title_max_tokens`` and
            ``batch_tokens``.
        config: as in `read_backbone`.
        lora: adapters on the blocks above ``soft_layer``; None freezes all.
        beginning: words that every prompt begins with.
        with_head: with what predicts the next token; a title may then follow a prompt.

    Raises:
        ConfigError, MissingPackageError: as `read_backbone`; a layer that is not there, or a backbone without a table
            of token embeddings.
    """
    found, folder = _find(p, config)
    device, depth = torch.device(config["device"]), Shape.read(folder).blocks
    if p.soft_layer >= depth:
        raise ConfigError([f"soft_layer {p.soft_layer}: soft tokens enter below one of the backbone's {depth} blocks; "
                           f"0 to {depth - 1}"])
    lower, upper = _formats(config, lora)
    halves = SplitBackbone(folder, tuned=depth - p.soft_layer, kind="last", layers=(), lora=lora, device=device,
                           lower_dtype=lower, upper_dtype=upper)
    _check_context(p, halves, p.title_max_tokens if with_head else 0)
    tokenizer = PromptTokenizer(load_tokenizer(folder), None, p.prompt_max_tokens)
    head = load_backbone(folder, device, upper, head=True)[1].get_output_embeddings() if with_head else None
    whole = SoftPromptBackbone(halves, tokenizer.ids([beginning])[0], p.batch_tokens, head)
    leave_out_frozen(whole, found.sha256)
    return whole


def _check_context(p: Any, halves: SplitBackbone, title: int = 0) -> None:
    """Raises `ConfigError` for prompts, and titles of so many tokens after them, that the backbone does not take."""
    if halves.limit is not None and p.prompt_max_tokens + title > halves.limit:
        after = f" and title_max_tokens {title}" if title else ""
        raise ConfigError([f"prompt_max_tokens {p.prompt_max_tokens}{after}: backbone '{p.backbone}' takes at most "
                           f"{halves.limit}"])


def read_halves(p: Any, config: Any) -> tuple[CausalHalves, str]:
    """The backbone with its head, cut below the blocks that are tuned, and the SHA-256 of its files.

    What the frozen blocks make of texts stays in main memory for the next call with the same backbone, cut and formats,
    so that the seeds of a comparison read the texts once.

    Args:
        p: a model's parameters, with ``backbone``, ``tuned_layers``, ``cache_states``, ``gradient_checkpointing`` and
            ``quantise``.
        config: as in `read_backbone`.

    Raises:
        ConfigError, MissingPackageError: as `read_backbone`.
    """
    found, folder = _find(p, config)
    device, lower = torch.device(config["device"]), compute_dtype(torch.device(config["device"]))
    upper = torch.bfloat16 if config["precision"] == "bf16" else torch.float32
    key = (found.sha256, str(p.tuned_layers), str(device), str(lower), str(p.quantise))
    kept = _LATEST.get(key, {}) if p.cache_states else None
    _LATEST.clear()
    if kept is not None:
        _LATEST[key] = kept
    store = _store(config, {"what": "halves", "backbone": found.sha256, "tuned": p.tuned_layers,
                            "formats": [str(lower), str(upper), str(p.quantise)]})
    halves = CausalHalves(folder, tuned=p.tuned_layers, device=device, lower_dtype=lower, upper_dtype=upper,
                          keep=p.cache_states, kept=kept, store=store,
                          progress=progress_mode(config["progress"]),
                          checkpointing=p.gradient_checkpointing, quantise=p.quantise)
    return halves, found.sha256


class HeadedLLM(Generic[Use]):
    """A frozen language model with its head for a model that trains nothing: read on first use, and again for another
    device. It is no submodule, and so is neither trained, nor counted, nor saved.

    Args:
        name: of the backbone.
        config: with ``cache_dir`` and ``allow_download``.
        make: what is made of its tokenizer and the language model, to be used.
        on_cpu: number format on a CPU; None for the fastest.
    """

    def __init__(self, name: str, config: Any, make: Callable[[Any, Any], Use], *,
                 on_cpu: torch.dtype | None = None) -> None:
        self.name, self._make, self._on_cpu = name, make, on_cpu
        self._cache, self._allow_download = cache_dir(config["cache_dir"]), bool(config["allow_download"])
        self._made: tuple[torch.device, Use] | None = None

    def on(self, device: torch.device) -> Use:
        """What was made, on this device.

        Raises:
            ConfigError, MissingPackageError: the backbone is not there, or is no language model.
        """
        if self._made is None or self._made[0] != device:
            found = resolve_backbone(self.name, self._allow_download)
            if found.kind != "llm":
                raise ConfigError([f"backbone '{self.name}' does not continue texts; name a language model, "
                                   "e.g. --backbone=smollm2-135m"])
            dtype = self._on_cpu if self._on_cpu is not None and device.type == "cpu" else compute_dtype(device)
            self._made = device, self._make(*load_backbone(converted_folder(found, self._cache), device, dtype,
                                                           head=True))
        return self._made[1]


def tell_cost(p: Any, config: Any, lora: LoraSpec | None, prompts: Tensor, steps: int, outputs: int) -> None:
    """Tells in the log what memory and time the tuning will take, before any weight is read.

    Args:
        p: as in `read_backbone`, and with ``gradient_checkpointing`` and ``quantise``.
        config: as in `read_backbone`.
        lora: as in `read_backbone`.
        prompts: [N] tokens of each training text.
        steps: batches of an epoch.
        outputs: numbers that a head makes of the read-out.

    Raises:
        ConfigError, MissingPackageError: as `read_backbone`.
    """
    shape, device = Shape.read(_find(p, config)[1]), torch.device(config["device"])
    plan = plan_of(shape, p, config, lora, outputs)
    tokens, longest = int(prompts.sum()), int(prompts.max())
    step = tokens / steps
    parts = weight_bytes(shape, plan), trained_bytes(shape, plan), kept_bytes(shape, plan, round(step), longest)
    keeps = p.cache_states and 0 < plan.tuned < shape.blocks
    kept = tokens * shape.width * plan.lower.itemsize if keeps else 0
    log.info("memory, estimated: %s frozen parameters %s, training state %s, a step of %.0f tokens %s: about %s of %s "
             "on %s%s", f"{shape.parameters:,}", *map(_told, parts[:2]), step, _told(parts[2]), _told(sum(parts)),
             _told(whole_memory(device)), device, f"; {_told(kept)} of main memory for kept states" if kept else "")
    rate = product_rate(device, plan.upper)
    work = epoch_operations(shape, plan, tokens, tokens / len(prompts))
    below, above = (part / rate / ASSUMED_SHARE for part in work)
    once, each = (below, above) if keeps else (0.0, below + above) if plan.tuned else (below, 0.0)
    log.info("time, estimated: %s tokens of %d training texts take %s once and %s per epoch, if %.0f %% of the %.3g "
             "TFLOP/s of a large matrix product are reached (assumed); scoring comes on top", f"{tokens:,}",
             len(prompts), _minutes(once), _minutes(each), 100 * ASSUMED_SHARE, rate / 1e12)


def plan_of(shape: Shape, p: Any, config: Any, lora: LoraSpec | None, outputs: int) -> Plan:
    """How these parameters tune a backbone of this shape; arguments as in `tell_cost`."""
    tuned = 0 if lora is None else shape.blocks if p.tuned_layers is None else p.tuned_layers
    states = len(p.readout_layers or (0,)) + 2 if p.readout == "layers" else 1
    return Plan(lora, tuned, *_formats(config, lora), p.quantise is not None, p.gradient_checkpointing, p.batch_tokens,
                states * shape.width * outputs)


def _find(p: Any, config: Any) -> tuple[Backbone, Path]:
    """A language model and its folder."""
    found = resolve_backbone(p.backbone, bool(config["allow_download"]))
    if found.kind != "llm":
        raise ConfigError([f"backbone '{p.backbone}' is an encoder of the kind '{found.kind}'; take a language model "
                           "here, e.g. smollm2-135m"])
    return found, converted_folder(found, cache_dir(config["cache_dir"]))


def _store(config: Any, origin: dict[str, Any]) -> KeptTexts | None:
    """Where other runs find what a backbone's frozen part makes of texts; None where it is not kept for them."""
    if not config["keep_states"]:
        return None
    place = cache_dir(config["cache_dir"]) / "states"
    return KeptTexts(place, {**origin, "device": torch.device(config["device"]).type,
                             "transformers": version("transformers")})


def _formats(config: Any, lora: LoraSpec | None) -> tuple[torch.dtype, torch.dtype]:
    """Number formats of the frozen weights below and above the cut."""
    frozen = compute_dtype(torch.device(config["device"]))
    trained = torch.bfloat16 if config["precision"] == "bf16" else torch.float32
    return frozen, frozen if lora is None else trained


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _told(count: float) -> str:
    """Bytes in words."""
    return f"{count / 2 ** 30:.1f} GiB" if count >= 2 ** 30 else f"{count / 2 ** 20:.0f} MiB"
