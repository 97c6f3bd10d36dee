"""LLMOnlyZeroShot: a language model ranks items by how likely their names are after the patient's prompt.

Nothing is trained. Calibration: Zhao et al., "Calibrate before use", https://arxiv.org/abs/2102.09690, and Holtzman et
al., "Surface form competition", https://arxiv.org/abs/2104.08315 (there named PMI_DC).
"""
from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from ...data.requests import FeatureRequest, TokenSpec
from ...encoders import PrefixScorer, PromptTokenizer
from ...encoders.progress import meter, progress_mode
from ..backbone import HeadedLLM
from ..base import Features, ModelParams
from .closed_form import ClosedForm


class LLMOnlyZeroShotParams(ModelParams):
    """What the language model reads, and how likelihoods become scores."""

    backbone: str = Field(description="frozen LLM: packaged name, folder, or cached Hugging Face name; our choice")
    user_prompt: str = Field(description="prompt template of patients, ending where an item's name follows; our choice")
    item_name: str = Field(description="template of what follows, beginning with a space; {name} is the item's text up "
                                       "to its first full stop; our choice")
    prompt_max_tokens: int = Field(ge=1, description="longest prompt in tokens; our choice")
    name_max_tokens: int = Field(ge=1, description="longest name in tokens; our choice")
    normalise: Literal["sum", "mean"] = Field(
        description="log-likelihood of a name: sum over its tokens, or their mean, which does not punish long names; "
                    "our choice")
    calibrate: bool = Field(description="subtract the name's log-likelihood after the prompt of a patient of whom "
                                        "nothing is told; our choice")


class LLMOnlyZeroShot(ClosedForm):
    """``score(patient, item) = log p(name | prompt) - log p(name | empty prompt)``, the second term if ``calibrate``.

    Names are what stands before the first full stop of an item's text, since every data set with texts has one and the
    ``name`` column of the ``.item`` file is optional and often no word ("golden_delicious"). A name's tokens are those
    of " name" by itself (see `PrefixScorer`). A patient without a text is scored by the empty prompt; an item without
    a text comes last.

    Every patient costs one prompt and all names, on every evaluation: minutes on a CPU. The language model is loaded
    on first use, is no submodule, and so is neither trained, nor counted, nor saved.
    """

    Params = LLMOnlyZeroShotParams
    checks_not_applicable = {"overfits_eight_rows": "nothing is trained"}

    def __init__(self, config: Any, source: Any) -> None:
        super().__init__(config, source)
        p, batch_tokens = self.params, config["encode_batch_tokens"] or 4096
        self._progress = progress_mode(config["progress"])
        self._llm: HeadedLLM[tuple[Any, PrefixScorer]] = HeadedLLM(
            p.backbone, config, lambda tokenizer, model: (tokenizer, PrefixScorer(model, p.normalise, batch_tokens)))
        self.prior = self.place(self.n_items)  # log-likelihood of each name after the empty prompt

    @classmethod
    def feature_requests(cls, params: Any) -> tuple[FeatureRequest, ...]:
        prompt = TokenSpec(params.backbone, params.user_prompt, params.prompt_max_tokens,
                           setting="prompt_max_tokens")
        name = TokenSpec(params.backbone, params.item_name, params.name_max_tokens, special=False,
                         setting="name_max_tokens")
        return FeatureRequest("prompt", "user", "tokens", prompt), FeatureRequest("name", "item", "tokens", name)

    def solve(self, users: Tensor, targets: Tensor) -> None:
        """Reads the names after the empty prompt; no training row is looked at."""
        tokenizer, scorer = self._llm.on(self.prior.device)
        empty = PromptTokenizer(tokenizer, self.params.user_prompt, self.params.prompt_max_tokens).rows([""])[0]
        names, there = self._names(self.item_inputs())
        if len(names):
            self.prior[there] = scorer.score(torch.from_numpy(empty).unsqueeze(0), names.unsqueeze(0))[0]

    @torch.no_grad()
    def forward(self, users: Features, items: Features) -> Tensor:
        (prompts, known), (names, there) = users["prompt"], self._names(items)
        scores = self.prior.expand(len(prompts), -1).clone()  # [B, I]
        _, scorer = self._llm.on(self.prior.device)
        rows = known.nonzero().squeeze(-1).tolist() if len(names) else []
        shown: str | bool = self._progress if len(rows) > 1 else False
        with meter(f"reading with {Path(self.params.backbone).name}", len(rows), "patients", shown) as advance:
            for row in rows:
                scores[row, there] = scorer.score(prompts[row:row + 1], names.unsqueeze(0))[0]
                advance(1)
        if self.params.calibrate:
            scores = scores - self.prior
        lowest = scores.min(-1, keepdim=True).values  # an item without a name has nothing that speaks for it
        return torch.where(there, scores, lowest - 1)

    @property
    def cut_prompts(self) -> int:
        """Different prompts that lost their beginning so far, since the LLM's context has no room for them."""
        return self._llm.on(self.prior.device)[1].cut

    def _names(self, items: Features) -> tuple[Tensor, Tensor]:
        """Token ids [N, S] of the names that are there, and which are [I] bool."""
        ids, there = items["name"]
        return ids[there], there
