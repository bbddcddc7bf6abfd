"""A store that does not answer, as a storefront meets it: over HTTP."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from features.catalog.redis_store import RedisCatalog
from features.catalog.sqlite_store import SqliteCatalog
from features.events.nats.log import NatsEventLog
from features.events.nats.settings import NatsSettings
from features.events.nats.space import NatsLogSpace
from features.events.redis_log import RedisEventLog
from features.events.space import RedisLogSpace
from serving.local.machine import free_port
from tests.support.fakes import write_tokenizer
from tests.support.servers.nats_server import NatsServer
from tests.support.service import Service, Stores, candidates, problem, view


@pytest.fixture(params=["redis", "nats"])
def away(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Service]:
    """A shop whose log is on a server that is not there; for Redis the catalogue, too."""
    tokenizer = write_tokenizer(tmp_path / "tokenizer.json")
    if request.param == "redis":
        client = Redis(port=free_port(), socket_timeout=0.2)
        stores = Stores(RedisEventLog(client), RedisCatalog(client), RedisLogSpace(client, None))
    else:
        settings = NatsSettings(servers=[f"nats://127.0.0.1:{free_port()}"], timeout_s=0.2)
        catalog = SqliteCatalog(tmp_path / "items.db")
        stores = Stores(NatsEventLog(settings), catalog, NatsLogSpace(settings))
    yield Service(tokenizer, stores=stores)
    stores.log.close()
    stores.space.close()


async def test_what_a_storefront_tells_is_to_come_again_and_it_gets_its_rankings(
    away: Service,
) -> None:
    writes: dict[str, dict[str, Any]] = {
        "POST /v1/events": {"json": {"events": [view()]}},
        "DELETE /v1/users/ann": {},
    }
    for write, body in writes.items():
        answer = await away.call(*write.split(" "), **body)
        assert (write, answer.status_code) == (write, 503)
        assert (problem(answer)["code"], answer.headers["retry-after"]) == ("store_away", "2")
    asked = {"user_id": "ann", "candidates": candidates("milk", "oat")}
    answer = await away.post("/v1/rank", asked)
    assert (answer.status_code, answer.json()["route"]) == (200, "model")


async def test_events_are_taken_again_when_the_server_is_back(
    own_nats: NatsServer, tmp_path: Path
) -> None:
    settings = own_nats.anew(timeout_s=0.3)
    log, space = NatsEventLog(settings), NatsLogSpace(settings)
    stores = Stores(log, SqliteCatalog(tmp_path / "items.db"), space)
    service = Service(write_tokenizer(tmp_path / "tokenizer.json"), stores=stores)

    async def told(event_id: str) -> int:
        body = {"events": [view(event_id=event_id)]}
        status: int = (await service.post("/v1/events", body)).status_code
        return status

    assert await told("before") == 202
    own_nats.kill()
    assert await told("meanwhile") == 503
    own_nats.start()
    answers = [await told("meanwhile") for _ in range(12)]
    assert answers[-1] == 202
    stored = [getattr(entry, "event_id", "") for _, entry in log.read(0, 100)]
    assert [event_id.rpartition("-")[2] for event_id in stored] == ["before", "meanwhile"]
    log.close()
    space.close()
