"""What versions read is asked of the model server, and never in the way."""

import threading

import pytest

from serving.errors import ModelUnavailableError
from serving.models.contract import Limits
from serving.models.limits import CandidateLimits, PublishedLimits


class Server:
    """A model server whose version reads `limits`, or that is down."""

    def __init__(self) -> None:
        self.limits = Limits(user_history=3)
        self.down = False
        self.asked = threading.Event()

    def read(self) -> Limits:
        self.asked.set()
        if self.down:
            raise ModelUnavailableError("down")
        return self.limits


def test_until_a_version_has_told_the_usual_limits_hold() -> None:
    server = Server()
    server.down = True
    limits = PublishedLimits(server.read)
    limits.refresh()
    assert limits.current == Limits()


def test_a_version_s_limits_are_taken_and_stay_while_the_server_is_down() -> None:
    server = Server()
    limits = PublishedLimits(server.read)
    limits.refresh()
    assert limits.current == Limits(user_history=3)
    server.down = True
    limits.refresh()
    assert limits.current == Limits(user_history=3)


def test_a_thread_follows_the_version_in_use() -> None:
    server = Server()
    limits = PublishedLimits(server.read)
    limits.follow(0.001)
    assert server.asked.wait(5)
    server.limits = Limits(user_history=4)
    for _ in range(2):
        server.asked.clear()
        assert server.asked.wait(5)
    limits.stop()
    assert limits.current == Limits(user_history=4)


@pytest.mark.parametrize(
    ("published", "problem"),
    [
        ({"max_tokens": "many"}, "many"),
        ({"max_tokens": "0"}, "max_tokens: 0"),
        ({"user_history": "-1"}, "user_history: -1"),
    ],
)
def test_a_version_that_publishes_nonsense_changes_nothing(
    published: dict[str, str], problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        Limits.of(published)
    answers = iter([{"user_history": "4"}, published])
    limits = PublishedLimits(lambda: Limits.of(next(answers)))
    for _ in range(2):
        limits.refresh()
    assert limits.current == Limits(user_history=4)


class Candidates:
    """A model server with several versions; counts how often each was asked."""

    def __init__(self, **reads: Limits) -> None:
        self.reads = reads
        self.asked: list[str] = []

    def read(self, version: str) -> Limits:
        self.asked.append(version)
        if version not in self.reads:
            raise ModelUnavailableError("not loaded")
        return self.reads[version]


def test_a_version_that_comes_is_asked_once_and_one_that_is_gone_is_forgotten() -> None:
    named = {"8"}
    server = Candidates(**{"8": Limits(user_history=3), "9": Limits(user_history=4)})
    limits = CandidateLimits(lambda: named, server.read)
    assert limits.of("8") == Limits()
    for _ in range(2):
        limits.look()
    assert (limits.of("8"), server.asked) == (Limits(user_history=3), ["8"])
    named |= {"9", "10"}
    limits.look()
    assert [limits.of(version).user_history for version in ("8", "9")] == [3, 4]
    assert limits.of("10") == Limits(), "it is not loaded"
    named -= {"8"}
    limits.look()
    assert limits.of("8") == Limits()
