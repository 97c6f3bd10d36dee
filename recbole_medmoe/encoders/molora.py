"""MoLoRA as a method of peft; importing this file makes ``MOLORA`` known to it.

    from recbole_medmoe.encoders import MoLoraConfig
    model = get_peft_model(backbone, MoLoraConfig(target_modules=["q_proj", "v_proj", "up_proj"],
                                                  expert_modules=["up_proj"]))

Then as any peft model: ``save_pretrained``, ``PeftModel.from_pretrained`` (after the same import, in a fresh process
too), ``disable_adapter``, ``print_trainable_parameters``. Source of the method: see `layers.molora`.

All that is needed of peft's private parts stands here: `MoLoraModel._create_and_replace`, ``_replace_module``,
``_move_adapter_to_device_of_base_layer``, ``_active_adapter``, ``adapter_layer_names``, where peft keeps its
configurations, and how an enum gets a member. tests/encoders/test_molora_peft.py says so when they move.
"""
from __future__ import annotations

import copy
import hashlib
from collections.abc import Mapping
from typing import Any, NoReturn

import torch
from torch import Tensor, nn

from ..errors import CheckpointError, ConfigError
from ..layers.molora import MoLoRA, MoLoraSpec
from .molora_config import ALL_LINEAR, MoLoraConfig, matches

from peft import PeftModel, PeftType  # noqa: E402  molora_config makes peft importable
from peft.tuners.tuners_utils import BaseTuner, BaseTunerLayer  # noqa: E402
from peft.utils import register_peft_method  # noqa: E402
from transformers.pytorch_utils import Conv1D  # noqa: E402

__all__ = ["MoLoraConfig", "MoLoraLinear", "MoLoraModel"]

_NAME, _PREFIX, _KEYS = "MOLORA", "molora_", ".molora_experts."
_FINGERPRINTED = {torch.float64, torch.float32, torch.bfloat16}  # they agree once rounded to bfloat16


class MoLoraLinear(nn.Module, BaseTunerLayer):
    """A frozen linear map and its experts, a `MoLoRA` per adapter; input and output as the map's own.

    Args:
        base_layer: the map.
        adapter_name: the first adapter.
        spec: its options.
        name: where the map stands in the backbone.
    """

    adapter_layer_names = ("molora_experts",)

    def __init__(self, base_layer: nn.Module, adapter_name: str, spec: MoLoraSpec, name: str) -> None:
        super().__init__()
        self.base_layer = base_layer
        self.molora_experts = nn.ModuleDict()  # flat: peft strips an adapter's name from a key's last two parts only
        self._active_adapter = adapter_name
        self.add(adapter_name, spec, name)

    def add(self, adapter_name: str, spec: MoLoraSpec, name: str) -> None:
        """Puts in one more adapter."""
        rows, columns = self.base_layer.weight.shape
        if isinstance(self.base_layer, Conv1D):  # keeps its weight transposed
            rows, columns = columns, rows
        if isinstance(self.base_layer, nn.Linear):  # a quantised weight has another shape
            rows, columns = self.base_layer.out_features, self.base_layer.in_features
        experts = MoLoRA(columns, rows, spec)
        experts.name = name
        self.molora_experts[adapter_name] = experts
        self._move_adapter_to_device_of_base_layer(adapter_name)
        self.set_adapter(self.active_adapters)

    def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """x [..., D_in] -> [..., D_out]."""
        result = self.base_layer(x, *args, **kwargs)
        if not self.disable_adapters:
            for name in self.active_adapters:
                if name in self.molora_experts:
                    result = self.molora_experts[name](x, result)
        return result

    def merge(self, safe_merge: bool = False, adapter_names: list[str] | None = None) -> NoReturn:
        """Refused, see `MoLoraModel.merge_and_unload`."""
        _refuse_merging()


class MoLoraModel(BaseTuner):
    """peft's tuner for `MoLoraConfig`; get_peft_model builds it.

    Raises:
        ConfigError: patterns that match nothing, or a model that carries other adapters.
        CheckpointError: an adapter made for another backbone, when it is put in or when its weights are loaded.
    """

    prefix = _PREFIX
    tuner_layer_cls = MoLoraLinear
    target_module_mapping: dict[str, list[str]] = {}
    peft_config: dict[str, Any]

    def __init__(self, model: nn.Module, peft_config: Any, adapter_name: str, *args: Any, **kwargs: Any) -> None:
        layers = [module for module in model.modules() if isinstance(module, BaseTunerLayer)]
        if isinstance(model, PeftModel) or any(not isinstance(layer, MoLoraLinear) for layer in layers):
            raise ConfigError(["MoLoRA cannot be put on top of another peft adapter, which would not come back from "
                               "its files; unload() that one first, or give LoRA and experts in one MoLoraConfig "
                               "(target_modules and expert_modules), or a second MoLoRA with add_adapter"])
        if any(adapter_name in layer.molora_experts for layer in layers):
            raise ConfigError([f"the model has an adapter '{adapter_name}' already"])
        super().__init__(model, peft_config, adapter_name, *args, **kwargs)
        self.peft_config = self.model.peft_config = _OwnConfigs(self.peft_config)
        model.register_load_state_dict_pre_hook(_check_loaded)

    def inject_adapter(self, model: nn.Module, adapter_name: str, *args: Any, **kwargs: Any) -> None:
        """As in peft, once the patterns and the backbone's weights are found right."""
        config = self.peft_config[adapter_name] = copy.copy(self.peft_config[adapter_name])  # the user's stays as it is
        linear = _linear_maps(model)
        if config.target_modules == ALL_LINEAR:
            head = model.get_output_embeddings() if hasattr(model, "get_output_embeddings") else None
            config.target_modules = [name for name, layer in linear.items() if layer is not head]
        config.check_names(list(linear))
        found = _fingerprint({name: layer for name, layer in linear.items() if matches(config.target_modules, name)})
        if None not in (found, config.base_fingerprint) and found != config.base_fingerprint:
            raise CheckpointError(f"adapter '{adapter_name}' was made for a backbone of other weights than this "
                                  f"{type(model).__name__}; take the one that it was trained on")
        config.base_fingerprint = config.base_fingerprint or found
        super().inject_adapter(model, adapter_name, *args, **kwargs)
        if not isinstance(config.target_modules, str):
            config.target_modules = sorted(config.target_modules)  # peft makes a set of many

    def _create_and_replace(self, config: MoLoraConfig, adapter_name: str, target: nn.Module, target_name: str,
                            parent: nn.Module, current_key: str, **kwargs: Any) -> None:
        spec = config.spec(config.expert_modules is None or matches(config.expert_modules, current_key))
        if isinstance(target, MoLoraLinear):
            target.add(adapter_name, spec, current_key)
        elif isinstance(target, (nn.Linear, Conv1D)):
            layer = MoLoraLinear(target, adapter_name, spec, current_key)
            layer.requires_grad_(adapter_name in self.active_adapters)
            self._replace_module(parent, target_name, layer, target)
        else:
            raise ConfigError([f"target_modules takes {current_key}, a {type(target).__name__}; MoLoRA is for linear "
                               "maps"])

    def merge_and_unload(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refused: which experts a layer uses depends on the token, so no one matrix does the same.

        Raises:
            ConfigError: always.
        """
        _refuse_merging()

    def merge_adapter(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refused, see `merge_and_unload`."""
        _refuse_merging()


class _OwnConfigs(dict[str, Any]):
    """Configurations by adapter. A tuner that is put on top of the model leaves its own here, and is stopped."""

    def __setitem__(self, name: str, config: Any) -> None:
        self.update({name: config})

    def update(self, configs: Mapping[str, Any]) -> None:  # type: ignore[override]
        for name, config in configs.items():
            if not isinstance(config, MoLoraConfig):
                raise ConfigError([f"{type(config).__name__} '{name}' cannot be put on top of MoLoRA, it would not "
                                   "come back from its files; maps outside of expert_modules get plain LoRA"])
            super().__setitem__(name, config)


def _refuse_merging() -> NoReturn:
    raise ConfigError(["MoLoRA cannot be merged into the backbone: which experts a layer uses depends on the token; "
                       "keep the adapter (save_pretrained), or unload() it"])


def _linear_maps(model: nn.Module) -> dict[str, nn.Module]:
    """The backbone's own linear maps by name, also where adapters stand around them."""
    named = {name: getattr(module, "base_layer", module) for name, module in model.named_modules()
             if not name.endswith(".base_layer")}
    return {name: module for name, module in named.items() if isinstance(module, (nn.Linear, Conv1D))}


def _fingerprint(layers: Mapping[str, nn.Module]) -> str | None:
    """Hash of names, shapes and some weights; None where weights are quantised, float16 or not there yet."""
    digest = hashlib.sha256()
    for name, layer in sorted(layers.items()):
        weight = layer.weight.detach()
        if weight.dtype not in _FINGERPRINTED or weight.is_meta:
            return None
        some = weight.reshape(-1)[::max(1, weight.numel() // 64)].to(torch.bfloat16).view(torch.int16)
        digest.update(f"{name} {tuple(weight.shape)}".encode() + some.cpu().numpy().tobytes())
    return digest.hexdigest()[:32]


def _check_loaded(model: nn.Module, state: Mapping[str, Tensor], prefix: str, *_: Any) -> None:
    """Before weights go into a backbone with experts: an adapter comes whole and in the right shapes, or not at all.

    Raises:
        CheckpointError: it does not. peft itself warns, and leaves what is missing at random.
    """
    wanted = {prefix + name: weight for name, weight in model.named_parameters() if _KEYS in name}
    found = {name for name in state if _KEYS in name}
    adapters = {name.split(".")[-2] for name in found & wanted.keys()}
    whole = {name for name in wanted if name.split(".")[-2] in adapters}
    if wanted and not state:
        raise CheckpointError("the adapter's file holds no weights")
    missing, foreign = sorted(whole - found), sorted(found - wanted.keys())
    reshaped = sorted(name for name in found & wanted.keys() if state[name].shape != wanted[name].shape)
    told = [f"{len(names)} {what}, e.g. {names[0]}" for what, names in (
        ("weights are missing" + (", routers among them" if any(".router_" in name for name in missing) else ""),
         missing), ("have no place in it", foreign), ("have another shape", reshaped)) if names]
    if told:
        raise CheckpointError(f"the adapter does not fit {type(model).__name__}: {'; '.join(told)}. It is damaged, or "
                              "was saved for another backbone or with other options")


def _register() -> None:
    """Makes MOLORA a member of peft's closed enum, as its functions compare by it, and tells peft its classes."""
    member = str.__new__(PeftType, _NAME)
    member._name_ = member._value_ = _NAME
    setattr(PeftType, _NAME, member)  # before the enum knows it, since members cannot be set
    PeftType._member_names_.append(_NAME)
    PeftType._member_map_[_NAME] = PeftType._value2member_map_[_NAME] = member
    register_peft_method(name=_NAME.lower(), config_cls=MoLoraConfig, model_cls=MoLoraModel, prefix=_PREFIX)


_register()
