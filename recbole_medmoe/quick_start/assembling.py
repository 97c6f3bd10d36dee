"""What a training needs, built in the order that keeps RecBole's random numbers: data set, loaders, model, trainer."""
from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Iterator, Sequence

from ..compat import apply

apply()

import torch  # noqa: E402
from recbole.utils import init_seed  # noqa: E402  (RecBole needs `apply` first)

from .. import processes  # noqa: E402
from ..config import MedConfig  # noqa: E402
from ..data import create_dataset, data_preparation  # noqa: E402
from ..errors import MissingPackageError  # noqa: E402
from ..trainer import build_trainer  # noqa: E402
from .collaborating import Vectors  # noqa: E402
from .distilling import Teaching  # noqa: E402


@dataclass(frozen=True)
class Assembled:
    """Loaders of the three parts, the model on its device, its trainer; nothing is trained yet."""

    train: Any
    valid: Any
    test: Any
    model: Any
    trainer: Any

    @property
    def dataset(self) -> Any:
        """The training part of the data set."""
        return self.train._dataset


Loaders = tuple[Any, Any, Any]
"""Of training, validation and test."""


def assemble(config: MedConfig, teaching: Teaching | None = None, vectors: Sequence[Vectors] = ()) -> Assembled:
    """Builds it all, with the seed of the configuration.

    Args:
        config: of the run.
        teaching: states that a student learns from.
        vectors: of items, from small models.

    Raises:
        DataError, FeatureBankError, ConfigError, MissingPackageError: each names its remedy.
    """
    loaders = load_data(config)
    dataset = loaders[0]._dataset
    if teaching is not None:
        dataset.teach(teaching.states)
    for found in vectors:
        dataset.give_vectors(found.spec, found.bank)
    return build(config, loaders)


def load_data(config: MedConfig) -> Loaders:
    """Reads and splits the data set; arguments and errors as `assemble`."""
    with naming_packages(config.spec.name):
        init_seed(config["seed"], config["reproducibility"])
        return data_preparation(config, create_dataset(config))


def build(config: MedConfig, loaders: Loaders, **shared: Any) -> Assembled:
    """Makes model and trainer.

    Args:
        config: of the run.
        loaders: of `load_data`.
        shared: what the model takes from another one, beside configuration and data.

    Raises:
        As `assemble`.
    """
    with naming_packages(config.spec.name):
        init_seed(config["seed"], config["reproducibility"])   # as RecBole: loaders must not move the weights' seed
        kind: Any = config.spec.load()
        model = kind(config, loaders[0]._dataset, **shared).to(config["device"])
        if processes.rank():   # equal weights, other dropout; the batches' random numbers are NumPy's and the loader's
            torch.manual_seed(config["seed"] + processes.rank())
        return Assembled(*loaders, model, build_trainer(config, model))


@contextmanager
def naming_packages(model: str) -> Iterator[None]:
    """RecBole's models import what they need (dgl, faiss, ...) when they are built."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise MissingPackageError(f"model {model} needs the package '{error.name}', which is not installed; "
                                  f"run: pip install {error.name}") from error
