"""What the version in use reads is asked of the model server, and never in the way."""

import threading

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
