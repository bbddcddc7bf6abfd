"""A query that says what it does not want ("cat treats without chicken") finds that last."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from features.arrays import FloatArray, RowArray
from serving.search.relevance import Matches
from serving.search.understanding.mentions import READ, Mentions, said_in
from serving.search.words.analysis import Analyzer

# Log-odds of relevance that an item loses which has it in its title or brand, or tells of it
# elsewhere, or does not say that it is without (docs/search.md#what-a-query-does-not-want).
_NAMED, _TOLD, _SILENT = 4.0, 2.0, 1.0
_HARDLY = 0.05  # relevance: who has less is no answer, and need not be read


def demoted(
    matches: Matches, phrases: Sequence[str], mentions: Mentions, rows: RowArray
) -> Matches:
    """Matches of the items in `rows` with a query that does not want the phrases.

    Nothing is left out: what a product works with stands in its text as well. What was asked for by
    its code, with a relevance of 1, keeps it.
    """
    likely = matches.values
    loss = np.full(len(rows), _SILENT, np.float32)
    read = np.flatnonzero(likely >= _HARDLY)
    most = np.zeros(len(read), np.float32)
    for phrase in phrases:
        spoken = mentions.among(phrase, rows[read])
        has_it = np.select([spoken.named, spoken.told], [_NAMED, _TOLD], 0.0)
        most = np.maximum(most, has_it + np.where(spoken.without, 0.0, _SILENT))
    loss[read] = most
    return replace(matches, values=_less(likely, loss), wanting_all=likely)


def demoted_texts(
    likely: FloatArray, phrases: Sequence[str], texts: Sequence[str], analyzer: Analyzer
) -> FloatArray:
    """The same of texts of which nothing else is known; likely: their relevance, (n,)."""
    loss = np.zeros(len(texts), np.float32)
    wanted_not = [analyzer.terms(phrase) for phrase in phrases]
    for place, text in enumerate(texts):
        read = analyzer.located(text[:READ])
        for terms in wanted_not:
            without = [*said_in(*read, terms)]
            has_it = 0.0 if all(without) else _NAMED
            loss[place] = max(loss[place], has_it + (0.0 if any(without) else _SILENT))
    return _less(likely, loss)


def _less(likely: FloatArray, loss: FloatArray) -> FloatArray:
    less: FloatArray = (likely / (likely + (1 - likely) * np.exp(loss))).astype(np.float32)
    return less
