"""One trial, as an engine's process carries it out: values and the curves of earlier trials in, its score out."""
from __future__ import annotations

from pathlib import Path
from typing import Any, Mapping

from ...config import MedConfig
from ...errors import TrainingError
from ...quick_start.trying import Curve, try_config
from .space import Stopping
from .stopping import is_unpromising


def run_trial(values: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Trains one configuration and scores validation.

    Args:
        values: ``model``, ``dataset``, ``split``, ``beside`` and ``overrides`` of `MedConfig`; ``stopping``, the rule
            or None; ``finished``, the curves that it compares with; ``device`` where an engine gives one.
        folder: the runs folder, where a student's teacher is found.

    Raises:
        TrainingError: as `try_config`, or a test row was scored.
    """
    place = {"device": values["device"]} if values.get("device") else {}
    config = MedConfig(values["model"], values["dataset"], split=values["split"],
                       overrides={**values["overrides"], **place}, beside=values["beside"])
    rule = None if values["stopping"] is None else Stopping.model_validate(values["stopping"])

    def give_up(curve: Curve) -> bool:
        return rule is not None and is_unpromising(curve, values["finished"], rule, config["valid_metric_bigger"])

    tried = try_config(config, give_up, runs_dir=folder)
    if tried.test_scored:
        raise TrainingError(f"model {config.spec.name} scored test rows while it was trained; a search must not")
    return {"status": "stopped" if tried.is_stopped else "finished", "score": tried.score, "valid": dict(tried.valid),
            "curve": tried.curve, "epochs": tried.epochs, "best_epoch": tried.best_epoch, "seconds": tried.seconds}
