"""The real tritonserver, started as on one machine, through the client that serving uses."""

import asyncio
import re
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from serving.errors import BadModelOutputError, ModelTimeoutError, ModelUnavailableError
from serving.local.machine import free_port
from serving.local.model_server import ModelServer
from serving.local.traces.viewer import TraceViewer
from serving.models.contract import Tensors
from serving.models.runtime.ranking import VersionRanker
from serving.models.runtime.text_vectors import TextEncoder
from serving.models.triton import TritonEncoder, TritonRanker
from serving.training.publish.repository import version_in_use
from serving.training.publish.texts import random_texts
from tests.support.model_requests import BUDGET_S, batch, new_texts, table, tokens_of
from tests.support.model_servers import model_server
from tests.support.tiny_bundle import FEATURES, MAX_TOKENS

pytestmark = pytest.mark.timeout(300)


# --- answers ---


async def test_scores_are_those_of_the_published_version(
    ranker: TritonRanker, repository: Path
) -> None:
    request = batch((6, 4, 1))
    answer = await ranker.score(request, BUDGET_S)
    number = version_in_use(repository, "ranker")
    scores, parts = VersionRanker(repository / "ranker" / str(number)).score(request)
    np.testing.assert_allclose(answer.scores, scores, atol=1e-6)
    np.testing.assert_allclose(answer.parts, parts, atol=1e-6)
    assert answer.version == str(number)
    assert answer.worked_ns is not None
    began_ns, ended_ns = answer.worked_ns
    assert time.time_ns() - 60 * 10**9 < began_ns < ended_ns < time.time_ns()


async def test_contributions_come_for_what_is_to_be_explained_and_add_up(
    ranker: TritonRanker,
) -> None:
    request = batch((6, 4))
    plain = await ranker.score(request, BUDGET_S)
    assert plain.contributions is None
    asked = {**request, "EXPLAINED": np.array([0, 1], np.int32)}
    told = await ranker.score(asked, BUDGET_S)
    np.testing.assert_array_equal(told.scores, plain.scores)
    assert told.contributions is not None
    assert np.isnan(told.contributions[:6]).all()
    np.testing.assert_allclose(told.contributions[6:].sum(axis=1), told.scores[6:], atol=1e-4)


async def test_features_are_taken_by_name(ranker: TritonRanker, server: ModelServer) -> None:
    request = batch((6,))
    expected = await ranker.score(request, BUDGET_S)
    turned = np.ascontiguousarray(request["FEATURES"][:, ::-1])
    named = TritonRanker(server.grpc_address, feature_names=FEATURES[::-1])
    answer = await named.score({**request, "FEATURES": turned}, BUDGET_S)
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
    request = new_texts(12, seed=77)
    first, second = [await ranker.score(request, BUDGET_S) for _ in range(2)]
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
    ranker: TritonRanker, collector: TraceViewer
) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    parent = f"00-{trace}-00f067aa0ba902b7-01"
    # Spans are sent at best effort: on a busy machine an export may wait out its time limit and its
    # batch be lost. The caller goes on asking within its trace, as callers do.
    until_s = time.monotonic() + 120
    while time.monotonic() < until_s:
        await ranker.score(batch(), BUDGET_S, parent)
        if collector.store.trace(trace):
            return
        await asyncio.sleep(0.5)
    pytest.fail(f"no span of {trace} among {len(collector.store.trace_ids())} traces")


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


async def test_a_call_whose_channel_is_closed_is_told_as_one_and_not_as_a_cancel(
    server: ModelServer,
) -> None:
    ranker = TritonRanker(server.grpc_address)
    await ranker.score(batch((1,)), BUDGET_S)
    requests = [new_texts(1500, seed) for seed in (71, 72, 73)]
    calls = [asyncio.create_task(ranker.score(request, BUDGET_S)) for request in requests]
    await asyncio.sleep(0.05)
    await ranker.close()
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(answer) for answer in answers] == [ModelUnavailableError] * 3, answers


def answered(server: ModelServer) -> float:
    """Calls to the ranker that the server has answered."""
    exposition = httpx.get(server.metrics_url).text
    (count,) = re.findall(
        r'^nv_inference_request_success\{model="ranker".*\} (\S+)$', exposition, re.M
    )
    return float(count)


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


# --- deadlines ---


async def worked_s(ranker: TritonRanker, request: Tensors) -> float:
    """Seconds that the model itself took, by its own clock."""
    answer = await ranker.score(request, BUDGET_S)
    assert answer.worked_ns is not None
    return (answer.worked_ns[1] - answer.worked_ns[0]) / 1e9


async def test_what_nobody_waits_for_any_more_is_not_run(ranker: TritonRanker) -> None:
    """The deadline reaches the server: a call that expires while it waits there is not begun."""
    new_s = await worked_s(ranker, new_texts(300, seed=101))
    # Several times longer than the others wait: on a busy machine, too, they expire behind it.
    running = asyncio.create_task(ranker.score(new_texts(1_500, seed=102), BUDGET_S))
    await asyncio.sleep(0.1 * new_s)
    expired = [ranker.score(new_texts(300, seed), 0.2 * new_s) for seed in (103, 104, 105)]
    for outcome in await asyncio.gather(*expired, return_exceptions=True):
        assert isinstance(outcome, ModelTimeoutError)
    await running
    # What was run is remembered, and a look-up takes a hundredth of the time.
    known_s = await worked_s(ranker, new_texts(300, seed=101))
    for seed in (103, 104, 105):
        assert await worked_s(ranker, new_texts(300, seed)) > 5 * known_s
