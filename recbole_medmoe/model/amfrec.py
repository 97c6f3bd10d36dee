"""AMFRec: a frozen language model reads titles and soft tokens, and adaptive weights fuse an item's modalities.

"Large Language Model-Based Multimodal Recommendation with Adaptive Modality Fusion", Journal of Computer Research and
Development, DOI 10.7544/issn1000-1239.202550836:

    x_m(i), modality m of item i --> projector m: E experts, gate --> z_m(i), K vectors in the LLM's token space
    all x_m(i), user's state     --> gate over the modalities     --> w_m, 0 where missing, sum 1
    instruction | user | title, sum_m w_m z_m(i) | title, ... | question | [answer] --> frozen LLM --> h at [answer]
    score(i) = h . T(text of i) + sum_m w_m  h . V_m x_m(i)       or the likelihood of i's title after [answer]

Only the abstract of the paper is public: hybrid prompt, projection into the token space by a mixture of experts, a gate
that weighs modalities per sample, alignment by instruction tuning, nothing trained but projector and gate. All else is
"our choice", made after LLaRA, A-LLMRec, CCF-LLM and I-LLMRec.
"""
from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator

import torch
from torch import Tensor, nn

from .. import processes
from ..data.history_patients import HISTORY
from ..data.requests import FeatureRequest
from ..encoders import PADDING, PromptTokenizer
from ..encoders.lora import LoraSpec
from ..layers import ModalityInput, SoftProjector, Tower
from ..layers.fusion import ModalityFusion, Known
from .amfrec_params import AMFRecParams, amfrec_requests
from .backbone import soft_prompt_backbone
from .base import Features
from .history import HistoryRecommender
from .hybrid_prompt import HybridPrompt, Prompts, prompt_words


class AMFRec(HistoryRecommender):
    """``score(i) = h . T x_text(i) + sum_m w_m(user, i) h . V_m x_m(i)``, h the frozen LLM's state at [answer].

    Our choices beside those of `AMFRecParams`. An item of which no modality is there is told by its title alone, and
    one without a title by a special token. The user's state, which the gate sees, is the mean of the features of the
    items told so far, and the user's text; no soft token knows a later item. The same gate weighs the modalities in the
    score. With ``place_weight`` the state after each item of the list predicts the next one, as in SASRec, so that one
    prompt teaches as often as its list is long.

    Source: https://doi.org/10.7544/issn1000-1239.202550836

    Attributes:
        prompts: puts prompts together and reads them.
    """

    Params = AMFRecParams

    def __init__(self, config: Any, source: Any) -> None:
        super().__init__(config, source)
        p, self.names = self.params, self.params.used_modalities
        lora = LoraSpec(p.lora_rank, p.lora_alpha, p.lora_dropout, p.lora_targets) if p.tuning == "lora" else None
        beginning, *fixed = prompt_words(p.prompt, p.user_text != "none")
        llm = soft_prompt_backbone(p, config, lora, beginning, "title" in p.losses or p.scoring == "likelihood")
        words = PromptTokenizer.load(p.backbone, None, p.prompt_max_tokens, special=False, cache=(
            Path(config["cache_dir"]) if config["cache_dir"] else None), allow_download=bool(config["allow_download"]))
        between, question = (words.ids([text])[0] for text in fixed)
        self.prompts = HybridPrompt(llm, between, question, whole_titles=p.title_tokens == "all",
                                    history_items=p.history_items, max_tokens=p.prompt_max_tokens,
                                    user_tokens=p.most_user_tokens)
        self.keeps_users = True
        for part in self.inputs.values():
            part.hide = 0.0  # `_shown` does that
        for name in self.names:  # a weight of 0, and no learned vector, stands in for what is missing
            self.inputs[f"item_{name}"].absent.requires_grad_(False)
        widths = {name: self.width("item", name) for name in self.names}
        user_width = self.width("user", "text") if p.user_text == "vector" else 0
        self.fusion = ModalityFusion(
            widths, llm.width, kind=p.fusion, user_width=sum(widths.values()) + user_width, gate_hidden=p.gate_hidden,
            tokens=p.soft_tokens, experts=p.experts if p.projector == "experts" else 0, hidden=p.hidden,
            dropout=p.dropout, length=llm.length) if widths else None
        self.about = SoftProjector(user_width, llm.width, tokens=1, experts=0, hidden=0, dropout=p.dropout,
                                   length=llm.length) if user_width else None
        if "catalogue" in p.losses:
            self._build_match(llm.width)

    def _build_match(self, width: int) -> None:
        p = self.params
        # States at [answer], and at an item's last token, are far apart; each is standardised on the first batch.
        kinds = ("answer", "place") if p.place_weight else ("answer",)
        self.standard = nn.ModuleDict({kind: ModalityInput(width) for kind in kinds})
        for standard in self.standard.values():
            standard.absent.requires_grad_(False)  # a state is always there
        self.read_out = nn.ModuleDict({kind: Tower(width, p.width, dropout=p.dropout, gain=p.state_scale)
                                       for kind in kinds})
        self.register_buffer("is_fitted", torch.tensor(False))
        self.item_text = Tower(self.width("item", "text"), p.width, dropout=p.dropout, gain=p.state_scale)
        heard = {} if self.fusion is None else self.fusion.heard
        self.item_towers = nn.ModuleDict({f"of_{name}": Tower(size, p.width, dropout=p.dropout, gain=p.state_scale)
                                          for name, size in heard.items()})

    @classmethod
    def feature_requests(cls, params: Any) -> tuple[FeatureRequest, ...]:
        return amfrec_requests(params)

    def _shown(self, items: Features) -> Features:
        """Items as training shows them: each modality of an item is hidden with probability ``modality_dropout``, its
        title and its text by one draw."""
        share, shown = self.params.modality_dropout, dict(items)
        if not self.training or not share:
            return items
        for names in (("title", "text"), *((name,) for name in self.names if name != "text")):
            stays = torch.rand(self.n_items, device=self.prompts.special.device) >= share
            shown |= {name: (items[name][0], items[name][1] & stays) for name in names}
        return shown

    def _known(self, items: Features) -> Known | None:
        """What is known of all items beside their words, None where there are no modalities."""
        rows, there = [], []
        for name in self.names:
            matrix, present = items[name]
            rows.append(self.inputs[f"item_{name}"](matrix, present) * present.unsqueeze(-1))
            there.append(present)
        return None if self.fusion is None else self.fusion(rows, torch.stack(there, dim=-1))

    def _about(self, users: Features) -> list[Tensor]:
        """What the prompt tells of each user beside the list: states [t, W], t of 0 where there is nothing."""
        count = len(users[HISTORY][0])
        nothing = self.prompts.special[:0]
        if self.about is not None:
            tokens = self.about(self.read("user", users, "text"))[0]  # [B, 1, W]
            return [token if there else nothing for token, there in zip(tokens, users["text"][1].tolist())]
        if self.params.user_text == "tokens":
            return self.prompts.each(users["prompt"], range(count), self.keeps_users)
        return [nothing] * count

    def _user_states(self, lists: Tensor, users: Features, m: Known | None) -> Tensor:
        """Mean features of the items up to each place of the lists [B, L], and the user's text -> [B, L + 1, S]; place
        0 knows no item."""
        features = self.prompts.special.new_zeros(self.n_items, 0) if m is None else m.features
        known = (lists > 0).float().unsqueeze(-1)
        means = (features[lists] * known).cumsum(1) / known.cumsum(1).clamp(min=1)  # [B, L, sum of D]
        states = torch.cat([torch.zeros_like(means[:, :1]), means], dim=1)
        if self.about is None:
            return states
        text = self.read("user", users, "text").unsqueeze(1)
        return torch.cat([states, text.expand(-1, states.shape[1], -1)], dim=-1)

    def _prepare(self, users: Features, items: Features,
                 then: list[Tensor] | None = None) -> tuple[Known | None, Prompts, Tensor, Tensor]:
        """What is known of the items, the prompts, the items that they tell [B, L], the user's states [B, L + 1, S].

        In float32 whatever the precision: a frozen LLM makes much of small differences between soft tokens.
        """
        with torch.autocast(self.prompts.special.device.type, enabled=False):
            titles, about, m = items["title"], self._about(users), self._known(items)
            there = torch.zeros_like(titles[1]) if m is None else m.present.any(-1)  # [I]
            lists = self.prompts.lists(users[HISTORY][0], titles, there * self.params.soft_tokens, about)
            states = self._user_states(lists, users, m)
            if m is None or self.fusion is None:
                soft = states.new_zeros(*lists.shape, 0, self.prompts.llm.width)
            else:
                soft, _ = self.fusion.soft(m, lists, self.fusion.weights(m, lists, states[:, 1:]))  # [B, L, K, W]
            return m, self.prompts.weave(lists, titles, soft, there[lists], about, then), lists, states

    def _match(self, h: Tensor, users: Tensor, items: Features, m: Known | None, kind: str = "answer") -> Tensor:
        """Catalogue scores of the LLM's states h [N, W], for user states [N, S] -> [N, I]."""
        u = self.read_out[kind](self.standard[kind](h, h.new_ones(len(h), dtype=torch.bool)))  # [N, D]
        scores = u @ self.item_text(self.read("item", items, "text")).T  # [N, I]
        if m is not None and self.fusion is not None:
            weights = self.fusion.weights(m, slice(None), users.unsqueeze(1))  # [N, I, M], or [I, M] for all users
            parts = [u @ tower(row).T for tower, row in zip(self.item_towers.values(), m.heard)]
            scores = scores + (weights * torch.stack(parts, dim=-1)).sum(-1)
        return scores / self.params.width ** 0.5

    def forward(self, users: Features, items: Features) -> Tensor:
        return self._scores(users, items)  # [B, I]

    def _scores(self, users: Features, items: Features, wanted: list[Tensor] | None = None) -> Tensor:
        """Scores [B, I]; by likelihood those of the ``wanted`` items of each row, or of the best by the catalogue."""
        m, prompts, lists, states = self._prepare(users, items)
        scores = states.new_zeros(len(lists), len(items["title"][1]))
        if "catalogue" in self.params.losses:
            h = self.prompts.read(prompts, prompts.answer.unsqueeze(1)).squeeze(1)  # [B, W]
            last = (lists > 0).sum(-1)  # where the user's state knows the whole list
            scores = self._match(h, states[torch.arange(len(h), device=h.device), last], items, m)
        if self.params.scoring == "catalogue":
            return scores
        return self.prompts.rank(prompts, scores, items["title"], self.params.candidates, wanted)

    def calculate_loss(self, interaction: Any) -> Any:
        """Cross-entropy of the next item over the catalogue, ``place_weight`` times that of each item of the list after
        those before it, and the mean next-token loss of the next item's title, as far as ``losses`` names them."""
        p, wanted, every = self.params, interaction[self.ITEM_ID], self.item_inputs()
        items, titles = self._shown(every), every["title"][0][wanted]  # [B, T]
        with_title = "title" in p.losses
        then = self.prompts.each(every["title"], wanted.tolist()) if with_title else None
        m, prompts, lists, states = self._prepare(self.user_features(interaction), items, then)
        after = torch.arange(titles.shape[1] if with_title else 1, device=wanted.device)
        h = self.prompts.read(prompts, torch.cat([prompts.ends, prompts.answer.unsqueeze(1) + after], dim=1))
        losses: list[Tensor] = []
        if "catalogue" in p.losses:
            losses += self._match_losses(h[:, :lists.shape[1] + 1], lists, states, wanted, items, m)
        if with_title:
            told = self.prompts.llm.log_likelihood(h[:, lists.shape[1]:], titles)  # [B, T]
            losses.append(-told.sum() / (titles != PADDING).sum().clamp(min=1))
        return tuple(losses)

    def _match_losses(self, h: Tensor, lists: Tensor, states: Tensor, wanted: Tensor, items: Features,
                      m: Known | None) -> list[Tensor]:
        """Losses of the LLM's states h [B, L + 1, W]: after each item of the lists, and last at [answer]."""
        rows, known = torch.arange(len(h), device=h.device), lists > 0
        if self.training and not self.is_fitted:
            self.standard["answer"].fit(h[:, -1].detach())
            if self.params.place_weight:
                self.standard["place"].fit(h[:, :-1][known].detach())
            processes.share_buffers(self.standard)
            self.is_fitted.fill_(True)  # type: ignore[operator]
        found = [self.pair_loss(self._match(h[:, -1], states[rows, known.sum(-1)], items, m), rows, wanted)]
        if self.params.place_weight:
            row, place = known[:, 1:].nonzero(as_tuple=True)  # the item at place + 1 follows the one at place
            loss = h.sum() * 0.0  # so that every batch has as many parts
            if len(row):
                scores = self._match(h[row, place], states[row, place + 1], items, m, "place")
                loss = self.pair_loss(scores, torch.arange(len(row), device=h.device), lists[row, place + 1])
            found.append(self.params.place_weight * loss)
        return found

    def predict(self, interaction: Any) -> Tensor:
        """Scores of pairs -> [N]; each list is read once, and by likelihood no other titles than those asked for."""
        lists = torch.cat([interaction[self.USER_ID].unsqueeze(1), interaction[self.ITEM_SEQ]], dim=1)
        unique, row = torch.unique(lists, dim=0, return_inverse=True)
        users = self.user_features({self.USER_ID: unique[:, 0], self.ITEM_SEQ: unique[:, 1:]})
        pairs = interaction[self.ITEM_ID]
        wanted = [torch.unique(pairs[row == number]) for number in range(len(unique))]
        alone = self.params.candidates is None
        return self._scores(users, self.item_inputs(), wanted if alone else None)[row, pairs]

    @contextmanager
    def nothing_kept(self) -> Iterator[None]:
        """Within it a user's own words are read anew; titles are the items' and stay kept."""
        self.keeps_users = False
        try:
            yield
        finally:
            self.keeps_users = True

    @torch.no_grad()
    def diagnostics(self, users: Features, items: Features) -> dict[str, Tensor]:
        """Means over the items told to each of B users: ``modalities`` [B, M], their weights, and ``experts`` [B, M E],
        what each expert adds; nothing where there are no modalities."""
        m = self._known(items)
        soft = items["title"][1] * 0 if m is None else m.present.any(-1) * self.params.soft_tokens
        lists = self.prompts.lists(users[HISTORY][0], items["title"], soft, self._about(users))
        if m is None or self.fusion is None:
            return {}
        weights = self.fusion.weights(m, lists, self._user_states(lists, users, m)[:, 1:])  # [B, L, M]
        told = {"experts": self.fusion.soft(m, lists, weights)[1]}
        told |= {} if self.params.fusion == "concat" else {"modalities": weights}
        counted = ((lists > 0) & m.present[lists].any(-1)).unsqueeze(-1).float()
        return {name: (part * counted).sum(1) / counted.sum(1).clamp(min=1) for name, part in told.items()}
