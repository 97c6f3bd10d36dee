"""LLMGenerate: a language model writes a visit's medications by name, as one would ask a chat model.

The way that Liu et al. (LEADER, https://arxiv.org/abs/2402.02803) argue against: names that are written need not be
medications of the data set ("out of corpus"). Nothing is trained.
"""
from __future__ import annotations

from contextlib import contextmanager
from typing import Any, Iterator

import torch
from pydantic import Field
from torch import Tensor

from ...data.requests import FeatureRequest, VisitPromptSpec
from ...data.visit_tables import MEDICATIONS
from ...encoders import PADDING
from ...encoders.progress import progress_mode
from ...encoders.writer import Line, LineWriter
from ..backbone import HeadedLLM
from ..base import Features, ModelParams
from ..visit import VisitRecommender
from .closed_form import ClosedForm
from .written_names import Found, WrittenNames

_UNNAMED = -10.0


class LLMGenerateParams(ModelParams):
    """What the language model reads, how much it writes, and what counts as a name."""

    backbone: str = Field(description="frozen LLM: packaged name, folder, or cached Hugging Face name; our choice")
    prompt: str = Field(description="prompt template of the visit, ending where a name follows; our choice")
    visit_prompt: str = Field(description="prompt template of one earlier visit; our choice")
    history_visits: int = Field(ge=0, description="most earlier visits that the prompt tells; paper 3")
    prompt_max_tokens: int = Field(ge=1, description="longest prompt in tokens; our choice")
    max_new_tokens: int = Field(ge=1, description="most tokens written for a visit; a name that they cut is left out; "
                                                  "our choice")
    synonyms: bool = Field(description="whether American, brand and short names of the package's drug list count as "
                                       "the ingredient's name; our choice")


class LLMGenerate(ClosedForm, VisitRecommender):
    """The LLM continues the visit's prompt greedily up to the end of the line; names in it are matched to medications.

    ``score = 1 / place of mention`` (1, 1/2, 1/3, ...), -10 for what is not mentioned, so that every probability that
    makes sense as a threshold up to .5 gives what was written, and nothing else. Medications that are not mentioned
    are equal; lists draw among them by lot.

    Every visit costs up to ``max_new_tokens`` passes of the LLM; what was written for a prompt is kept, so that a
    visit costs once. The language model is loaded on first use, is no submodule, and so is neither trained, nor
    counted, nor saved.

    Raises:
        ConfigError: prompt and line together are longer than the LLM's context, or a backbone that continues no texts.
    """

    Params = LLMGenerateParams
    checks_not_applicable = {"overfits_eight_rows": "nothing is trained"}

    def __init__(self, config: Any, source: Any) -> None:
        super().__init__(config, source)
        p, batch_tokens = self.params, config["encode_batch_tokens"] or 4096
        progress = progress_mode(config["progress"])
        # In bfloat16 the batch decides between tokens that are nearly alike; a CPU gains too little by it.
        self._llm = HeadedLLM(p.backbone, config, lambda tokenizer, model: LineWriter(
            tokenizer, model, p.max_new_tokens, batch_tokens, progress), on_cpu=torch.float32)
        called = self.states["user_prompt"]["names"][MEDICATIONS]
        self._names = WrittenNames([called.get(token, token) for token in self.item_tokens], self.params.synonyms)
        self._written: dict[bytes, Line] = {}

    @classmethod
    def feature_requests(cls, params: Any) -> tuple[FeatureRequest, ...]:
        """The prompt of each visit."""
        p = params
        spec = VisitPromptSpec(p.backbone, p.prompt, p.visit_prompt, p.prompt_max_tokens, p.history_visits, end=False,
                               begin=True)
        return (FeatureRequest("prompt", "user", "tokens", spec),)

    def solve(self, users: Tensor, targets: Tensor) -> None:
        """Nothing: no training row is looked at."""

    def forward(self, users: Features, items: Features) -> Tensor:
        found = self._found(users)
        scores = torch.full((len(found), self.n_items), _UNNAMED, device=self.fake_loss.device)  # [B, I]
        for row, told in enumerate(found):
            if told is not None:
                for item, place in told.places.items():
                    scores[row, item] = 1 / place
        return scores

    def diagnostics(self, users: Features, items: Features) -> dict[str, Tensor]:
        """``names`` [B], different names written for each visit, ``unknown`` [B], those that are no medication of the
        data set, and ``cut`` [B], whether the line came to no end."""
        found, lines = self._found(users), self._lines(users)
        told = {"names": [one.names if one else 0 for one in found],
                "unknown": [one.unknown if one else 0 for one in found],
                "cut": [line is not None and not line.ended for line in lines]}
        return {name: torch.tensor(values) for name, values in told.items()}

    @contextmanager
    def nothing_kept(self) -> Iterator[None]:
        """Within it every line is written anew, as for a new visit."""
        kept, self._written = self._written, {}
        try:
            yield
        finally:
            self._written = kept

    def _found(self, users: Features) -> list[Found | None]:
        """What the lines of B visits name; None for a visit without a prompt."""
        return [None if line is None else self._names.find(line.text, line.ended) for line in self._lines(users)]

    def _lines(self, users: Features) -> list[Line | None]:
        ids, present = (part.cpu() for part in users["prompt"])
        prompts = [row[row != PADDING] for row in ids]
        keys = [prompt.numpy().tobytes() for prompt in prompts]
        new = {key: prompt.tolist() for key, prompt, there in zip(keys, prompts, present.tolist())
               if there and key not in self._written}
        if new:
            self._written.update(zip(new, self._llm.on(self.fake_loss.device).write(list(new.values()))))
        return [self._written[key] if there else None for key, there in zip(keys, present.tolist())]
