"""Train, valid and test loaders: RecBole's, without its pickles, and one that keeps a user's rows together."""
from __future__ import annotations

from typing import Any

import numpy as np
from recbole.data.dataloader import TrainDataLoader
from recbole.data.utils import create_samplers, get_dataloader
from recbole.sampler import KGSampler
from recbole.utils import ModelType


class UserBatchLoader(TrainDataLoader):
    """Training pairs in batches of whole users: a model that encodes users then encodes each once per epoch.

    ``train_batch_size`` still counts pairs; a batch holds as many users as have that many pairs on average. Columns of
    users and items are not joined in, since feature models gather their own.
    """

    def _init_batch_size_and_step(self) -> None:
        users = self._dataset.inter_feat[self._dataset.uid_field].numpy()
        order = np.argsort(users, kind="stable")
        starts = np.flatnonzero(np.diff(users[order], prepend=-1))
        self._rows = np.split(order, starts[1:])
        self.sample_size = len(self._rows)
        self.step = max(1, round(self.config["train_batch_size"] * len(self._rows) / len(users)))
        self.set_batch_size(self.step)

    def collate_fn(self, index: list[int]) -> Any:
        """All pairs of the users at ``index``, as one ``Interaction``."""
        return self._dataset.inter_feat[np.concatenate([self._rows[place] for place in index])]


def data_preparation(config: Any, dataset: Any) -> tuple[Any, Any, Any]:
    """Splits the data set and makes its three loaders, in RecBole's order of random draws.

    A model class with ``groups_by_user = True`` gets `UserBatchLoader` for training; every other one RecBole's loader.
    """
    parts = dataset.build()
    samplers = create_samplers(config, dataset, parts)
    if config["MODEL_TYPE"] == ModelType.KNOWLEDGE:
        args = config["train_neg_sample_args"]
        graph = KGSampler(dataset, args["distribution"], args["alpha"])
        train = get_dataloader(config, "train")(config, parts[0], samplers[0], graph, shuffle=True)
    else:
        grouped = getattr(config.model_class, "groups_by_user", False)
        loader = UserBatchLoader if grouped else get_dataloader(config, "train")
        train = loader(config, parts[0], samplers[0], shuffle=config["shuffle"])
    valid = get_dataloader(config, "valid")(config, parts[1], samplers[1], shuffle=False)
    test = get_dataloader(config, "test")(config, parts[2], samplers[2], shuffle=False)
    return train, valid, test
