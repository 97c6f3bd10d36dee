"""Picks a model's trainer: its own, or RecBole's class for it with ours composed in."""
from __future__ import annotations

from functools import lru_cache
from typing import Any

from .. import compat
from ..errors import ConfigError
from ..processes import count
from .loop import MedLoop
from .mixin import MedTrainerMixin
from .threshold import score_scale

compat.apply()

from recbole.trainer import Trainer  # noqa: E402  (RecBole is mended first)
from recbole.trainer.trainer import PretrainTrainer  # noqa: E402
from recbole.utils import get_trainer  # noqa: E402


@lru_cache(maxsize=None)
def compose(base: type) -> type:
    """The mixin, RecBole's trainer class, then our loop where that class's ``super()`` looks for RecBole's.

    Args:
        base: ``recbole.trainer.Trainer`` or a subclass.

    Returns:
        A class named ``Med<base>``, the same one for every call.
    """
    bases = (MedTrainerMixin, MedLoop) if base is Trainer else (MedTrainerMixin, base, MedLoop)
    return type(f"Med{base.__name__}", bases, {"__module__": __name__, "__doc__": base.__doc__})


def build_trainer(config: Any, model: Any) -> Any:
    """The trainer of a model: the one that its line of the table names, else RecBole's class for it with our loop,
    evaluation and memory.

    Args:
        config: ``MedConfig`` or RecBole's ``Config``.
        model: on its device.

    Raises:
        ConfigError: settings that this trainer cannot follow, all in one message.
    """
    base = get_trainer(config["MODEL_TYPE"], config["model"])
    faults = _faults(config, base, type(model))
    if faults:
        raise ConfigError(faults)
    spec = getattr(config, "spec", None)
    # An ensemble's trainer comes back here for its members, which are of other classes and get RecBole's.
    named = spec.load_trainer() if spec is not None and spec.trainer and isinstance(model, spec.load()) else None
    return (named or compose(base))(config, model)


def _faults(config: Any, base: type, model_class: type) -> list[str]:
    name = config["model"]
    if not issubclass(base, Trainer):
        return [f"model: {name} is trained by {base.__name__}, which keeps its model in files of another library; "
                "it is not supported"]
    faults = []
    if issubclass(base, PretrainTrainer) and config["train_stage"] != "finetune":
        faults.append(f"train_stage: '{config['train_stage']}' of {name} hands its weights to the next stage in a "
                      "pickled file, which is not written here; only 'finetune' is supported")
    if config["log_wandb"]:
        faults.append("log_wandb: not supported; each run folder has a log.jsonl")
    if config["enable_amp"] or config["enable_scaler"]:
        faults.append("enable_amp, enable_scaler: not supported; use precision: bf16")
    if (config["precision"] or "no") not in ("no", "bf16"):
        faults.append(f"precision: '{config['precision']}' is neither 'no' nor 'bf16'")
    if config["task"] == "medication" and config["set_threshold"] != "tuned" and score_scale(model_class) is None:
        faults.append(f"set_threshold: {config['set_threshold']} is a probability, and the scores of {name} are none; "
                      "use set_threshold: tuned")
    own_epoch = any("_train_epoch" in vars(cls) for cls in base.__mro__[:base.__mro__.index(Trainer)])
    asked = {"precision": config["precision"] not in (None, False, "no"),
             "gradient_accumulation_steps": (config["gradient_accumulation_steps"] or 1) != 1,
             "warmup_steps": bool(config["warmup_steps"]),
             "lr_schedule": (config["lr_schedule"] or "constant") != "constant"}
    if own_epoch:
        faults += [f"{key}: {name} is trained by RecBole's {base.__name__}, whose epochs are its own; leave this key "
                   "at its default" for key, is_asked in asked.items() if is_asked]
    if count() > 1 and own_epoch:
        faults.append(f"model: {name} is trained by RecBole's {base.__name__}, whose epochs are its own; run it in one "
                      "process, without torchrun")
    if count() > 1 and str(config["learner"]).lower() == "sparse_adam":
        faults.append("learner: sparse_adam is for one process; take adam, or run without torchrun")
    return faults
