"""Answered rankings are kept, after the answer, and never at its cost."""

import threading
import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from features.events.event import EventType
from features.events.log import RankingRecord
from features.events.ranking_codec import pack, unpack
from serving.models.tokenizer import Tokenizer
from serving.ranking.recorder import Recorder
from serving.ranking.values import Slate
from serving.shops.shop import Shop
from tests.support.fakes import FakeLog, groceries, matrix, scores
from tests.support.fakes import slate as slate_of
from tests.support.live_shop import wait_until
from tests.support.service import shop_of


class SlowLog(FakeLog):
    """A log whose writes wait for `release`, or fail while it has `failures` left."""

    release: threading.Event | None = None
    failures = 0

    def append_rankings(self, rankings: Sequence[RankingRecord]) -> None:
        if self.failures:
            self.failures -= 1
            raise OSError("disk full")
        super().append_rankings(rankings)
        if self.release:
            self.release.wait(5)

    def ids(self) -> list[str]:
        return [record.ranking_id for record in self.rankings]


def slate(ranking_id: str = "r1", n: int = 3) -> Slate:
    columns = matrix(n, item_purchase_7d=np.arange(n))
    item_ids = [f"i{k}" for k in range(n)]
    about = {"ranking_id": ranking_id, "user_id": "p", "query": "q"}
    made = slate_of(columns, scores(*range(n)), *item_ids, **about)
    return replace(made, order=np.arange(n)[::-1][:2], propensity=np.ones(min(n, 2), np.float32))


def shop_with(log: FakeLog, encoder: Tokenizer) -> Shop:
    return shop_of(groceries(encoder), log=log)


def test_a_ranking_is_kept_with_its_placement_and_page(encoder: Tokenizer) -> None:
    log = FakeLog()
    recorder = Recorder()
    shelf = slate()
    about = replace(shelf.context, placement="for_you", page_id="p1")
    recorder.record(shop_with(log, encoder), replace(shelf, context=about))
    recorder.stop()
    kept = unpack(pack(log.rankings[0]))
    assert (kept.placement, kept.page_id) == ("for_you", "p1")
    nowhere = replace(log.rankings[0], placement=None, page_id=None)
    assert (unpack(pack(nowhere)).placement, unpack(pack(nowhere)).page_id) == (None, None)


def test_a_ranking_is_recorded_as_it_was_shown(encoder: Tokenizer) -> None:
    log = FakeLog()
    recorder = Recorder()
    recorder.record(shop_with(log, encoder), replace(slate(), model_s=0.02))
    recorder.stop()
    (record,) = log.rankings
    assert record.item_ids == ("i2", "i1")
    assert record.scores.tolist() == [2.0, 1.0]
    assert record.features.shape[0] == 2
    assert (record.route, record.user_id, record.query) == ("model", "p", "q")
    assert (record.variant, record.model_s) == ("default", 0.02)


def test_everything_is_written_in_order_and_the_rest_at_the_stop(encoder: Tokenizer) -> None:
    log = SlowLog()
    shop = shop_with(log, encoder)
    recorder = Recorder()
    for n in range(450):
        recorder.record(shop, slate(f"r{n}", 1))
    recorder.stop()
    assert log.ids() == [f"r{n}" for n in range(450)]


def test_each_shop_s_rankings_go_to_its_own_log(encoder: Tokenizer) -> None:
    logs = [SlowLog(), SlowLog()]
    shops = [replace(shop_with(log, encoder), name=str(n)) for n, log in enumerate(logs)]
    recorder = Recorder()
    for n in range(4):
        recorder.record(shops[n % 2], slate(f"r{n}"))
    recorder.stop()
    assert [log.ids() for log in logs] == [["r0", "r2"], ["r1", "r3"]]


def test_the_recorder_is_bounded_by_candidates_and_never_blocks(encoder: Tokenizer) -> None:
    log = SlowLog()
    log.release = threading.Event()
    shop = shop_with(log, encoder)
    recorder = Recorder(capacity=9, interval_s=0.001)
    started_s = time.monotonic()
    for n in range(50):
        recorder.record(shop, slate(f"r{n}", 3))
    assert time.monotonic() - started_s < 1.0
    log.release.set()
    recorder.stop()
    assert 3 <= len(log.rankings) <= 6  # what fitted, and what the first write made room for


def test_the_recorder_survives_a_failing_write(encoder: Tokenizer) -> None:
    log = SlowLog()
    log.failures = 1
    shop = shop_with(log, encoder)
    recorder = Recorder(capacity=3, interval_s=0.001)
    recorder.record(shop, slate("lost"))
    until_s = time.monotonic() + 5
    while log.failures and time.monotonic() < until_s:
        time.sleep(0.001)
    time.sleep(0.01)
    recorder.record(shop, slate("kept"))  # the lost one takes no room any more
    recorder.stop()
    assert log.ids() == ["kept"]


def test_the_recorder_survives_a_failing_metric_and_a_slate_it_cannot_record(
    encoder: Tokenizer,
) -> None:
    log, observed = SlowLog(), []

    def observe(_: str, slates: list[Slate]) -> None:
        observed.extend(slates)
        raise ValueError("no such label")

    shop = shop_with(log, encoder)
    recorder = Recorder(observe, capacity=6, interval_s=0.02)
    recorder.record(shop, replace(slate("broken"), order=np.array([99])))
    recorder.record(shop, slate("of the same batch"))
    until_s = time.monotonic() + 5
    while "later" not in log.ids() and time.monotonic() < until_s:
        recorder.record(shop, slate("later"))  # until there is room for it
        time.sleep(0.001)
    recorder.stop()
    assert log.ids()[:2] == ["of the same batch", "later"]
    assert len(observed) == len(log.ids()) + 1


def test_a_ranking_that_names_user_and_session_tells_so_once(encoder: Tokenizer) -> None:
    log = FakeLog()
    shop, recorder = shop_with(log, encoder), Recorder(interval_s=0.001)
    told = slate()
    for number, (user, session) in enumerate([("p", "s"), ("p", "s"), ("p", None), (None, "s")]):
        named = replace(told.context, ranking_id=f"r{number}", user_id=user, session_id=session)
        recorder.record(shop, replace(told, context=named))
    recorder.stop()
    assert len(log.rankings) == 4
    (event,) = log.events.values()
    assert (event.type, event.user_id, event.session_id) == (EventType.SIGN_IN, "p", "s")


def test_a_sign_in_that_could_not_be_told_is_told_with_the_next_ranking(
    encoder: Tokenizer,
) -> None:
    log = FakeLog(error=OSError("disk full"))
    shop, recorder = shop_with(log, encoder), Recorder(interval_s=0.001)
    named = replace(slate().context, session_id="s")
    recorder.record(shop, replace(slate(), context=named))
    wait_until(lambda: not recorder._buffer, 5.0)
    log.error = None
    recorder.record(shop, replace(slate(), context=named))
    recorder.stop()
    assert len(log.events) == 1
