"""MedConfig: RecBole's Config with visible layers, origins, and all faults told at once.

Layers, the later over the earlier: RecBole's defaults, properties/overall.yaml, the task, the data set, the model, the
files given, ``overrides``, the command line; then what follows from these (``derive``).
"""
from __future__ import annotations

import copy
import types
from pathlib import Path
from typing import Any, Mapping, Sequence

from pydantic import BaseModel
from recbole.config import Config
from recbole.utils import ModelType

from .. import compat, metrics
from ..errors import ConfigError
from ..registry import ModelSpec
from . import checks, derive
from .assemble import find_class, given_layers, hand_to_teacher, latest, lay
from .known import known_keys, recbole_folder, yaml_keys
from .loading import Layer, read_yaml
from .places import find_labels, find_place, find_split
from .settings import Settings
from .stack import Stack

# What RecBole or this class works out anew from the rest, so that a stored configuration does not hold it.
_WORKED_OUT = ("MODEL_TYPE", "MODEL_INPUT_TYPE", "eval_type", "valid_metric_bigger", "single_spec", "local_rank",
               "valid_neg_sample_args", "test_neg_sample_args")
_MACHINE = ("eval_batch_size", "show_progress")


class MedConfig(Config):
    """The configuration of one run.

    Args:
        model: name of the table, of a RecBole model, or ``package.module:Class``.
        dataset: name of a data set: packaged, ``ml-100k``, or a folder below ``data_path``.
        split: which pre-split files; None takes the data set's default.
        argv: ``--key=value`` strings. The arguments of the host process are never read.
        files: YAML files, later ones win.
        overrides: values from Python; they win over files.
        beside: other models of the same comparison; keys that only they have are left out here instead of refused.

    Attributes:
        spec: the model's line of the table. model_class: its class. params: its validated ``Params``, or None.
        split: the split in use, or None. labels: its label variant; None is the data set's own labels.
        dataset_folder: where the data set lies.
        origins: key to where its value comes from.

    Raises:
        ConfigError: all faults at once.
        MissingPackageError: RecBole or a package that the model imports is not installed.

    Example:
        >>> config = MedConfig("BPR", "ml-100k", argv=["--epochs=5"])
        >>> config["epochs"], config.origins["epochs"]
        (5, 'command line')
    """

    def __init__(self, model: str, dataset: str, *, split: str | None = None, argv: Sequence[str] = (),
                 files: Sequence[Path] = (), overrides: Mapping[str, Any] | None = None,
                 beside: Sequence[str] = ()) -> None:
        compat.apply()
        metrics.register()
        faults: list[str] = []
        found, model_class = find_class(model, faults)
        given = given_layers(files, overrides, argv, split, faults)
        place = find_place(dataset, latest(given, "data_path", "dataset"), faults)
        stack = lay(found, self._recbole_layers(found, model_class, dataset), place, given, faults)
        if found is not None and found.by_task:
            found = found.for_task(stack.values.get("task"))
            model_class = found.load()
        self.split = find_split(place, stack, faults)
        self.labels = find_labels(place, stack, self.split, faults)
        self.params: BaseModel | None = None
        hand_to_teacher(stack, beside, found, model_class)
        _leave_to_others(stack, beside, found, model_class)
        faults += self._check(found, model_class, stack)
        if faults or found is None or model_class is None or place.folder is None:
            raise ConfigError(faults)
        self.spec, self.dataset_folder = found, place.folder
        self._stack = stack
        self._finish(model_class, dataset)

    @property
    def origins(self) -> dict[str, str]:
        """Key to where its value comes from, e.g. ``my.yaml:12``."""
        return self._stack.origins

    @property
    def given(self) -> frozenset[str]:
        """Keys that the user wrote, in a file, from Python or on the command line."""
        return frozenset(self._stack.given)

    def _recbole_layers(self, spec: ModelSpec | None, model_class: Any, dataset: str) -> list[Layer]:
        """RecBole's own files for this type of model and this data set; its model file comes later."""
        self._read: list[Layer] = []
        kind = getattr(model_class, "type", ModelType.GENERAL)
        name = spec.name if spec is not None and spec.origin == "recbole" else ""
        self._init_parameters_category()
        super()._load_internal_config_dict(name, types.SimpleNamespace(type=kind), dataset)
        return [layer for layer in self._read if not layer.origin.startswith("RecBole's model/")]

    def _check(self, spec: ModelSpec | None, model_class: Any, stack: Stack) -> list[str]:
        """Every fault that the values have."""
        extra = stack.values.get("extra_keys")
        admitted = {key for key in extra if isinstance(key, str)} if isinstance(extra, list) else set()
        schema = getattr(model_class, "Params", None)
        own = set(schema.model_fields) if schema is not None else set()
        known = known_keys(spec, model_class) | set(stack.defaults) | admitted
        settings, faults = checks.model_faults(Settings, stack)
        if schema is not None:
            self.params, wrong = checks.model_faults(schema, stack)
            told = {checks.head(fault) for fault in faults}
            faults += [fault for fault in wrong if checks.head(fault) not in told]
        faults = checks.unknown_keys(stack, known) + checks.refused_keys(stack) + faults
        faults += checks.type_faults(stack, skip=set(Settings.model_fields) | own | admitted)
        faults += checks.evaluation_faults(stack) + checks.metric_faults(stack) + checks.task_faults(stack)
        if model_class is not None:
            faults += checks.kind_faults(stack, model_class) + checks.picture_faults(stack, model_class, self.params)
        if isinstance(settings, Settings):
            stack.values["precision"] = settings.precision
            faults += derive.device(stack)[1]
        return faults

    def _finish(self, model_class: Any, dataset: str) -> None:
        """Derives the rest and lets RecBole build its dictionary from the result."""
        stack = self._stack
        if self.params is not None:
            absent = {key: value for key, value in self.params.model_dump().items() if key not in stack.values}
            stack.lay(Layer("default of Params", absent))
        if self.split is not None:
            parts = [f"{self.split}.{phase}" for phase in ("train", "valid", "test")]
            stack.derive("benchmark_filename", parts, "from split")
        derive.valid_metric(stack)
        derive.negatives(stack, model_class)
        derive.list_length(stack, model_class, self.dataset_folder, self.split, self.labels)
        found, _ = derive.device(stack)
        assert found is not None  # its faults were told before
        self._stated = copy.deepcopy(stack.values)
        derive.evaluation_batch(stack, model_class, found)
        derive.progress(stack)
        self._device = found
        super().__init__(model=model_class, dataset=dataset)
        final = self.final_config_dict
        final["data_path"] = str(self.dataset_folder)
        final["use_gpu"] = found.type == "cuda"
        for key in final:
            stack.origins.setdefault(key, "derived by RecBole")
        stack.origins["device"] = f"{stack.origins['device']}, {self._stated['device']}"

    # What RecBole's Config.__init__ calls, in its order.

    def _build_yaml_loader(self) -> None:
        """RecBole adds its number rule to ``yaml.FullLoader`` for the whole process; files are read elsewhere here."""

    def _load_cmd_line(self) -> dict[str, Any]:
        """The host process's arguments are not ours, and their values are never evaluated."""
        return {}

    def _init_parameters_category(self) -> None:
        super()._init_parameters_category()
        # RecBole appends a data set's keys to lists that all configurations of the process share.
        self.parameters: dict[str, list[str]] = {category: list(keys) for category, keys in self.parameters.items()}

    def _update_internal_config_dict(self, file: str) -> dict[str, Any]:
        path = Path(file).resolve()
        layer = read_yaml(path, f"RecBole's {path.relative_to(recbole_folder().resolve() / 'properties')}")
        self._read.append(layer)
        self.internal_config_dict.update(layer.values)
        return layer.values

    def _load_internal_config_dict(self, model: str, model_class: Any, dataset: str) -> None:
        self.internal_config_dict = copy.deepcopy(self._stack.values)
        self.internal_config_dict["MODEL_TYPE"] = model_class.type

    def _init_device(self) -> None:
        """One process, on the device asked for; ``CUDA_VISIBLE_DEVICES`` is left as it is."""
        self.final_config_dict.update(device=self._device, single_spec=True, local_rank=0)

    # What others use.

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, value)
        self._stack.origins[key] = "set by the program"
        if key in self._stated:
            self._stated[key] = value

    def clamp_topk(self, items: int) -> list[int]:
        """Keeps every cut-off K at or below the catalogue's size.

        Args:
            items: number of items that can be ranked.

        Returns:
            The cut-offs now in use; ``valid_metric`` follows them.
        """
        before = self["topk"]
        topk = sorted({min(k, items) for k in before})
        if topk == sorted(before):
            return before
        name, _, cut = self["valid_metric"].partition("@")
        self["topk"] = topk
        self.origins["topk"] = f"derived: the catalogue has {items} items"
        if cut and int(cut) > items:
            self["valid_metric"] = f"{name}@{items}"
            self.origins["valid_metric"] = self.origins["topk"]
        return topk

    def table(self) -> list[tuple[str, Any, str]]:
        """Rows of key, value and origin: the model's own keys first, then ours, then RecBole's by its categories."""
        final = self.final_config_dict
        own = set(type(self.params).model_fields) if self.params is not None else set()
        rank = {key: 1 for key, origin in self.origins.items() if "model/" in origin}
        rank.update({key: 3 + number for number, keys in enumerate(self.parameters.values()) for key in keys})
        rank.update({key: 2 for key in Settings.model_fields if key not in rank})
        rank.update({key: 1 for key in own})
        rank.update(model=0, dataset=0, split=0)
        keys = sorted(final, key=lambda key: (rank.get(key, 9), list(final).index(key)))
        origins = {**self.origins, "model": "argument", "dataset": "argument"}
        return [(key, final[key], origins[key]) for key in keys]

    def resolved(self) -> dict[str, Any]:
        """Plain values that give the same configuration again through ``files``.

        Left out is what follows from the rest on the machine at hand: the device found, batch sizes by free memory.
        """
        left_out = {*_WORKED_OUT, *(key for key in _MACHINE if key not in self._stack.given)}
        if self.split is not None:
            left_out.add("benchmark_filename")
        values = {key: value for key, value in self._stated.items() if key not in left_out}
        values.update(model=self.spec.name if self.spec.origin != "third party" else self.spec.target,
                      dataset=self.dataset, split=self.split)
        return copy.deepcopy(dict(sorted(values.items())))


def _leave_to_others(stack: Stack, beside: Sequence[str], spec: ModelSpec | None, model_class: Any) -> None:
    """Drops the user's keys that belong to another model of the comparison and not to this one."""
    if spec is None:
        return
    theirs: set[str] = set()
    for name in beside:
        other, other_class = find_class(name, [])  # a wrong name is told by that model's own configuration
        if other is not None:
            theirs |= known_keys(other, other_class) | yaml_keys(other)
    for key in theirs.intersection(stack.given) - known_keys(spec, model_class) - set(stack.defaults):
        stack.drop(key)
