"""One shop's answers on one replica: what is kept, and a judge over it that follows."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from features.arrays import FloatArray
from features.full import StoreFullError
from serving.background import Background
from serving.errors import RankingError
from serving.models.contract import VECTOR_SIZE
from serving.search.answers.answer import Answer
from serving.search.answers.collection import Collection, Judge, pieces_of
from serving.search.answers.model import AnswerModel
from serving.search.words.analysis import Analyzer
from serving.shops.answers.kept import KeptAnswers
from serving.shops.reserve import Reserve
from serving.shops.waiting_room import WaitingRoom

_LOG = logging.getLogger("vitrine.answers")
_FOLLOWED_S = 0.5
_ANYWAY_S = 60.0  # a writer that died between an answer and saying so
MAX_ANSWERS = 5_000  # of a shop: every question is compared with all


class VectorSource(Protocol):
    """Texts to vectors, for a thread that may wait. `search.vectors.StoredVectors` is one."""

    def vectors(self, texts: Sequence[str]) -> FloatArray:
        """Unit vectors (n, VECTOR_SIZE), zeros for an empty text; raises a RankingError."""
        ...


class Answers:
    """The judge is replaced whole: by a thread, half a second after something changed.

    Until the encoder has read new answers they are found by their words.

    profile: of the encoder
    """

    def __init__(
        self,
        kept: KeptAnswers,
        reserve: Reserve,
        vectors: VectorSource,
        profile: str = "english",
        analyzer: Analyzer | None = None,
        clock: Callable[[], float] = time.monotonic,
        max_waiting: int = 16,
    ) -> None:
        self._kept, self._reserve, self._vectors = kept, reserve, vectors
        self._profile = profile
        self._analyzer = analyzer or Analyzer()
        self._clock = clock
        self._state: Mapping[str, Any] = {}
        self._read_s = -np.inf
        self._unread = False  # some pieces have no vector yet
        self.judge = Judge(Collection([], analyzer=self._analyzer), AnswerModel.untrained(profile))
        self._room = WaitingRoom("answers", 2, max_waiting)
        self._thread = Background(
            "answers", self.follow, _FOLLOWED_S, _LOG, "answers are not followed"
        )

    def start(self) -> None:
        """Follow what is kept. Answers come when their store does; a shop sells without them."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._thread.stop()

    def load(self) -> None:
        """Take over what is there; somebody else follows, and has another try."""
        try:
            self.follow()
        except Exception:
            _LOG.exception("answers are not there yet")

    def close(self) -> None:
        """Take no more; what is under way ends."""
        self._room.close()

    async def put(self, answers: Mapping[str, Answer]) -> list[str]:
        """Add or replace answers; durable when it returns. The ids that there is no room for.

        Raises LogFullError, StoreAwayError, OverloadedError, as all of these.
        """
        return await self._room.do(lambda: self._put(answers))

    async def delete(self, answer_id: str) -> None:
        """Take an answer away; an unknown one is gone already."""
        await self._room.do(lambda: self._kept.delete(answer_id))
        self._thread.wake()

    async def all(self) -> dict[str, Answer]:
        """All answers by id, as they were last written."""
        return await self._room.do(self._kept.all)

    def _put(self, answers: Mapping[str, Answer]) -> list[str]:
        if not self._reserve.takes_items():
            raise StoreFullError("the rest of the room is for purchases")
        known = self._kept.all().keys()
        new = [key for key in answers if key not in known]
        refused = new[max(MAX_ANSWERS - len(known), 0) :]
        taken = {key: each for key, each in answers.items() if key not in set(refused)}
        if taken:
            self._kept.put(taken)
            self._thread.wake()
        return refused

    def follow(self) -> None:
        """Take over what changed since the last time; raises what the store raises."""
        state = self._kept.state()
        now_s = self._clock()
        if state != self._state or now_s - self._read_s >= _ANYWAY_S:
            self._take()
            self._state, self._read_s = state, now_s
        if self._unread:
            self._encode()

    def _take(self) -> None:
        model, collection = self.judge.model, self.judge.collection
        try:
            model = self._kept.model(self._profile)
        except (KeyError, TypeError, ValueError) as error:
            told = f"{type(error).__name__}: {error}"
            _LOG.error("the model of answers is none (%s): version %s stays", told, model.version)
        answers = tuple(self._kept.all().values())
        if answers != collection.answers:
            vectors = _known(collection, pieces_of(answers)[0])
            collection = Collection(answers, vectors, self._analyzer)
            self._unread = True
        self.judge = Judge(collection, model)

    def _encode(self) -> None:
        """Have the encoder read what is new: its vectors come from memory for all else."""
        collection = self.judge.collection
        try:
            vectors = self._vectors.vectors(collection.pieces)
        except RankingError as error:
            _LOG.warning("answers wait for the encoder: %s", error.code)
            return
        self._unread = False
        self.judge = Judge(collection.with_vectors(vectors), self.judge.model)


def _known(before: Collection, pieces: Sequence[str]) -> FloatArray:
    """The vectors that are there already, zeros for what is new: found by its words until then."""
    row_of = {piece: row for row, piece in enumerate(before.pieces)}
    vectors = np.zeros((len(pieces), VECTOR_SIZE), np.float32)
    for place, piece in enumerate(pieces):
        if piece in row_of:
            vectors[place] = before.vectors[row_of[piece]]
    return vectors
