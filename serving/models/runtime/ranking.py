"""A batch of ranking requests to scores: the ranker without the model server around it.

Everything is a pure function of the batch, and of each request alone: neither the memory of vectors
nor the other requests of the batch change a score. A published version carries a copy.
"""

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from serving.models.columns.families import FAMILIES, ZERO_WHEN_UNKNOWN, families_of
from serving.models.contract import HISTORIES, PARTS
from serving.models.packing import BatchError, checked
from serving.models.runtime.contributions import TREES, Contributions, Trees
from serving.models.runtime.scoring import TEXT_FEATURES, text_features
from serving.models.runtime.text_vectors import open_session, open_texts, row_keys

FloatArray = npt.NDArray[np.float32]
Array = npt.NDArray[Any]

PART_OF = {part.member: column for column, part in enumerate(PARTS) if part.member}
MIN_ROWS = 384  # of a thread's share: for fewer, handing them over costs more than it saves
# What "text" stands for in an explanation: the best of these matches.
_TEXT_PART = [TEXT_FEATURES.index(n) for n in ("text_query", "text_user_top3", "text_session_top3")]


@dataclass(frozen=True, slots=True)
class Member:
    """One of the models that are blended: its score is standardised, then weighted."""

    name: str
    weight: float
    mean: float
    std: float

    def contribution(self, raw: FloatArray) -> FloatArray:
        """What raw scores (R,) add to the sum."""
        part: FloatArray = np.float32(self.weight / self.std) * (raw - np.float32(self.mean))
        return part


class Judged(NamedTuple):
    """SCORES (R,), PARTS (R, len(PARTS)), and CONTRIBUTIONS (R, 1 + len(FAMILIES)), NaN for the
    rows that were not asked for; None: of none, or the version does not tell."""

    scores: FloatArray
    parts: FloatArray
    contributions: FloatArray | None = None


class VersionRanker:
    """The ranker of one version folder; it takes contract.INPUTS by name."""

    def __init__(
        self,
        folder: Path,
        threads: int = 2,
        memory: int = 200_000,
        providers: Sequence[str] = ("CPUExecutionProvider",),
        batch: int = 1,
    ) -> None:
        training = json.loads((folder / "training.json").read_text())
        self._feature_names: list[str] = training["feature_names"]
        self._named = ",".join(self._feature_names)
        self._columns_of: dict[str, npt.NDArray[np.intp]] = {}
        if tuple(training["text_feature_names"]) != TEXT_FEATURES:
            raise BatchError(f"{folder}: trained on other text features than scoring.py computes")
        self._members = [Member(name, **values) for name, values in training["blend"].items()]
        # A log without searches teaches nothing of queries: then the columns that tell of one are
        # as they were in training. Relevance to it is judged outside (serving/search/relevance.py).
        names = (*self._feature_names, *TEXT_FEATURES)
        self._unlearnt = {
            names.index(name): np.float32(np.nan if value is None else value)
            for name, value in training.get("unlearnt", {}).items()
        }
        self._sessions = {m.name: open_session(folder / f"{m.name}.onnx") for m in self._members}
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="score")
        self._texts = open_texts(
            folder, int(training["max_tokens"]), threads, memory, providers, batch
        )
        self.column_names = names
        self._contributions = self._told(folder, names)

    def score(
        self, batch: Mapping[str, Array], feature_names: str | None = None
    ) -> tuple[FloatArray, FloatArray]:
        """SCORES and PARTS of a batch; as `judge`."""
        return self.judge(batch, feature_names)[:2]

    def judge(self, batch: Mapping[str, Array], feature_names: str | None = None) -> Judged:
        """What a batch is answered; raises BatchError.

        `feature_names`: of the columns of FEATURES, separated by commas. This version takes its own
        of them by name, and one that is not among them is unknown: so serving and versions may be
        of different age. Without names the columns must be this version's.
        """
        if feature_names is not None and feature_names != self._named:
            batch = {**batch, "FEATURES": self._own_columns(batch["FEATURES"], feature_names)}
        batch = checked(batch, len(self._feature_names))
        text = self._text_features(batch)
        features = self._with_text(batch["FEATURES"], text)
        parts = np.full((len(features), len(PARTS)), np.nan, np.float32)
        if len(features) == 0:
            return Judged(np.zeros(0, np.float32), parts)
        parts[:, 0] = np.fmax.reduce(text[:, _TEXT_PART], axis=1)
        for member in self._members:
            parts[:, PART_OF[member.name]] = self._part(member, features)
        scores: FloatArray = np.nansum(parts[:, 1:], axis=1, dtype=np.float32)
        asked = np.repeat(np.asarray(batch["EXPLAINED"]) > 0, batch["ROW_COUNTS"])
        if self._contributions is None or not asked.any():
            return Judged(scores, parts)
        told = np.full((len(features), 1 + len(FAMILIES)), np.nan, np.float32)
        told[asked] = self._contributions.of(features[asked])
        return Judged(scores, parts, told)

    def columns(self, batch: Mapping[str, Array]) -> FloatArray:
        """All that the members read of a batch, (R, len(column_names)); raises BatchError."""
        batch = checked(batch, len(self._feature_names))
        return self._with_text(batch["FEATURES"], self._text_features(batch))

    def of_columns(self, columns: FloatArray) -> FloatArray:
        """SCORES (R,) of `columns`."""
        parts = [self._part(member, columns) for member in self._members]
        scores: FloatArray = np.sum(parts, axis=0, dtype=np.float32)
        return scores

    def _with_text(self, features: Array, text: FloatArray) -> FloatArray:
        columns = np.concatenate([features, text], axis=1, dtype=np.float32)
        for column, value in self._unlearnt.items():
            columns[:, column] = value
        return columns

    def _told(self, folder: Path, names: Sequence[str]) -> Contributions | None:
        """What this version tells contributions from; None of one that was published before any
        did."""
        forest = next((m for m in self._members if m.name == "forest"), None)
        if forest is not None and not (folder / TREES).is_file():
            return None
        baseline = np.array([0 if n in ZERO_WHEN_UNKNOWN else np.nan for n in names], np.float32)
        for column, value in self._unlearnt.items():
            baseline[column] = value
        scale = 0.0 if forest is None else forest.weight / forest.std
        return Contributions(
            None if forest is None else Trees.read(folder / TREES),
            scale,
            0.0 if forest is None else -scale * forest.mean,
            [partial(self._part, m) for m in self._members if m is not forest],
            baseline,
            families_of(names),
            len(FAMILIES),
        )

    def _part(self, member: Member, features: FloatArray) -> FloatArray:
        """What one member adds to the scores, (R,)."""
        return member.contribution(self._raw(member.name, features))

    def _raw(self, member: str, features: FloatArray) -> FloatArray:
        """Scores (R,) of one member; many rows are shared out, each is scored as if alone."""
        run = self._sessions[member].run
        n_parts = min(len(features) // MIN_ROWS, self._threads)
        if n_parts <= 1:
            raw: FloatArray = run(None, {"features": features})[0][:, 0]
            return raw
        shares = np.array_split(features, n_parts)
        scores = self._pool.map(lambda share: run(None, {"features": share})[0][:, 0], shares)
        return np.concatenate(list(scores))

    def _text_features(self, batch: Mapping[str, Array]) -> FloatArray:
        queries = self._queries(batch["QUERY_TOKENS"])
        items = self._texts.vectors(batch["ITEM_KEYS"], batch["ITEM_TOKENS"])
        history = self._texts.vectors(batch["HISTORY_KEYS"], batch["HISTORY_TOKENS"])
        out = np.full((len(items), len(TEXT_FEATURES)), np.nan, np.float32)
        purchases = np.asarray(batch["PURCHASES"], np.float32)
        row = at = bought = 0
        counts = (batch[name].tolist() for name in ("ROW_COUNTS", *HISTORIES))
        for index, (n_rows, n_user, n_session, n_bought) in enumerate(zip(*counts, strict=True)):
            user = at + n_user
            session = user + n_session
            end = session + n_bought
            out[row : row + n_rows] = text_features(
                items[row : row + n_rows],
                queries.get(index),
                history[at:user],
                history[user:session],
                history[session:end],
                purchases[bought : bought + n_bought],
            )
            row += n_rows
            at = end
            bought += n_bought
        return out

    def _queries(self, tokens: Array) -> dict[int, FloatArray]:
        """Vectors of the queries by their rows; there is none for a row without tokens."""
        asked = np.flatnonzero(tokens.any(axis=1))
        if len(asked) == 0:
            return {}
        vectors = self._texts.vectors(row_keys(tokens[asked]), tokens[asked])
        return dict(zip(asked.tolist(), vectors, strict=True))

    def _own_columns(self, features: Array, feature_names: str) -> FloatArray:
        columns = self._columns_of.get(feature_names)
        if columns is None:
            given = {name: column for column, name in enumerate(feature_names.split(","))}
            columns = np.array([given.get(name, -1) for name in self._feature_names], np.intp)
            self._columns_of = {feature_names: columns}  # one caller, so one entry is enough
        if columns.max(initial=-1) >= features.shape[1]:
            raise BatchError(f"FEATURES has {features.shape[1]} columns, fewer than their names")
        own = np.asarray(features[:, columns], np.float32)
        own[:, columns < 0] = np.nan
        return own
