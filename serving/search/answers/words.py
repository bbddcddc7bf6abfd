"""How alike a question and the texts of a small collection are in their words."""

import unicodedata
from collections import Counter
from collections.abc import Sequence

import numpy as np
from scipy import sparse

from features.arrays import DoubleArray, FloatArray, LongArray
from serving.search.words.analysis import MAX_TERMS, Analyzer

_K1, _B = 1.2, 0.75  # of BM25, as Robertson and Zaragoza have them


class WordIndex:
    """Texts by their terms, as search analyses them. Of writing without spaces single characters
    count as well as pairs: a question of four characters has three pairs only."""

    def __init__(self, texts: Sequence[str], analyzer: Analyzer) -> None:
        self._analyzer = analyzer
        self._code_of: dict[str, int] = {}
        rows, codes, counts = [], [], []
        for row, text in enumerate(texts):
            for term, count in Counter(self._terms(text)).items():
                rows.append(row)
                codes.append(self._code_of.setdefault(term, len(self._code_of)))
                counts.append(count)
        row_of, code_of = np.array(rows, np.int64), np.array(codes, np.int64)
        times, n = np.array(counts, np.float64), len(texts)
        frequency = np.bincount(code_of, minlength=len(self._code_of))
        self._rarity = np.log1p((n - frequency + 0.5) / (frequency + 0.5))
        self._rarest = float(np.log1p(2 * n + 1))  # of a term that no text has
        length = np.bincount(row_of, times, n)
        relative = length[row_of] / max(float(length.mean()) if n else 0.0, 1e-6)
        bm25 = times * (_K1 + 1) / (times + _K1 * (1 - _B + _B * relative))
        self._bm25 = self._matrix(bm25 * self._rarity[code_of], row_of, code_of, n)
        weight = times * self._rarity[code_of]
        norm = np.sqrt(np.bincount(row_of, weight**2, n))
        self._unit = self._matrix(weight / norm[row_of], row_of, code_of, n)

    def shares(self, question: str) -> FloatArray:
        """BM25 of each text, less than 1 where words are missing: float32 (n,).

        Of what a text of usual length has that has every word once.
        """
        codes, _, unknown = self._read(question)
        whole = float(self._rarity[codes].sum()) + self._rarest * unknown
        total = np.asarray(self._bm25[:, codes].sum(axis=1), np.float64).ravel()
        return (total / max(whole, 1e-6)).astype(np.float32)

    def alike(self, question: str) -> FloatArray:
        """The cosine of question and each text by their words' rarities (TF-IDF), float32 (n,)."""
        codes, times, unknown = self._read(question)
        weight = times * self._rarity[codes]
        norm = np.sqrt(float(weight @ weight) + unknown * self._rarest**2)
        return np.asarray(self._unit[:, codes] @ weight / max(norm, 1e-6), np.float32)

    def _read(self, question: str) -> tuple[LongArray, DoubleArray, int]:
        """Codes and counts of the terms that texts have, and how many terms they have not."""
        counted = Counter(self._terms(question)[: 2 * MAX_TERMS])
        known = {self._code_of[term]: n for term, n in counted.items() if term in self._code_of}
        codes = np.array(list(known), np.int64)
        return codes, np.array(list(known.values()), np.float64), len(counted) - len(known)

    def _terms(self, text: str) -> list[str]:
        singles = [char for char in unicodedata.normalize("NFKC", text) if _unspaced(char)]
        return self._analyzer.terms(text) + singles

    @staticmethod
    def _matrix(values: DoubleArray, row: LongArray, code: LongArray, n: int) -> sparse.csc_array:
        shape = (n, int(code.max(initial=-1)) + 1)
        return sparse.csc_array((values, (row, code)), shape=shape)


def _unspaced(char: str) -> bool:
    return "\u3040" <= char < "\ud7b0"
