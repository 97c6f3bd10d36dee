"""MINGMoE: one language model for many medical tasks, by a mixture of low-rank adapters and without a task label.

Liao et al., "MING-MOE: Enhancing Medical Multi-Task Learning in Large Language Models with Sparse Mixture of Low-Rank
Adapter Experts", https://arxiv.org/abs/2404.09027:

    text of a question, a patient or a visit -- one wrapper for all -- LLM -- likelihood of an option's or food's words
                                                                        +---- state at the last token -- medications
    in each tuned block of the LLM:   attention  W x + (alpha / r) B A x
                                      FFN        W x + (alpha / r) sum over the k chosen of g_e B_e A_e x

The paper's model generates; ours ranks: options and foods by how likely their words are, medications by an output
layer. See `AdaptedLLM` for the other adapters.
"""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor, nn

from ..data.requests import FeatureRequest, TokenSpec
from ..encoders import PADDING
from ..layers import Dropout, ModalityInput
from .adapters import LABELLED, AdaptedLLM
from .base import FeatureRecommender, Features, ModelParams
from .choice import ChoiceRecommender
from .visit import VisitRecommender

_TASK = FeatureRequest("task", "user", "profile", fields=("task",))
_AT_ONCE = 256  # texts read together before training


class MINGMoEParams(ModelParams):
    """What is read and tuned, and how. "Code": the paper's released code; its text states none of this."""

    backbone: str = Field(description="LLM: packaged name, folder, or cached Hugging Face name; paper Qwen1.5-Chat")
    adapter: Literal["molora", "lora", "lora_per_task", "task_gated", "none"] = Field(
        description="molora: routed experts, the paper's model; lora: one LoRA of as many parameters; lora_per_task: "
                    "a LoRA for each task, by its label; task_gated: experts weighed by the task's label, as in "
                    "MOELoRA; none: the LLM as it is")
    tuned_layers: int | None = Field(ge=1, description="blocks at the top that carry adapters, null for all as in the "
                                                       "paper; few blocks train on a CPU")
    num_experts: int = Field(ge=1, description="E; code 4")
    top_k: int = Field(ge=1, description="k, experts that a token uses; code 2")
    lora_rank: int = Field(ge=1, description="r; code 32")
    lora_alpha: float = Field(gt=0, description="adapters add alpha / r times their product; code 16")
    rslora: bool = Field(description="scale by alpha / sqrt(r) instead; code optional")
    lora_dropout: float = Field(ge=0, lt=1, description="share of an adapter's inputs that training drops; code .05")
    lora_targets: tuple[str, ...] = Field(description="linear maps that carry plain LoRA; code those of attention")
    expert_targets: tuple[str, ...] = Field(min_length=1, description="linear maps that carry experts; code the FFN's")
    route: Literal["token", "sequence"] = Field(description="what a router chooses for: each token, as in the paper, "
                                                            "or a whole prompt")
    gate: Literal["chosen", "all"] = Field(description="softmax over the chosen experts, as in the code, or over all")
    router_noise: float = Field(ge=0, description="standard deviation of noise on router logits in training; code 0")
    shared_expert: bool = Field(description="one more expert that every token uses; code no")
    balance_weight: float = Field(ge=0, description="factor of the load-balancing loss; code 0")
    z_weight: float = Field(ge=0, description="factor of the routers' z-loss; code 0")
    loss: Literal["answer", "options"] = Field(
        description="answer: next-token loss on the right answer's words, as in the paper; options: cross-entropy of "
                    "the right one among the options, or among sampled foods; medications always binary cross-entropy")
    normalise: Literal["sum", "mean"] = Field(description="log-likelihood of an option: sum over its tokens, or their "
                                                          "mean, which does not punish long ones; our choice")
    negatives: int = Field(ge=1, description="foods drawn beside each patient's own with loss 'options'; our choice")
    prompts: tuple[str, ...] = Field(min_length=1, description="wrappers of training texts; each takes one by its "
                                                               "hash; our choice")
    held_out_prompts: tuple[str, ...] = Field(description="wrappers of all other texts; our choice")
    option: str = Field(description="template of an option; our choice")
    food: str = Field(description="template of a food; our choice")
    prompt_max_tokens: int = Field(ge=1, description="longest prompt in tokens; a longer text loses its beginning; our "
                                                     "choice")
    option_max_tokens: int = Field(ge=1, description="longest option or food in tokens; our choice")
    state_scale: float = Field(gt=0, description="average length of the state that medications are read from; our "
                                                 "choice")
    dropout: float = Field(ge=0, lt=1, description="share of it that training drops; our choice")
    train_share: float = Field(gt=0, le=1, description="share of the training users that is used; our choice")
    trained_with: tuple[str, ...] = Field(description="other data sets of a joint training; --dataset A,B sets it")
    epochs: int = Field(ge=1, description="most passes over the training rows; our choice")
    stopping_step: int = Field(ge=0, description="validations without a better one before training ends; our choice")
    learner: str = Field(description="optimiser; our choice")
    learning_rate: float = Field(gt=0, description="step size of the optimiser; our choice")
    weight_decay: float = Field(ge=0, description="decay of the optimiser; our choice")
    train_batch_size: int = Field(ge=1, description="training rows per step, in whole users; our choice")
    cache_states: bool = Field(description="keep in main memory what the frozen blocks make of texts, also for the "
                                           "process's next run; our choice")
    gradient_checkpointing: bool = Field(description="less memory, more work: keep only each tuned block's input for "
                                                     "the way back; our choice")
    quantise: Literal["nf4"] | None = Field(description="hold the LLM in 4 bits, on a GPU with bitsandbytes; code "
                                                        "optional")
    batch_tokens: int = Field(ge=1, description="most tokens through the LLM at once, padding included; our choice")

    @model_validator(mode="after")
    def _has_enough(self) -> MINGMoEParams:
        if self.adapter == "molora" and self.top_k > self.num_experts:
            raise ValueError(f"top_k {self.top_k} is above num_experts {self.num_experts}")
        return self


def prompt_request(p: MINGMoEParams) -> FeatureRequest:
    """The wrapped text of a question, a patient or a visit: nothing of it depends on the task."""
    spec = TokenSpec(p.backbone, p.prompts[0], p.prompt_max_tokens, paraphrases=p.prompts[1:],
                     held_out=p.held_out_prompts, keep="end", setting="prompt_max_tokens")
    return FeatureRequest("prompt", "user", "tokens", spec)


def answer_request(p: MINGMoEParams, template: str) -> FeatureRequest:
    """What may follow a prompt."""
    spec = TokenSpec(p.backbone, template, p.option_max_tokens, special=False, setting="option_max_tokens")
    return FeatureRequest("answer", "item", "tokens", spec)


class MINGMoE(ChoiceRecommender):
    """Questions: an option's score is the log-likelihood of its words after the question.

    Args:
        config, source: as `FeatureRecommender`.
        llm: of another data set's recommender, which is trained together with this one.
        labels: tasks of all data sets that are trained together, where the adapter is told them; None for this one's.

    Attributes:
        llm: reads prompts and options.

    Source: https://arxiv.org/abs/2404.09027.
    """

    Params = MINGMoEParams
    joint = True  # can be trained on several data sets together, see `run_joint`

    def __init__(self, config: Any, source: Any, llm: AdaptedLLM | None = None,
                 labels: Sequence[str] | None = None) -> None:
        super().__init__(config, source)
        self.llm = llm or AdaptedLLM.of(self, config, source, labels)
        self.states |= self.llm.state()
        self.own_labels = [self.llm.labels.index(label) for label in self.labels(source, self.params)]

    @classmethod
    def feature_requests(cls, params: Any) -> tuple[FeatureRequest, ...]:
        """Question and options; the task's name only for adapters that are told it."""
        requests = prompt_request(params), answer_request(params, params.option)
        return (*requests, _TASK) if params.adapter in LABELLED else requests

    @classmethod
    def labels(cls, source: Any, params: Any) -> list[str]:
        """Names of the tasks in a data set, for adapters that are told them."""
        if params.adapter not in LABELLED:
            return []
        state = source.fitted(_TASK)
        return [str(name) for name in (state or {}).get("fields", [{"values": []}])[0]["values"]]

    def _labels(self, users: Features) -> Tensor | None:
        """Place of each row's task among the LLM's labels, -1 where training has not seen it -> [B]."""
        if "task" not in users:
            return None
        told = users["task"][0]
        places = torch.tensor([*self.own_labels, -1], device=told.device)
        return places[torch.where(told.any(-1), told.argmax(-1), -1)]

    def forward(self, users: Features, items: Features) -> Tensor:
        return self.llm.likelihoods(users["prompt"][0], users["option_answer"][0], self._labels(users))  # [B, C]

    def calculate_loss(self, interaction: Any) -> Tensor:
        """Loss of N questions.

        Args:
            interaction: question ids [N] and item ids [N].
        """
        if self.params.loss == "options":
            loss = super().calculate_loss(interaction)
        else:
            ids, right = interaction[self.USER_ID], interaction[self.ITEM_ID]
            users = self.user_inputs(ids)
            rows = torch.arange(len(ids), device=ids.device)
            options = users["option_answer"][0][rows, self.place_of(ids, right)].unsqueeze(1)  # [N, 1, S]
            loss = self.llm.answer_loss(users["prompt"][0], options, self._labels(users))
        return loss + self.llm.routing_loss(loss)


class MINGFood(FeatureRecommender):
    """Foods: the log-likelihood of a food's name after the patient's text. Else as `MINGMoE`."""

    Params = MINGMoEParams
    joint = True

    def __init__(self, config: Any, source: Any, llm: AdaptedLLM | None = None,
                 labels: Sequence[str] | None = None) -> None:
        super().__init__(config, source)
        self.llm = llm or AdaptedLLM.of(self, config, source, labels)
        self.states |= self.llm.state()

    @classmethod
    def feature_requests(cls, params: Any) -> tuple[FeatureRequest, ...]:
        """A patient's text and the foods' names."""
        return prompt_request(params), answer_request(params, params.food)

    @classmethod
    def labels(cls, source: Any, params: Any) -> list[str]:
        """One task."""
        return ["food"]

    def _score(self, users: Features, options: Tensor) -> Tensor:
        """Log-likelihoods of options [B, C, S] after the texts of B patients -> [B, C]."""
        return self.llm.likelihoods(users["prompt"][0], options, self.llm.label("food", len(options)))

    def forward(self, users: Features, items: Features) -> Tensor:
        names = items["answer"][0]  # [I, S]
        return self._score(users, names.expand(len(users["prompt"][0]), *names.shape))

    def calculate_loss(self, interaction: Any) -> Tensor:
        """Loss of N pairs: of each food's words, or of each food against foods drawn for its patient.

        Args:
            interaction: patient ids [N] and item ids [N].
        """
        ids, row = torch.unique(interaction[self.USER_ID], return_inverse=True)  # [B], [N]
        users, names = self.user_inputs(ids), self.item_inputs()["answer"][0]
        items, p = interaction[self.ITEM_ID], self.params
        place = torch.stack([(row[:n] == row[n]).sum() for n in range(len(row))])  # of each pair within its patient's
        own = torch.zeros(len(ids), int(place.max()) + 1, dtype=torch.int64, device=ids.device)
        own[row, place] = items  # [B, P]
        if p.loss == "answer":
            options = names[own].masked_fill((own == 0).unsqueeze(-1), PADDING)
            loss = self.llm.answer_loss(users["prompt"][0], options, self.llm.label("food", len(ids)))
            return loss + self.llm.routing_loss(loss)
        free = self.known_items.expand(len(ids), -1).clone()  # [B, I]
        free[row, items] = False
        drawn = torch.multinomial(free.float() + 1e-9, min(p.negatives, free.shape[1]))  # [B, N']
        scores = self._score(users, names[torch.cat([own, drawn], dim=1)])
        right, wrong = scores[row, place], scores[row, own.shape[1]:]
        wrong = wrong.masked_fill(~free.gather(1, drawn)[row], -torch.inf)  # where fewer foods are left than are drawn
        loss = F.cross_entropy(torch.cat([right.unsqueeze(1), wrong], dim=1), torch.zeros_like(row))
        return loss + self.llm.routing_loss(loss)


class MINGVisits(VisitRecommender):
    """Medications: ``logits = W h``, h the LLM's state after the visit's text, as LEADER's output layer has it.

    The text tells the visit alone, not the ones before it. Else as `MINGMoE`.
    """

    Params = MINGMoEParams
    joint = True

    def __init__(self, config: Any, source: Any, llm: AdaptedLLM | None = None,
                 labels: Sequence[str] | None = None) -> None:
        super().__init__(config, source)
        self.llm = llm or AdaptedLLM.of(self, config, source, labels)
        self.states |= self.llm.state()
        self.standard = ModalityInput(self.llm.width)
        self.drop = Dropout(self.params.dropout, self.params.state_scale)
        self.head = nn.Linear(self.llm.width, self.n_items)
        seen = (source.train_users & self.get_buffer("present_user_prompt")).nonzero().squeeze(1)
        if len(seen):
            with torch.no_grad():
                parts = [self._states(self.user_inputs(some)) for some in seen.split(_AT_ONCE)]
            self.standard.fit(torch.cat(parts).cpu())

    @classmethod
    def feature_requests(cls, params: Any) -> tuple[FeatureRequest, ...]:
        """A visit's text."""
        return (prompt_request(params),)

    @classmethod
    def labels(cls, source: Any, params: Any) -> list[str]:
        """One task."""
        return ["medication"]

    def full_sort_predict(self, interaction: Any) -> Tensor:
        """In one piece: what watches the routers knows rows by their place in the batch."""
        return self.forward(FeatureRecommender.user_inputs(self, interaction[self.USER_ID]), {}).flatten()

    def _states(self, users: Features) -> Tensor:
        prompts = users["prompt"][0]
        return self.llm.states(prompts, self.llm.label("medication", len(prompts)))  # [B, D]

    def forward(self, users: Features, items: Features) -> Tensor:
        return self.head(self.drop(self.standard(self._states(users), users["prompt"][1])))  # [B, I]

    def calculate_loss(self, interaction: Any) -> Tensor:
        """As `VisitRecommender.calculate_loss`."""
        loss = super().calculate_loss(interaction)
        return loss + self.llm.routing_loss(loss)
