"""Judged queries with how their candidates match: what a relevance model is fitted on."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd
from rich.console import Console

from features.arrays import FloatArray, RowArray
from features.behavior.replay import item_table
from features.catalog.item import Item
from features.catalog.language import dominant_language
from features.catalog.table import ItemTable
from features.datasets.format import Dataset
from features.datasets.grocery.queries import made_queries
from features.telemetry.progress import tracked
from serving.models.contract import MAX_TOKENS
from serving.models.runtime.text_vectors import TextEncoder
from serving.models.tokenizer import Tokenizer
from serving.search.dense import DenseIndex, between
from serving.search.matcher import Matcher
from serving.search.relevance import INPUTS, RelevanceModel
from serving.search.text_relevance import TextRelevance
from serving.search.words.analysis import Analyzer

_DEPTH = 150  # of what words find, and of what vectors find: candidates of a judged query
_DOUBTFUL = 20  # nearest names, of which more than the same one may be right
_STRANGERS = 30  # items drawn from the rest of the catalogue
# How often an item with so much gain is what a shopper would call an answer (ESCI: exact,
# substitute, complement, irrelevant).
# A pool of judged items is full of answers, which a catalogue is not: it teaches order, and little
# of how likely an answer is. (Of a completely judged catalogue: 1.)
_POOL_WEIGHT = 0.1
_CHANCE = ((1.0, 1.0), (0.1, 0.35), (0.01, 0.1), (0.0, 0.03))


@dataclass(frozen=True, slots=True)
class Judged:
    """One query's candidates. columns: (n, len(COLUMNS)); chance: (n,), of being an answer.

    rows: int64 (n,) of the catalogue; none of texts
    """

    columns: FloatArray
    chance: FloatArray
    weight: float
    rows: RowArray | None = None


class TextEncoding(Protocol):
    """Texts to unit vectors."""

    def encode(self, texts: list[str]) -> FloatArray:
        """(n, size)."""
        ...


class Encoder:
    """A `TextEncoding` by the network of a published version, which is of one profile."""

    def __init__(self, version: Path, tokenizer: Path, threads: int = 2) -> None:
        self._tokenizer = Tokenizer(tokenizer, np.int32)
        self._network = TextEncoder(version / "text_encoder.onnx", threads, MAX_TOKENS)

    def encode(self, texts: list[str]) -> FloatArray:
        """Unit vectors (n, size)."""
        distinct = list(dict.fromkeys(texts))
        place = {text: at for at, text in enumerate(distinct)}
        vectors = self._network.encode(self._tokenizer.tokens(distinct, MAX_TOKENS))
        return vectors[[place[text] for text in texts]]


def judged_queries(
    dataset: Dataset, encoder: TextEncoding, seed: int = 7, split: str | None = None
) -> Iterator[Judged]:
    """The queries of a data set with how their candidates match.

    Of grocery, queries are made and judged completely; others' are judged for some items, and only
    those and strangers from far down are learnt from. split: only the made queries of this half
    """
    items = item_table(dataset)
    matcher, rows = _matcher(items, encoder)
    rng = np.random.default_rng(seed)
    asked = list(_asked(dataset, split))
    queries = [query for query, _, _ in asked]
    corrected = [matcher.lexicon.corrected(query) for query in queries]
    vectors = [
        between(np.stack(pair))
        for pair in zip(encoder.encode(queries), encoder.encode(corrected), strict=True)
    ]
    for (query, gains, complete), vector in tracked(
        list(zip(asked, vectors, strict=True)), dataset.info.name, Console()
    ):
        read = matcher.read(query, vector, items, _DEPTH)
        if complete:
            strangers = rng.choice(rows, min(_STRANGERS, len(rows)), replace=False)
            candidates = np.union1d(read.found, strangers)
            chance = np.isin(candidates, items.rows(list(gains))).astype(np.float32)
        else:
            judged = items.rows(list(gains))
            far = np.setdiff1d(rows, np.concatenate([judged, read.found]))
            strangers = rng.choice(far, min(_STRANGERS, len(far)), replace=False)
            candidates = np.concatenate([judged, strangers])
            of_judged = np.array([_chance(gain) for gain in gains.values()], np.float32)
            chance = np.concatenate([of_judged, np.zeros(len(strangers), np.float32)])
            chance, candidates = chance[candidates >= 0], candidates[candidates >= 0]
        columns = matcher.matches(read, items, candidates).columns
        weight = (1.0 if complete else _POOL_WEIGHT) / len(asked)
        yield Judged(columns, chance, weight, candidates)


def judged_texts(
    dataset: Dataset, encoder: TextEncoding, seed: int = 7, split: str | None = None
) -> Iterator[Judged]:
    """The same queries, with items as texts of which nothing else is known: their titles."""
    items = item_table(dataset)
    rng = np.random.default_rng(seed)
    asked = list(_asked(dataset, split))
    vectors = encoder.encode([query for query, _, _ in asked])
    titles = [item.title for item in items.items]
    of_titles = encoder.encode(titles)
    judge = TextRelevance()
    for (query, gains, complete), vector in zip(asked, vectors, strict=True):
        judged = items.rows(list(gains))
        judged, gain = judged[judged >= 0], np.array(list(gains.values()))[judged >= 0]
        if complete:
            near = np.argsort(-(of_titles @ vector))[:_DEPTH]
            judged = np.union1d(near, rng.permutation(judged)[:_DEPTH])
            chance = np.isin(judged, items.rows(list(gains))).astype(np.float32)
        else:
            chance = np.array([_chance(value) for value in gain], np.float32)
        strangers = rng.integers(0, len(titles), _STRANGERS)
        strangers = np.setdiff1d(strangers, items.rows(list(gains)))
        rows = np.concatenate([judged, strangers])
        chance = np.concatenate([chance, np.zeros(len(strangers), np.float32)])
        columns = judge.columns(query, [titles[row] for row in rows], of_titles[rows] @ vector)
        # Lists to be reranked are pools themselves: here those teach how likely an answer is.
        yield Judged(columns, chance, (0.1 if complete else 0.5) / len(asked))


def judged_pairs(path: Path, encoder: TextEncoding, split: str = "dev") -> Iterator[Judged]:
    """Texts far from shops, from JSON lines of `query`, `text`, `relevant`, `split`."""
    lines = pd.read_json(path, lines=True)
    judge = TextRelevance()
    chosen = lines[lines["split"] == split]
    n_queries = chosen["query"].nunique()
    for query, pairs in chosen.groupby("query", sort=True):
        texts = pairs["text"].tolist()
        vectors = encoder.encode([str(query), *texts])
        columns = judge.columns(str(query), texts, vectors[1:] @ vectors[0])
        yield Judged(columns, pairs["relevant"].to_numpy(np.float32), 2.0 / n_queries)


def _asked(dataset: Dataset, split: str | None) -> Iterator[tuple[str, dict[str, float], bool]]:
    """Queries, the gains of their judged items, and whether all others are no answers."""
    if dataset.queries is None:
        for made in made_queries(dataset.items):
            if split in (None, made.split):
                yield made.query, dict.fromkeys(made.relevant, 1.0), True
        return
    for _, judged in dataset.queries.groupby("query_id", sort=True):
        named: pd.Series = judged.set_index("item_id")["gain"]
        yield str(judged["query"].iloc[0]), {str(k): float(v) for k, v in named.items()}, False


def _chance(gain: float) -> float:
    return next(chance for least, chance in _CHANCE if gain >= least)


def names_across(path: Path, encoder: TextEncoding, n: int = 60, seed: int = 7) -> Iterator[Judged]:
    """Names of product kinds asked for in one language and found in another, `n` a direction.

    path: Parquet with a column of category paths for each language.
    """
    names = pd.read_parquet(path)
    rng = np.random.default_rng(seed)
    leaf = {
        language: names[language].str.rpartition(" > ")[2].tolist()
        for language in ("en", "de", "es", "ja", "zh")
    }
    for asked_in, sold_in in [("zh", "en"), ("ja", "en"), ("de", "en"), ("en", "zh"), ("es", "en")]:
        table = ItemTable(Item(str(n), name) for n, name in enumerate(leaf[sold_in]))
        matcher, rows = _matcher(table, encoder)
        chosen = rng.choice(len(rows), n, replace=False)
        vectors = encoder.encode([leaf[asked_in][row] for row in chosen])
        for row, vector in zip(chosen.tolist(), vectors, strict=True):
            read = matcher.read(leaf[asked_in][row], vector, table, _DEPTH)
            same = [place for place in rows if leaf[sold_in][place] == leaf[sold_in][row]]
            # What is nearest may be right as well, under another name: only the rest is wrong.
            rest = np.setdiff1d(read.nearest[_DOUBTFUL:], same)
            wrong = rng.choice(rest, min(_STRANGERS, len(rest)), replace=False)
            candidates = np.concatenate([same, wrong])
            columns = matcher.matches(read, table, candidates).columns
            yield Judged(columns, np.isin(candidates, same).astype(np.float32), 0.2 / n)


def _matcher(items: ItemTable, encoder: TextEncoding) -> tuple[Matcher, RowArray]:
    """The catalogue, ready to be asked; and its rows."""
    rows = np.arange(len(items))
    dense = DenseIndex()
    dense.replace(rows, encoder.encode([item.ranker_text for item in items.items]))
    unfitted = RelevanceModel(*np.zeros((2, len(INPUTS) + 1), np.float32))
    language = dominant_language([item.title for item in items.items])
    matcher = Matcher(Analyzer(language), dense, unfitted)
    matcher.update(rows, items)
    return matcher, rows
