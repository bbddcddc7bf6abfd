"""Calls to other deployments: a budget, a cancel, and no foreign error."""

import asyncio
import pickle
import time
from collections.abc import Callable, Generator
from typing import Any

import pytest
from ray.exceptions import RayTaskError
from ray.serve.exceptions import BackPressureError

from serving import errors
from serving.errors import (
    BadModelOutputError,
    ModelOverloadedError,
    ModelTimeoutError,
    ModelUnavailableError,
    VitrineError,
)
from serving.ranking.remote import RemoteColdStart, RemoteRanker
from tests.support.fakes import matrix
from tests.unit.models.test_batcher import job


class Response:
    """What a handle gives back: awaitable once, cancellable."""

    def __init__(self, result: Any, delay_s: float) -> None:
        self.result, self.delay_s, self.cancelled = result, delay_s, False

    def __await__(self) -> Generator[Any, None, Any]:
        return self._wait().__await__()

    async def _wait(self) -> Any:
        await asyncio.sleep(self.delay_s)
        if isinstance(self.result, BaseException):
            raise self.result
        return self.result

    def cancel(self) -> None:
        self.cancelled = True


class Reply(Response):
    """One that brings an error as its value."""

    def __init__(self, result: Any) -> None:
        super().__init__(result, 0.0)

    async def _wait(self) -> Any:
        return self.result


class Handle:
    """A `DeploymentHandle` with the one method `score`."""

    def __init__(self, result: Any, delay_s: float = 0.0, raises: Exception | None = None) -> None:
        self.response, self.raises = Response(result, delay_s), raises
        self.args: tuple[Any, ...] = ()

    def options(self, **options: str) -> "Handle":
        assert options["method_name"] == "score"
        return self

    def remote(self, *args: Any) -> Response:
        self.args = args
        if self.raises:
            raise self.raises
        return self.response


async def test_a_reply_is_passed_on() -> None:
    handle: Any = Handle("reply")
    asked = job(1)
    reply: Any = await RemoteRanker(handle).score(asked, 1.0)
    assert reply == "reply"
    assert handle.args == (asked, 1.0)
    features = matrix(1)
    reply = await RemoteColdStart(handle).score(features, 1.0)
    assert reply == "reply"
    assert handle.args == (features,)


async def test_an_error_that_is_replied_is_raised() -> None:
    handle: Any = Handle(BadModelOutputError("nan"))
    handle.response = Reply(BadModelOutputError("nan"))
    with pytest.raises(BadModelOutputError):
        await RemoteRanker(handle).score(job(1), 1.0)


async def test_giving_up_cancels_the_work_of_the_replica() -> None:
    handle: Any = Handle("late", delay_s=5.0)
    started_s = time.monotonic()
    with pytest.raises(ModelTimeoutError):
        await RemoteRanker(handle).score(job(1), 0.02)
    assert time.monotonic() - started_s < 1.0
    assert handle.response.cancelled


async def test_a_caller_that_leaves_cancels_the_work_of_the_replica() -> None:
    handle: Any = Handle("late", delay_s=5.0)
    asking = asyncio.create_task(RemoteRanker(handle).score(job(1), 5.0))
    await asyncio.sleep(0.01)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert handle.response.cancelled


def remote(error: Exception) -> Exception:
    """As Ray brings it over: an instance of both, whose text is the remote traceback."""
    untyped: Any = RayTaskError
    crossed: Exception = untyped("score", "Traceback of 10.0.0.7", error).as_instanceof_cause()
    return crossed


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (lambda: remote(BadModelOutputError("nan")), BadModelOutputError),
        (lambda: remote(ModelOverloadedError("full")), ModelOverloadedError),
        (lambda: remote(ValueError("a bug")), ModelUnavailableError),
        (
            lambda: BackPressureError(num_queued_requests=1, max_queued_requests=1),
            ModelOverloadedError,
        ),
        (lambda: RuntimeError("replica died at 10.0.0.7"), ModelUnavailableError),
    ],
)
async def test_whatever_fails_elsewhere_is_an_error_of_ours_without_foreign_text(
    error: Callable[[], Exception], kind: type[VitrineError]
) -> None:
    for handle in (Handle(error()), Handle(None, raises=error())):
        passed: Any = handle
        with pytest.raises(kind) as caught:
            await RemoteRanker(passed).score(job(1), 1.0)
        assert type(caught.value) is kind
        assert "10.0.0.7" not in str(caught.value)


@pytest.mark.parametrize("name", [name for name in dir(errors) if name.endswith("Error")])
def test_every_error_survives_the_way_between_processes(name: str) -> None:
    error = getattr(errors, name)("told", 3)
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.args) == (type(error), error.args)
    assert (again.code, again.status_code) == (error.code, error.status_code)
