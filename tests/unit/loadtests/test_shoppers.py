"""Who comes to the shop, what they look at, and that nobody waits for an answer."""

import json
import random
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
from pydantic import BaseModel

from features.datasets.format import Dataset, DatasetInfo
from loadtests.load.shop import Draws, Shop
from loadtests.load.visits import Call, Crowd, Slate, judge
from serving.http.schemas.events import EventIn
from serving.http.schemas.rankings import RankRequest, RecommendRequest, SearchRequest

SHOP = Shop([f"i{k}" for k in range(200)], [f"query {k}" for k in range(200)], ["ada", "bob"])
SLATE = Slate("r1", [f"i{k}" for k in range(20)])


def _draws(cold: bool = False) -> Draws:
    return Draws(SHOP, random.Random(0), cold)


def _play(n: int) -> list[Call]:
    """The first `n` calls of a crowd that is answered at once."""
    crowd, calls = Crowd(_draws(), thinking=1), []
    for _ in range(n):
        visit, call = crowd.next()
        calls.append(call)
        crowd.answered(visit, SLATE if call.is_ranking else None)
    return calls


def test_items_are_drawn_by_zipfs_law() -> None:
    draws = _draws()
    counts = Counter(draws.item() for _ in range(50_000))
    assert counts["i0"] / counts["i9"] == pytest.approx(10, rel=0.2)
    assert counts["i0"] / counts["i1"] == pytest.approx(2, rel=0.1)


def test_a_cold_cache_gets_items_evenly_and_no_query_twice() -> None:
    draws = _draws(cold=True)
    counts = Counter(draws.item() for _ in range(20_000))
    assert max(counts.values()) < 3 * min(counts.values())
    queries = [draws.query() for _ in range(1000)]
    assert len(set(queries)) == 1000


def test_candidates_are_different_items_and_no_more_than_there_are() -> None:
    assert len(set(_draws().items(50))) == 50
    few = Draws(Shop(["a", "b"], ["x", "y"], []), random.Random(0))
    assert set(few.items(50)) == {"a", "b"}


def test_one_shopper_in_ten_is_new() -> None:
    draws = _draws()
    new = [who for who in (draws.shopper() for _ in range(10_000)) if who not in SHOP.user_ids]
    assert len(new) == pytest.approx(1000, abs=100)
    assert len(set(new)) == len(new)


def test_the_same_seed_draws_the_same_shoppers() -> None:
    assert [_draws().item() for _ in range(5)] == [_draws().item() for _ in range(5)]


def test_ids_are_new_to_a_stack_that_saw_the_same_seed_before() -> None:
    # A repeated event_id would be dropped as a duplicate: half the load would be gone.
    assert _draws().new_id("event") != _draws().new_id("event")


def test_views_carts_and_purchases_come_ten_to_two_to_one() -> None:
    types = Counter(
        event["type"]
        for call in _play(20_000)
        if call.body is not None
        for event in call.body.get("events", ())
    )
    assert types["view"] / types["purchase"] == pytest.approx(10, rel=0.2)
    assert types["add_to_cart"] / types["purchase"] == pytest.approx(2, rel=0.2)
    assert types["impression"] > types["click"] == types["view"]


def test_the_service_takes_every_request() -> None:
    schemas: dict[str, type[BaseModel]] = {
        "rank": RankRequest,
        "search": SearchRequest,
        "recommend": RecommendRequest,
    }
    seen = set()
    for call in _play(500):
        seen.add(call.endpoint)
        if call.endpoint in schemas:
            schemas[call.endpoint].model_validate(call.body)
        for event in (call.body or {}).get("events", ()):
            # As from the wire: JSON has no times of its own.
            found = EventIn.model_validate_json(json.dumps(event))
            assert found.ranking_id == "r1"
            assert found.item_id == SLATE.item_ids[(found.position or 0) - 1]
    assert seen == {"rank", "search", "recommend", "similar", "events"}


def test_a_crowd_without_answers_sends_newcomers() -> None:
    crowd = Crowd(_draws(), thinking=3)
    calls = [crowd.next()[1] for _ in range(100)]
    assert all(call.is_ranking for call in calls)


def test_a_shopper_who_was_shown_nothing_leaves() -> None:
    crowd = Crowd(_draws(), thinking=1)
    visit, _ = crowd.next()
    crowd.answered(visit, Slate("r", []))
    another, _ = crowd.next()
    assert another is not visit


@pytest.mark.parametrize(
    ("status", "content", "outcome"),
    [
        (0, None, "no answer"),
        (429, b"{}", "refused"),
        (503, b"{}", "status 503"),
        (200, b"<html>", "malformed answer"),
        (200, b'{"items": []}', "malformed answer"),
    ],
)
def test_what_is_no_ranking_is_named(status: int, content: bytes | None, outcome: str) -> None:
    assert judge(Call("rank", "/v1/rank", {}), status, content) == (outcome, "", None)


def test_a_rejected_event_is_a_failure_although_the_batch_was_taken() -> None:
    call = Call("events", "/v1/events", {})
    assert judge(call, 202, b'{"rejected": []}')[0] == "ok"
    assert judge(call, 202, b'{"rejected": [{"index": 0}]}')[0] == "events rejected"


def test_a_shop_lists_what_is_bought_most_first(tmp_path: Path) -> None:
    items = pd.DataFrame({"item_id": ["a", "b", "c"], "title": ["Red Tea, 2 bags", "Milk", "42"]})
    events = pd.DataFrame({"item_id": ["b", "b", "c"], "user_id": ["ada", "", "ada"]})
    shop = Shop.of(Dataset(info=DatasetInfo(name="t"), items=items, events=events))
    assert shop == Shop(["b", "c", "a"], ["milk", "42", "red tea"], ["ada"])
    shop.write(tmp_path / "shop.json")
    assert Shop.read(tmp_path / "shop.json") == shop
