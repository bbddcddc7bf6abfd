"""POST /v1/events/import: years of behaviour, one event a line."""

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from features.catalog.counters import DAY_S
from features.events.event import MAX_AGE_S
from serving.http.routes.event_import import Pace
from tests.support.fakes import NOW_S, FakeLog
from tests.support.service import MAX_WAITING, PAGE_ORIGIN, Service, problem

PATH = "/v1/events/import"


@pytest.fixture
def shop(tokenizer_path: Path) -> Service:
    return Service(tokenizer_path)


def line(event_id: str, age_s: float = 0.0, **fields: Any) -> bytes:
    at = datetime.fromtimestamp(NOW_S - age_s, UTC).isoformat()
    usual = {"type": "purchase", "user_id": "ann", "item_id": "milk", "at": at}
    return json.dumps({"event_id": event_id, **usual, **fields}).encode() + b"\n"


async def test_events_of_any_age_are_kept_with_pseudonyms_and_their_own_time(
    shop: Service,
) -> None:
    ages_s = [10 * 365 * DAY_S, 2 * MAX_AGE_S, 0.0]
    body = b"".join(line(f"e{n}", age_s) for n, age_s in enumerate(ages_s))
    answer = await shop.call("POST", PATH, "events", content=body)
    assert answer.json() == {
        "lines": 3, "accepted": 3, "duplicates": 0, "rejected": 0, "errors": [],
        "logged": 3, "folded": 0,
    }  # fmt: skip
    kept = shop.log.events
    assert [event.at_s for event in kept.values()] == [NOW_S - age_s for age_s in ages_s]
    assert {event.user_id for event in kept.values()} == {shop.shop.pseudonyms.user("ann")}


async def test_a_line_that_was_sent_before_is_a_duplicate(shop: Service) -> None:
    body = line("once") + line("twice") + line("twice")
    first = await shop.call("POST", PATH, content=body)
    again = await shop.call("POST", PATH, content=body)
    assert (first.json()["accepted"], first.json()["duplicates"]) == (2, 1)
    assert (again.json()["accepted"], again.json()["duplicates"]) == (0, 3)
    assert list(shop.log.events) == ["once", "twice"]


async def test_a_bad_line_is_named_and_the_others_are_kept(shop: Service) -> None:
    body = b"".join((
        line("good"),
        b"{not json\n",
        b"\n",
        line("ahead", -3_600),
        line("seconds?", at="1970-01-18T10:00:00Z"),
        line("when", at=None),
        line("what", item_id=None),
        line("long", query="q" * 70_000),
        line("last"),
    ))  # fmt: skip
    told = (await shop.call("POST", PATH, content=body)).json()
    assert (told["lines"], told["accepted"], told["rejected"]) == (9, 2, 6)
    assert [(each["line"], each["code"]) for each in told["errors"]] == [
        (2, "invalid_event"), (4, "event_in_future"), (5, "event_too_old"),
        (6, "invalid_event"), (7, "invalid_event"), (8, "line_too_long"),
    ]  # fmt: skip
    assert told["errors"][3]["detail"].startswith("at: ")
    assert list(shop.log.events) == ["good", "last"]


async def test_of_many_bad_lines_the_first_hundred_are_named(shop: Service) -> None:
    told = (await shop.call("POST", PATH, content=b"{}\n" * 700)).json()
    assert (told["rejected"], len(told["errors"])) == (700, 100)


async def test_a_body_may_be_compressed_and_longer_than_others(shop: Service) -> None:
    body = b"".join(line(f"e{n}", query="q" * 500) for n in range(900)) * 4
    assert len(body) > 2 * 1024 * 1024
    headers = {"content-encoding": "gzip"}
    answer = await shop.call("POST", PATH, content=gzip.compress(body), headers=headers)
    assert (answer.json()["accepted"], answer.json()["duplicates"]) == (900, 2_700)


async def test_an_import_that_ingest_cannot_follow_is_told_how_far_it_came(
    shop: Service,
) -> None:
    body = b"".join(line(f"e{n}") for n in range(5_000))
    async with shop.client() as client:
        answer = await client.post(PATH, content=body)
        told = answer.json()
        assert (answer.status_code, told["code"]) == (503, "overloaded")
        assert int(answer.headers["retry-after"]) >= 1
        taken = told["taken"]
        assert MAX_WAITING < taken["lines"] <= MAX_WAITING + 500
        assert taken["lines"] == taken["accepted"] == taken["logged"] == len(shop.log.events)
        assert told["detail"] == f"{taken['logged']} events wait for ingest"
        refused = await client.post(PATH, content=body)
        assert refused.json()["taken"]["lines"] == 0


async def test_an_empty_import_tells_how_far_ingest_is(shop: Service) -> None:
    await shop.call("POST", PATH, content=line("e"))
    told = (await shop.call("POST", PATH, content=b"")).json()
    assert (told["lines"], told["logged"], told["folded"]) == (0, 1, 0)


async def test_a_key_that_anyone_can_see_imports_nothing(shop: Service) -> None:
    answer = await shop.call(
        "POST", PATH, "page", content=line("e"), headers={"origin": PAGE_ORIGIN}
    )
    assert (answer.status_code, problem(answer)["code"]) == (403, "forbidden")
    assert shop.log.events == {}


class SlowLog(FakeLog):
    """Of which ingest has folded all but `waiting`, and says how long a batch took."""

    waiting, lag_s, applied_seq = 0, 1.0, 0

    def last_seq(self) -> int:
        return self.applied_seq + self.waiting

    def offset(self, consumer: str) -> int:
        return self.applied_seq

    def status(self, consumer: str) -> bytes:
        return json.dumps({"lag_s": self.lag_s, "applied_seq": self.applied_seq}).encode()


async def test_fewer_events_may_wait_where_they_wait_longer() -> None:
    log, pace = SlowLog(), Pace("ingest", 1_000, hold_s=0.0)

    async def admitted(waiting: int, lag_s: float) -> bool:
        log.waiting, log.lag_s, log.applied_seq = waiting, lag_s, log.applied_seq + 1
        return await pace.admits(log)

    assert await admitted(1_000, 0.9)
    assert not await admitted(600, 2.0)  # 500 may
    assert await admitted(450, 1.0)
    assert not await admitted(150, 60.0)  # but never fewer than a tenth
    assert await admitted(100, 60.0)
    for _ in range(5):
        await admitted(0, 0.05)
    assert await admitted(1_000, 0.9)
