"""A store that runs full, as a storefront meets it: over HTTP, on a real Redis."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from features.catalog.redis_store import RedisCatalog
from features.events.event import EventType
from features.events.redis_log import RedisEventLog
from features.events.space import RedisLogSpace
from serving.ranking.recorder import Recorder
from serving.telemetry.metrics import RANKINGS_LOST
from tests.support.fakes import matrix, scores, slate, write_tokenizer
from tests.support.servers.redis_server import redis_server, skip_without_redis, used_memory
from tests.support.service import Service, Stores, candidates, problem, view

pytestmark = pytest.mark.redis
FULL = 1.1


class Storefront:
    """A shop whose log, catalogue and room are in Redis."""

    def __init__(self, client: Redis, folder: Path) -> None:
        self.client = client
        self.log, self.space = RedisEventLog(client), RedisLogSpace(client, None)
        stores = Stores(self.log, RedisCatalog(client), self.space)
        self.service = Service(write_tokenizer(folder / "tokenizer.json"), stores=stores)

    def fill(self, share: float) -> None:
        """The server has so much of its memory taken, whoever took it."""
        self.client.config_set("maxmemory", int(used_memory(self.client) / share))

    async def tell(self, *kinds: str) -> Any:
        events = [view(event_id=f"{kind}-{n}", type=kind) for n, kind in enumerate(kinds)]
        return await self.service.post("/v1/events", {"events": events})

    async def taken(self, *kinds: str) -> list[str]:
        """Those of a post that were; all others were refused as there is no room."""
        answer = await self.tell(*kinds)
        if answer.status_code == 503:
            assert problem(answer)["code"] == "log_full"
            return []
        refused = answer.json()["rejected"]
        assert {each["code"] for each in refused} <= {"log_full"}
        assert answer.json()["accepted"] + len(refused) == len(kinds)
        left_out = {each["index"] for each in refused}
        return [kind for place, kind in enumerate(kinds) if place not in left_out]


@pytest.fixture
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Storefront]:
    with (
        redis_server(skip_without_redis(request), max_memory="16mb") as port,
        Redis(port=port) as client,
    ):
        for number in range(400):  # so that a few buffers are no share of it
            client.set(f"somebody-{number}", bytes(20_000))
        yield Storefront(client, tmp_path)


ALL = ("impression", "view", "click", "add_to_cart", "return", "purchase")


@pytest.mark.parametrize(
    ("share", "taken"),
    [
        (0.5, ALL),
        (0.85, ALL),
        (0.92, ("click", "add_to_cart", "return", "purchase")),
        (0.97, ("return", "purchase")),
        (FULL, ()),
    ],
)
async def test_what_is_worth_least_is_refused_first(
    shop: Storefront, share: float, taken: tuple[str, ...]
) -> None:
    shop.fill(share)
    assert await shop.taken(*ALL) == list(taken)
    logged = [entry for _, entry in shop.log.read(0, 10)]
    assert [getattr(entry, "type", None) for entry in logged] == [EventType(k) for k in taken]


async def test_of_what_nothing_could_be_taken_the_whole_post_is_to_come_again(
    shop: Storefront,
) -> None:
    shop.fill(0.92)
    answer = await shop.tell("impression", "view")
    assert (answer.status_code, problem(answer)["code"]) == (503, "log_full")
    assert answer.headers["retry-after"] == "10"
    shop.fill(0.5)
    assert (await shop.tell("impression", "view")).json()["accepted"] == 2


async def test_a_refused_event_stands_among_the_bad_ones_by_its_place(shop: Storefront) -> None:
    shop.fill(0.92)
    events = [view(), view(type="purchase"), view(type="stare"), view(type="impression")]
    told = (await shop.service.post("/v1/events", {"events": events})).json()
    assert told["accepted"] == 1
    places = [(each["index"], each["code"]) for each in told["rejected"]]
    assert places == [(0, "log_full"), (2, "invalid_event"), (3, "log_full")]


async def test_a_full_store_answers_rankings_and_every_writer_hears_of_it(
    shop: Storefront,
) -> None:
    item = {"item_id": "new", "title": "New"}
    writes: dict[str, dict[str, Any]] = {
        "PUT /v1/items": {"json": {"items": [item]}},
        "PATCH /v1/items": {"json": {"items": [{"item_id": "i1", "price": 2.0}]}},
        "PATCH /v1/items/i1": {"json": {"price": 2.0}},
        "POST /v1/items/import": {"json": item},
        "DELETE /v1/items/i1": {},
        "POST /v1/users/ann/merge": {"json": {"session_id": "s9"}},
        "DELETE /v1/users/ann": {},
    }
    first = {"items": [{"item_id": "i1", "title": "First"}]}
    assert (await shop.service.call("PUT", "/v1/items", json=first)).json()["accepted"] == 1
    shop.fill(FULL)
    for write, body in writes.items():
        answer = await shop.service.call(*write.split(" "), **body)
        assert (write, answer.status_code) == (write, 503)
        assert (problem(answer)["code"], answer.headers["retry-after"]) == ("log_full", "10")
    asked = {"user_id": "ann", "candidates": candidates("milk", "oat")}
    answer = await shop.service.post("/v1/rank", asked)
    assert (answer.status_code, answer.json()["route"]) == (200, "model")
    space = (await shop.service.call("GET", "/v1/status")).json()["space"]
    assert space["store_bytes"] > space["store_max_bytes"]
    shop.fill(0.5)
    for write, body in writes.items():
        answer = await shop.service.call(*write.split(" "), **body)
        assert (write, answer.status_code < 300) == (write, True)


async def test_items_are_not_written_into_the_room_that_is_kept_for_purchases(
    shop: Storefront,
) -> None:
    shop.fill(0.97)
    body = {"items": [{"item_id": "new", "title": "New"}]}
    answer = await shop.service.call("PUT", "/v1/items", json=body)
    assert (answer.status_code, problem(answer)["code"]) == (503, "log_full")
    assert await shop.taken("purchase") == ["purchase"]


@pytest.mark.parametrize("share", [0.85, FULL])
def test_rankings_are_the_first_that_are_not_written_and_are_counted(
    shop: Storefront, share: float
) -> None:
    def record(ranking_id: str) -> None:
        recorder = Recorder(interval_s=0.001)
        made = slate(matrix(2), scores(1, 2), "a", "b", ranking_id=ranking_id, user_id="p")
        recorder.record(shop.service.shop, made)
        recorder.stop()

    record("before")
    shop.fill(share)
    lost = RANKINGS_LOST._value.get()
    record("meanwhile")
    assert RANKINGS_LOST._value.get() == lost + 1
    shop.fill(0.5)
    record("after")
    written = [record.ranking_id for _, record in shop.log.read_rankings(0, 10)]
    assert written == ["before", "after"]
