"""The wire contract, answered: what each endpoint takes and gives."""

import json
from typing import Any

import numpy as np
import pytest

from features.behavior.matrix import FEATURE_NAMES
from serving.errors import ModelUnavailableError
from serving.models.contract import PART_NAMES
from tests.support.service import Service, candidates, ids, problem, view


@pytest.fixture
def shop(tokenizer_path: Any) -> Service:
    return Service(tokenizer_path)


async def test_a_known_shopper_gets_a_ranking_by_the_model(shop: Service) -> None:
    body = {
        "user_id": "ann",
        "session_id": "s",
        "query": "milk",
        "candidates": [{"item_id": "milk", "retrieval_score": 2}, *candidates("oat", "who")],
        "context": {"device": "phone", "locale": "de-DE", "page": "home"},
        "budget_ms": 400,
    }
    answer = await shop.post("/v1/rank", body)
    found = answer.json()
    assert (found["route"], found["reason"], found["model_version"]) == ("model", None, "7")
    assert sorted(ids(answer)) == ["milk", "oat", "who"]
    assert [item["position"] for item in found["items"]] == [1, 2, 3]
    assert [item["propensity"] for item in found["items"]] == [1.0, 1.0, 1.0]
    scores = [item["score"] for item in found["items"]]
    assert scores == sorted(scores, reverse=True)
    for stage in ("validate", "features", "score", "slate", "batch_wait", "model", "total"):
        assert f"{stage};dur=" in answer.headers["server-timing"]
    (slate,) = shop.kept.slates
    assert slate.context.ranking_id == found["ranking_id"]
    assert "ann" not in str(slate.context)
    assert answer.headers["x-vitrine-variant"] == slate.assignment.variant == "default"


async def test_a_stranger_gets_a_ranking_by_rules(shop: Service) -> None:
    found = (await shop.post("/v1/rank", {"candidates": candidates("milk", "oat")})).json()
    assert (found["route"], found["reason"]) == ("cold_start", "new_shopper")


async def test_dead_dependencies_are_no_errors(shop: Service) -> None:
    body = {"user_id": "ann", "candidates": candidates("milk", "oat")}
    shop.scorer.error = ModelUnavailableError("down")
    found = (await shop.post("/v1/rank", body)).json()
    assert (found["route"], found["reason"]) == ("fallback", "model_unavailable")
    shop.shoppers.error = OSError("down")
    found = (await shop.post("/v1/rank", body)).json()
    assert (found["route"], found["reason"]) == ("fallback", "features_unavailable")
    shop.encoder.error = ModelUnavailableError("down")
    assert ids(await shop.post("/v1/search", {"query": "whole milk"}))[0] == "milk"
    assert ids(await shop.post("/v1/recommend", {"user_id": "ann"}))


async def test_a_deadline_that_the_model_cannot_meet_is_met_by_rules(shop: Service) -> None:
    body = {"user_id": "ann", "candidates": candidates("milk", "oat"), "budget_ms": 1}
    found = (await shop.post("/v1/rank", body)).json()
    assert (found["route"], found["reason"]) == ("fallback", "deadline")


async def test_an_explanation_tells_known_and_unknown_items_apart(shop: Service) -> None:
    body = {"user_id": "ann", "candidates": candidates("milk", "who"), "explain": "features"}
    items = (await shop.post("/v1/rank", body)).json()["items"]
    told = {item["item_id"]: item["explanation"] for item in items}
    assert told["milk"]["known_item"] is True
    assert told["who"]["known_item"] is False
    assert set(told["milk"]["features"]) <= set(FEATURE_NAMES)
    assert set(told["milk"]["parts"]) == set(PART_NAMES) - {"text"}
    assert isinstance(told["milk"]["text_match"], float)
    told = (await shop.post("/v1/rank", {**body, "explain": True})).json()["items"]
    assert [item["explanation"]["features"] for item in told] == [{}, {}]
    plain = (await shop.post("/v1/rank", {**body, "explain": False})).json()
    assert "explanation" not in plain["items"][0]


async def test_an_explanation_says_what_speaks_for_an_item(shop: Service) -> None:
    table = shop.items.table
    neighbors = np.full((len(table), 1), -1, np.int32)
    neighbors[table.row_of["bread"]] = table.row_of["milk"]
    table.set_neighbors(neighbors, np.full(neighbors.shape, 0.5, np.float32))
    body = {"user_id": "ann", "candidates": candidates("bread", "glass"), "explain": True}
    items = (await shop.post("/v1/rank", body)).json()["items"]
    told = {item["item_id"]: item["explanation"]["because"] for item in items}
    because = {"item_id": "milk", "title": "Whole milk", "kind": "viewed"}
    assert told == {"bread": because, "glass": None}
    asked = (await shop.post("/v1/rank", {**body, "query": "bread"})).json()["items"]
    assert {item["explanation"]["because"] for item in asked} == {None}  # it was asked for


async def test_limit_and_filters_cut_the_candidates(shop: Service) -> None:
    body: dict[str, Any] = {"candidates": candidates("milk", "oat", "dress", "who"), "limit": 2}
    assert len(ids(await shop.post("/v1/rank", body))) == 2
    body = {"candidates": body["candidates"], "filters": {"category": "Grocery"}}
    assert set(ids(await shop.post("/v1/rank", body))) == {"milk", "oat"}
    body["filters"] = {"exclude_item_ids": ["who", "milk"]}
    assert set(ids(await shop.post("/v1/rank", body))) == {"oat", "dress"}
    body["filters"] = {"brand": ["Nobody"]}
    assert ids(await shop.post("/v1/rank", body)) == []


async def test_candidates_may_be_ids_alone(shop: Service) -> None:
    body = {"candidates": ["milk", {"item_id": "oat", "retrieval_score": 2}, "who"]}
    assert sorted(ids(await shop.post("/v1/rank", body))) == ["milk", "oat", "who"]
    (slate,) = shop.kept.slates
    scores = dict(zip(slate.candidates.item_ids, slate.candidates.retrieval_score, strict=True))
    assert scores["oat"] == 2
    assert np.isnan(scores["milk"])


async def test_a_deleted_item_is_never_ranked(shop: Service) -> None:
    shop.items.table.remove("milk")
    body = {"candidates": candidates("milk", "oat"), "filters": {"available": None}}
    assert ids(await shop.post("/v1/rank", body)) == ["oat"]


async def test_the_ranking_can_be_asked_for_as_of_a_time(shop: Service) -> None:
    at = "2026-03-01T12:00:00+02:00"
    body = {"candidates": candidates("milk"), "context": {"at": at}}
    assert ids(await shop.post("/v1/rank", body)) == ["milk"]
    assert shop.kept.slates[0].context.at_s == 1772359200.0


async def test_search_finds_and_ranks(shop: Service) -> None:
    answer = await shop.post("/v1/search", {"query": "whole milk", "limit": 3})
    assert ids(answer) == ["milk"]
    (first,) = answer.json()["items"]
    assert first["relevance"] > 0.5
    assert answer.json()["route"] == "model"  # a query speaks for its asker
    assert "retrieve;dur=" in answer.headers["server-timing"]


@pytest.mark.parametrize(
    "body", [{"query": "milk", "filters": {"brand": ["Nobody"]}}, {"query": "zxqv"}]
)
async def test_a_search_that_nothing_answers_says_so(shop: Service, body: dict[str, Any]) -> None:
    answer = await shop.post("/v1/search", body)
    assert ids(answer) == []
    assert answer.json()["reason"] == "no_match"


async def test_recommendations_read_the_shopper_once(shop: Service) -> None:
    assert ids(await shop.post("/v1/recommend", {"user_id": "ann", "session_id": "s"}))
    assert shop.shoppers.reads == 1


async def test_similar_items_do_not_hold_the_item_itself(shop: Service) -> None:
    found = ids(await shop.call("GET", "/v1/items/milk/similar?limit=4"))
    assert len(found) == 4
    assert "milk" not in found


async def test_events_items_and_erasures_are_taken(shop: Service) -> None:
    answer = await shop.post("/v1/events", {"events": [view(), {"event_id": "x"}, view(at=3)]})
    found = answer.json()
    assert (answer.status_code, found["accepted"], found["duplicates"]) == (202, 1, 0)
    assert [(r["index"], r["code"]) for r in found["rejected"]] == [
        (1, "invalid_event"),
        (2, "invalid_event"),
    ]
    assert set(found["rejected"][0]) == {"index", "code", "detail"}
    jam = {"items": [{"item_id": "jam", "title": "Plum jam"}]}
    answer = await shop.call("PUT", "/v1/items", json=jam)
    assert (answer.status_code, answer.json()) == (202, {"accepted": 1, "rejected": []})
    for _ in range(2):
        assert (await shop.call("DELETE", "/v1/items/jam")).status_code == 204
    assert shop.catalog.items == {"jam": None}
    assert (await shop.call("DELETE", "/v1/users/ann")).status_code == 202
    assert shop.log.erased != ["ann"]
    assert len(shop.log.erased) == 1


async def test_an_administrator_sees_what_is_known_of_a_shopper(shop: Service) -> None:
    found = (await shop.call("GET", "/v1/users/ann/features")).json()
    assert found["known"] is True
    assert found["recent_items"] == ["oat", "milk"]
    assert found["counts"] == {"view": 2}
    assert found["age_s"] == 60.0
    assert (await shop.call("GET", "/v1/users/who/features")).json() == {"known": False}
    shop.shoppers.error = OSError("down at 10.0.0.7")
    answer = await shop.call("GET", "/v1/users/ann/features")
    assert (answer.status_code, problem(answer)["code"]) == (503, "features_unavailable")
    assert "retry-after" in answer.headers
    assert "10.0.0.7" not in answer.text


async def test_ready_means_that_features_and_model_have_answered_once(shop: Service) -> None:
    shop.scorer.error = ModelUnavailableError("down")
    answer = await shop.call("GET", "/readyz", None)
    assert (answer.status_code, answer.json()["model"]) == (503, False)
    shop.scorer.error = None
    assert (await shop.call("GET", "/readyz", None)).status_code == 200
    shop.scorer.error = ModelUnavailableError("down again")
    shop.shoppers.error = OSError("down")
    status = (await shop.call("GET", "/v1/status")).json()
    assert (status["features_answer"], status["model_answers"]) == (False, False)
    assert (await shop.call("GET", "/readyz", None)).status_code == 200


async def test_a_store_too_slow_for_a_ranking_still_answers_whether_it_is_there(
    shop: Service,
) -> None:
    shop.shoppers.delay_s = 0.3  # a ranking waits for 0.1 s
    assert (await shop.call("GET", "/readyz", None)).json()["features"] is True


async def test_the_status_tells_versions_routes_and_freshness_even_without_a_log(
    shop: Service,
) -> None:
    await shop.post("/v1/events", {"events": [view()]})
    await shop.post("/v1/rank", {"candidates": candidates("milk")})
    found = (await shop.call("GET", "/v1/status")).json()
    assert found["model_version"] == "7"
    assert found["catalog_items"] == 8
    assert (found["events_logged"], found["events_waiting"]) == (1, 1)
    assert found["ingest"] == {"lag_s": 0.5}
    assert found["rankings"]["cold_start"] >= 1
    shop.log.error = OSError("down")
    assert (await shop.call("GET", "/v1/status")).json()["events_logged"] is None


async def test_liveness_and_metrics_need_no_key_and_hold_no_ids(shop: Service) -> None:
    assert (await shop.call("GET", "/healthz", None)).json() == {"status": "ok"}
    await shop.post("/v1/rank", {"candidates": candidates("very-own-item"), "user_id": "ann"})
    await shop.call("DELETE", "/v1/items/very-own-item")
    await shop.call("GET", "/nowhere/very-own-item")
    text = (await shop.call("GET", "/metrics", None)).text
    assert 'vitrine_requests_total{endpoint="/v1/items/{item_id}",status="204"}' in text
    assert 'vitrine_requests_total{endpoint="unknown",status="404"}' in text
    assert "very-own-item" not in text
    assert "ann" not in text.replace("channel", "")


async def test_a_thousand_candidates_of_full_length_are_ranked(shop: Service) -> None:
    body = {
        "candidates": [
            {"item_id": f"{n:04}" + "ß" * 124, "retrieval_score": float(np.float32(-1e9 + n))}
            for n in range(1000)
        ],
        "query": "q" * 512,
        "user_id": "u" * 128,
        "session_id": "s" * 128,
        "explain": True,
        "filters": {"exclude_item_ids": [f"x{n}" * 20 for n in range(1000)]},
    }
    assert len(json.dumps(body, ensure_ascii=False).encode()) < 1024 * 1024
    answer = await shop.post("/v1/rank", json.dumps(body, ensure_ascii=False).encode())
    assert len(ids(answer)) == 1000
