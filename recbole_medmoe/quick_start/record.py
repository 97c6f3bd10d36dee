"""What is noted about a run while it goes on, and the record made of it (design 9, schema 1)."""
from __future__ import annotations

import hashlib
import inspect
import json
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Iterable, Mapping

import torch

from ..atomic import data_sha256, read_manifest
from ..config import MedConfig
from ..data import FeatureRequest, TokenSpec, VisitPromptSpec
from ..data.requests import GIVEN
from ..encoders import EncoderSpec, backbone_sha256, load_template
from ..evaluation import Evaluation, ItemGroup, RoutingCounts, routing_table
from ..evaluation.loading import full_sort_batches
from ..paths import dataset_folds
from ..processes import count, total
from ..store import code_version, environment, file_sha256
from .absence import Removal
from .measuring import latency, tokens_per_second
from .pictures import BEFORE, Shown
from .teachers import own_templates, read_by

# Keys that say where and how a run is carried out, not what is computed.
_PLACE = {"seed", "device", "runs_dir", "cache_dir", "keep_states", "data_path", "progress", "show_progress", "gpu_id",
          "use_gpu", "state", "allow_download", "profile"}
# Keys that came later, with the values that mean what was done before: finished runs stay what they are.
_LATER: dict[str, Any] = {"missing": [], "orders": 5, "leave_out_seen": False, "text_columns": None, "search": None}


@dataclass
class Facts:
    """All that `build_record` needs; filled in the order in which a run comes to know it."""

    config: MedConfig
    started: datetime
    command: str
    seconds: dict[str, float] = field(default_factory=dict)
    valid: Mapping[str, float] | None = None
    peak_memory_mib: float = 0.0
    gpu_busy: float | None = None
    data: dict[str, Any] = field(default_factory=dict)
    model: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, float | None] = field(default_factory=dict)
    threshold: float | None = None
    threshold_curve: dict[str, list[float]] | None = None
    rounds: dict[str, Any] | None = None
    test_scored: int = 0
    rows_scored: int = 0
    latency: dict[str, float] | None = None
    routing: dict[str, Any] | None = None
    written: dict[str, Any] | None = None
    teacher: dict[str, Any] | None = None
    imported: dict[str, Any] | None = None
    collaborative: list[dict[str, Any]] = field(default_factory=list)
    removals: list[Removal] = field(default_factory=list)
    costs: dict[str, float | None] | None = None
    probe: dict[str, float | int] | None = None
    joint: list[dict[str, str]] | None = None
    groups: dict[str, tuple[Any, dict[str, Any] | None]] = field(default_factory=dict)
    item_groups: dict[str, ItemGroup] = field(default_factory=dict)

    def read(self, *, dataset: Any, model: Any, trainer: Any, evaluation: Evaluation, test: Any) -> None:
        """Takes what the finished parts know."""
        self.data = _data(self.config, dataset)
        self.model = _model(self.config, model)
        rows, epochs = self.data["rows"]["train"], max(1, len(trainer.history))
        self.training = {"epochs": len(trainer.history), "best_epoch": trainer.best_epoch,
                         "rows_per_second": rows * epochs / max(self.seconds["training"], 1e-9),
                         "tokens_per_second": tokens_per_second(model, trainer.history), "processes": count()}
        self.metrics = {name: float(value) for name, value in evaluation.metrics.items()}
        # A DDI rate without a list of interactions is asked for and not known.
        self.metrics |= {name: None for name in ("ddirate", "trueddirate") if name not in self.metrics
                         and name in (metric.lower() for metric in self.config["metrics"])}
        self.seconds["evaluation"] = evaluation.seconds
        self.test_scored = trainer.test_scored
        self._look_inside(model, evaluation, test)
        cut, told = int(total(getattr(model, "cut_prompts", 0))), self.data["statistics"]
        if cut:   # beside the texts that are longer than a prompt may be
            told["cut"] = {**told.get("cut", {}), "context": cut}
        self.rows_scored = len(evaluation.row_ids)
        if self.imported is None:   # to look a score up is not to predict it
            self.latency = latency(model, test, self.config["device"])

    @torch.no_grad()
    def _look_inside(self, model: Any, evaluation: Evaluation, test: Any) -> None:
        """Takes what the gates did on the test rows and their groups, or what was written for them, where a model has
        gates or writes, and where there are rows."""
        if not hasattr(model, "diagnostics") or not len(evaluation.row_ids):
            return
        model.eval()
        # The loader's batches, and not row ids alone: to some models a row brings a list of items.
        batches = full_sort_batches(test, test._dataset.item_num, None, False)
        device, items = self.config["device"], model.item_inputs()
        before = _lists_cut(model)
        parts = [model.diagnostics(model.user_features(batch.interaction.to(device)), items) for batch in batches]
        cut = _lists_cut(model) - before
        if cut:
            known = self.data["statistics"].get("cut", {})
            self.data["statistics"]["cut"] = {**known, "history": cut}
        told = {name: torch.cat([part[name] for part in parts]).float().cpu().numpy() for name in parts[0]}
        if "experts" in told:
            masks = {name: mask for name, (mask, _) in self.groups.items()}
            self.routing = routing_table(told, masks, min_group=self.config["min_group"])
        if "unknown" in told:
            self.written = {"visits": len(told["names"]), "empty": int((told["names"] == 0).sum()),
                            **{name: int(told[name].sum()) for name in ("names", "unknown", "cut")}}

    def see(self, shown: Shown, evaluation: Evaluation, usual: Evaluation | None, test: Any) -> None:
        """Takes which pictures the test was shown, and how the positives of each kind were found.

        Args:
            usual: the same rows with the catalogue's pictures, where the test was shown others.
        """
        told = shown.statistics()
        if told:
            self.data["statistics"]["pictures"] = told
        self.item_groups = shown.groups(evaluation, self.config, test)
        if usual is not None:
            self.item_groups |= shown.groups(usual, self.config, test, BEFORE)

    def count(self, counts: RoutingCounts, evaluation: Evaluation) -> None:
        """Takes what routers chose while the test rows were scored, where a model has routers."""
        if counts.total:
            masks = {name: mask for name, (mask, _) in self.groups.items()}
            self.routing = counts.table(evaluation.row_ids, masks, min_group=self.config["min_group"])

    @property
    def missing(self) -> dict[str, dict[str, dict[str, Any]]]:
        """Modality to share to what the test rows scored without it, as the record holds them."""
        told: dict[str, dict[str, dict[str, Any]]] = {}
        for one in self.removals:
            found = {"items": one.items, "metrics": dict(one.evaluation.metrics)}
            told.setdefault(one.modality, {})[f"{one.share:g}"] = found
        return told

    @property
    def group_lines(self) -> dict[str, dict[str, Any] | None]:
        """Groups of rows, then groups of items, as the record holds them."""
        items = {name: {"n": int(group.line.n), "metrics": group.line.metrics}
                 for name, group in self.item_groups.items()}
        return {**{name: line for name, (_, line) in self.groups.items()}, **items}


def _lists_cut(model: Any) -> int:
    """Lists of items so far that lost their oldest, since no more fitted into a prompt."""
    return sum(getattr(part, "lists_cut", 0) for part in model.modules())


def config_sha256(config: Mapping[str, Any]) -> str:
    """Hash of what is computed: equal for runs that differ in seed, device and folders only."""
    kept = {key: value for key, value in config.items()
            if key not in _PLACE and not (key in _LATER and value == _LATER[key])}
    if "search" in kept:   # what a search found is the same however long it took
        kept["search"] = {key: value for key, value in kept["search"].items() if key != "seconds"}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()


def build_record(facts: Facts, folder: Path) -> dict[str, Any]:
    """The record of a finished run, whose model lies in ``folder``."""
    rows, seconds = facts.rows_scored, facts.seconds["evaluation"]
    weights = sum(path.stat().st_size for path in sorted((folder / "model").glob("*")))
    return {
        "schema": 1,
        "run": {"id": folder.name, "started": facts.started.isoformat(timespec="microseconds"), "status": "finished",
                "command": facts.command, "seconds": facts.seconds["run"],
                **({"joint": facts.joint} if facts.joint else {})},
        "code": {**code_version(), "model_sha256": model_sha256(facts.config)},
        "environment": environment(str(facts.config["device"])),
        "data": facts.data,
        "model": {**facts.model, "file_bytes": weights, **({"teacher": facts.teacher} if facts.teacher else {}),
                  **({"parameters": 0, "trainable": 0, "imported": facts.imported} if facts.imported else {}),
                  **({"collaborative": facts.collaborative} if facts.collaborative else {}),
                  **({"costs": facts.costs} if facts.costs else {})},
        "training": {"seed": facts.config["seed"], **facts.training, "seconds": facts.seconds["training"],
                     "peak_memory_mib": facts.peak_memory_mib, "gpu_busy": facts.gpu_busy,
                     "valid": dict(facts.valid or {}), "search": facts.config["search"]},
        "evaluation": {"metrics": facts.metrics, "groups": facts.group_lines, "images": facts.config["images"],
                       "threshold": facts.threshold, "seconds": seconds,
                       "rows_per_second": rows / seconds if rows and seconds else None,
                       "latency_ms": facts.latency, "test_scored": facts.test_scored,
                       **({"missing": facts.missing} if facts.removals else {}),
                       **({"threshold_curve": facts.threshold_curve} if facts.threshold_curve else {}),
                       **({"rounds": facts.rounds} if facts.rounds else {}),
                       **({"written": facts.written} if facts.written else {}),
                       **({"probe": facts.probe} if facts.probe else {})},
        "routing": facts.routing,
    }


def _data(config: MedConfig, dataset: Any) -> dict[str, Any]:
    told = {key: value for key, value in dataset.statistics.items() if key not in ("users", "items", "rows")}
    if (config.dataset_folder / "manifest.json").is_file():
        known = read_manifest(config.dataset_folder)
        told["title"] = known.title
        if config.split in known.splits:
            told["split_description"] = known.splits[config.split].description
    folds = dataset_folds(config.dataset_folder)
    if config.split in folds:   # with their hashes: by these a report knows the runs that belong together
        told["folds"] = {fold: data_sha256(config.dataset_folder, fold, config.labels) for fold in folds}
    content = data_sha256(config.dataset_folder, config.split, config.labels)
    return {"name": config["dataset"], "sha256": content, "split": config.split, "labels": config.labels,
            "train_share": float(config["train_share"]), "users": dataset.statistics["users"],
            "items": dataset.statistics["items"], "rows": dict(dataset.statistics["rows"]),
            "derived_from_credentialed": dataset.is_credentialed, "statistics": told}


def _model(config: MedConfig, model: Any) -> dict[str, Any]:
    requests = read_by(config)
    counts = [(parameter.numel(), parameter.requires_grad) for parameter in model.parameters()]
    resolved = config.resolved()
    return {"name": config.spec.name, "task": config.spec.task, "paper": config.spec.paper or None,
            "parameters": sum(number for number, _ in counts), "trainable": sum(n for n, trained in counts if trained),
            "backbone": used_backbones(requests) or None,
            "prompts": used_prompts(requests, own_templates(config)) or None,
            "config": resolved, "config_sha256": config_sha256(resolved)}


def model_sha256(config: MedConfig) -> str | None:
    """Hash of the file of a third party's model; None for models that this package's and RecBole's versions tell."""
    if config.spec.origin != "third party":
        return None
    return file_sha256(inspect.getfile(config.model_class))


def used_backbones(requests: Iterable[FeatureRequest], allow_download: bool = False) -> list[dict[str, str]]:
    """Name and hash of each backbone that features come from, or that a model runs itself; sorted by name.

    Raises:
        ConfigError, MissingPackageError: one that is not there.
    """
    names = sorted({spec.backbone for spec in _encoders(requests)} - {GIVEN})
    return [{"name": name, "sha256": backbone_sha256(name, allow_download)} for name in names]


def used_prompts(requests: Iterable[FeatureRequest], own: Iterable[str] = ()) -> list[dict[str, str]]:
    """Name and hash of each prompt template around the texts that a model reads; sorted by name.

    Args:
        requests: what it reads.
        own: names of templates beside, see `own_templates`.

    Raises:
        ConfigError: one that is not there, or is no template.
    """
    specs = _encoders(requests)
    found = {name for spec in specs for name in (
        spec.templates if isinstance(spec, TokenSpec) else
        (spec.template, spec.visit_template) if isinstance(spec, VisitPromptSpec) else (spec.template,))}
    names = sorted({name for name in found if name is not None}.union(own))
    return [{"name": name, "sha256": load_template(name).sha256} for name in names]


def _encoders(requests: Iterable[FeatureRequest]) -> list[EncoderSpec | TokenSpec | VisitPromptSpec]:
    return [request.encoder for request in requests
            if isinstance(request.encoder, (EncoderSpec, TokenSpec, VisitPromptSpec))]
