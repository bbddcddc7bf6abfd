"""Texts against a query where there is no catalogue: how likely each is an answer (`/rerank`)."""

from collections.abc import Sequence

import numpy as np

from features.arrays import FloatArray
from serving.search.relevance import COLUMN, COLUMNS, RelevanceModel
from serving.search.understanding.demotion import demoted_texts
from serving.search.understanding.unwanted import read_unwanted
from serving.search.words.analysis import Analyzer
from serving.search.words.stop_words import StopWords


class TextRelevance:
    """Judges texts. Words count by their letters: without a catalogue there is no rarity."""

    def __init__(self, analyzer: Analyzer | None = None) -> None:
        self._analyzer = analyzer or Analyzer()
        self._is_stop_word = StopWords(self._analyzer.language)

    def columns(self, query: str, texts: Sequence[str], cosines: FloatArray) -> FloatArray:
        """COLUMNS of `texts`, float32 (n, len(COLUMNS)); cosines (n,): NaN = no vector."""
        out = np.zeros((len(texts), len(COLUMNS)), np.float32)
        out[:, COLUMN["cosine"]] = np.nan_to_num(cosines)
        asked = self._weights(query)
        whole = sum(asked.values())
        for place, text in enumerate(texts):
            held = self._weights(text)
            shared = sum(weight for term, weight in asked.items() if term in held)
            share = shared / whole if whole else 0.0
            for name in ("title", "any_field", "name"):
                out[place, COLUMN[name]] = share
            out[place, COLUMN["all_words"]] = float(share == 1.0)
            out[place, COLUMN["title_share"]] = shared / (sum(held.values()) or 1.0)
            out[place, COLUMN["exact_title"]] = float(held.keys() == asked.keys() and whole > 0)
        return out

    def probability(
        self, model: RelevanceModel, query: str, texts: Sequence[str], cosines: FloatArray
    ) -> FloatArray:
        """How likely each text is an answer, float32 (n,); an empty one is none, and one that has
        what the query does not want is less."""
        columns = self.columns(query, texts, cosines)
        values = model.probability(columns, np.isfinite(cosines))
        values[[not text.strip() for text in texts]] = 0.0
        unwanted = read_unwanted(query, self._analyzer.terms).unwanted
        return demoted_texts(values, unwanted, texts, self._analyzer) if unwanted else values

    def _weights(self, text: str) -> dict[str, float]:
        spans = self._analyzer.spans(text)
        telling = [term for term, word in spans if not self._is_stop_word(word)]
        return {term: float(len(term)) for term in telling or [term for term, _ in spans]}
