"""The teacher that a student's configuration names, before it is found or trained."""
from __future__ import annotations

from ..config import MedConfig
from ..data import FeatureRequest
from ..registry import MODELS

__all__ = ["names_a_model", "own_templates", "read_by", "teacher_config"]


def names_a_model(named: str) -> bool:
    """Whether a student's key ``teacher`` names a model, which is trained first, and no run or file."""
    return named in {spec.name for spec in MODELS} or ":" in named


def teacher_config(config: MedConfig) -> MedConfig:
    """Configuration of the teacher that a student asks for by its model's name: the student's data, seed and machine,
    and the values of ``teacher_keys``; the rest from the teacher's own YAML."""
    assert config.params is not None   # whatever has the key `teacher` has Params
    student = set(type(config.params).model_fields)
    shared = {key: value for key, value in config.resolved().items() if key in config.given - student}
    left = {"model", "dataset", "split", "search"}   # the student's values were searched, not these
    keys = {key: value for key, value in {**shared, **(config["teacher_keys"] or {})}.items() if key not in left}
    keys["seed"] = config["seed"]
    return MedConfig(config["teacher"], config["dataset"], split=config.split, overrides=keys)


def read_by(config: MedConfig) -> tuple[FeatureRequest, ...]:
    """What the model of a configuration reads, and what the teacher reads that is trained for it."""
    ask = getattr(config.model_class, "feature_requests", None)
    own = tuple(ask(config.params)) if ask is not None else ()
    if config["teacher"] is None or not names_a_model(str(config["teacher"])):
        return own
    return own + read_by(teacher_config(config))


def own_templates(config: MedConfig) -> tuple[str, ...]:
    """Files of prompt templates that a model puts prompts together by, beside those of what it reads; the words of one
    that ships are told by this package's version."""
    return tuple(name for name in getattr(config.params, "prompt_templates", ()) if name.endswith(".txt"))
