"""An answer that is not personal: nobody is read, told, drawn or kept, and all get the same."""

import logging
from typing import Any

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from features.controls.choices import Choice
from serving.shops.rules import Rules
from tests.support.service import Service, candidates, ids

N_SHOPPERS = 60
AT = "2026-09-21T14:13:20Z"
RULES = Rules.model_validate(
    {
        "exploration": {"share": 0.5, "position": 2, "max_exposure": 1e9},
        "experiments": [
            {"key": "wide", "status": "running", "arms": [{"key": "a"}, {"key": "b", "rules": {}}]}
        ],
        "placements": {"home": {}},
        "pages": {"start": {"shelves": [{"placement": "home", "size": 3}]}},
    }
)
ASKED: dict[str, tuple[str, dict[str, Any]]] = {
    "rank": ("/v1/rank", {"candidates": candidates("milk", "oat", "bread")}),
    "search": ("/v1/search", {"query": "milk", "facets": ["brand"]}),
    "browse": ("/v1/search", {"query": ""}),
    "recommend": ("/v1/recommend", {}),
    "cart": ("/v1/recommend", {"cart_item_ids": ["milk"]}),
    "brands": ("/v1/recommend/brands", {}),
    "categories": ("/v1/recommend/categories", {}),
    "page": ("/v1/pages/start", {}),
}


@pytest.fixture
def shop(tokenizer_path: Any) -> Service:
    return Service(tokenizer_path, rules=RULES)


def everybodys(answer: Any) -> dict[str, Any]:
    """What is left of an answer without the ids that each has."""
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    for shelf in [told, *told.get("shelves", [])]:
        for name in ("ranking_id", "page_id"):
            shelf.pop(name, None)
    return told


@pytest.mark.parametrize("asked", ASKED)
async def test_all_shoppers_get_the_same_and_nobody_is_read(shop: Service, asked: str) -> None:
    path, body = ASKED[asked]
    body = {**body, "context": {"at": AT}, "personalize": False}
    shoppers = ["ann", *(f"u{n}" for n in range(N_SHOPPERS))]
    answers = [
        await shop.post(path, {**body, "user_id": name, "session_id": "s"}) for name in shoppers
    ]
    first = everybodys(answers[0])
    assert all(everybodys(answer) == first for answer in answers)
    assert {answer.headers.get("x-vitrine-variant", "default") for answer in answers} == {"default"}
    assert shop.shoppers.reads == 0


async def test_the_same_request_is_personal_otherwise(shop: Service) -> None:
    body = {**ASKED["recommend"][1], "context": {"at": AT}, "user_id": "ann", "session_id": "s"}
    mine = (await shop.post("/v1/recommend", body)).json()
    assert shop.shoppers.reads == 1
    assert "personal" not in mine
    assert mine["experiments"]


async def test_similar_items_can_be_asked_for_so_too(shop: Service) -> None:
    path = "/v1/items/milk/similar?user_id=ann&session_id=s"
    assert "personal" not in (await shop.call("GET", path)).json()
    read = shop.shoppers.reads
    answer = (await shop.call("GET", f"{path}&personalize=false")).json()
    assert answer["personal"] is False
    assert shop.shoppers.reads == read


async def test_what_is_kept_of_it_names_no_shopper_and_no_arm(shop: Service) -> None:
    body = {"candidates": ["milk", "oat"], "user_id": "ann", "session_id": "s"}
    await shop.post("/v1/rank", {**body, "personalize": False})
    (slate,) = shop.kept.slates
    assert (slate.context.user_id, slate.context.session_id) == (None, None)
    assert slate.assignment.exposures == ()


async def test_neither_log_nor_trace_names_the_shopper(
    shop: Service, caplog: pytest.LogCaptureFixture, spans: InMemorySpanExporter
) -> None:
    caplog.set_level(logging.DEBUG)
    body = {"query": "milk", "user_id": "ann-of-nowhere", "session_id": "cookie-of-nowhere"}
    answer = await shop.post("/v1/search", {**body, "personalize": False})
    names = shop.shop.pseudonyms
    told = caplog.text + "".join(span.to_json() for span in spans.get_finished_spans())
    told += answer.text + str(answer.headers)
    assert "POST /v1/search" in told
    for name in ("ann-of-nowhere", "cookie-of-nowhere"):
        assert not any(str(each) in told for each in (name, names.user(name), names.session(name)))


@pytest.mark.parametrize(
    ("kind", "name"), [("users", "ann"), ("sessions", "s")], ids=["user", "session"]
)
async def test_a_stored_choice_holds_without_being_asked_for(
    shop: Service, kind: str, name: str
) -> None:
    body = {"candidates": ["milk", "oat"], "user_id": "ann", "session_id": "s"}
    assert (await shop.post("/v1/rank", body)).json().get("personal") is None
    await shop.call("PUT", f"/v1/{kind}/{name}/preferences", json={"personal": False})
    read = shop.shoppers.reads
    answer = await shop.post("/v1/rank", body)
    assert answer.json()["personal"] is False
    assert answer.json()["reason"] == "not_personal"
    assert ids(answer)
    assert shop.shoppers.reads == read
    await shop.call("PUT", f"/v1/{kind}/{name}/preferences", json={"personal": True})
    read = shop.shoppers.reads
    assert (await shop.post("/v1/rank", body)).json().get("personal") is None
    assert shop.shoppers.reads == read + 1


async def test_who_is_frozen_is_ranked_for_as_nobody(shop: Service) -> None:
    await shop.call("PUT", "/v1/users/ann/preferences", json={"frozen": True})
    read = shop.shoppers.reads
    answer = await shop.post("/v1/recommend", {"user_id": "ann"})
    assert answer.json()["personal"] is False
    assert shop.shoppers.reads == read


async def test_one_shoppers_choice_is_no_other_shoppers(shop: Service) -> None:
    await shop.call("PUT", "/v1/users/ben/preferences", json={"personal": False})
    assert "personal" not in (await shop.post("/v1/recommend", {"user_id": "ann"})).json()


async def test_a_choice_of_another_replica_is_in_force_when_it_is_followed(shop: Service) -> None:
    name = str(shop.shop.pseudonyms.user("ann"))
    shop.controls.put(f"choices:{name[:2]}", name, {
        "personal": False, "profiling": True, "frozen": False, "at_s": 1.0,
    })  # fmt: skip
    shop.controls.put("choices", name[:2], {"change": "by another"})
    assert shop.shop.choices.of(name) == Choice()
    shop.shop.choices.follow()
    assert shop.shop.choices.of(name) == Choice(personal=False)
