"""The teacher of a student: found or trained, its states of the training visits written once, then handed over."""
from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

import torch

from ..compat import apply

apply()

from ..atomic import data_sha256  # noqa: E402  (RecBole needs `apply` first)
from ..config import MedConfig  # noqa: E402
from ..data import create_dataset, data_preparation  # noqa: E402
from ..data.requests import VisitPromptSpec  # noqa: E402
from ..data.teacher_states import StatesOrigin, TeacherStates  # noqa: E402
from ..data.visit_prompts import prompt_sha256  # noqa: E402
from ..errors import CheckpointError, ConfigError, nearest  # noqa: E402
from ..registry import find_model  # noqa: E402
from ..store import file_sha256, load_model, read_record  # noqa: E402
from .finished import obtain_run  # noqa: E402
from .loading import fill_weights  # noqa: E402
from .teachers import names_a_model, teacher_config  # noqa: E402

log = logging.getLogger("recbole_medmoe")
STATES = "teacher_states.safetensors"
"""The file in a teacher's run folder."""
_WEIGHTS = Path("model", "model.safetensors")


@dataclass(frozen=True)
class Teaching:
    """A teacher's states, and the file that holds them."""

    states: TeacherStates
    path: Path

    def told(self) -> dict[str, Any]:
        """What the student's record says of its teacher."""
        origin = self.states.origin
        return {"name": origin.teacher, "run": origin.run, "sha256": origin.teacher_sha256,
                "backbone_sha256": origin.backbone_sha256, "prompt_sha256": origin.prompt_sha256,
                "states_sha256": file_sha256(self.path), "visits": len(self.states.tokens)}


def find_teaching(config: MedConfig, runs_dir: Path, train: Callable[..., Any]) -> Teaching | None:
    """The states that a student's key ``teacher`` asks for; None where it asks for none.

    Args:
        config: of any model. ``teacher`` names a model, which is trained on the same data set, split, share and seed
            unless an equal run is finished below ``runs_dir``; a finished run's folder; or a file of states.
        runs_dir: where finished runs lie and new ones go.
        train: `run_config`.

    Raises:
        ConfigError: ``teacher`` is none of the three, or no model with hidden states.
        CheckpointError: states of other data, another teacher or other prompts.
    """
    named = config["teacher"]
    if named is None:
        return None
    kind = check_teacher(config)
    if kind == "states":
        return _read(Path(named), config)
    if kind == "run":
        folder, finished = Path(named), None
        own = _config_of(folder, config)
    else:
        own = teacher_config(config)
        folder, finished = obtain_run(own, runs_dir, train, "teacher")
    path = folder / STATES
    if not path.is_file():
        _write(path, own, finished)
    return _read(path, config, teacher_sha256=file_sha256(folder / _WEIGHTS),
                 prompt_sha256=_prompts(own))


def check_teacher(config: MedConfig) -> str:
    """What the key ``teacher`` is, before anything runs: ``model``, ``run`` or ``states``.

    Raises:
        ConfigError: nothing of these, or a teacher whose own configuration has faults.
    """
    named = str(config["teacher"])
    if names_a_model(named):
        if not hasattr(find_model(named).load(), "hidden"):
            raise ConfigError([f"teacher: '{named}' has no hidden states to learn from; take LEADERTeacher"])
        teacher_config(config)
        return "model"
    if config["teacher_keys"]:
        raise ConfigError([f"teacher_keys: are for a teacher that is trained, and '{named}' is none; leave them out"])
    if (Path(named) / "record.json").is_file():
        return "run"
    if Path(named).is_file():
        return "states"
    raise ConfigError([f"teacher: '{named}' is neither a model such as LEADERTeacher, nor the folder of a finished "
                       f"run, nor a file of states that such a run left{nearest(named, ['LEADERTeacher'])}"])


def _config_of(folder: Path, config: MedConfig) -> MedConfig:
    """Configuration of a finished run, on the student's machine."""
    record = read_record(folder)
    if record["data"]["sha256"] != _content(config):
        raise CheckpointError(f"{folder}: the teacher was trained on other data, {record['data']['name']}, split "
                              f"{record['data']['split']} ({record['data']['sha256'][:12]}); the student's are "
                              f"{config['dataset']}, split {config.split} ({_content(config)[:12]})")
    known = record["model"]["config"]
    kept = {key: value for key, value in known.items() if key not in ("model", "dataset", "split")}
    place = ("data_path", "cache_dir", "keep_states", "device", "progress")
    here = {key: config.resolved()[key] for key in place}
    return MedConfig(known["model"], known["dataset"], split=known["split"], overrides=kept | here)


def _write(path: Path, own: MedConfig, finished: Any) -> None:
    """Lets the teacher read every training visit once; a teacher that was not just trained is built again."""
    record = read_record(path.parent)
    if finished is not None:
        model, dataset = finished.model, finished.dataset
    else:
        train, _, _ = data_preparation(own, create_dataset(own))
        dataset = train._dataset
        model = own.spec.load()(own, dataset).to(own["device"])   # type: ignore[call-arg]
        fill_weights(model, load_model(path.parent / "model"))
    ids = dataset.train_users.nonzero().squeeze(-1)
    states = model.hidden(ids.to(own["device"]))
    origin = StatesOrigin(own.spec.name, path.parent.name, record["data"]["sha256"], record["data"]["split"],
                          float(own["train_share"]), own["seed"], file_sha256(path.parent / _WEIGHTS),
                          model.backbone_sha256, model.prompt_sha256, dataset.is_credentialed)
    names = dataset.user_tokens
    TeacherStates([names[visit] for visit in ids.tolist()], states.to(torch.bfloat16).cpu(), origin).write(path)
    log.info("teacher: states of %d training visits written to %s", len(ids), path)


def _read(path: Path, config: MedConfig, **expected: str) -> Teaching:
    states = TeacherStates.read(path)
    here: dict[str, Any] = {"data_sha256": _content(config), "split": config.split,
                            "train_share": float(config["train_share"])}
    if here["train_share"] < 1:
        here["seed"] = config["seed"]
    states.check(path, **here, **expected)
    return Teaching(states, path)


def _content(config: MedConfig) -> str:
    return data_sha256(config.dataset_folder, config.split, config.labels)


def _prompts(own: MedConfig) -> str:
    """Hash of the prompts that a teacher of this configuration reads, as the templates are now."""
    found, = (request.encoder for request in own.model_class.feature_requests(own.params)
              if isinstance(request.encoder, VisitPromptSpec))
    return prompt_sha256(found)
