"""What the version in use reads is asked of the model server, and never in the way."""

import threading

import pytest

from serving.errors import ModelUnavailableError
from serving.models.contract import Limits
from serving.models.limits import PublishedLimits


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
