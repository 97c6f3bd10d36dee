"""PatientFeatures: the inputs of a model for patients written by hand, whom no data set holds."""
from __future__ import annotations

from pathlib import Path
from typing import Any, Mapping, Sequence

import torch
from torch import Tensor

from ..encoders import EncoderSpec, TextEncoder
from ..errors import DataError, nearest
from .profile import ProfileEncoder
from .requests import FeatureRequest, TokenSpec, VisitPromptSpec
from .visit_prompts import VisitPrompts
from .words import WordEncoder
from .wrapping import WrappedTokens

Patient = Mapping[str, Any]


class PatientFeatures:
    """Turns patients such as ``{"text": "...", "age": 71, "conditions": ["gout"]}`` into user inputs.

    Encoders are loaded once, on first use. Every key that the model was trained with must be there; None says that a
    value is not known.

    Args:
        requests: the model's requests; those of items are passed over.
        states: JSON state per request key, as `Catalogue.states` and `FeatureRecommender.states` hold them.
        widths: D per user request key, as `Catalogue.widths` and `FeatureRecommender.widths` hold them.
        device: where encoders run and tensors end.
        cache: folder of converted backbones; None is the default one.
        allow_download: see `TextEncoder`.
    """

    def __init__(self, requests: Sequence[FeatureRequest], states: Mapping[str, dict[str, Any]],
                 widths: Mapping[str, int], *, device: str | torch.device = "cpu", cache: Path | None = None,
                 allow_download: bool = False) -> None:
        self.requests = [request for request in requests if request.side == "user"]
        self.widths = dict(widths)
        self.device, self.cache, self.allow_download = torch.device(device), cache, allow_download
        self._profiles = {request.name: ProfileEncoder.from_state(states[request.key]) for request in self.requests
                          if request.modality in ("profile", "codes")}
        self._words = {request.name: WordEncoder.from_state(states[request.key]) for request in self.requests
                       if request.modality == "words"}
        self._texts: dict[EncoderSpec, TextEncoder] = {}
        self._prompts: dict[TokenSpec, WrappedTokens] = {}
        self._told = {request.name: states[request.key] for request in self.requests
                      if isinstance(request.encoder, VisitPromptSpec)}
        self._visit_prompts: dict[str, VisitPrompts] = {}

    @property
    def keys(self) -> list[str]:
        """Keys that every patient must have."""
        fields = {name for encoder in self._profiles.values() for name in encoder.names}
        fields |= {name for state in self._told.values() for name in state["profile"]}
        reads_text = any(request.modality in ("text", "words", "length") or isinstance(request.encoder, TokenSpec)
                         for request in self.requests)
        return (["text"] if reads_text else []) + sorted(fields)

    def encode(self, patients: Sequence[Patient]) -> dict[str, tuple[Tensor, Tensor]]:
        """Patients [B] -> request name to features [B, D] (token ids [B, T]) and presence [B].

        Raises:
            DataError: a key is missing, unknown or of a wrong type; patient number and key are named, never a value.
        """
        self._check(patients)
        texts = [patient.get("text") or "" for patient in patients]
        there = torch.tensor([bool(text.strip()) for text in texts], dtype=torch.bool)
        found = {}
        for request in self.requests:
            if request.name in self._profiles:
                encoder = self._profiles[request.name]
                matrix, present = encoder.transform(patients, "patient"), encoder.present(patients)
            elif request.name in self._words:
                matrix, present = self._words[request.name].transform(texts).to_dense(), there
            elif request.modality == "length":
                matrix, present = torch.tensor([[float(len(text))] for text in texts]), there
            elif isinstance(request.encoder, TokenSpec):
                new = [False] * len(texts)
                matrix, present = torch.from_numpy(self._tokenizer(request.encoder).table(texts, new)[0]), there
            elif isinstance(request.encoder, VisitPromptSpec):
                ids, told = self._visits(request.name, request.encoder).table(patients)
                matrix, present = torch.from_numpy(ids), torch.from_numpy(told)
            else:
                matrix, present = self._encode(request, texts, there), there
            found[request.name] = (matrix.to(self.device), present.to(self.device))
        return found

    def _check(self, patients: Sequence[Patient]) -> None:
        faults = []
        for place, patient in enumerate(patients, start=1):
            if not isinstance(patient, Mapping):
                raise DataError(f"patient {place}: write a mapping with the keys {', '.join(self.keys)}")
            faults += [f"patient {place}: key '{key}' is missing; give it, or null if it is not known"
                       for key in self.keys if key not in patient]
            faults += [f"patient {place}: unknown key '{key}'{nearest(str(key), self.keys)}"
                       for key in patient if key not in (*self.keys, "text", "id")]
            if not isinstance(patient.get("text"), (str, type(None))):
                faults.append(f"patient {place}: 'text' must be text")
        if faults or not patients:
            raise DataError("\n".join(faults[:20]) if faults else "no patient was given")

    def _tokenizer(self, spec: TokenSpec) -> WrappedTokens:
        if spec not in self._prompts:
            self._prompts[spec] = WrappedTokens(spec, allow_download=self.allow_download, cache=self.cache)
        return self._prompts[spec]

    def _visits(self, name: str, spec: VisitPromptSpec) -> VisitPrompts:
        if name not in self._visit_prompts:
            self._visit_prompts[name] = VisitPrompts.load(spec, self._told[name], cache=self.cache,
                                                          allow_download=self.allow_download)
        return self._visit_prompts[name]

    def _encode(self, request: FeatureRequest, texts: list[str], there: Tensor) -> Tensor:
        spec = request.encoder
        assert isinstance(spec, EncoderSpec)
        matrix = torch.zeros(len(texts), self.widths[request.key])
        if there.any():
            if spec not in self._texts:
                self._texts[spec] = TextEncoder(spec, device=self.device, allow_download=self.allow_download,
                                                cache=self.cache)
            rows = [text for text, is_there in zip(texts, there.tolist()) if is_there]
            matrix[there] = torch.from_numpy(self._texts[spec].encode(rows, progress=False))
        return matrix
