"""The log is kept within its bounds, whatever its ingest is at."""

import time
from pathlib import Path

from features.events.lease import LeaseLostError, Unshared
from features.events.space import Space, SqliteLogSpace, Trimmed
from features.events.sqlite_log import SqliteEventLog
from features.ingest.keeping.trim import Trimmer
from features.telemetry.ingest_metrics import LOG_BYTES, LOG_TRIMMED
from tests.support.fakes import FakeSpace
from tests.support.live_shop import wait_until


def trimmed(kind: str) -> float:
    return LOG_TRIMMED.labels("default", kind)._value.get()  # type: ignore[no-any-return]


def test_a_round_ends_within_the_bounds_and_tells_what_went() -> None:
    space, before = FakeSpace(990), trimmed("ranking")
    Trimmer(space, 1).trim()
    assert space.taken == 600
    assert LOG_BYTES.labels("default")._value.get() == 600
    assert trimmed("ranking") == before + 1


class Endless(FakeSpace):
    """Each trim frees nothing but says that it did."""

    calls = 0

    def trim(self, n_bytes: int, limit: int = 500) -> Trimmed:
        self.calls += 1
        return Trimmed(0, limit)


def test_a_round_is_bounded_whatever_there_is_too_much_of() -> None:
    space = Endless(990)
    Trimmer(space, 1).trim()
    assert space.calls == 20


class Stubborn(FakeSpace):
    """What is over the bound must not go."""

    calls = 0

    def trim(self, n_bytes: int, limit: int = 500) -> Trimmed:
        self.calls += 1
        return Trimmed(0, 0)


def test_a_round_gives_up_when_nothing_may_go() -> None:
    space = Stubborn(990)
    Trimmer(space, 1).trim()
    assert space.calls == 1


class Failing(FakeSpace):
    """Does not answer at first."""

    failures = 3

    def measure(self) -> Space:
        if self.failures:
            self.failures -= 1
            raise OSError("down")
        return super().measure()


def test_a_store_that_is_down_for_a_while_is_trimmed_when_it_is_back() -> None:
    space = Failing(990)
    with Trimmer(space, 0.001):
        wait_until(lambda: space.taken == 600)


def test_a_file_has_no_bound_unless_it_is_given_one(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    SqliteEventLog(path).close()
    for log_max, over in ((None, False), (1, True)):
        space = SqliteLogSpace(path, log_max)
        assert (space.measure().excess > 0) is over
        assert space.measure().log == space.measure().store > 0
        space.close()


class Elsewhere(Unshared):
    """A lease that another process holds until it is `ours`."""

    ours = False

    def check(self) -> None:
        if not self.ours:
            raise LeaseLostError("another process leads")


def test_only_who_leads_trims() -> None:
    space, lease = Endless(990), Elsewhere()
    with Trimmer(space, 0.01, lease):
        time.sleep(0.1)
        assert space.calls == 0
        lease.ours = True
        wait_until(lambda: space.calls > 0)
