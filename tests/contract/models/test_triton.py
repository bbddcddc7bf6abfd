"""The real tritonserver, started as on one machine, through the client that serving uses."""

import asyncio
import itertools
import json
import re
import shutil
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import numpy.typing as npt
import pytest

from features.catalog.item import content_key
from serving.errors import BadModelOutputError, ModelTimeoutError, ModelUnavailableError
from serving.local.model_server import ModelServer
from serving.local.processes import free_port
from serving.models.contract import Tensors
from serving.models.runtime.ranking import VersionRanker
from serving.models.runtime.text_vectors import TextEncoder
from serving.models.triton import TritonEncoder, TritonRanker
from serving.training.publish.base_model import base_folder
from serving.training.publish.models import publish_ranker
from serving.training.publish.repository import PublishError, rollback, switch, version_in_use
from serving.training.publish.texts import random_texts, tokenize
from tests.support.model_servers import model_server
from tests.support.tiny_bundle import FEATURES, MAX_TOKENS

BUDGET_S = 30.0
ITEMS = [f"{color} {thing}" for color in ("red", "blue", "green") for thing in ("mug", "lamp")]

pytestmark = pytest.mark.timeout(300)


class Collector(HTTPServer):
    """Takes OTLP spans over HTTP and keeps them."""

    def __init__(self) -> None:
        self.spans: list[dict[str, Any]] = []
        super().__init__(("127.0.0.1", 0), _Take)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1/traces"


class _Take(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        for resource in body["resourceSpans"]:
            for scope in resource["scopeSpans"]:
                self.server.spans += scope["spans"]
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with Collector() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def server(
    repository: Path, collector: Collector, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ModelServer]:
    running = model_server(repository, tmp_path_factory.mktemp("triton"), trace_url=collector.url)
    running.start()
    yield running
    running.stop()
    assert not running.alive


@pytest.fixture
async def ranker(server: ModelServer) -> Any:
    client = TritonRanker(server.grpc_address)
    yield client
    await client.close()


@pytest.fixture
async def encoder(server: ModelServer) -> Any:
    client = TritonEncoder(server.grpc_address)
    yield client
    await client.close()


def tokens_of(*texts: str) -> npt.NDArray[np.int16]:
    return tokenize(base_folder() / "tokenizer.json", texts, MAX_TOKENS)


def table(texts: list[npt.NDArray[np.int32]]) -> npt.NDArray[np.int16]:
    tokens = np.zeros((len(texts), MAX_TOKENS), np.int16)
    for row, text in zip(tokens, texts, strict=True):
        row[: min(len(text), MAX_TOKENS)] = text[:MAX_TOKENS]
    return tokens


def batch(
    counts: tuple[int, ...] = (6,), query: str = "a red mug", seed: int = 0
) -> dict[str, Any]:
    """A request for each of `counts`, with so many candidates and five history items."""
    n, n_history = sum(counts), 5 * len(counts)
    items = [ITEMS[i % 6] for i in range(n)]
    history = [ITEMS[i % 6] for i in range(n_history)]
    features = np.random.default_rng(seed).normal(size=(n, len(FEATURES))).astype(np.float32)
    return {
        "QUERY_TOKENS": tokens_of(*[query] * len(counts)),
        "USER_HISTORY_COUNTS": np.full(len(counts), 2, np.int32),
        "SESSION_HISTORY_COUNTS": np.full(len(counts), 1, np.int32),
        "BOUGHT_COUNTS": np.full(len(counts), 2, np.int32),
        "PURCHASES": np.tile(np.array([[2, 30, 9], [1, 4, 4]], np.float32), (len(counts), 1)),
        "HISTORY_KEYS": np.array([content_key(text) for text in history], np.int64),
        "HISTORY_TOKENS": tokens_of(*history),
        "ROW_COUNTS": np.array(counts, np.int32),
        "ITEM_KEYS": np.array([content_key(text) for text in items], np.int64),
        "ITEM_TOKENS": tokens_of(*items),
        "FEATURES": features,
    }


def new_texts(n: int, seed: int) -> dict[str, Any]:
    """A request whose `n` candidates have texts that nobody has seen."""
    tokens = table(random_texts(n, seed))
    keys = np.random.default_rng(seed).integers(1, 2**62, n)
    features = np.zeros((n, len(FEATURES)), np.float32)
    counts = np.array([n], np.int32)
    return {
        **batch((0,)),
        "ROW_COUNTS": counts,
        "ITEM_KEYS": keys,
        "ITEM_TOKENS": tokens,
        "FEATURES": features,
    }


# --- answers ---


async def test_scores_are_those_of_the_published_version(
    ranker: TritonRanker, repository: Path
) -> None:
    asked = batch((6, 4, 1))
    answer = await ranker.score(asked, BUDGET_S)
    number = version_in_use(repository, "ranker")
    scores, parts = VersionRanker(repository / "ranker" / str(number)).score(asked)
    np.testing.assert_allclose(answer.scores, scores, atol=1e-6)
    np.testing.assert_allclose(answer.parts, parts, atol=1e-6)
    assert answer.version == str(number)
    assert answer.worked_ns is not None
    began_ns, ended_ns = answer.worked_ns
    assert time.time_ns() - 60 * 10**9 < began_ns < ended_ns < time.time_ns()


async def test_features_are_taken_by_name(ranker: TritonRanker, server: ModelServer) -> None:
    asked = batch((6,))
    expected = await ranker.score(asked, BUDGET_S)
    turned = np.ascontiguousarray(asked["FEATURES"][:, ::-1])
    named = TritonRanker(server.grpc_address, feature_names=FEATURES[::-1])
    answer = await named.score({**asked, "FEATURES": turned}, BUDGET_S)
    await named.close()
    np.testing.assert_array_equal(answer.scores, expected.scores)


async def test_a_request_is_scored_the_same_alone_and_in_a_batch(ranker: TritonRanker) -> None:
    alone = await ranker.score(batch((5,)), BUDGET_S)
    first = batch((5,))
    other = batch((30, 1, 7), query="", seed=5)
    arrays: dict[str, Any] = {name: np.concatenate([other[name], first[name]]) for name in first}
    together = arrays
    answer = await ranker.score(together, BUDGET_S)
    np.testing.assert_allclose(answer.scores[-5:], alone.scores, atol=1e-6)


async def test_a_text_gets_the_same_score_new_and_remembered(ranker: TritonRanker) -> None:
    asked = new_texts(12, seed=77)
    first, second = [await ranker.score(asked, BUDGET_S) for _ in range(2)]
    np.testing.assert_array_equal(first.scores, second.scores)


async def test_no_history_no_query_and_no_candidates_are_normal(ranker: TritonRanker) -> None:
    none = np.zeros((0, 0), np.int16)
    nobody = {
        "QUERY_TOKENS": np.zeros((1, 0), np.int16),
        "USER_HISTORY_COUNTS": np.zeros(1, np.int32),
        "SESSION_HISTORY_COUNTS": np.zeros(1, np.int32),
        "BOUGHT_COUNTS": np.zeros(1, np.int32),
        "PURCHASES": np.zeros((0, 3), np.float32),
        "HISTORY_KEYS": np.zeros(0, np.int64),
        "HISTORY_TOKENS": none,
        "ROW_COUNTS": np.array([6], np.int32),
        "ITEM_KEYS": batch()["ITEM_KEYS"],
        "ITEM_TOKENS": batch()["ITEM_TOKENS"],
        "FEATURES": batch()["FEATURES"],
    }
    answer = await ranker.score(nobody, BUDGET_S)
    assert np.isnan(answer.parts[:, 0]).all()
    nothing = {
        **nobody,
        "ROW_COUNTS": np.zeros(1, np.int32),
        "ITEM_KEYS": np.zeros(0, np.int64),
        "ITEM_TOKENS": none,
        "FEATURES": np.zeros((0, len(FEATURES)), np.float32),
    }
    assert (await ranker.score(nothing, BUDGET_S)).scores.shape == (0,)


async def test_vectors_are_those_of_the_tower_async_and_blocking(
    encoder: TritonEncoder, repository: Path
) -> None:
    tokens = table(random_texts(9, seed=5))
    tokens[4] = 0
    tower = TextEncoder(repository / "encoder" / "1" / "text_encoder.onnx", 1, MAX_TOKENS)
    vectors = await encoder.encode(tokens, BUDGET_S)
    np.testing.assert_allclose(vectors, tower.encode(tokens), atol=1e-3)
    assert not vectors[4].any()
    np.testing.assert_array_equal(encoder.encode_blocking(tokens), vectors)


async def test_the_model_s_spans_join_the_caller_s_trace(
    ranker: TritonRanker, collector: Collector
) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    parent = f"00-{trace}-00f067aa0ba902b7-01"
    # Spans are sent at best effort: on a busy machine an export may wait out its time limit and its
    # batch be lost. The caller goes on asking within its trace, as callers do.
    until_s = time.monotonic() + 120
    while time.monotonic() < until_s:
        await ranker.score(batch(), BUDGET_S, parent)
        if any(span["traceId"] == trace for span in list(collector.spans)):
            return
        await asyncio.sleep(0.5)
    pytest.fail(f"no span of {trace} among {len(collector.spans)}")


# --- errors ---


async def test_a_wrong_number_of_features_is_a_clear_error(ranker: TritonRanker) -> None:
    short = {**batch(), "FEATURES": batch()["FEATURES"][:, :2]}
    with pytest.raises(BadModelOutputError, match="2 columns; this version takes 3"):
        await ranker.score(short, BUDGET_S)
    assert len((await ranker.score(batch(), BUDGET_S)).scores) == 6


async def test_scores_that_are_not_finite_do_not_get_out(ranker: TritonRanker) -> None:
    endless = {**batch(), "FEATURES": np.full((6, len(FEATURES)), np.inf, np.float32)}
    with pytest.raises(BadModelOutputError, match="not finite"):
        await ranker.score(endless, BUDGET_S)


async def test_an_answer_that_takes_too_long_is_given_up(ranker: TritonRanker) -> None:
    with pytest.raises(ModelTimeoutError):
        await ranker.score(new_texts(200, seed=6), 0.02)
    with pytest.raises(ModelTimeoutError):
        await ranker.score(batch(), 0.0)
    assert len((await ranker.score(batch(), BUDGET_S)).scores) == 6


def answered(server: ModelServer) -> float:
    """Calls to the ranker that the server has answered."""
    told = httpx.get(server.metrics_url).text
    (found,) = re.findall(r'^nv_inference_request_success\{model="ranker".*\} (\S+)$', told, re.M)
    return float(found)


async def test_calls_go_round_among_the_servers_of_a_name_and_on_when_one_is_gone(
    server: ModelServer, repository: Path, tmp_path: Path
) -> None:
    other = model_server(repository, tmp_path)
    other.start()
    client = TritonRanker(f"ipv4:{server.grpc_address},{other.grpc_address}")
    try:
        before = answered(server)
        for _ in range(20):
            await client.score(batch(), BUDGET_S)
        assert answered(server) - before >= 5
        assert answered(other) >= 5
        other.stop()
        for _ in range(20):
            await client.score(batch(), BUDGET_S)
    finally:
        await client.close()
        other.stop()


async def test_nobody_there_is_said_so() -> None:
    port = free_port()
    ranker, encoder = TritonRanker(f"127.0.0.1:{port}"), TritonEncoder(f"127.0.0.1:{port}")
    assert not await ranker.ready()
    with pytest.raises(ModelUnavailableError):
        await ranker.score(batch(), BUDGET_S)
    with pytest.raises(ModelUnavailableError):
        encoder.encode_blocking(tokens_of("mug"))
    await ranker.close()
    await encoder.close()


# --- new versions ---


async def test_publishing_and_rolling_back_drop_no_request(
    server: ModelServer, ranker: TritonRanker, repository: Path, bundles: list[Path]
) -> None:
    """Two clients ask without pause while the version changes to and fro under them."""
    answers: list[tuple[str, bytes]] = []
    asked = batch((6, 20))
    changing = True

    async def ask() -> None:
        while changing:
            answer = await ranker.score(asked, BUDGET_S)
            answers.append((answer.version, answer.scores.tobytes()))

    loop = asyncio.get_running_loop()
    urls = [server.http_url]
    with ThreadPoolExecutor(1) as pool:
        clients = [asyncio.create_task(ask()) for _ in range(2)]
        await loop.run_in_executor(
            pool, lambda: publish_ranker(repository, bundles[1], reload_urls=urls)
        )
        for _ in range(3):
            await asyncio.sleep(0.3)
            await loop.run_in_executor(pool, lambda: rollback(repository, "ranker", urls))
            assert version_in_use(repository, "ranker") == 1
            await asyncio.sleep(0.3)
            await loop.run_in_executor(pool, lambda: switch(repository, "ranker", 2, urls))
        await asyncio.sleep(0.3)  # what was asked before the last switch may end with version 1
        changing = False
        await asyncio.gather(*clients)  # raises what any request met
    seen = [version for version, _ in answers]
    changes = sum(a != b for a, b in itertools.pairwise(seen))
    assert set(seen) == {"1", "2"}
    assert changes >= 7
    assert len(set(answers)) == 2, "one version, one answer"


async def test_a_version_that_triton_cannot_load_leaves_the_old_one_answering(
    server: ModelServer, ranker: TritonRanker, repository: Path
) -> None:
    before = (await ranker.score(batch(), BUDGET_S)).version
    broken = repository / "ranker" / "9"
    shutil.copytree(repository / "ranker" / before, broken)
    (broken / "head.onnx").write_bytes(b"not a model")
    try:
        with pytest.raises(PublishError, match=r"head.onnx was changed after publishing"):
            switch(repository, "ranker", 9, [server.http_url])
    finally:
        shutil.rmtree(broken)
    assert version_in_use(repository, "ranker") == int(before)
    assert (await ranker.score(batch(), BUDGET_S)).version == before


# --- the process ---


async def worked_s(ranker: TritonRanker, asked: Tensors) -> float:
    """Seconds that the model itself took, by its own clock."""
    answer = await ranker.score(asked, BUDGET_S)
    assert answer.worked_ns is not None
    return (answer.worked_ns[1] - answer.worked_ns[0]) / 1e9


async def test_what_nobody_waits_for_any_more_is_not_run(ranker: TritonRanker) -> None:
    """The deadline reaches the server: a call that expires while it waits there is not begun."""
    new_s = await worked_s(ranker, new_texts(300, seed=101))
    # Several times longer than the others wait: on a busy machine, too, they expire behind it.
    running = asyncio.create_task(ranker.score(new_texts(1_500, seed=102), BUDGET_S))
    await asyncio.sleep(0.1 * new_s)
    expired = [ranker.score(new_texts(300, seed), 0.2 * new_s) for seed in (103, 104, 105)]
    for found in await asyncio.gather(*expired, return_exceptions=True):
        assert isinstance(found, ModelTimeoutError)
    await running
    # What was run is remembered, and a look-up takes a hundredth of the time.
    known_s = await worked_s(ranker, new_texts(300, seed=101))
    for seed in (103, 104, 105):
        assert await worked_s(ranker, new_texts(300, seed)) > 5 * known_s
