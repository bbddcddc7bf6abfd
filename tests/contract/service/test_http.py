"""The wire contract against the real stack: Feast, Ray Serve, HAProxy, Triton, real data."""

import asyncio
import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import cohere
import httpx
import numpy as np
import pytest

from loadtests.stack import RunningStack


def event(kind: str, **fields: Any) -> dict[str, Any]:
    """An event that happened now."""
    return {
        "event_id": uuid.uuid4().hex,
        "type": kind,
        "at": datetime.now(UTC).isoformat(),
        **fields,
    }


def post(stack: RunningStack, path: str, **body: Any) -> httpx.Response:
    """A POST with the development key."""
    return stack.client.post(path, json=body)


def rank(stack: RunningStack, **body: Any) -> dict[str, Any]:
    """An answered ranking of the sample's items."""
    body.setdefault("candidates", [{"item_id": item} for item in stack.sample["item_ids"]])
    answer = post(stack, "/v1/rank", **body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_known_shopper_is_ranked_by_the_model(stack: RunningStack) -> None:
    ranking = rank(stack, user_id=stack.sample["user_id"])
    assert ranking["route"] == "model"
    assert ranking["model_version"] == "1"
    assert sorted(item["item_id"] for item in ranking["items"]) == sorted(stack.sample["item_ids"])
    scores = [item["score"] for item in ranking["items"]]
    assert len(set(scores)) > 1
    assert [item["position"] for item in ranking["items"]] == list(range(1, len(scores) + 1))


def test_a_new_shopper_is_ranked_by_rules_and_it_says_so(stack: RunningStack) -> None:
    ranking = rank(stack, user_id=f"new-{uuid.uuid4().hex}", explain=True)
    assert (ranking["route"], ranking["reason"]) == ("cold_start", "new_shopper")
    assert all("popularity" in item["explanation"]["parts"] for item in ranking["items"])


def test_a_request_without_any_id_is_ranked(stack: RunningStack) -> None:
    assert rank(stack)["route"] == "cold_start"


def test_an_unknown_item_keeps_a_place_and_says_so(stack: RunningStack) -> None:
    candidates = [{"item_id": "no-such-item"}, {"item_id": stack.sample["item_ids"][0]}]
    ranking = rank(stack, user_id=stack.sample["user_id"], candidates=candidates, explain=True)
    known = {item["item_id"]: item["explanation"]["known_item"] for item in ranking["items"]}
    assert known == {"no-such-item": False, stack.sample["item_ids"][0]: True}


def test_clicks_move_the_clicked_item_up_within_a_second(stack: RunningStack) -> None:
    user = f"clicker-{uuid.uuid4().hex}"
    assert rank(stack, user_id=user)["route"] == "cold_start"
    click_thrice(stack, user, stack.sample["item_ids"][0])
    _wait_for(lambda: rank(stack, user_id=user)["route"] == "model", 1.0)
    before = ranked_ids(stack, user)
    last = before[-1]
    click_thrice(stack, user, last)
    _wait_for(lambda: ranked_ids(stack, user).index(last) < len(before) // 2, 1.0)


def click_thrice(stack: RunningStack, user: str, item_id: str) -> None:
    """Three accepted clicks: as many as make a new shopper a known one."""
    clicks = [event("click", user_id=user, item_id=item_id) for _ in range(3)]
    assert post(stack, "/v1/events", events=clicks).json()["accepted"] == 3


def ranked_ids(stack: RunningStack, user: str) -> list[str]:
    """The sample's items as the model ranks them for `user`, best first."""
    ranking = rank(stack, user_id=user, budget_ms=5_000)
    assert ranking["route"] == "model"
    return [item["item_id"] for item in ranking["items"]]


def test_a_repeated_event_changes_nothing(stack: RunningStack) -> None:
    user = f"repeater-{uuid.uuid4().hex}"
    click = event("click", user_id=user, item_id=stack.sample["item_ids"][0])
    assert post(stack, "/v1/events", events=[click]).json()["accepted"] == 1
    again = post(stack, "/v1/events", events=[click, click]).json()
    assert (again["accepted"], again["duplicates"]) == (0, 2)
    assert features(stack, user, interactions=1)["counts"] == {"click": 1}


def test_accepted_history_makes_a_shopper_known(stack: RunningStack) -> None:
    user = f"historian-{uuid.uuid4().hex}"
    items = stack.sample["item_ids"][:3]
    days_ago = [(datetime.now(UTC) - timedelta(days=days)).isoformat() for days in (120, 300, 399)]
    bought = [
        event("purchase", user_id=user, item_id=item, at=at)
        for item, at in zip(items, days_ago, strict=True)
    ]
    assert post(stack, "/v1/events", events=bought).json()["accepted"] == 3
    assert features(stack, user, interactions=3)["counts"] == {"purchase": 3}
    too_old = event("purchase", user_id=user, item_id=items[0], at="2020-01-01T00:00:00Z")
    (rejected,) = post(stack, "/v1/events", events=[too_old]).json()["rejected"]
    assert rejected["code"] == "event_too_old"


def test_what_was_returned_is_not_recommended_for_having_been_bought(stack: RunningStack) -> None:
    item, *others = stack.sample["item_ids"][:4]
    users = {name: f"{name}-{uuid.uuid4().hex}" for name in ("keeper", "returner", "other")}
    for name, user in users.items():
        told = [event("purchase", user_id=user, item_id=other, value=3.0) for other in others]
        if name != "other":
            told.append(event("purchase", user_id=user, item_id=item, value=9.0))
        if name == "returner":
            told.append(event("return", user_id=user, item_id=item, value=9.0))
        assert post(stack, "/v1/events", events=told).json()["accepted"] == len(told)
        features(stack, user, interactions=3 if name == "other" else 4)
    known = asked_features(stack, users["returner"])
    assert item not in known["bought_items"]
    assert item not in known["recent_items"]
    places = {name: ranked_ids(stack, user).index(item) for name, user in users.items()}
    assert places["keeper"] < places["returner"]
    assert abs(places["returner"] - places["other"]) <= 2


def test_what_was_bought_before_its_item_came_is_learnt_when_it_comes(stack: RunningStack) -> None:
    user, item_id = f"early-{uuid.uuid4().hex}", f"late-{uuid.uuid4().hex[:8]}"
    bought = [event("purchase", user_id=user, item_id=item_id) for _ in range(3)]
    assert post(stack, "/v1/events", events=bought).json()["accepted"] == 3
    assert features(stack, user, interactions=3)["categories"] == {}
    item = {"item_id": item_id, "title": "Late Lantern", "category": "Lanterns"}
    assert stack.client.put("/v1/items", json={"items": [item]}).status_code == 202
    _wait_for(lambda: asked_features(stack, user)["categories"] == {"Lanterns": 1.0}, 60)
    assert asked_features(stack, user)["counts"] == {"purchase": 3}
    assert stack.client.delete(f"/v1/items/{item_id}").status_code == 204


@pytest.mark.parametrize("how", ["event", "ranking", "merge"])
def test_a_session_reaches_the_user_that_it_turns_out_to_be(stack: RunningStack, how: str) -> None:
    item_ids = stack.sample["item_ids"]
    session, user, second = (f"{name}-{uuid.uuid4().hex}" for name in ("s", "first", "second"))
    anonymous = [event("click", session_id=session, item_id=item) for item in item_ids[:3]]
    assert post(stack, "/v1/events", events=anonymous).json()["accepted"] == 3
    for _ in range(2):
        if how == "event":
            both = event("impression", session_id=session, user_id=user, item_id=item_ids[3])
            assert post(stack, "/v1/events", events=[both]).json()["accepted"] == 1
        elif how == "ranking":
            rank(stack, session_id=session, user_id=user)
        else:
            assert post(stack, f"/v1/users/{user}/merge", session_id=session).status_code == 202
    assert features(stack, user, interactions=3)["counts"]["click"] == 3
    assert post(stack, f"/v1/users/{second}/merge", session_id=session).status_code == 202
    _wait_for(lambda: stack.client.get("/v1/status").json()["events_waiting"] == 0, 10)
    assert not asked_features(stack, second)["known"]


def test_five_hundred_clicks_of_one_shopper_make_nothing_popular(stack: RunningStack) -> None:
    item_ids = stack.sample["item_ids"]
    nobody = rank(stack, candidates=[{"item_id": item} for item in item_ids])
    order = [item["item_id"] for item in nobody["items"]]
    flooded = order[-1]
    clicks = [event("click", session_id="flooder", item_id=flooded) for _ in range(500)]
    assert post(stack, "/v1/events", events=clicks).json()["accepted"] == 500
    _wait_for(lambda: stack.client.get("/v1/status").json()["events_waiting"] == 0, 30)
    time.sleep(3)  # a replica takes over counters within a second or two
    after = [item["item_id"] for item in rank(stack)["items"]]
    assert after.index(flooded) > len(order) // 4


def test_a_bad_event_is_rejected_alone(stack: RunningStack) -> None:
    good = event("view", session_id="s", item_id=stack.sample["item_ids"][0])
    bad = event("purchase", session_id="s")
    answer = post(stack, "/v1/events", events=[bad, good])
    assert answer.status_code == 202
    assert answer.json()["accepted"] == 1
    assert answer.json()["rejected"][0]["index"] == 0
    assert "item_id" in answer.json()["rejected"][0]["detail"]


def test_a_new_item_is_found_and_ranked_and_a_deleted_one_never_again(stack: RunningStack) -> None:
    item_id = f"new-{uuid.uuid4().hex[:8]}"
    title = "Zanzibar Clove Marmalade"
    answer = stack.client.put("/v1/items", json={"items": [{"item_id": item_id, "title": title}]})
    assert answer.status_code == 202
    _wait_for(lambda: item_id in searched(stack, "zanzibar marmalade"), 60)
    ranking = rank(stack, user_id=stack.sample["user_id"],
                   candidates=[{"item_id": item_id}], explain=True)  # fmt: skip
    assert ranking["items"][0]["explanation"]["known_item"]
    assert stack.client.delete(f"/v1/items/{item_id}").status_code == 204
    _wait_for(lambda: item_id not in searched(stack, "zanzibar marmalade"), 60)
    gone = rank(stack, user_id=stack.sample["user_id"], candidates=[{"item_id": item_id}])
    assert gone["items"] == []


def test_search_finds_by_words(stack: RunningStack) -> None:
    found = titles(stack, searched(stack, "ramen noodles"))
    assert sum("Ramen Noodles" in title for title in found) >= 3, found


def test_search_finds_by_meaning(stack: RunningStack) -> None:
    # No item has this word, so only vectors can lead to the cheese.
    found = titles(stack, searched(stack, "cheddar"))
    assert "cheddar" not in str(found).lower()
    assert sum("Cheese" in title for title in found) >= 3, found


def titles(stack: RunningStack, item_ids: list[str]) -> list[str]:
    """The titles of items, as the demo shop shows them."""
    assert item_ids, "the search found nothing"
    answer = stack.client.get("/demo/items", params={"ids": item_ids})
    assert answer.status_code == 200, answer.text
    return [item["title"] for item in answer.json()["items"]]


def test_recommend_and_similar_answer_with_items(stack: RunningStack) -> None:
    found = post(stack, "/v1/recommend", user_id=stack.sample["user_id"], limit=12).json()
    assert found["route"] == "model"
    assert len(found["items"]) == 12
    seed = stack.sample["item_ids"][0]
    like = stack.client.get(f"/v1/items/{seed}/similar", params={"limit": 7}).json()
    assert len(like["items"]) == 7
    assert seed not in [item["item_id"] for item in like["items"]]


def test_filters_hold(stack: RunningStack) -> None:
    cheap = post(stack, "/v1/recommend", user_id=stack.sample["user_id"], limit=30,
                 filters={"max_price": 2.0}, explain="features").json()  # fmt: skip
    assert cheap["items"]
    prices = [item["explanation"]["features"]["item_log_price"] for item in cheap["items"]]
    assert max(prices) <= np.log(2.0) + 1e-6


def test_an_erased_shopper_is_a_new_shopper(stack: RunningStack) -> None:
    user = f"leaver-{uuid.uuid4().hex}"
    clicks = [event("click", user_id=user, item_id=item) for item in stack.sample["item_ids"]]
    post(stack, "/v1/events", events=clicks)
    features(stack, user, interactions=len(clicks))
    assert stack.client.delete(f"/v1/users/{user}").status_code == 202
    _wait_for(lambda: not asked_features(stack, user)["known"], 20)
    assert rank(stack, user_id=user)["route"] == "cold_start"


def test_no_raw_user_id_is_on_disk(stack: RunningStack) -> None:
    user = f"planted-{uuid.uuid4().hex}"
    post(stack, "/v1/events",
         events=[event("click", user_id=user, item_id=stack.sample["item_ids"][0])])  # fmt: skip
    features(stack, user, interactions=1)
    rank(stack, user_id=user, session_id=user)
    time.sleep(1.0)  # the recorder writes after the answer
    holders = [
        path
        for path in stack.folder.rglob("*")
        if path.is_file() and user.encode() in path.read_bytes()
    ]
    assert holders == []


def test_both_rerank_dialects_put_the_fitting_text_first(stack: RunningStack) -> None:
    texts = ["garden hose, 20 m", "fresh whole milk", "winter tyre"]
    tei = post(stack, "/rerank", query="something to drink", texts=texts, return_text=True).json()
    assert tei[0]["index"] == 1
    assert tei[0]["text"] == "fresh whole milk"
    jina = post(stack, "/rerank", model="any", query="something to drink", documents=texts, top_n=1)
    assert [result["index"] for result in jina.json()["results"]] == [1]


def test_the_cohere_client_understands_rerank(stack: RunningStack) -> None:
    with httpx.Client() as http:
        client = cohere.ClientV2(api_key="dev", base_url=stack.url, httpx_client=http)
        answer = client.rerank(
            model="vitrine",
            query="shoes for running",
            documents=["tin of soup", "running shoes"],
            top_n=2,
        )
    assert [result.index for result in answer.results] == [1, 0]
    assert answer.results[0].relevance_score > answer.results[1].relevance_score


def test_a_ranking_does_not_depend_on_what_else_is_asked(stack: RunningStack) -> None:
    body = {
        "user_id": stack.sample["user_id"],
        "candidates": [{"item_id": item} for item in stack.sample["item_ids"]],
        "context": {"at": datetime.now(UTC).isoformat()},
        "budget_ms": 5_000,  # none of twenty at once is to be answered by rules
    }
    alone = [(i["item_id"], i["score"]) for i in post(stack, "/v1/rank", **body).json()["items"]]

    async def together() -> list[httpx.Response]:
        async with httpx.AsyncClient(
            base_url=stack.url, headers={"authorization": "Bearer dev"}, timeout=30
        ) as client:
            other = {**body, "query": "bread and butter", "user_id": "someone-else"}
            return await asyncio.gather(
                *(client.post("/v1/rank", json=content) for content in [body, other] * 10)
            )

    for answer in asyncio.run(together())[::2]:
        assert answer.json()["route"] == "model"
        mine = sorted((i["item_id"], i["score"]) for i in answer.json()["items"])
        for (item, score), (same_item, same_score) in zip(mine, sorted(alone), strict=True):
            assert item == same_item
            assert score == pytest.approx(same_score, abs=2e-3)


def test_a_budget_that_the_model_cannot_meet_is_answered_by_rules(stack: RunningStack) -> None:
    ranking = rank(stack, user_id=stack.sample["user_id"], budget_ms=1)
    assert ranking["route"] == "fallback"
    assert ranking["reason"] in ("deadline", "features_unavailable")


def test_server_timing_tells_the_stages(stack: RunningStack) -> None:
    candidates = [{"item_id": item} for item in stack.sample["item_ids"]]
    answer = post(stack, "/v1/rank", user_id=stack.sample["user_id"], candidates=candidates)
    stages = {entry.split(";")[0] for entry in answer.headers["server-timing"].split(", ")}
    # `wait`: HAProxy has said when the request came.
    assert stages >= {"wait", "validate", "features", "score", "model", "slate", "total"}


def test_status_and_probes_answer(stack: RunningStack) -> None:
    assert stack.client.get("/healthz").json() == {"status": "ok"}
    assert stack.client.get("/readyz").status_code == 200
    status = stack.client.get("/v1/status").json()
    assert status["model_answers"]
    assert status["catalog_items"] >= 1000
    assert "vitrine_rankings_total" in stack.client.get("/metrics").text


@pytest.mark.parametrize("path", ["/healthz", "/v1/status", "/v1/nowhere", "/demo"])
def test_an_answer_has_one_request_id_and_names_no_server(stack: RunningStack, path: str) -> None:
    for sent, kept in (("mine-1", True), ("not <one>", False), (None, False)):
        headers = {} if sent is None else {"x-request-id": sent}
        answer = stack.client.get(path, headers=headers)
        (request_id,) = answer.headers.get_list("x-request-id")
        assert request_id
        assert (request_id == sent) == kept
        assert "server" not in answer.headers


def test_strangers_get_no_answer(stack: RunningStack) -> None:
    answer = httpx.post(f"{stack.url}/v1/rank", content=b"{")
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    wrong = httpx.get(f"{stack.url}/v1/status", headers={"authorization": "Bearer wrong"})
    assert wrong.status_code == 401


def searched(stack: RunningStack, query: str) -> list[str]:
    """Item ids that a search answers."""
    answer = post(stack, "/v1/search", query=query, limit=10)
    assert answer.status_code == 200, answer.text
    return [item["item_id"] for item in answer.json()["items"]]


def asked_features(stack: RunningStack, user: str) -> dict[str, Any]:
    """What an administrator is told of `user`."""
    found: dict[str, Any] = stack.client.get(f"/v1/users/{user}/features").json()
    return found


def features(stack: RunningStack, user: str, interactions: int) -> dict[str, Any]:
    """The shopper's features once `interactions` have arrived."""
    _wait_for(lambda: asked_features(stack, user).get("interactions") == interactions, 5)
    return asked_features(stack, user)


def _wait_for(condition: Any, within_s: float) -> None:
    deadline_s = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline_s, f"not within {within_s} s"
        time.sleep(0.05)
