"""Handles with a budget: the only place where a call to another deployment is awaited."""

import asyncio
from typing import Any

from ray.serve.exceptions import BackPressureError
from ray.serve.handle import DeploymentHandle

from serving.errors import (
    ModelOverloadedError,
    ModelTimeoutError,
    ModelUnavailableError,
    RankingError,
)
from serving.models.batcher import RankerJob, RankerReply
from serving.ranking.values import FeatureMatrix
from serving.types import Scores


class RemoteRanker:
    """The Ranker deployment; a `batcher.RankerClient`."""

    def __init__(self, handle: DeploymentHandle[Any]) -> None:
        self._score = _method(handle)

    async def score(self, job: RankerJob, budget_s: float) -> RankerReply:
        """Scores within the budget, or a RankingError."""
        reply: RankerReply | RankingError = await _call(self._score, budget_s, job, budget_s)
        if isinstance(reply, RankingError):
            raise reply
        return reply


class RemoteColdStart:
    """The ColdStart deployment; a `cold_start.ColdStartClient`."""

    def __init__(self, handle: DeploymentHandle[Any]) -> None:
        self._score = _method(handle)

    async def score(self, features: FeatureMatrix, budget_s: float) -> Scores:
        """Scores within the budget, or a RankingError."""
        scores: Scores = await _call(self._score, budget_s, features)
        return scores


def _method(handle: DeploymentHandle[Any]) -> Any:
    """`score` of the deployment: looked up once, for each look makes a new handle.

    What crosses is of modules that both sides have, so plain pickle will do: half of cloudpickle's
    time.
    """
    return handle.options(
        method_name="score", request_serialization="pickle", response_serialization="pickle"
    )


async def _call(method: Any, budget_s: float, *args: Any) -> Any:
    try:
        response = method.remote(*args)
        try:
            async with asyncio.timeout(budget_s):
                return await response
        except (TimeoutError, asyncio.CancelledError):
            response.cancel()  # leaving does not stop the replica's work
            raise
    except TimeoutError:
        raise ModelTimeoutError(f"no reply in {budget_s:.3f} s") from None
    except BackPressureError as error:
        raise ModelOverloadedError(type(error).__name__) from None
    except RankingError as error:
        # It crossed as RayTaskError(X); its text is a remote traceback that must go no further.
        raise _plain(error) from None
    except Exception as error:
        raise ModelUnavailableError(type(error).__name__) from None


def _plain(error: RankingError) -> RankingError:
    """The error without the remote traceback around it."""
    cause = getattr(error, "cause", None)
    return cause if isinstance(cause, RankingError) else error
