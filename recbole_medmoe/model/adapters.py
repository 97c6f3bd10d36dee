"""AdaptedLLM: a frozen language model under one of the adapters that MINGMoE compares.

All adapters are `MoLoraConfig`s, so that they run through the same code: plain LoRA is one expert, an adapter by task
label has its experts' weights given from outside in place of a router.
"""
from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from ..data.catalogue import Catalogue
from ..encoders import PADDING, MoLoraConfig, PrefixScorer
from ..encoders.loading import quiet_transformers
from ..encoders.molora_config import matches
from ..encoders.prefix import Watch
from ..errors import ConfigError
from ..layers import MoLoRA, Routing, given_gates, leave_out_frozen
from .backbone import read_halves

LABELLED = ("lora_per_task", "task_gated")
"""Adapters that are told each row's task."""
_STATE = "adapter_tasks"
_LABEL_WIDTH = 64  # of a task's embedding, as MOELoRA has it (arXiv 2310.18339)

log = logging.getLogger("recbole_medmoe")


class AdaptedLLM(nn.Module):
    """Frozen weights are neither trained nor saved; see `leave_out_frozen`.

    Args:
        p: `MINGMoEParams`.
        config: with ``device``, ``precision``, ``progress``, ``cache_dir``, ``keep_states`` and ``allow_download``.
        labels: every task's label, for adapters that are told them.

    Attributes:
        halves: the frozen lower half, and the upper one with the adapter.
        scorer: likelihoods with the upper half.
        watch: is told of the routers in each pass of an evaluation, see `PrefixScorer`; None for nobody.
        tokens_read: of prompts and options that training has asked to read so far, without padding.
        tokens_scored: the same of evaluation.

    Raises:
        ConfigError, MissingPackageError: the backbone is not there, or cannot be tuned so.
    """

    def __init__(self, p: Any, config: Any, labels: Sequence[str]) -> None:
        super().__init__()
        self.p, self.labels = p, list(labels)
        if p.adapter in LABELLED and p.gradient_checkpointing:
            raise ConfigError(["gradient_checkpointing: it runs layers again when nobody tells them the task, which "
                               f"adapter '{p.adapter}' is told; set one of the two otherwise"])
        self.halves, sha256 = read_halves(p, config)
        limit = getattr(self.halves.config, "max_position_embeddings", None)
        if limit is not None and p.prompt_max_tokens + p.option_max_tokens > limit:
            raise ConfigError([f"prompt_max_tokens {p.prompt_max_tokens} and option_max_tokens {p.option_max_tokens}: "
                               f"backbone '{p.backbone}' takes at most {limit} tokens in all"])
        self.scorer = PrefixScorer(self.halves, p.normalise, p.batch_tokens, "batch_tokens")  # proves the bare backbone
        self.gate = TaskGate(len(self.labels), p.num_experts) if p.adapter == "task_gated" else None
        adapter = adapter_of(p, self.halves.upper, len(self.labels))
        if adapter is not None:
            with quiet_transformers():
                from peft import get_peft_model

                self.halves.upper = get_peft_model(self.halves.upper, adapter)
            for weight in self.halves.upper.parameters():
                if weight.requires_grad:
                    weight.data = weight.data.to(torch.float32)  # a bfloat16 backbone must not coarsen what is learned
        leave_out_frozen(self, sha256)
        self.train(False)
        self.watch: Watch | None = None
        self.tokens_read = self.tokens_scored = 0
        self._trained: list[Routing] = []

    @classmethod
    def of(cls, model: Any, config: Any, source: Any, labels: Sequence[str] | None) -> AdaptedLLM:
        """The language model of a recommender.

        Args:
            model: with ``params``, and ``labels`` for the tasks of its own data.
            config, source: as the recommender has them; a `Catalogue` knows all tasks of the training.
            labels: tasks of all data sets of a training; None for the recommender's own.

        Raises:
            ConfigError: of a joint training, but alone; as `AdaptedLLM`.
        """
        if model.params.trained_with and labels is None and not isinstance(source, Catalogue):
            raise ConfigError(["trained_with: it tells of a joint training; name all data sets in --dataset A,B"])
        stored = getattr(source, "states", {}).get(_STATE)
        own = stored["labels"] if stored else model.labels(source, model.params)
        return cls(model.params, config, own if labels is None else labels)

    def state(self) -> dict[str, dict[str, Any]]:
        """What a trained folder must hold beside the weights, as plain JSON: the tasks, where the adapter knows any."""
        return {_STATE: {"labels": self.labels}} if self.p.adapter in LABELLED else {}

    @property
    def width(self) -> int:
        """D of `states`."""
        return int(self.halves.config.hidden_size)

    def likelihoods(self, prefixes: Tensor, options: Tensor, labels: Tensor | None = None) -> Tensor:
        """How likely each option is after its prefix, 0 where there is no prefix; an option without a token, for which
        nothing speaks, is one below the least likely of its row.

        Args:
            prefixes: [B, T] token ids, filled up with -1.
            options: [B, C, S] token ids, filled up with -1.
            labels: [B] places in `labels`, -1 where the task is unknown; needed by adapters that are told it.

        Returns:
            [B, C] float32.
        """
        self._count(prefixes, options)
        found = torch.zeros(options.shape[:2], device=self.halves.device)
        keeps_gradient = self.training or torch.is_grad_enabled()
        run = self.scorer if keeps_gradient else self.scorer.score
        for rows, weights in self._by_task(prefixes, labels):
            with nullcontext() if weights is None else given_gates(weights):
                told = run(prefixes[rows], options[rows], self._watching(rows))
            found = found.index_copy(0, rows.to(found.device), told.to(found.dtype))
        named = (options != PADDING).any(-1).to(found.device)  # [B, C]
        least = found.detach().masked_fill(~named, torch.inf).min(-1, keepdim=True).values.nan_to_num(posinf=0.0) - 1
        return torch.where(named, found, least)

    def answer_loss(self, prefixes: Tensor, options: Tensor, labels: Tensor | None = None) -> Tensor:
        """Next-token loss: mean over the answers that are there of the mean over their tokens. Arguments as above."""
        lengths = (options != PADDING).sum(-1).to(self.halves.device)  # [B, C]
        found = self.likelihoods(prefixes, options, labels)
        found = found if self.p.normalise == "mean" else found / lengths.clamp(min=1)
        return -found[lengths > 0].mean()

    def states(self, prefixes: Tensor, labels: Tensor | None = None) -> Tensor:
        """State after each prefix's last token -> [B, D] float32; zero where there is no prefix. Arguments as above."""
        self._count(prefixes)
        found = torch.zeros(len(prefixes), self.width, device=self.halves.device)
        for rows, weights in self._by_task(prefixes, labels):
            with nullcontext() if weights is None else given_gates(weights):
                told = self.halves.states(prefixes[rows], self.p.batch_tokens, self._watching(rows))
            found = found.index_copy(0, rows.to(found.device), told.to(found.dtype))
        return found

    def routing_loss(self, loss: Tensor) -> Tensor:
        """The routers' own losses in the passes since the last call; names a router whose logits are not finite.

        Args:
            loss: of the batch; where it is not finite, the routers are looked at.

        Raises:
            TrainingError: router logits that are not finite.
        """
        passes, self._trained = self._trained, []
        if not bool(torch.isfinite(loss.detach()).all()):
            for routing in passes:
                routing.counts()  # names the layer whose logits are not finite
        weighs = self.p.adapter == "molora" and (self.p.balance_weight or self.p.z_weight)
        return torch.stack([routing.loss() for routing in passes]).mean() if passes and weighs else loss.new_zeros(())

    def label(self, name: str, rows: int) -> Tensor | None:
        """The place of a task among `labels`, for each of B rows; None where the adapter is not told it."""
        if self.p.adapter not in LABELLED:
            return None
        return torch.full((rows,), self.labels.index(name), device=self.halves.device)

    def _count(self, *tables: Tensor) -> None:
        asked = sum(int((ids != PADDING).sum()) for ids in tables)
        if self.training:
            self.tokens_read += asked
        else:
            self.tokens_scored += asked

    def _watching(self, rows: Tensor) -> Watch | None:
        """Keeps the routers of a training pass; tells `watch` of others, questions by their place in the batch."""
        if self.training:
            return lambda routing, questions: self._trained.append(routing)
        watch, own = self.watch, rows.cpu()
        return None if watch is None else lambda routing, questions: watch(routing, own[questions.cpu()])

    def _by_task(self, prefixes: Tensor, labels: Tensor | None) -> Iterator[tuple[Tensor, Tensor | None]]:
        """Rows that have a prefix, with the experts' weights where the adapter is told the task: a group per task. Rows
        are on the device of the prefixes, which is not that of the model while one is being made."""
        there = (prefixes != PADDING).any(-1)
        if self.p.adapter not in LABELLED or len(self.labels) < 2 and self.gate is None:
            rows = there.nonzero().squeeze(1)
            if len(rows):
                yield rows, None
            return
        assert labels is not None
        labels = labels.to(there.device)
        for label in torch.unique(labels[there]).tolist():
            yield (there & (labels == label)).nonzero().squeeze(1), self._weights(label)

    def _weights(self, label: int) -> Tensor:
        """Weights of the experts for one task; of one that training does not know, no adapter, or all tasks' mean."""
        if self.gate is not None:
            return self.gate(label)
        return torch.eye(len(self.labels), device=self.halves.device)[label] * (label >= 0)

    @contextmanager
    def nothing_kept(self) -> Iterator[None]:
        """Inside, the frozen half reads every text anew: what is kept of a text is no speed."""
        keeps, self.halves.keep = self.halves.keep, False
        try:
            yield
        finally:
            self.halves.keep = keeps

    def costs(self) -> dict[str, float]:
        """What the adapter costs, by count: its trained parameters, and floating-point operations per token of a
        forward pass: those carried out, and those of the experts that a token uses."""
        layers = [layer for layer in self.halves.upper.modules() if isinstance(layer, MoLoRA)]
        done = used = 0
        for layer in layers:
            width = layer.A.shape[1] + len(layer.B)
            router = 0 if layer.router_weight is None else layer.router_weight.numel()
            active = layer.spec.num_experts
            if layer.router_weight is not None:
                active = layer.spec.top_k
            elif self.p.adapter == "lora_per_task":
                active = 1
            done += 2 * (len(layer.A) * width + router)
            used += 2 * ((active + layer.spec.shared_expert) * layer.spec.r * width + router)
        trained = sum(weight.numel() for weight in self.parameters() if weight.requires_grad)
        return {"trained_parameters": trained, "adapter_flops_per_token": done, "active_flops_per_token": used}


class TaskGate(nn.Module):
    """Weights of the experts by a task's label, the same for every layer: ``softmax(W e + b)``.

    Source: Liu et al., MOELoRA, https://arxiv.org/abs/2310.18339, whose released code shares one gate.

    Args:
        labels: number of tasks.
        experts: E.
    """

    def __init__(self, labels: int, experts: int) -> None:
        super().__init__()
        self.label = nn.Embedding(labels, _LABEL_WIDTH)
        self.out = nn.Linear(_LABEL_WIDTH, experts)

    def forward(self, label: int) -> Tensor:
        """[E]; -1 stands for a task that is unknown and takes the mean of all."""
        told = self.label.weight[label] if label >= 0 else self.label.weight.mean(0)
        return self.out(told).softmax(-1)


def adapter_of(p: Any, model: nn.Module, labels: int) -> MoLoraConfig | None:
    """The adapter that ``p.adapter`` names, for the linear maps of a model.

    Args:
        p: `MINGMoEParams`.
        model: the half that is tuned.
        labels: number of tasks.

    Raises:
        ConfigError: options that do not fit together, or names that match nothing.
    """
    if p.adapter == "none":
        return None
    common: dict[str, Any] = {"lora_dropout": p.lora_dropout, "use_rslora": p.rslora,
                              "target_modules": [*p.lora_targets, *p.expert_targets]}
    routed = MoLoraConfig(
        r=p.lora_rank, lora_alpha=p.lora_alpha, num_experts=p.num_experts, top_k=p.top_k,
        expert_modules=list(p.expert_targets), router_noise=p.router_noise, route=p.route, gate=p.gate,
        shared_expert=p.shared_expert, balance_weight=p.balance_weight, z_weight=p.z_weight, **common)
    if p.adapter == "molora":
        return routed
    if p.adapter == "lora":
        rank = equal_rank(routed, model)
        log.info("plain LoRA of rank %d has as many trained parameters as MoLoRA of %d experts of rank %d", rank,
                 p.num_experts, p.lora_rank)
        # alpha / r stays as it is, so that both adapters learn at one pace.
        scale = (rank / p.lora_rank) ** (0.5 if p.rslora else 1.0)
        return MoLoraConfig(r=rank, lora_alpha=p.lora_alpha * scale, num_experts=1, top_k=1, **common)
    per_task = p.adapter == "lora_per_task"
    experts = labels if per_task else p.num_experts
    return MoLoraConfig(r=p.lora_rank, lora_alpha=p.lora_alpha, num_experts=experts, top_k=experts, route="given",
                        expert_modules=None if per_task else list(p.expert_targets), **common)


def equal_rank(config: MoLoraConfig, model: nn.Module) -> int:
    """Rank of the plain LoRA on the same maps whose number of parameters is nearest to that of a MoLoRA.

    Raises:
        ConfigError: names that match nothing.
    """
    maps = {name: (part.in_features, part.out_features) for name, part in model.named_modules()
            if isinstance(part, nn.Linear)}
    config.check_names(list(maps))
    plain = total = 0
    for name, (inputs, outputs) in maps.items():
        if not matches(config.target_modules, name):
            continue
        spec = config.spec(config.expert_modules is None or matches(config.expert_modules, name))
        router = 0 if spec.num_experts == 1 else spec.num_experts * (inputs + 1)
        total += (spec.num_experts + spec.shared_expert) * spec.r * (inputs + outputs) + router
        plain += inputs + outputs
    return max(1, round(total / plain))
