"""Case: one model on the tiny data set, and the set-up that its checks share."""
from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Mapping, NamedTuple

import torch
from torch import Tensor

from ..compat import apply

apply()

from recbole.data.interaction import Interaction  # noqa: E402  (RecBole needs `apply` first)
from recbole.model.abstract_recommender import AbstractRecommender  # noqa: E402
from recbole.utils import ModelType, init_seed  # noqa: E402

from ..config import MedConfig  # noqa: E402
from ..data import FeatureRequest, create_dataset, data_preparation  # noqa: E402
from ..data.item_sequences import ItemSequenceMixin  # noqa: E402
from ..errors import ConfigError  # noqa: E402
from ..evaluation import Evaluation  # noqa: E402
from ..model.choice import ChoiceRecommender  # noqa: E402
from ..model.visit import VisitRecommender  # noqa: E402
from ..quick_start import RunResult  # noqa: E402
from ..quick_start.fitness import check_fitness  # noqa: E402
from ..quick_start.running import run_config  # noqa: E402
from ..registry import MODELS, find_model, recbole_models  # noqa: E402
from ..trainer import build_trainer  # noqa: E402
from .fresh import FreshProcess  # noqa: E402
from .report import NotApplicable  # noqa: E402
from .tiny_choice import make_choices  # noqa: E402
from .tiny_food import make_food  # noqa: E402
from .tiny_llama import make_llama  # noqa: E402
from .tiny_visits import make_visits  # noqa: E402
from .variants import few_users, one_item, supply_banks, supply_vectors  # noqa: E402
from .watch import Watched, watching  # noqa: E402

FOOD, VISITS, CHOICES, EIGHT, ONE = "tinyfood", "tinyvisits", "tinychoice", "eightrows", "oneitem"
_SMALL: dict[str, Any] = {"device": "cpu", "progress": False, "epochs": 2, "bootstrap_draws": 20, "min_group": 2}


@dataclass(frozen=True)
class Built:
    """A model with its configuration and loaders, not trained unless it says so."""

    config: Any
    model: Any
    train: Any
    valid: Any
    test: Any

    @property
    def dataset(self) -> Any:
        """The training part."""
        return self.train._dataset


class WatchedRun(NamedTuple):
    """A run, and what it wrote and called."""

    result: RunResult
    seen: Watched


class Case:
    """One model under check. Everything is made on first use and kept, so that checks share the expensive parts.

    Visit models get a data set of visits, models of choice one of questions, all others one of healthy food: feature
    models its split ``cold_patient``, models that know ids or read lists ``warm``. A model that runs a language model
    itself (a request of modality ``tokens``) gets a Llama of two random layers as its ``backbone``.

    Args:
        model: registry name, ``package.module:Class``, or a class.
        folder: an empty one for all files of the checks.
        overrides: keys that win over the checks' own small values.
        fresh: the process for `FreshProcess.scores`; None makes one of its own.
        task: of a model that serves several, which; None for its own.

    Raises:
        ConfigError: no such model, or one that needs a knowledge graph, which the tiny data have not.
    """

    def __init__(self, model: str | type, folder: Path, overrides: Mapping[str, Any] | None = None,
                 fresh: FreshProcess | None = None, task: str | None = None) -> None:
        self.name = model if isinstance(model, str) else name_of(model)
        self.folder = folder
        self.spec = find_model(self.name).for_task(task)
        self.kind: Any = self.spec.load()
        self.is_features = hasattr(self.kind, "feature_requests")
        self.is_visits = issubclass(self.kind, VisitRecommender)
        self.is_choice = issubclass(self.kind, ChoiceRecommender)
        self.data, make_data, split = (
            (VISITS, make_visits, "patient") if self.is_visits
            else (CHOICES, make_choices, "question") if self.is_choice
            else (FOOD, make_food, "cold_patient" if self.is_features else "warm"))
        self.is_closed_form = getattr(self.kind, "type", None) == ModelType.TRADITIONAL
        self.by_pairs = getattr(self.kind, "full_sort_predict", None) is AbstractRecommender.full_sort_predict
        self._given = {key: _absolute(value) for key, value in (overrides or {}).items()}
        self.reads_lists = getattr(self.kind, "type", None) == ModelType.SEQUENTIAL and not self.is_visits
        self.split = self._given.pop("split", "warm" if self.reads_lists else split)
        self.fresh = fresh or FreshProcess(folder / "fresh")
        self.runs = folder / "runs"
        self.cache = folder / "cache"
        self._tokens: dict[str, Any] = {}
        make_data(folder / "data" / self.data)
        check_fitness([self.spec], folder / "data" / self.data, self.split)
        if self._runs_a_backbone():
            self._tokens["backbone"] = str(make_llama(folder / "llama"))
            fields = type(self.config(check_banks=False).params).model_fields
            if "max_new_tokens" in fields:
                self._tokens["max_new_tokens"] = 8   # random bytes, however many
            if "collaborative_keys" in fields:
                self._tokens["collaborative_keys"] = {"epochs": 2, "hidden_size": 8}   # as wide as supplied ones
            if "head_epochs" in fields:
                self._tokens["head_epochs"] = _SMALL["epochs"]   # they come before the others, and may be hundreds
            if "soft_layer" in fields:
                self._tokens["soft_layer"] = 1

    def _runs_a_backbone(self) -> bool:
        if not self.is_features:
            return False
        config = self.config(check_banks=False)
        return ("backbone" not in self._given and "backbone" in type(config.params).model_fields
                and any(request.modality == "tokens" for request in self.kind.feature_requests(config.params)))

    def overrides(self, **keys: Any) -> dict[str, Any]:
        """The checks' small values, the user's keys over them, a check's own over both."""
        places = {"data_path": str(self.folder / "data"), "cache_dir": str(self.cache)}
        return {**_SMALL, **self._tokens, **self._given, **places, **keys}

    def config(self, data: str | None = None, *, make: type[MedConfig] = MedConfig, check_banks: bool = True,
               **keys: Any) -> Any:
        """A configuration on one of the tiny data sets (None: the whole one), made with it, and the feature banks that
        it asks for."""
        data = data or self.data
        self._make_data(data)
        config = make(self.name, data, split=self.split, overrides=self.overrides(**keys))
        if self.is_features and check_banks:
            supply_banks(self.folder / "data" / data, self.kind.feature_requests(config.params))
        return config

    def _make_data(self, data: str) -> None:
        target, source = self.folder / "data" / data, self.folder / "data" / self.data
        if target.is_dir():
            return
        if data == EIGHT:
            few_users(source, target, self.split, users=8, alone=self.reads_lists)
        else:
            one_item(source, target, self.split)

    def build(self, data: str | None = None, **keys: Any) -> Built:
        """A new model on a tiny data set, with its seed set as a run does."""
        return self.build_from(self.config(data, **keys))

    def build_from(self, config: Any, kind: Any = None) -> Built:
        """`build` for a configuration and a class that are there."""
        train, valid, test = self.loaders(config)
        init_seed(config["seed"], config["reproducibility"])
        model = (kind or self.kind)(config, train._dataset).to(config["device"])
        return Built(config, model, train, valid, test)

    def loaders(self, config: Any) -> tuple[Any, Any, Any]:
        """Train, valid and test loaders, as a run makes them."""
        init_seed(config["seed"], config["reproducibility"])
        found = data_preparation(config, create_dataset(config))
        if self.is_features:
            supply_vectors(found[0]._dataset, self.kind.feature_requests(config.params))
        return found

    @torch.enable_grad()   # a check may ask for the trained model while it scores
    def fit(self, built: Built) -> Any:
        """Trains for as many epochs as the configuration says, and returns the trainer."""
        trainer = build_trainer(built.config, built.model)
        trainer.fit(built.train, None, verbose=False)
        built.model.eval()
        return trainer

    def tested(self, built: Built, trainer: Any) -> Evaluation:
        """Test rows, scored after `fit`; a visit model's threshold is tuned first, as a run does."""
        if self.is_visits:
            trainer.choose_threshold(built.valid)
        return trainer.evaluate_rows(built.test, "test")

    @torch.enable_grad()
    def run(self, **keys: Any) -> RunResult:
        """A whole run of two epochs, run folder and all."""
        return run_config(self.config(**keys), runs_dir=self.runs)

    @cached_property
    def trained(self) -> RunResult:
        """The run that most checks look at; they leave its model as it is."""
        return self.run()

    @cached_property
    def watched(self) -> WatchedRun:
        """A second run of the same seed, with its writes noted and its calls refused."""
        self.config()   # its data and banks are written before anybody looks
        with watching(self.folder / "watched", [self.runs, self.cache]) as seen:
            result = self.run()
        return WatchedRun(result, seen)

    @cached_property
    def plain(self) -> Built:
        """Data of the trained run with an untrained model, for its loaders."""
        return self.build()

    @property
    def model(self) -> Any:
        """The trained model, in evaluation mode."""
        return self.trained.model.eval()

    def untouched(self) -> Any:
        """The trained weights in a model that has scored nobody yet: some keep what they worked out until the next
        loss, and would only be asked to repeat it."""
        trained, model = self.model, self.build().model
        model.load_state_dict(trained.state_dict())
        for request in getattr(model, "requests", ()) if self.is_features else ():
            for table in (f"table_{request.key}", f"present_{request.key}"):  # also what a small model was trained for
                setattr(model, table, trained.get_buffer(table))
        if self.is_closed_form:   # elsewhere RecBole's other parameters are just what was kept
            model.load_other_parameter(trained.other_parameter())
        return model.eval()

    @property
    def requests(self) -> tuple[FeatureRequest, ...]:
        """What a feature model reads."""
        if not self.is_features:
            raise NotApplicable("knows users and items by their ids and reads no features")
        return self.kind.feature_requests(self.plain.config.params)

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return torch.device(self.plain.config["device"])

    @property
    def users(self) -> Tensor:
        """Internal ids of every third user, of training, validation and test alike [B]."""
        return torch.arange(1, self.plain.dataset.num(self.plain.dataset.uid_field), 3)

    def columns(self, users: Tensor, items: Tensor | None = None) -> Any:
        """An interaction of users [N], and of items [N] for pairs, with the columns that the model's loader joins."""
        dataset = self.plain.dataset
        ids = {dataset.uid_field: users}
        if items is None:
            return dataset.join(Interaction(ids)).to(self.device)
        if isinstance(dataset, ItemSequenceMixin):  # of a pair it would draw a list to train on, without the item
            lists = dataset.join(Interaction(ids))
            return Interaction({**lists.interaction, dataset.iid_field: items}).to(self.device)
        return dataset.join(Interaction({**ids, dataset.iid_field: items})).to(self.device)

    def pairs(self, users: Tensor) -> tuple[Tensor, Tensor]:
        """Every pair of users [B] and items -> user ids and item ids [B * I]."""
        items = torch.arange(1, self.plain.dataset.num(self.plain.dataset.iid_field))
        return users.repeat_interleave(len(items)), items.repeat(len(users))

    @torch.no_grad()
    def scores(self, model: Any, users: Tensor) -> Tensor:
        """Scores of users [B] for all items but [PAD] -> [B, I], by whichever way the model has."""
        if self.by_pairs:
            return model.predict(self.columns(*self.pairs(users))).view(len(users), -1).float()
        return model.full_sort_predict(self.columns(users)).view(len(users), -1)[:, 1:].float()


def name_of(kind: type) -> str:
    """What ``--model`` takes for a class.

    Raises:
        ConfigError: a class that another process can not import.
    """
    target = f"{kind.__module__}:{kind.__qualname__}"
    for spec in MODELS + recbole_models():
        if spec.target == target:
            return spec.name
    if kind.__module__ == "__main__" or "." in kind.__qualname__:
        raise ConfigError([f"model class {kind.__qualname__} of {kind.__module__}: a fresh process must be able to "
                           "import it; put it into a file of its own, with its YAML beside it"])
    return target


def _absolute(value: Any) -> Any:
    """A path in an override stays right where the checks work in another folder."""
    is_path = isinstance(value, Path) or isinstance(value, str) and os.sep in value and os.path.exists(value)
    return os.path.abspath(value) if is_path else value
