"""Train, valid and test loaders: RecBole's, without its pickles, and one that keeps a user's rows together."""
from __future__ import annotations

import copy
from typing import Any, Sequence

import numpy as np
import torch
from recbole.data.dataloader import FullSortEvalDataLoader, TrainDataLoader
from recbole.data.interaction import Interaction
from recbole.data.utils import create_samplers, get_dataloader
from recbole.sampler import KGSampler, Sampler
from recbole.utils import ModelType

from ..errors import DataError
from ..layers.sets import padded_rows
from .choices import ChoiceMixin
from .item_sequences import ItemSequenceMixin
from .visit_sequences import SequenceVisitMixin
from .visit_tables import Ragged, sets_of

FULL_SORT = {"distribution": "uniform", "sample_num": "none"}  # RecBole's words for ranking the whole catalogue


class UserBatchLoader(TrainDataLoader):
    """Training pairs in batches of whole users: a model that encodes users then encodes each once per epoch.

    ``train_batch_size`` still counts pairs; a batch holds as many users as have that many pairs on average. Columns of
    users and items are not joined in, since feature models gather their own.
    """

    def _init_batch_size_and_step(self) -> None:
        users = self._dataset.inter_feat[self._dataset.uid_field].numpy()
        order = np.argsort(users, kind="stable")
        starts = np.flatnonzero(np.diff(users[order], prepend=-1))
        self._rows = torch.from_numpy(order).tensor_split(torch.from_numpy(starts[1:]))
        self.sample_size = len(self._rows)
        self.step = max(1, round(self.config["train_batch_size"] * len(self._rows) / len(users)))
        self.set_batch_size(self.step)

    def collate_fn(self, index: list[int]) -> Any:
        """All pairs of the users at ``index``, as one ``Interaction``."""
        rows = torch.cat([self._rows[place] for place in index])
        # Column by column: `Interaction` itself would go through a list of Python numbers.
        return Interaction({name: column[rows] for name, column in self._dataset.inter_feat.interaction.items()})


class EpochRowsLoader(TrainDataLoader):
    """RecBole's training loader over ``epoch_rows`` of the rows, drawn anew for each pass: for models to which every
    row is dear, and whose rows overlap."""

    sample_size: int

    def _init_batch_size_and_step(self) -> None:
        super()._init_batch_size_and_step()
        self._rows = self.sample_size
        self.sample_size = min(self.sample_size, int(self.config["epoch_rows"]))

    def __iter__(self) -> Any:
        self._drawn = torch.randperm(self._rows, generator=self.generator)[:self.sample_size].numpy()
        return super().__iter__()

    def collate_fn(self, index: list[int]) -> Any:
        """As RecBole's, of the rows that were drawn."""
        return super().collate_fn(self._drawn[np.array(index)])


class UserListLoader(FullSortEvalDataLoader):
    """Full-sort loader of whole visits, or of users with a set of items, for a sequential model.

    RecBole's would make a row of every pair: to it a sequence has one next item.
    """

    def __init__(self, config: Any, dataset: Any, sampler: Any, shuffle: bool = False) -> None:
        general = copy.copy(config)
        general.final_config_dict = {**config.final_config_dict, "MODEL_TYPE": ModelType.GENERAL}
        super().__init__(general, dataset, sampler, shuffle=shuffle)


class NextItemLoader(FullSortEvalDataLoader):
    """RecBole's full-sort loader of a sequential model, whose batches also name what the users had before.

    Args:
        earlier: the parts before the one that is scored.
    """

    def __init__(self, config: Any, dataset: Any, sampler: Any, earlier: list[Any]) -> None:
        super().__init__(config, dataset, sampler, shuffle=False)
        user, item = dataset.uid_field, dataset.iid_field
        users, items = [], []
        for rows in (part.inter_feat for part in earlier):
            # RecBole makes no row of a user's first item: only lists hold it.
            second = rows[config["ITEM_LIST_LENGTH_FIELD"]] == 1
            users += [rows[user], rows[user][second]]
            items += [rows[item], rows[item + config["LIST_SUFFIX"]][second, 0]]
        self._had = sets_of(torch.cat(users), torch.cat(items), dataset.user_num)

    def collate_fn(self, index: list[int]) -> Any:
        """As RecBole's; the next item itself is never among what a user had."""
        batch, _, rows, items = super().collate_fn(index)
        had = padded_rows(*self._had, batch[self.uid_field])  # [B, L]
        places = ((had > 0) & (had != items.unsqueeze(1))).nonzero()
        return batch, (places[:, 0], had[places[:, 0], places[:, 1]]), rows, items


class PositivesSampler(Sampler):
    """Knows every user's items and draws nothing: what full-sort ranking asks of a sampler.

    RecBole's own refuses a data set in which somebody has every item, since no negative is left to draw for that user.
    """

    def get_used_ids(self) -> dict[str, Any]:
        """As RecBole's, with room for a user who has every item."""
        self.item_num += 1   # its refusal compares with this number
        try:
            return super().get_used_ids()
        finally:
            self.item_num -= 1


class OptionSampler(Sampler):
    """Draws negatives from a question's own wrong options, each as likely: what its right one has to be told from.

    Args:
        part: the training part of a `ChoiceMixin`.
        options: item ids of each question's options [U].
    """

    def __init__(self, part: Any, options: Ragged) -> None:
        self._options = options
        super().__init__(["train"], [part])

    def sample_by_user_ids(self, user_ids: Any, item_ids: Any, num: int) -> torch.Tensor:
        """Wrong options of the questions [N] whose right ones are ``item_ids`` [N] -> [num * N], question by question
        within each round, as RecBole has it."""
        users, right = torch.as_tensor(user_ids).repeat(num), torch.as_tensor(item_ids).repeat(num)
        own = padded_rows(*self._options, users)  # [N, C]
        place = (own == right[:, None]).int().argmax(dim=1)
        drawn = torch.from_numpy(np.random.random(len(users))) * (self._options.sizes[users] - 1)
        drawn = drawn.long()
        return own.gather(1, (drawn + (drawn >= place))[:, None]).squeeze(1)


def _samplers(config: Any, dataset: Any, parts: list[Any]) -> tuple[Any, Any, Any]:
    """Samplers of the three parts.

    Raises:
        DataError: negatives are to be drawn for a user who has every item.
    """
    ranked = [config[f"{phase}_neg_sample_args"] for phase in ("valid", "test")]
    negatives = config["train_neg_sample_args"]
    if isinstance(dataset, ChoiceMixin):
        known = PositivesSampler(["train", "valid", "test"], parts)
        own = OptionSampler(parts[0], dataset.options).set_phase("train")
        return own, known.set_phase("valid"), known.set_phase("test")
    draws = negatives["distribution"] != "none"
    repeats = getattr(dataset, "scores_repeats", False) or isinstance(dataset, ItemSequenceMixin)
    try:
        train = None
        if draws and repeats:  # a negative is what training lacks, whatever is given again later
            train = Sampler(["train"], parts[:1], negatives["distribution"], negatives["alpha"]).set_phase("train")
        if (repeats or not draws and not config["repeatable"]) and all(args == FULL_SORT for args in ranked):
            known = PositivesSampler(["train", "valid", "test"], [getattr(part, "whole", part) for part in parts])
            return train, known.set_phase("valid"), known.set_phase("test")
        return create_samplers(config, dataset, parts)
    except ValueError as fault:
        if "interacted with all items" not in str(fault):
            raise
        raise DataError(f"{dataset.dataset_name}: a user has every item, so that no negative item can be drawn; take a "
                        "model whose loss is over all items, e.g. FeatureRidge, or leave such users out") from fault


def data_preparation(config: Any, dataset: Any) -> tuple[Any, Any, Any]:
    """Splits the data set and makes its three loaders, in RecBole's order of random draws.

    Cut-offs K above the catalogue are brought down to it first.

    A model class with ``groups_by_user = True`` gets `UserBatchLoader` for training, and one with a key
    ``epoch_rows`` `EpochRowsLoader`. For scoring, a sequential model on
    pre-split files gets `UserListLoader`, and where the key ``leave_out_seen`` is set and RecBole splits the rows
    `NextItemLoader`; every other one RecBole's loaders.

    Raises:
        DataError: negatives are to be drawn for a user who has every item.
    """
    clamp = getattr(config, "clamp_topk", None)   # RecBole's own configuration has none
    if clamp is not None:
        clamp(dataset.num(dataset.iid_field) - 1)
    parts = dataset.build()
    samplers = _samplers(config, dataset, parts)
    if config["MODEL_TYPE"] == ModelType.KNOWLEDGE:
        args = config["train_neg_sample_args"]
        graph = KGSampler(dataset, args["distribution"], args["alpha"])
        train = get_dataloader(config, "train")(config, parts[0], samplers[0], graph, shuffle=True)
    else:
        grouped = getattr(config.model_class, "groups_by_user", False)
        some = EpochRowsLoader if config["epoch_rows"] else get_dataloader(config, "train")
        loader = UserBatchLoader if grouped else some
        train = loader(config, parts[0], samplers[0], shuffle=config["shuffle"])
    valid, test = (_scoring(config, parts, samplers, number, phase) for number, phase in ((1, "valid"), (2, "test")))
    return train, valid, test


def _scoring(config: Any, parts: list[Any], samplers: Sequence[Any], number: int, phase: str) -> Any:
    """The loader of the part that is scored."""
    part, sampler = parts[number], samplers[number]
    if isinstance(part, (SequenceVisitMixin, ItemSequenceMixin)):
        return UserListLoader(config, part, sampler)
    loader = get_dataloader(config, phase)
    ordered = config["MODEL_TYPE"] == ModelType.SEQUENTIAL and loader is FullSortEvalDataLoader
    if ordered and config["leave_out_seen"]:
        return NextItemLoader(config, part, sampler, parts[:number])
    return loader(config, part, sampler, shuffle=False)
