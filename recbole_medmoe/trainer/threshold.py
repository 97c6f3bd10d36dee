"""A threshold that is stated as a probability, in units of a model's scores."""
from __future__ import annotations

import math
from typing import Any

from .. import compat

compat.apply()

from recbole.utils import ModelType  # noqa: E402  (RecBole is mended first)


def score_scale(model_class: Any) -> str | None:
    """What a model's scores are: ``logit``, ``probability``, or None where they only rank.

    A class says it by ``score_scale``; RecBole's context models give probabilities.
    """
    stated = getattr(model_class, "score_scale", None)
    if stated is None and getattr(model_class, "type", None) == ModelType.CONTEXT:
        return "probability"
    return stated


def fixed_threshold(probability: float, model: Any) -> float:
    """The score at which a model gives this probability, between 0 and 1.

    Raises:
        ValueError: a model whose scores only rank; `build_trainer` has refused it.
    """
    scale = score_scale(type(model))
    if scale == "logit":
        return math.log(probability / (1 - probability))
    if scale == "probability":
        return probability
    raise ValueError(f"the scores of {type(model).__name__} are no probabilities")
