"""HybridPrompt: words of a template, titles by their ids, and soft tokens, read by a language model."""
from __future__ import annotations

import logging
from typing import NamedTuple, Sequence

import torch
from torch import Tensor, nn

from ..encoders import PADDING, load_template
from ..encoders.batches import token_batches
from ..encoders.soft_prompt import SoftPromptBackbone
from ..errors import ConfigError
from ..layers.weaving import Weaver

log = logging.getLogger("recbole_medmoe")


class Prompts(NamedTuple):
    """B prompts without their beginning.

    Attributes:
        states: [B, T, W].
        mask: [B, T] bool.
        lengths: tokens of each, B numbers.
        ends: [B, L] place of the last token of each item of the list.
        answer: [B] place of the token [answer].
    """

    states: Tensor
    mask: Tensor
    lengths: list[int]
    ends: Tensor
    answer: Tensor


def prompt_words(name: str, with_user: bool) -> tuple[str, str, str]:
    """The words of a template with the places ``{user}`` and ``{history}``, in this order: its beginning, what stands
    between the two, and the question.

    Args:
        name: of the template, see `load_template`.
        with_user: whether something is told of the user; if not, ``{user}`` is empty and may be missing.

    Raises:
        ConfigError: other places.
    """
    template = load_template(name)
    if template.places not in (("user", "history"), *([] if with_user else [("history",)])):
        raise ConfigError([f"prompt template '{name}': its places are {', '.join(template.places) or 'none'}; write "
                           "{user} and, after it, {history}, each once"])
    words = [words for words, _ in template.parts] + ([""] if template.parts[-1][1] is not None else [])
    if len(words) == 2:
        return words[0], "", words[1]
    return (words[0], words[1], words[2]) if with_user else (words[0] + words[1], "", words[2])


class HybridPrompt(nn.Module):
    """Beginning, the user, the items of a list with their titles and soft tokens, the question, and a token [answer].

    Two special tokens are embeddings of its own: [answer], at whose state the prompt is read, and one that stands for
    an item without a title.

    Args:
        llm: reads the prompts, behind their beginning.
        between: token ids of the words between user and list.
        question: token ids of the words after the list.
        whole_titles: titles by all of their tokens, else by the state of the last one, which has read the others.
        history_items: most items of a list that are told, the last ones.
        max_tokens: longest prompt, its beginning included; where a list does not fit, its oldest items are left out.
        user_tokens: most tokens that are told of a user.

    Attributes:
        lists_cut: lists so far that lost items because the prompt was full.
    """

    def __init__(self, llm: SoftPromptBackbone, between: Sequence[int], question: Sequence[int], *, whole_titles: bool,
                 history_items: int, max_tokens: int, user_tokens: int) -> None:
        super().__init__()
        self.llm, self.whole_titles, self.history_items = llm, whole_titles, history_items
        self.fixed = [torch.tensor(ids, dtype=torch.int64) for ids in (between, question)]
        self.special = nn.Parameter(torch.randn(2, llm.width) * llm.length / llm.width ** 0.5)  # [answer], [no title]
        self.room = max_tokens - len(llm.beginning) - len(between) - len(question) - 1
        self.lists_cut = 0
        if self.room <= user_tokens:
            told = f", and the user's text up to {user_tokens}" if user_tokens else ""
            raise ConfigError([f"prompt_max_tokens {max_tokens}: the template's words alone have "
                               f"{max_tokens - self.room} tokens{told}; no place is left for an item"])

    def texts(self, table: tuple[Tensor, Tensor], rows: Sequence[int], keep: bool = True) -> dict[int, Tensor]:
        """States [T, W] of the texts of some rows of a table of token ids, as far as they are there; kept or not."""
        ids, there = (part.cpu() for part in table)
        found = [row for row in rows if there[row]]
        return dict(zip(found, self.llm.texts([ids[row][ids[row] != PADDING] for row in found], keep)))

    def each(self, table: tuple[Tensor, Tensor], rows: Sequence[int], keep: bool = True) -> list[Tensor]:
        """As `texts`, one for each row [t, W]; t of 0 where there is no text."""
        found = self.texts(table, rows, keep)
        return [found.get(row, self.special[:0]) for row in rows]

    def lists(self, history: Tensor, titles: tuple[Tensor, Tensor], soft: Tensor, about: Sequence[Tensor]) -> Tensor:
        """The last items of each list that fit into the prompt.

        Args:
            history: ids [B, L] from the oldest on, 0 for none.
            titles: token ids [I, T] and presence [I].
            soft: soft tokens of each item [I].
            about: what is told of each user, B times [t, W].

        Returns:
            ids [B, L], filled up with 0 on the right.
        """
        spoken = (titles[0] != PADDING).sum(-1) * titles[1] if self.whole_titles else torch.ones_like(soft)
        cost = (spoken.clamp(min=1) + soft).tolist()
        rows = []
        for listed, told in zip(history.tolist(), about):
            wanted, room = [item for item in listed if item][-self.history_items:], self.room - len(told)
            kept = len(wanted)
            while kept and sum(cost[item] for item in wanted[-kept:]) > room:
                kept -= 1
            self._count(kept < len(wanted))
            rows.append(wanted[len(wanted) - kept:])
        longest = max(1, *map(len, rows))
        return torch.tensor([row + [0] * (longest - len(row)) for row in rows], device=history.device)

    def _count(self, is_cut: bool) -> None:
        if is_cut and not self.lists_cut:
            log.warning("a list of items lost its oldest: the prompt takes %d tokens beside its words; further ones "
                        "are counted, not told", self.room)
        self.lists_cut += is_cut

    def weave(self, lists: Tensor, titles: tuple[Tensor, Tensor], soft: Tensor, there: Tensor, about: Sequence[Tensor],
              then: Sequence[Tensor] | None = None) -> Prompts:
        """Puts B prompts together.

        Args:
            lists: item ids [B, L], from `lists`.
            titles: token ids [I, T] and presence [I].
            soft: soft tokens of each item of the list [B, L, K, W].
            there: [B, L] bool, items that have soft tokens.
            about: what is told of each user, B times [t, W].
            then: states [t, W] that follow [answer] in each prompt, in training; None for none.
        """
        weaver = Weaver()
        answer = weaver.add(self.special)
        between, question = ([place for state in self.llm.texts([ids] if len(ids) else [])
                              for place in _places(weaver, state)] for ids in self.fixed)
        told = self.texts(titles, [item for item in torch.unique(lists).tolist() if item])
        spoken = {item: _places(weaver, state) for item, state in told.items()}
        tokens = iter(_places(weaver, soft.flatten(0, 2)))
        each = [[[next(tokens) for _ in range(soft.shape[2])] for _ in row] for row in lists.tolist()]
        rows, answers, ends = [], [], torch.zeros_like(lists)
        has_soft = there.tolist()
        for b, listed in enumerate(lists.tolist()):
            row = _places(weaver, about[b]) + between
            for n, item in enumerate(listed):
                if not item:
                    break
                title = spoken.get(item, [answer + 1])
                row = row + (title if self.whole_titles else title[-1:]) + (each[b][n] if has_soft[b][n] else [])
                ends[b, n] = len(row) - 1
            answers.append(len(row) + len(question))
            rows.append(row + question + [answer] + ([] if then is None else _places(weaver, then[b])))
        states, mask = weaver.rows(rows)
        return Prompts(states, mask, list(map(len, rows)), ends, torch.tensor(answers, device=mask.device))

    def read(self, prompts: Prompts, places: Tensor) -> Tensor:
        """States of the last layer at some places [B, P] of each prompt -> [B, P, W]; prompts of like length run
        together. Each prompt runs once."""
        found: list[Tensor] = []
        order: list[int] = []
        for rows in token_batches(prompts.lengths, self.llm.batch_tokens):
            longest = max(prompts.lengths[row] for row in rows)
            states = self.llm.read(prompts.states[rows, :longest], prompts.mask[rows, :longest])
            at = places[rows].clamp(max=longest - 1).unsqueeze(-1).expand(-1, -1, states.shape[-1])
            found.append(states.gather(1, at).float())
            order += rows
        return torch.cat(found)[torch.tensor(order, device=places.device).argsort()]

    @torch.no_grad()
    def rank(self, prompts: Prompts, scores: Tensor, titles: tuple[Tensor, Tensor], best: int | None,
             wanted: Sequence[Tensor] | None) -> Tensor:
        """Ranks candidates by the mean log-likelihood of their titles after each prompt; all others stand below them,
        in the order that they have.

        Args:
            prompts: from `weave`.
            scores: [B, I], the order so far.
            titles: token ids [I, T] and presence [I].
            best: how many of each row are candidates, the first by ``scores``; None for all.
            wanted: the candidates of each row, in place of the first ones.

        Returns:
            [B, I].
        """
        ids, there = titles[0].cpu(), titles[1].clone()
        there[0] = False  # [PAD]
        count = min(best or len(there), int(there.sum()))
        ranked = []
        for row, length in enumerate(prompts.lengths):
            chosen = scores[row].masked_fill(~there, -torch.inf).topk(count).indices if wanted is None else \
                wanted[row][there[wanted[row]]]
            told = self.llm.follow(prompts.states[row, :length],
                                   [ids[item][ids[item] != PADDING] for item in chosen.tolist()])
            below = float(told.min()) - 1 if len(told) else -1.0
            ranked.append((scores[row] - scores[row].max() + below).index_copy(0, chosen, told))
        return torch.stack(ranked)


def _places(weaver: Weaver, states: Tensor) -> list[int]:
    first = weaver.add(states)
    return list(range(first, first + len(states)))
