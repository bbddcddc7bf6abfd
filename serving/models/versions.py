"""Several versions of the ranker at once: each has its own queue, so a batch is of one version.

The version in use is the model `ranker`; another is a model of its own in the same repository and
the same server, `ranker-8` (serving/training/publish/candidates.py). The one in use is asked as
ever, whatever is tried beside it.
"""

import time
from collections.abc import Callable

from serving.errors import ModelNotLoadedError
from serving.models.batcher import RankerClient, RankerJob, RankerReply

ASKED_AGAIN_S = 5.0  # a version that was not loaded is left alone for so long


class VersionedRanker:
    """A `RankerClient`. A version that the server has not loaded is answered by the one in use,
    and the reply says by which. Of one event loop.

    candidate: makes the client of a version when it is asked for first; versions are declared, so
    they are few
    """

    def __init__(
        self,
        in_use: RankerClient,
        candidate: Callable[[str], RankerClient],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._in_use = in_use
        self._make = candidate
        self._clock = clock
        self._candidates: dict[str, RankerClient] = {}
        self._missing_until_s: dict[str, float] = {}

    async def score(self, job: RankerJob, budget_s: float) -> RankerReply:
        """Scores within the budget, or a RankingError."""
        version = job.model_version
        if version is None or self._clock() < self._missing_until_s.get(version, 0.0):
            return await self._in_use.score(job, budget_s)
        if version not in self._candidates:
            self._candidates[version] = self._make(version)
        started_s = self._clock()
        try:
            return await self._candidates[version].score(job, budget_s)
        except ModelNotLoadedError:
            self._missing_until_s[version] = self._clock() + ASKED_AGAIN_S
        return await self._in_use.score(job, budget_s - (self._clock() - started_s))
