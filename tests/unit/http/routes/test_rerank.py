"""Free texts in the dialects of existing clients."""

import asyncio
import math
from collections.abc import Sequence
from typing import Any

import pytest

from features.arrays import FloatArray
from serving.errors import ModelTimeoutError, ModelUnavailableError
from serving.models.tokenizer import Tokenizer
from serving.ranking.texts.rerank import Rerank
from serving.types import Route
from tests.support.fakes import FakeEncoder
from tests.support.service import Service


@pytest.fixture
def shop(tokenizer_path: Any) -> Service:
    return Service(tokenizer_path)


TEI = {"query": "milk", "texts": ["rye bread", "whole milk", ""]}
COHERE = {"model": "rerank-v3", "query": "milk", "documents": ["rye bread", {"text": "milk"}]}


@pytest.mark.parametrize("path", ["/rerank", "/v1/rerank", "/v2/rerank"])
async def test_texts_are_answered_as_text_embeddings_inference_does(
    shop: Service, path: str
) -> None:
    answer = await shop.post(path, {**TEI, "return_text": True, "truncate": None})
    found = answer.json()
    assert answer.headers["x-vitrine-route"] == "model"
    assert sorted(entry["index"] for entry in found) == [0, 1, 2]
    assert all(entry["text"] == TEI["texts"][entry["index"]] for entry in found)
    scores = [entry["score"] for entry in found]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)
    raw = (await shop.post(path, {**TEI, "raw_scores": True})).json()
    assert [entry["index"] for entry in raw] == [entry["index"] for entry in found]
    assert "text" not in raw[0]


async def test_documents_are_answered_as_cohere_and_jina_do(shop: Service) -> None:
    found = (await shop.post("/v2/rerank", {**COHERE, "top_n": 1, "return_documents": True})).json()
    assert set(found) == {"id", "model", "results", "usage"}
    assert found["model"] == "rerank-v3"
    (result,) = found["results"]
    assert set(result) == {"index", "relevance_score", "document"}
    assert len((await shop.post("/rerank", {**COHERE, "top_n": 99})).json()["results"]) == 2


LONG = "whole milk " + "x" * 9_000  # the words stand in front


@pytest.mark.parametrize(
    "body",
    [
        {"texts": ["rye bread", LONG], "truncate": True},
        {"texts": ["rye bread", LONG], "truncate": False},
        {"texts": ["rye bread", LONG], "truncation_direction": "Right"},
        {"documents": ["rye bread", LONG], "max_tokens_per_doc": 4096},
        {"documents": ["rye bread", {"text": LONG}], "model": "rerank-v3.5"},
        {"documents": ["rye bread", LONG], "truncation": True},
        {"documents": ["rye bread", "x" * 9_000 + " whole milk"], "truncation_side": "left"},
    ],
)
async def test_a_text_that_is_too_long_is_cut_and_fails_no_batch(
    shop: Service, body: dict[str, Any]
) -> None:
    answer = await shop.post("/rerank", {"query": "milk", **body})
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-vitrine-truncated"] == "1"
    found = answer.json()
    entries = found if isinstance(found, list) else found.get("results") or found["data"]
    assert [entry["index"] for entry in entries] == [1, 0]
    if "results" in found:
        assert "1" in found["meta"]["warnings"][0]


async def test_it_is_said_what_was_cut_and_where(shop: Service) -> None:
    reads = Reads(shop.encoder.tokenizer)
    shop.encoder.encode = reads.encode  # type: ignore[method-assign]
    texts = ["a" * 8_192, "b" * 8_193 + "z", "c"]
    body = {"query": "q" * 9_000, "texts": texts, "return_text": True}
    answer = await shop.post("/rerank", {**body, "truncation_direction": "left"})
    assert answer.headers["x-vitrine-truncated"] == "query, 1"
    assert {entry["text"] for entry in answer.json()} == set(texts)  # as they came
    assert set(reads.texts) == {"q" * 8_192, "a" * 8_192, "b" * 8_191 + "z", "c"}
    answer = await shop.post("/rerank", {"query": "q", "texts": ["a" * 8_193] * 60})
    assert answer.headers["x-vitrine-truncated"].endswith("49, ...")
    assert "x-vitrine-truncated" not in (await shop.post("/rerank", TEI)).headers


class Reads(FakeEncoder):
    """Keeps the texts that it is given."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        super().__init__(tokenizer)
        self.texts: list[str] = []

    async def encode(self, texts: Sequence[str], budget_s: float) -> FloatArray:
        self.texts += texts
        return await super().encode(texts, budget_s)


# What each client sends, with everything that it leaves open.
CLIENTS = {
    "tei": {
        "query": "milk", "texts": ["rye bread", "whole milk"], "raw_scores": False,
        "return_text": False, "truncate": False, "truncation_direction": "Right",
    },
    "litellm to huggingface": {
        "model": "bge", "query": "milk", "texts": ["rye bread", "whole milk"], "top_n": 1,
        "return_text": True, "raw_scores": False, "truncate": None, "is_truncated": None,
        "return_documents": None,
    },
    "cohere v1": {
        "model": "rerank-v3", "query": "milk", "documents": [{"text": "rye bread"}, "whole milk"],
        "top_n": 1, "rank_fields": None, "return_documents": True, "max_chunks_per_doc": 10,
    },
    "cohere v2": {
        "model": "rerank-v3.5", "query": "milk", "documents": ["rye bread", "whole milk"],
        "top_n": 1, "max_tokens_per_doc": 4096, "priority": 0, "return_documents": None,
    },
    "voyage": {
        "model": "rerank-2", "query": "milk", "documents": ["rye bread", "whole milk"],
        "top_k": 1, "truncation": True, "return_documents": True,
    },
    "vllm": {
        "model": "m", "query": "milk", "documents": ["rye bread", "whole milk"], "top_n": 1,
        "truncate_prompt_tokens": -1, "truncation_side": "right", "max_tokens_per_query": 64,
        "user": None,
    },
    "infinity": {
        "model": "m", "query": "milk", "documents": ["rye bread", "whole milk"], "top_n": 1,
        "return_documents": True, "raw_scores": False,
    },
}  # fmt: skip


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("path", ["/rerank", "/v1/rerank", "/v2/rerank"])
async def test_each_client_gets_what_it_looks_for(shop: Service, client: str, path: str) -> None:
    sent = CLIENTS[client]
    answer = await shop.post(path, sent)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    if "texts" in sent:
        assert found[0]["index"] == 1
        assert len(found) == sent.get("top_n", 2)
        assert ("text" in found[0]) == bool(sent["return_text"])
        return
    results = found["data"] if client == "voyage" else found["results"]
    assert [result["index"] for result in results] == [1]
    assert set(found["usage"].values()) == {0}  # some look for it
    if client == "voyage":
        assert found["object"] == "list"
    if client in ("voyage", "infinity"):
        assert results[0]["document"] == "whole milk"
    elif sent.get("return_documents"):
        assert results[0]["document"] == {"text": "whole milk"}


async def test_what_cohere_jina_or_voyage_may_have_sent_is_answered_for_all(shop: Service) -> None:
    either = {"model": "m", "query": "milk", "documents": ["rye bread", "whole milk"]}
    found = (await shop.post("/v1/rerank", {**either, "return_documents": True})).json()
    assert [result["index"] for result in found["results"]] == [1, 0]
    assert [result["index"] for result in found["data"]] == [1, 0]
    assert found["results"][0]["document"] == {"text": "whole milk"}
    assert found["data"][0]["document"] == "whole milk"
    assert "data" not in (await shop.post("/v1/rerank", {**either, "top_n": 2})).json()
    assert "data" not in (await shop.post("/v2/rerank", either)).json()  # Voyage has no such path


async def test_of_a_document_with_several_fields_those_that_count_are_read(shop: Service) -> None:
    documents = [
        {"title": "Rye bread", "text": "baked daily", "price": 3.5, "sold": True, "note": None},
        {"title": "Whole milk", "text": "from the farm"},
        {"title": "Soap", "text": "whole milk and olives"},
    ]
    body = {"query": "milk", "documents": documents, "return_documents": True}
    by_text = (await shop.post("/rerank", body)).json()["results"]
    assert by_text[0]["document"] == documents[2]
    by_title = (await shop.post("/rerank", {**body, "rank_fields": ["title"]})).json()["results"]
    assert by_title[0]["index"] == 1
    untitled = [{"name": "Rye bread"}, {"name": "Whole milk", "litres": 1}, {}]
    found = (await shop.post("/rerank", {**body, "documents": untitled})).json()["results"]
    assert found[0]["index"] == 1
    assert found[-1]["relevance_score"] == 0  # nothing to be read


async def test_raw_scores_are_logits(shop: Service) -> None:
    scores = (await shop.post("/rerank", TEI)).json()
    raw = (await shop.post("/rerank", {**TEI, "raw_scores": True})).json()
    body = {"query": TEI["query"], "documents": TEI["texts"], "raw_scores": True}
    documents = (await shop.post("/rerank", body)).json()["results"]
    for shown, logit, same in zip(scores, raw, documents, strict=True):
        assert 1 / (1 + math.exp(-logit["score"])) == pytest.approx(shown["score"], abs=1e-5)
        assert same["relevance_score"] == logit["score"]


async def test_unknown_words_never_look_perfect(shop: Service) -> None:
    texts = ["全脂牛奶 一升装", "无糖可乐 一升装", "红茶"]
    scores = (await shop.post("/rerank", {"query": "无糖可乐", "texts": texts})).json()
    assert scores[0]["index"] == 1  # by its characters
    assert all(entry["score"] < 0.3 for entry in scores[1:])


async def test_without_the_model_texts_are_scored_by_shared_words(shop: Service) -> None:
    shop.encoder.error = ModelUnavailableError("down")
    answer = await shop.post("/rerank", TEI)
    assert answer.headers["x-vitrine-route"] == "fallback"
    assert answer.json()[0]["index"] == 1


class OneAtATime(FakeEncoder):
    """Counts the calls that are in flight together."""

    now = most = 0

    async def encode(self, texts: Sequence[str], budget_s: float) -> FloatArray:
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0.001)
        self.now -= 1
        return await super().encode(texts, budget_s)


async def test_however_many_ask_one_chunk_is_encoded_at_a_time(encoder: Tokenizer) -> None:
    model = OneAtATime(encoder)
    rerank = Rerank(model, budget_s=5)
    answers = await asyncio.gather(*(rerank.relevance("milk", ["a b"] * 70) for _ in range(4)))
    assert [route for _, route in answers] == [Route.MODEL] * 4
    assert model.most == 1


async def test_who_gets_no_turn_in_time_is_answered_by_words(encoder: Tokenizer) -> None:
    class Slow(FakeEncoder):
        async def encode(self, texts: Sequence[str], budget_s: float) -> FloatArray:
            await asyncio.sleep(0.4)
            return await super().encode(texts, budget_s)

    rerank = Rerank(Slow(encoder), budget_s=0.6)  # half of it for one chunk
    first = asyncio.create_task(rerank.relevance("milk", ["rye bread"]))
    await asyncio.sleep(0.01)
    relevance, route = await rerank.relevance("milk", ["rye bread", "whole milk"])
    assert route is Route.FALLBACK
    assert relevance[0] < 0.35 < 0.5 < relevance[1]
    await first


class FirstHangs(FakeEncoder):
    """Its first call uses up all that it is given."""

    async def encode(self, texts: Sequence[str], budget_s: float) -> FloatArray:
        vectors = await super().encode(texts, budget_s)
        if len(self.calls) == 1:
            await asyncio.sleep(budget_s)
            raise ModelTimeoutError("hangs")
        return vectors


async def test_a_call_that_hangs_costs_its_own_caller_only(encoder: Tokenizer) -> None:
    rerank = Rerank(FirstHangs(encoder), budget_s=2)
    answers = await asyncio.gather(*(rerank.relevance("milk", ["rye bread"]) for _ in range(4)))
    assert [route for _, route in answers] == [Route.FALLBACK, *[Route.MODEL] * 3]


async def test_a_list_that_would_make_all_late_is_answered_by_words_at_once(
    encoder: Tokenizer,
) -> None:
    class Steady(FakeEncoder):
        async def encode(self, texts: Sequence[str], budget_s: float) -> FloatArray:
            await asyncio.sleep(0.05)
            return await super().encode(texts, budget_s)

    model = Steady(encoder)
    rerank = Rerank(model, budget_s=1)
    await rerank.relevance("milk", ["rye bread"])
    lists = [["milk"] * 1000, ["milk"] * 5]  # 32 times 0.05 s, and once
    (relevance, route), (_, short) = await asyncio.gather(
        *(rerank.relevance("milk", texts) for texts in lists)
    )
    assert route is Route.FALLBACK
    assert relevance.min() > 0.5
    assert short is Route.MODEL
    assert len(model.calls) == 2


@pytest.mark.parametrize("wait_s", [0.0, 0.01])
async def test_a_caller_that_leaves_gives_its_turn_to_the_next(
    encoder: Tokenizer, wait_s: float
) -> None:
    class Gated(FakeEncoder):
        gate: asyncio.Event

        async def encode(self, texts: Sequence[str], budget_s: float) -> FloatArray:
            await self.gate.wait()
            return await super().encode(texts, budget_s)

    model = Gated(encoder)
    model.gate = asyncio.Event()
    rerank = Rerank(model, budget_s=5)
    encoding, waiting, last = (
        asyncio.create_task(rerank.relevance("milk", ["rye bread"])) for _ in range(3)
    )
    await asyncio.sleep(wait_s)
    for task in (encoding, waiting):
        task.cancel()
    model.gate.set()
    assert (await last)[1] is Route.MODEL
    assert encoding.cancelled()
    assert waiting.cancelled()
    assert len(model.calls) == 1
