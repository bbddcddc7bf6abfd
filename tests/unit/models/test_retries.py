"""A broken connection is tried once more, in time and not by everybody at once."""

import asyncio
import time

import pytest

from serving.errors import (
    BadModelOutputError,
    ModelTimeoutError,
    ModelUnavailableError,
    ModelUnreachableError,
    RankingError,
)
from serving.models.retries import Retries


class Server:
    """Fails with `errors`, one a call, then answers."""

    def __init__(self, *errors: RankingError) -> None:
        self.errors = list(errors)
        self.budgets_s: list[float] = []

    async def ask(self, left_s: float) -> str:
        self.budgets_s.append(left_s)
        if self.errors:
            raise self.errors.pop(0)
        return "answer"


def gone() -> RankingError:
    return ModelUnreachableError("gone")


async def test_a_server_that_was_not_reached_is_asked_once_more_within_the_deadline() -> None:
    server = Server(gone())
    assert await Retries().call(server.ask, 0.2) == "answer"
    first_s, second_s = server.budgets_s
    assert first_s == 0.2
    assert 0.1 < second_s < 0.196


async def test_twice_is_enough() -> None:
    server = Server(gone(), gone(), gone())
    with pytest.raises(ModelUnreachableError):
        await Retries().call(server.ask, 0.2)
    assert len(server.budgets_s) == 2


@pytest.mark.parametrize(
    "error", [ModelTimeoutError("late"), BadModelOutputError("nan"), ModelUnavailableError("full")]
)
async def test_what_would_fail_again_is_not_repeated(error: RankingError) -> None:
    server = Server(error)
    with pytest.raises(type(error)):
        await Retries().call(server.ask, 0.2)
    assert len(server.budgets_s) == 1


async def test_without_time_for_another_try_there_is_none() -> None:
    server = Server(gone())
    started_s = time.monotonic()
    with pytest.raises(ModelUnreachableError):
        await Retries().call(server.ask, 0.006)
    assert len(server.budgets_s) == 1
    assert time.monotonic() - started_s < 0.1


async def test_a_server_that_is_down_for_all_gets_a_tenth_more_calls_and_not_twice_as_many() -> (
    None
):
    retries, server = Retries(lambda low, high: 0.0), Server()

    async def call() -> None:
        server.errors.append(gone())
        server.errors.append(gone())
        with pytest.raises(ModelUnreachableError):
            await retries.call(server.ask, 1.0)
        server.errors.clear()

    for _ in range(1000):
        await call()
    assert 1000 + 100 <= len(server.budgets_s) <= 1000 + 111


async def test_the_wait_differs_from_caller_to_caller() -> None:
    waits_s: list[float] = []

    def chance(low: float, high: float) -> float:
        waits_s.append(low + (high - low) * len(waits_s) / 2)
        return waits_s[-1]

    retries = Retries(chance)
    servers = [Server(gone()) for _ in range(3)]
    await asyncio.gather(*(retries.call(server.ask, 1.0) for server in servers))
    # Each waited its own time at least; a busy machine adds to it.
    for server, wait_s in zip(servers, waits_s, strict=True):
        assert server.budgets_s[1] <= 1.0 - wait_s
    assert waits_s[0] < waits_s[1] < waits_s[2]
