"""What a model asks of its data: features by name, and the small protocol that a data set and a catalogue share."""
from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Literal, Mapping, NamedTuple, Protocol

from torch import Tensor

from ..encoders import EncoderSpec
from ..errors import ConfigError
from .visit_tables import Ragged, VisitTables

SIDES = ("user", "item")
MODALITIES = ("text", "image", "profile", "codes", "words", "tokens", "length", "collaborative")
GIVEN = "given"
"""The backbone of an `EncoderSpec` whose vectors were made elsewhere and lie in the data set's folder ``vectors/``."""


@dataclass(frozen=True)
class WordSpec:
    """A bag of words: word n-grams from one word up to ``ngrams``, in at least ``min_count`` training texts."""

    ngrams: int
    min_count: int
    max_words: int


@dataclass(frozen=True)
class TokenSpec:
    """The token ids of a prompt, for a model that runs the language model itself.

    Args:
        backbone: whose tokenizer; see `EncoderSpec`.
        template: prompt template; None gives the raw text.
        max_tokens: longest prompt; what is longer loses the end of its text, never of its template.
        special: with the tokenizer's own tokens, such as the one that begins a text; a continuation has none.
        paraphrases: templates beside the first; each text takes one of them by its hash.
        held_out: templates for texts that training does not see, new ones among them, in place of the others.
        keep: ``end`` takes what is too long from the beginning of the text instead.
        setting: what a user calls ``max_tokens``; two requests that differ in it alone are the same.
    """

    backbone: str
    template: str | None
    max_tokens: int
    special: bool = True
    paraphrases: tuple[str, ...] = ()
    held_out: tuple[str, ...] = ()
    keep: Literal["start", "end"] = "start"
    setting: str = field(default="max_tokens", compare=False)

    @property
    def templates(self) -> tuple[str, ...]:
        """Every template that a text may get."""
        return (*(() if self.template is None else (self.template,)), *self.paraphrases, *self.held_out)


@dataclass(frozen=True)
class VisitPromptSpec:
    """The token ids of a prompt that tells a visit and the ones known to be earlier, in words; see `VisitPrompts`.

    Args:
        backbone: whose tokenizer; see `EncoderSpec`.
        template: prompt template of the visit that is scored.
        visit_template: prompt template of an earlier visit.
        max_tokens: longest prompt; what is longer loses its oldest visits, then codes of the visit that is scored.
        visits: most earlier visits that are told, the last ones.
        history_diagnoses: ``own``, or ``current`` for those of the visit that is scored in place of an earlier visit's.
        end: ends with the tokenizer's token for the end of a text, where it has one.
        begin: with the tokenizer's own tokens, such as the one that begins a text.
    """

    backbone: str
    template: str
    visit_template: str
    max_tokens: int
    visits: int
    history_diagnoses: Literal["own", "current"] = "own"
    end: bool = True
    begin: bool = False


@dataclass(frozen=True)
class CollaborativeSpec:
    """Item vectors of a small model of RecBole's, trained first on the same training rows.

    Args:
        model: ``SASRec``, ``BPR``, ``LightGCN`` or another whose items have vectors.
        keys: keys of its configuration as JSON; see `of`.
    """

    model: str
    keys: str = "{}"

    @classmethod
    def of(cls, model: str, keys: Mapping[str, Any]) -> CollaborativeSpec:
        """From the keys as a mapping.

        Example:
            >>> CollaborativeSpec.of("BPR", {"epochs": 20}).keys
            '{"epochs": 20}'
        """
        return cls(model, json.dumps(dict(keys), sort_keys=True))


@dataclass(frozen=True)
class FeatureRequest:
    """One feature matrix.

    Args:
        name: what the model calls it; unique per side.
        side: ``user`` or ``item``.
        modality: ``text`` and ``image`` come from a frozen encoder; ``profile`` is every column of the ``.user`` or
            ``.item`` file, ``codes`` its sets of tokens as 0 and 1; ``words`` counts words; ``tokens`` are token
            ids; ``length`` is the number of characters of the text; ``collaborative`` comes from a small model of the
            same training rows.
        encoder: an `EncoderSpec` for text and image, a `WordSpec` for words, a `TokenSpec` for tokens, or a
            `VisitPromptSpec` where users are visits, a `CollaborativeSpec` for collaborative; else None.
        fields: columns of profile and codes; empty means all that fit.
        optional: a data set without any such thing gives a table of width 1 in which every row is absent, instead of
            an error.

    Raises:
        ConfigError: parts that do not go together.
    """

    name: str
    side: str
    modality: str
    encoder: EncoderSpec | WordSpec | TokenSpec | VisitPromptSpec | CollaborativeSpec | None = None
    fields: tuple[str, ...] = ()
    optional: bool = False

    def __post_init__(self) -> None:
        kinds: dict[str, tuple[type, ...]] = {"text": (EncoderSpec,), "image": (EncoderSpec,), "words": (WordSpec,),
                                              "tokens": (TokenSpec, VisitPromptSpec),
                                              "collaborative": (CollaborativeSpec,)}
        wanted = kinds.get(self.modality, (type(None),))
        fits = self.modality in MODALITIES and (self.side == "item" or self.side in SIDES
                                                and self.modality != "collaborative")
        if not fits or not isinstance(self.encoder, wanted):
            raise ConfigError([f"feature '{self.name}': side '{self.side}', modality '{self.modality}' and encoder "
                               f"{self.encoder!r} do not go together"])

    @property
    def key(self) -> str:
        """Name that is unique over both sides, e.g. ``user_text``."""
        return f"{self.side}_{self.name}"

    @property
    def is_fitted(self) -> bool:
        """Whether training rows shape the feature, so that its state must be kept with the model."""
        return self.modality in ("profile", "codes", "words")


class FeatureTable(NamedTuple):
    """By RecBole's internal id, row 0 being [PAD]: matrix [N, D] float32 (sparse for words) and present [N] bool.

    Of ``tokens`` the matrix is [N, T] int64, filled up with -1 on the right, and -1 throughout where a text is absent.
    """

    matrix: Tensor
    present: Tensor


class FeatureSource(Protocol):
    """What a `FeatureRecommender` needs of its data: `MedDataset` while training, `Catalogue` afterwards."""

    item_tokens: list[str]

    @property
    def visits(self) -> VisitTables | None:
        """Codes, history and medications where users are visits (task medication), else None."""

    @property
    def teacher_states(self) -> tuple[Tensor, Tensor] | None:
        """What a teacher makes of training visits, [U, W] and presence [U] bool; None where there is no teacher."""

    @property
    def ddi(self) -> Tensor | None:
        """[I, I] bool: pairs of medications that interact; None where there is no list."""

    @property
    def options(self) -> Ragged | None:
        """Item ids of each question's options [U] where users are questions (task choice), else None."""

    @property
    def train_users(self) -> Tensor:
        """[U] bool: users with a training row."""

    @property
    def train_items(self) -> Tensor:
        """[I] bool: items with a training row."""

    @property
    def known_items(self) -> Tensor:
        """[I] bool: items that training may set against each other; cold items and [PAD] are not among them."""

    def num(self, field: str) -> int:
        """Number of internal ids of the user or item column, [PAD] included."""

    def features(self, request: FeatureRequest) -> FeatureTable:
        """Feature table of one request."""

    def fitted(self, request: FeatureRequest) -> dict[str, Any] | None:
        """JSON state of a fitted feature; None for what is not fitted."""

    def training_pairs(self) -> tuple[Tensor, Tensor]:
        """User ids [N] and item ids [N] of the training rows; empty where there are none."""
