"""Bags of words: TF-IDF over word n-grams, fitted on training texts only and kept as plain JSON."""
from __future__ import annotations

from typing import Any, Mapping, Sequence

import numpy as np
import torch
from sklearn.feature_extraction.text import TfidfVectorizer
from torch import Tensor

from ..errors import DataError
from .requests import WordSpec


class WordEncoder:
    """Texts to rows of unit length over a fixed vocabulary; scikit-learn's TF-IDF with sublinear counts.

    Args:
        vocabulary: D n-grams, in the order of the columns.
        idf: [D] weights.
        ngrams: longest n-gram in words.
    """

    def __init__(self, vocabulary: Sequence[str], idf: Sequence[float], ngrams: int) -> None:
        self.vocabulary, self.ngrams = list(vocabulary), ngrams
        self._vectorizer = _vectorizer(ngrams, vocabulary=self.vocabulary)
        self._vectorizer.idf_ = np.asarray(idf, dtype=np.float64)

    @classmethod
    def fit(cls, texts: Sequence[str], spec: WordSpec) -> WordEncoder:
        """Learns vocabulary and weights from training texts.

        Raises:
            DataError: no n-gram is frequent enough.
        """
        vectorizer = _vectorizer(spec.ngrams, min_df=spec.min_count, max_features=spec.max_words)
        try:
            vectorizer.fit(texts)
        except ValueError as fault:
            raise DataError(f"bag of words: no word stands in {spec.min_count} of {len(texts)} training texts; "
                            "lower --min_count") from fault
        return cls(vectorizer.get_feature_names_out().tolist(), vectorizer.idf_.tolist(), spec.ngrams)

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> WordEncoder:
        """Rebuilds an encoder from `state`."""
        return cls(state["vocabulary"], state["idf"], state["ngrams"])

    def state(self) -> dict[str, Any]:
        """Plain values that JSON can hold."""
        return {"vocabulary": self.vocabulary, "idf": self._vectorizer.idf_.tolist(), "ngrams": self.ngrams}

    @property
    def width(self) -> int:
        """D, number of columns."""
        return len(self.vocabulary)

    def transform(self, texts: Sequence[str]) -> Tensor:
        """Texts [B] -> sparse [B, D] float32; n-grams that training has not seen are left out."""
        rows = self._vectorizer.transform(texts).tocoo()
        places = torch.from_numpy(np.stack([rows.row, rows.col]).astype(np.int64))
        values = torch.from_numpy(rows.data.astype(np.float32))
        return torch.sparse_coo_tensor(places, values, (len(texts), self.width), check_invariants=False).coalesce()


def _vectorizer(ngrams: int, **options: Any) -> TfidfVectorizer:
    return TfidfVectorizer(ngram_range=(1, ngrams), sublinear_tf=True, token_pattern=r"(?u)\b\w+\b", **options)
