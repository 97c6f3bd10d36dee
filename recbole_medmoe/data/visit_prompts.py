"""VisitPrompts: a visit and the ones known to be earlier, told in words, as the token ids of a prompt."""
from __future__ import annotations

import hashlib
import json
import logging
import math
from pathlib import Path
from typing import Any, Iterator, Mapping, Sequence

import numpy as np

from ..encoders import PADDING, PromptTokenizer, Template, load_template
from ..errors import CheckpointError, ConfigError, DataError, nearest
from .requests import VisitPromptSpec
from .visit_tables import KINDS, MEDICATIONS

PLACES = ("visits", "history", "diagnoses", "procedures", "profile")
"""Places of the template of the visit that is scored."""
VISIT_PLACES = ("number", "diagnoses", "procedures", "medications")
"""Places of the template of an earlier visit."""
_NOTHING = "none recorded"
_TOKENIZE = 1024  # prompts per call of the tokenizer

Visit = Mapping[str, Any]
log = logging.getLogger("recbole_medmoe")


class VisitPrompts:
    """Visits, as they are written by hand, to prompts and their token ids; the visits of a data set go the same way.

    The template of the visit that is scored has the places ``{visits}``, the number of visits known to be earlier;
    ``{history}``, one line of the other template for each of the last ``spec.visits`` of them, oldest first;
    ``{diagnoses}``, ``{procedures}``; and ``{profile}``, the columns of the ``.user`` file. The template of an earlier
    visit has ``{number}``, counted from the oldest known one; ``{diagnoses}``, ``{procedures}``, ``{medications}``.

    Codes stand in their alphabetical order, by their names; one that has none stands as it is. All are told, whether
    training has seen them or not, but one that another of the visit only makes more precise (``a`` beside ``a|b``).

    Args:
        words: the tokenizer, without a template.
        spec: what is told.
        state: ``names``, from ``diag``, ``proc`` and ``medications`` to the name of each code; ``profile``, the columns
            to tell; ``prompt_sha256``.

    Raises:
        ConfigError: a template with a place that it cannot have.
        CheckpointError: the state is of other templates or options.

    Example:
        >>> prompts.text({"diag": ["I10"], "proc": None, "earlier": None})  # doctest: +SKIP
        'Earlier hospital stays on record: 0. ...'
    """

    def __init__(self, words: PromptTokenizer, spec: VisitPromptSpec, state: Mapping[str, Any]) -> None:
        self.words, self.spec = words, spec
        self.now, self.old = load_templates(spec)
        if state["prompt_sha256"] != prompt_sha256(spec):
            raise CheckpointError(f"prompt templates '{spec.template}' and '{spec.visit_template}' are not those that "
                                  "the model was trained with; bring these back, or train again")
        self.names, self.profile = state["names"], state["profile"]

    @classmethod
    def load(cls, spec: VisitPromptSpec, state: Mapping[str, Any], *, cache: Path | None = None,
             allow_download: bool = False) -> VisitPrompts:
        """With the backbone's tokenizer.

        Raises:
            ConfigError, MissingPackageError: as `PromptTokenizer.load`.
        """
        return cls(PromptTokenizer.load(spec.backbone, None, spec.max_tokens, spec.begin, cache=cache,
                                        allow_download=allow_download), spec, state)

    def text(self, visit: Visit) -> str:
        """The whole prompt, however long."""
        return next(self._shorter(visit))[0]

    def table(self, visits: Sequence[Visit | None]) -> tuple[np.ndarray, np.ndarray]:
        """Token ids of N visits.

        A prompt longer than ``max_tokens`` loses its oldest visits first, then codes at the end of its two lists, the
        longer list first; the template's words are never cut. What was left out is counted and told in the log.

        Args:
            visits: mappings with ``diag``, ``proc``, ``earlier`` and the columns of the profile; None is absent.

        Returns:
            Ids [N, T] int64, filled up with -1 on the right; presence [N] bool.

        Raises:
            ConfigError: the template alone is longer, or gives a visit not a single token.
        """
        there = [visit for visit in visits if visit is not None]
        rows: list[list[int]] = []
        cut = visits_lost = codes_lost = 0
        for start in range(0, len(there), _TOKENIZE):
            part = there[start:start + _TOKENIZE]
            for visit, ids in zip(part, self._ids([self.text(visit) for visit in part])):
                if len(ids) > self.spec.max_tokens:
                    ids, visits_less, codes_less = self._fitting(visit)
                    cut, visits_lost, codes_lost = cut + 1, visits_lost + visits_less, codes_lost + codes_less
                if not ids:
                    raise ConfigError([f"prompt template '{self.spec.template}' gives a visit no token; add words"])
                rows.append(ids)
        if cut:
            log.warning("%d of %d prompts were longer than %d tokens: %d earlier visits and %d codes are not told", cut,
                        len(there), self.spec.max_tokens, visits_lost, codes_lost)
        present: np.ndarray = np.array([visit is not None for visit in visits], dtype=bool)
        table: np.ndarray = np.full((len(visits), max([1, *map(len, rows)])), PADDING, dtype=np.int64)
        for place, row in zip(np.flatnonzero(present), rows):
            table[place, :len(row)] = row
        return table, present

    def _ids(self, prompts: Sequence[str]) -> list[list[int]]:
        last = self.words.tokenizer.eos_token_id if self.spec.end else None
        return [ids + ([] if last is None else [last]) for ids in self.words.ids(prompts)]

    def _fitting(self, visit: Visit) -> tuple[list[int], int, int]:
        """Ids of the longest prompt that fits, and how many earlier visits and codes it lost."""
        for text, visits, codes in self._shorter(visit):
            ids = self._ids([text])[0]
            if len(ids) <= self.spec.max_tokens:
                return ids, visits, codes
        raise ConfigError([f"prompt_max_tokens {self.spec.max_tokens}: prompt template '{self.spec.template}' has "
                           f"{len(ids)} tokens without a single code"])

    def _shorter(self, visit: Visit) -> Iterator[tuple[str, int, int]]:
        """Prompts, each shorter than the one before, with the earlier visits and codes that they lack."""
        codes = {kind: self._names(kind, visit.get(kind)) for kind in KINDS}
        earlier = visit.get("earlier") or []
        first = max(0, len(earlier) - self.spec.visits)
        lines = [self._line(number, old, codes) for number, old in enumerate(earlier, start=1) if number > first]
        for gone in range(len(lines) + 1):
            yield self._prompt(visit, codes, lines[gone:]), gone, 0
        every = sum(map(len, codes.values()))
        for gone in range(1, every + 1):
            longer = max(KINDS, key=lambda kind: len(codes[kind]))
            codes = {**codes, longer: codes[longer][:-1]}
            yield self._prompt(visit, codes, []), len(lines), gone

    def _prompt(self, visit: Visit, codes: Mapping[str, list[str]], lines: Sequence[str]) -> str:
        return self.now.render({
            "visits": str(len(visit.get("earlier") or [])), "history": "".join(f"{line}\n" for line in lines),
            "diagnoses": _listed(codes["diag"]), "procedures": _listed(codes["proc"]),
            "profile": _listed([f"{name.replace('_', ' ')} {shown(visit.get(name))}" for name in self.profile
                                if shown(visit.get(name))], ", ")})

    def _line(self, number: int, old: Visit, now: Mapping[str, list[str]]) -> str:
        diagnoses = self._names("diag", old.get("diag")) if self.spec.history_diagnoses == "own" else now["diag"]
        return self.old.render({
            "number": str(number), "diagnoses": _listed(diagnoses),
            "procedures": _listed(self._names("proc", old.get("proc"))),
            "medications": _listed(self._names(MEDICATIONS, old.get(MEDICATIONS)))})

    def _names(self, kind: str, codes: Sequence[str] | None) -> list[str]:
        """Names of a set of codes, in the order of the codes, each once."""
        known = sorted(set(codes or ()))
        paths = {code[:place] for code in known for place, letter in enumerate(code) if letter == "|"}
        return list(dict.fromkeys(self.names[kind].get(code, code) for code in known if code not in paths))


def prompt_sha256(spec: VisitPromptSpec) -> str:
    """SHA-256 of all that shapes a prompt beside the data: the templates' words and the options.

    Raises:
        ConfigError: as `load_template`.
    """
    told = [load_template(spec.template).sha256, load_template(spec.visit_template).sha256, spec.max_tokens,
            spec.visits, spec.history_diagnoses, spec.end, *(["begin"] if spec.begin else [])]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def load_templates(spec: VisitPromptSpec) -> tuple[Template, Template]:
    """The templates of the visit that is scored and of an earlier one.

    Raises:
        ConfigError: as `load_template`, or a place that a template cannot have.
    """
    found = load_template(spec.template), load_template(spec.visit_template)
    faults = [f"prompt template '{template.name}': unknown place '{{{place}}}'{nearest(place, known)}"
              for template, known in zip(found, (PLACES, VISIT_PLACES)) for place in template.places
              if place not in known]
    if faults:
        raise ConfigError(faults)
    return found


def _listed(names: Sequence[str], between: str = "; ") -> str:
    return between.join(names) or _NOTHING


def shown(value: Any) -> str:
    """A value of a profile in words; empty where it is not known.

    Raises:
        DataError: neither a text, a number, a list of texts nor None.
    """
    if value is None or isinstance(value, float) and math.isnan(value):
        return ""
    if isinstance(value, (int, float)):
        return f"{value:g}"
    if isinstance(value, str):
        return value
    if isinstance(value, Sequence) and all(isinstance(part, str) for part in value):
        return " and ".join(sorted(value))
    raise DataError("a value of a visit's profile must be a text, a number, a list of texts, or null if not known")
