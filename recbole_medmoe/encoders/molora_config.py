"""What `MoLoraConfig` holds, and which linear maps of a backbone its patterns name."""
from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ..compat import declare_torchvision_operators
from ..errors import ConfigError
from ..layers.molora import MoLoraSpec

declare_torchvision_operators()

from peft import PeftConfig, PeftType  # noqa: E402

ALL_LINEAR = "all-linear"


@dataclass
class MoLoraConfig(PeftConfig):
    """Routed experts on some linear maps of a backbone, and plain LoRA (one expert, no router) on others.

    Modules are named as peft names them: a list of whole names or of their ends after a dot, or one regular expression
    for the whole name; ``all-linear`` for every linear map but the output layer.

    Raises:
        ConfigError: options that do not fit together, all of them at once.
    """

    r: int = field(default=8, metadata={"help": "Rank of each expert."})
    lora_alpha: float = field(default=16.0, metadata={"help": "What experts add is scaled by lora_alpha / r."})
    lora_dropout: float = field(default=0.0, metadata={"help": "Share of the experts' inputs left out in training."})
    use_rslora: bool = field(default=False, metadata={"help": "Scale by lora_alpha / sqrt(r) instead."})
    num_experts: int = field(default=4, metadata={"help": "Experts of each map in expert_modules."})
    top_k: int = field(default=2, metadata={"help": "Experts that a token uses."})
    target_modules: list[str] | str | None = field(
        default=None, metadata={"help": "Linear maps that get an adapter: ends of names, a pattern, or 'all-linear'."})
    expert_modules: list[str] | str | None = field(
        default=None, metadata={"help": "Those of them that get experts; the others get plain LoRA. None for all."})
    router_noise: float = field(
        default=0.0, metadata={"help": "Standard deviation of the noise that training adds to router logits."})
    route: str = field(
        default="token", metadata={"help": "'token'; 'sequence': one choice per row; 'given': see `given_gates`."})
    gate: str = field(default="chosen", metadata={"help": "Softmax over the 'chosen' experts or over 'all'."})
    shared_expert: bool = field(default=False, metadata={"help": "One more expert, used by every token."})
    balance_weight: float = field(default=0.0, metadata={"help": "Factor of the balance loss in Routing.loss()."})
    z_weight: float = field(default=0.0, metadata={"help": "Factor of the router's z-loss in Routing.loss()."})
    base_fingerprint: str | None = field(
        default=None, metadata={"help": "Tells the backbone's weights; filled in when the adapter is put in."})

    def __post_init__(self) -> None:
        super().__post_init__()
        self.peft_type = PeftType("MOLORA")
        for name in ("target_modules", "expert_modules"):
            if isinstance(getattr(self, name), (set, tuple)):
                setattr(self, name, sorted(getattr(self, name)))  # the same file every time
        faults = self.spec(True).faults()
        if not self.target_modules:
            faults.append(f"target_modules: name the linear maps that get an adapter, or '{ALL_LINEAR}'")
        if faults:
            raise ConfigError([f"MoLoraConfig: {fault}" for fault in faults])

    def spec(self, routed: bool) -> MoLoraSpec:
        """Options of one layer; those without experts are plain LoRA of the same rank and scale."""
        spec = MoLoraSpec(
            num_experts=self.num_experts, top_k=self.top_k, r=self.r, alpha=self.lora_alpha, rslora=self.use_rslora,
            dropout=self.lora_dropout, router_noise=self.router_noise, route=self.route, gate=self.gate,
            shared_expert=self.shared_expert, balance_weight=self.balance_weight, z_weight=self.z_weight)
        return spec if routed else replace(spec, num_experts=1, top_k=1, shared_expert=False)

    def check_names(self, linear: Sequence[str]) -> None:
        """Looks for every pattern among the names of a backbone's linear maps.

        Raises:
            ConfigError: patterns that match nothing, all of them at once, with what there is.
        """
        targets = [name for name in linear if matches(self.target_modules, name)]
        faults = _unmatched("target_modules", self.target_modules, linear, "the backbone's linear maps are called")
        if self.expert_modules is not None:
            faults += _unmatched("expert_modules", self.expert_modules, targets, "target_modules has")
        if faults:
            raise ConfigError(faults)


def matches(patterns: Sequence[str] | str | None, name: str) -> bool:
    """Whether peft would take a module's name: a regular expression for the whole of it, or a list of its ends.

    Raises:
        ConfigError: not a regular expression.
    """
    if not isinstance(patterns, str):
        return any(name == pattern or name.endswith(f".{pattern}") for pattern in patterns or ())
    try:
        return re.fullmatch(patterns, name) is not None
    except re.error as fault:
        raise ConfigError([f"'{patterns}' is not a regular expression: {fault}; ends of names go into a list"]
                          ) from fault


def _unmatched(field_name: str, patterns: Sequence[str] | str | None, names: Sequence[str], there: str) -> list[str]:
    known = ", ".join(sorted({name.rpartition(".")[2] for name in names}))
    each = [patterns] if isinstance(patterns, str) else [[pattern] for pattern in patterns or ()]
    return [f"{field_name} {pattern}: matches nothing; {there} {known}" for pattern in each
            if not any(matches(pattern, name) for name in names)]
