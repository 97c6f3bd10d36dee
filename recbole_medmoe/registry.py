"""MODELS, the visible table of this package's models; other names fall through to RecBole's own and to dotted paths.

Strings only: reading or listing the table loads no torch.
"""
from __future__ import annotations

import functools
import importlib
import importlib.util
import os
import re
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from .errors import ConfigError, MissingPackageError, nearest

PAPER = "https://arxiv.org/abs/2412.11557"


@dataclass(frozen=True)
class ModelSpec:
    """One line of the table.

    Args:
        name: what ``--model`` takes.
        target: ``module:Class``.
        task: ``food``, ``medication``, ``choice`` or ``any``.
        paper: link to what the model comes from.
        needs: what the data must offer, e.g. ``("text", "image")`` or ``("known users",)``.
        trainer: ``module:Class`` of a trainer of its own; None takes the one that RecBole names for its type.
        by_task: tasks that a class of their own serves, and that class as ``module:Class``.
    """

    name: str
    target: str
    task: str
    paper: str
    needs: tuple[str, ...]
    trainer: str | None = None
    by_task: tuple[tuple[str, str], ...] = ()

    @property
    def origin(self) -> str:
        """``recbole_medmoe``, ``recbole`` or ``third party``."""
        package = self.target.split(":")[0].split(".")[0]
        return package if package in ("recbole_medmoe", "recbole") else "third party"

    def for_task(self, task: object) -> ModelSpec:
        """This line with the class that serves a task."""
        return replace(self, target=dict(self.by_task).get(str(task), self.target))

    def load(self) -> type:
        """Imports the model's class.

        A third party's module may lie in the working folder, also where the installed command is used, which does not
        look there by itself.

        Raises:
            ConfigError: no such module or no such class in it.
            MissingPackageError: the module needs a package that is not installed.
        """
        return self._load(self.target)

    def load_trainer(self) -> type | None:
        """Imports the class of the model's own trainer; None where it has none.

        Raises:
            ConfigError, MissingPackageError: as `load`.
        """
        return None if self.trainer is None else self._load(self.trainer)

    def _load(self, target: str) -> type:
        module_name, class_name = target.split(":")
        if self.origin == "third party" and os.getcwd() not in sys.path:
            sys.path.append(os.getcwd())
        try:
            module = importlib.import_module(module_name)
        except ModuleNotFoundError as error:
            if error.name and (module_name == error.name or module_name.startswith(error.name + ".")):
                raise ConfigError([f"model '{target}': no module '{error.name}'"]) from None
            raise MissingPackageError(f"model '{self.name}' needs the package '{error.name}', which is not installed; "
                                      f"run: pip install {error.name}") from None
        found = getattr(module, class_name, None)
        if not isinstance(found, type):
            classes = [name for name, value in vars(module).items() if isinstance(value, type)]
            raise ConfigError([f"model '{target}': no class '{class_name}' in it{nearest(class_name, classes)}"])
        return found


KNOWN_USERS = "known users"
"""What a model needs that knows users by their ids alone."""
SEQUENCES = "sequences"
"""What a model needs that reads a user's items in a list, in time order where there is one."""

_HYBRID = "recbole_medmoe.model.medmoe:"
_BASELINES = "recbole_medmoe.model.baselines."
_MODALITIES = ("text", "image", "profile")
_VISITS = ("visits",)
_OPTIONS = ("options",)
_TUNING = "recbole_medmoe.trainer.tuning:TuningTrainer"
_MING = "recbole_medmoe.model.mingmoe:"
_LEADER = "https://arxiv.org/abs/2402.02803"
_AMFREC = "https://doi.org/10.7544/issn1000-1239.202550836"
_ENSEMBLE = "recbole_medmoe.trainer.ensemble:EnsembleTrainer"

MODELS: tuple[ModelSpec, ...] = (
    ModelSpec("MedMoE", _HYBRID + "MedMoE", "food", PAPER, _MODALITIES),
    ModelSpec("MoEOnly", _HYBRID + "MoEOnly", "food", PAPER, _MODALITIES),
    ModelSpec("LLMOnly", _HYBRID + "LLMOnly", "food", PAPER, ("text",)),
    ModelSpec("LLMOnlyLoRA", "recbole_medmoe.model.llm_lora:LLMOnlyLoRA", "food", PAPER, ("text",), _TUNING),
    ModelSpec("AMFRec", "recbole_medmoe.model.amfrec:AMFRec", "any", _AMFREC, (SEQUENCES, "text")),
    ModelSpec("FeatureSASRec", _BASELINES + "feature_sasrec:FeatureSASRec", "any", "", (SEQUENCES, "text")),
    ModelSpec("HalvesAverage", _BASELINES + "ensemble:HalvesAverage", "food", "", _MODALITIES, _ENSEMBLE),
    ModelSpec("LLMPair", _BASELINES + "ensemble:LLMPair", "food", "", ("text",), _ENSEMBLE),
    ModelSpec("LLMOnlyZeroShot", _BASELINES + "zero_shot:LLMOnlyZeroShot", "food", "", ("text",)),
    ModelSpec("FeatureRidge", _BASELINES + "feature_ridge:FeatureRidge", "food", "", _MODALITIES),
    ModelSpec("BowRidge", _BASELINES + "bow_ridge:BowRidge", "food", "", ("text",)),
    ModelSpec("ConditionLookup", _BASELINES + "condition_lookup:ConditionLookup", "food", "", ("profile",)),
    ModelSpec("VisitPop", _BASELINES + "visit_pop:VisitPop", "medication", "", _VISITS),
    ModelSpec("RepeatLast", _BASELINES + "visit_pop:RepeatLast", "medication", "", _VISITS),
    ModelSpec("VisitLR", _BASELINES + "visit_lr:VisitLR", "medication", "", _VISITS),
    ModelSpec("FrozenLLM", _BASELINES + "frozen_llm:FrozenLLM", "medication", "", ("visits", "text")),
    ModelSpec("RETAIN", _BASELINES + "retain:RETAIN", "medication", "https://arxiv.org/abs/1608.05745", _VISITS),
    ModelSpec("GAMENet", _BASELINES + "gamenet:GAMENet", "medication", "https://arxiv.org/abs/1809.01852", _VISITS),
    ModelSpec("MICRON", _BASELINES + "micron:MICRON", "medication", "https://arxiv.org/abs/2105.01876", _VISITS),
    ModelSpec("OptionPosition", _BASELINES + "options:OptionPosition", "choice", "", _OPTIONS),
    ModelSpec("LongestOption", _BASELINES + "options:LongestOption", "choice", "", ("options", "text")),
    ModelSpec("OptionOverlap", _BASELINES + "options:OptionOverlap", "choice", "", ("options", "text")),
    ModelSpec("LLMGenerate", _BASELINES + "llm_generate:LLMGenerate", "medication", _LEADER, ("visits", "code names")),
    ModelSpec("LEADERTeacher", "recbole_medmoe.model.leader_teacher:LEADERTeacher", "medication", _LEADER,
              ("visits", "code names"), _TUNING),
    ModelSpec("LEADERStudent", "recbole_medmoe.model.leader_student:LEADERStudent", "medication", _LEADER, _VISITS),
    ModelSpec("MINGMoE", _MING + "MINGMoE", "any", "https://arxiv.org/abs/2404.09027", ("text",),
              "recbole_medmoe.trainer.adapting:AdapterTrainer",
              (("food", _MING + "MINGFood"), ("medication", _MING + "MINGVisits"))),
    # In front of RecBole's Pop, whose counts are wrong (model/baselines/pop.py).
    ModelSpec("Pop", _BASELINES + "pop:Pop", "any", "", ()),
)

_RECBOLE_NEEDS = {
    "general_recommender": (KNOWN_USERS,),
    "context_aware_recommender": (),
    "sequential_recommender": (SEQUENCES,),
    "knowledge_aware_recommender": ("knowledge graph",),
    "exlib_recommender": (),
}


@functools.cache
def recbole_models() -> tuple[ModelSpec, ...]:
    """RecBole's own models, found by reading its folder without importing it; empty where RecBole is not installed."""
    package = importlib.util.find_spec("recbole")
    if package is None or package.origin is None:
        return ()
    found = []
    for room, needs in _RECBOLE_NEEDS.items():
        for path in sorted((Path(package.origin).parent / "model" / room).glob("*.py")):
            classes = re.findall(r"^class (\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
            # RecBole's rule: the file's name is the class's in lower case; other classes in it are parts.
            for name in (name for name in classes if name.lower() == path.stem):
                needed = () if name in ("Pop", "Random") else needs
                target = f"recbole.model.{room}.{path.stem}:{name}"
                found.append(ModelSpec(name, target, "any", "https://recbole.io/model_list.html", needed))
    return tuple(sorted(found, key=lambda spec: spec.name.lower()))


def model_names(origin: str | None = None) -> list[str]:
    """Names that ``--model`` takes, this package's first; ``origin`` keeps one origin's."""
    own = {spec.name for spec in MODELS}
    specs = MODELS + tuple(spec for spec in recbole_models() if spec.name not in own)
    return [spec.name for spec in specs if origin in (None, spec.origin)]


def find_model(name: str) -> ModelSpec:
    """The table's line, RecBole's model, or a third party's ``package.module:Class``.

    Raises:
        ConfigError: no such name; the message gives the nearest ones.
    """
    for spec in MODELS + recbole_models():
        if spec.name == name:
            return spec
    if re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", name):
        return ModelSpec(name.split(":")[1], name, "any", "", ())
    if ":" in name or "." in name:
        raise ConfigError([f"model '{name}': a model of your own is written package.module:Class"])
    raise ConfigError([f"no model '{name}'{nearest(name, model_names())}"])
