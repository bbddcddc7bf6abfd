"""TLS towards real servers: certificates of both sides are asked for, and others are refused."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from features.behavior.state import BehaviorState
from features.catalog.item import Item
from features.events.event import BehaviorEvent, EventType
from features.store.backends import open_catalog, open_event_log
from features.store.feature_store import apply, open_store
from features.store.online import OnlineFeatures
from features.store.settings import RedisSettings, StoreSettings
from serving.errors import ModelUnavailableError, RankingError
from serving.local.machine import free_port
from serving.local.model_server import ModelServer
from serving.local.models import TRITON_PYTHON
from serving.models.settings import TlsSettings
from serving.models.triton import TritonEncoder
from serving.training.publish.encoders import publish_encoder
from tests.support.certificates import Certificates, Pair, certificates
from tests.support.servers.redis_server import redis_server, skip_without_redis

TOKENS = np.array([[101, 2417, 14757, 102]], np.int16)


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates(tmp_path_factory.mktemp("known"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Of an authority that the servers do not know."""
    return certificates(tmp_path_factory.mktemp("stranger"))


# --- Redis: online store, event log, catalogue ---


@pytest.fixture(scope="module")
def redis_port(request: pytest.FixtureRequest, known: Certificates) -> Iterator[int]:
    with redis_server(skip_without_redis(request), known) as port:
        yield port


def store(port: int, state: Path, ca: Path, client: Pair | None) -> StoreSettings:
    redis = RedisSettings(
        port=port,
        tls=True,
        tls_ca_file=ca,
        tls_cert_file=client and client.cert,
        tls_key_file=client and client.key,
    )
    return StoreSettings(state=state, kind="redis", redis=redis)


@pytest.mark.redis
def test_all_three_stores_work_over_mutual_tls(
    redis_port: int, known: Certificates, tmp_path: Path
) -> None:
    settings = store(redis_port, tmp_path, known.ca, known.client)
    log = open_event_log(settings)
    event = BehaviorEvent("e1", EventType.VIEW, 1_700_000_000.0, "u", None, "i")
    assert log.append([event]).accepted == 1
    assert [entry for _, entry in log.read(0, 10)] == [event]
    log.close()
    catalog = open_catalog(settings)
    catalog.upsert([Item("i", "Green tea")])
    found = catalog.get("i")
    assert found is not None
    assert found.title == "Green tea"
    catalog.close()
    feast = open_store(settings)
    apply(feast, settings)
    online = OnlineFeatures(feast)
    online.write_users({"u": BehaviorState(counts={EventType.VIEW: 3})})
    assert online.read_shopper("u", None).user is not None
    online.close()


@pytest.mark.redis
@pytest.mark.parametrize("who", ["nobody", "a stranger", "another server"])
def test_redis_and_we_refuse_who_cannot_prove_it(
    redis_port: int, known: Certificates, stranger: Certificates, tmp_path: Path, who: str
) -> None:
    ca, client = {
        "nobody": (known.ca, None),
        "a stranger": (known.ca, stranger.client),
        "another server": (stranger.ca, known.client),
    }[who]
    log = open_event_log(store(redis_port, tmp_path, ca, client))
    with pytest.raises(RedisConnectionError):
        log.last_seq()
    log.close()


# --- Triton ---


@pytest.fixture(scope="module")
def triton(known: Certificates, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelServer]:
    folder = tmp_path_factory.mktemp("triton")
    publish_encoder(folder / "models")
    server = ModelServer(
        repository=folder / "models",
        state=folder,
        triton_python=TRITON_PYTHON,
        grpc_port=free_port(),
        http_port=free_port(),
        metrics_port=free_port(),
        log=folder / "triton.log",
        environment=dict(os.environ),
        models=("encoder",),
        options={
            "grpc-use-ssl": "true",
            "grpc-use-ssl-mutual": "true",
            "grpc-server-cert": str(known.server.cert),
            "grpc-server-key": str(known.server.key),
            "grpc-root-cert": str(known.ca),
        },
    )
    server.start()
    yield server
    server.stop()


def tls(ca: Path, client: Pair | None) -> TlsSettings:
    return TlsSettings(ca_file=ca, cert_file=client and client.cert, key_file=client and client.key)


@pytest.mark.timeout(300)
async def test_triton_answers_over_mutual_tls_async_and_blocking(
    triton: ModelServer, known: Certificates
) -> None:
    encoder = TritonEncoder(triton.grpc_address, tls=tls(known.ca, known.client))
    vectors = await encoder.encode(TOKENS, 30.0)
    assert np.linalg.norm(vectors[0]) == pytest.approx(1.0, abs=1e-2)
    np.testing.assert_array_equal(encoder.encode_blocking(TOKENS), vectors)
    await encoder.close()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("who", ["in the clear", "nobody", "a stranger", "another server"])
async def test_triton_and_we_refuse_who_cannot_prove_it(
    triton: ModelServer, known: Certificates, stranger: Certificates, who: str
) -> None:
    given = {
        "in the clear": None,
        "nobody": tls(known.ca, None),
        "a stranger": tls(known.ca, stranger.client),
        "another server": tls(stranger.ca, known.client),
    }[who]
    encoder = TritonEncoder(triton.grpc_address, tls=given)
    with pytest.raises(RankingError) as caught:
        await encoder.encode(TOKENS, 3.0)
    assert isinstance(caught.value, ModelUnavailableError)
    await encoder.close()
