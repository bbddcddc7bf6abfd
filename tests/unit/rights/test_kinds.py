"""A brand or a category that is hidden, and an interest that is to be known no more."""

from typing import Any

import pytest

from features.behavior.aggregator import Aggregator
from features.behavior.state import BehaviorState
from features.behavior.unwanted import hidden_items, hidden_kinds
from features.catalog.item import ItemFacts
from features.events.event import BehaviorEvent, EventType, sign_in
from serving.shops.choices.interests import Interest, interests
from tests.support.fakes import NOW_S
from tests.support.service import Service, candidates, ids, problem, view

FACTS = {
    "cheese": ItemFacts(("Food", "Food > Dairy"), "Meadow", 1.0),
    "milk": ItemFacts(("Food", "Food > Dairy"), "Oatly", 0.5),
    "bread": ItemFacts(("Food", "Food > Bakery"), "Meadow", 0.2),
}
ROW_OF = {item_id: row for row, item_id in enumerate(FACTS)}
HIDE, UNHIDE, FORGET = EventType.HIDE, EventType.UNHIDE, EventType.FORGET
PUT = "/v1/users/ann/preferences"


def event(kind: EventType, at: float = 0.0, **fields: Any) -> BehaviorEvent:
    named = {"user_id": "ann", "session_id": "s", **fields}
    return BehaviorEvent(f"{kind}-{at}-{fields}", kind, NOW_S + at, **named)


def folded(*told: BehaviorEvent) -> Aggregator:
    fold = Aggregator(ROW_OF, FACTS)
    for seq, each in enumerate(told, 1):
        fold.apply(each, seq)
    return fold


def looked() -> list[BehaviorEvent]:
    return [
        event(EventType.PURCHASE, -3.0, item_id="cheese", value=4.0),
        event(EventType.VIEW, -2.0, item_id="milk"),
        event(EventType.VIEW, -1.0, item_id="bread"),
    ]


def test_a_hidden_brand_and_category_are_kept_and_taken_back_by_the_newest_word() -> None:
    fold = folded(
        event(HIDE, 1, brand="Meadow"),
        event(HIDE, 2, category="Food>Dairy"),
        event(UNHIDE, 3, brand="Meadow"),
        event(HIDE, 2.5, brand="Meadow"),  # late: it was said before
    )
    for state in (fold.users["ann"], fold.sessions["s"]):
        assert hidden_kinds([state]) == ([], ["Food > Dairy"])
        assert hidden_items([state]) == set()


def test_what_a_guest_hid_stays_hidden_after_the_sign_in() -> None:
    fold = folded(event(HIDE, 1, user_id=None, brand="Oatly"), sign_in("ann", "s", NOW_S + 2))
    assert hidden_kinds([fold.users["ann"]]) == (["Oatly"], [])


def test_a_forgotten_category_leaves_nothing_that_speaks_for_it() -> None:
    before = folded(*looked()).users["ann"]
    state = folded(*looked(), event(FORGET, 0, category="Food > Dairy")).users["ann"]
    assert "Food > Dairy" not in state.categories
    assert set(state.recent) == {"bread"}
    assert state.bought == {}
    assert state.categories["Food"] == pytest.approx(before.categories["Food > Bakery"])
    assert state.counts == before.counts


def test_a_forgotten_brand_is_learnt_anew_by_what_comes_later() -> None:
    told = [*looked(), event(FORGET, 0, brand="Meadow")]
    assert folded(*told).users["ann"].brands.keys() == {"Oatly"}
    again = folded(*told, event(EventType.VIEW, 1, item_id="cheese")).users["ann"]
    assert again.brands.keys() == {"Oatly", "Meadow"}


def test_an_interest_that_is_told_again_is_forgotten_once() -> None:
    fold = folded(*looked(), event(FORGET, 0, brand="Meadow"))
    later = event(EventType.VIEW, 1, item_id="cheese")
    fold.apply(later, 5)
    before = fold.users["ann"].copy()
    fold.apply(event(FORGET, 0, brand="Meadow"), 4)
    assert fold.users["ann"] == before


def test_who_is_not_known_is_not_made_known_by_forgetting() -> None:
    assert folded(event(FORGET, 0, brand="Meadow")).users.keys() <= {"ann"}
    assert folded(event(FORGET, 0, user_id="ben", session_id=None, brand="x")).users == {}


def test_interests_say_how_often_and_when_last() -> None:
    found = interests(folded(*looked()).users["ann"], FACTS)
    assert [(each.kind, each.name) for each in found[:2]] == [
        ("category", "Food"),
        ("category", "Food > Dairy"),
    ]
    meadow = next(each for each in found if each.name == "Meadow")
    assert (meadow.times, meadow.last_s) == (2.0, NOW_S - 1.0)
    assert meadow.share == pytest.approx(6 / 7, abs=0.01)
    assert sum(each.share for each in found if each.name.count(">") == 1) == pytest.approx(1.0)


def test_an_interest_of_which_only_the_affinity_is_left_has_no_time() -> None:
    state = BehaviorState(brands={"Meadow": 1.0})
    assert interests(state, FACTS) == [Interest("brand", "Meadow", 1.0)]


@pytest.fixture
def shop(tokenizer_path: Any) -> Service:
    return Service(tokenizer_path)


def fold_all(shop: Service) -> None:
    """As ingest would, what was told."""
    names = shop.shop.pseudonyms
    table = shop.items.table
    fold = Aggregator(table.row_of, table.facts)
    fold.users.update(shop.shoppers.users)
    fold.sessions.update(shop.shoppers.sessions)
    for seq, each in enumerate(shop.log.events.values(), 100):
        fold.apply(each, seq)
    shop.shoppers.users, shop.shoppers.sessions = fold.users, fold.sessions
    assert names.user("ann") in fold.users


async def test_a_hidden_brand_is_not_recommended_and_stands_last_where_it_is_offered(
    shop: Service,
) -> None:
    table = shop.items.table
    brand = table.items[table.row_of["milk"]].brand
    its = {item.item_id for item in table.items if item.brand == brand}
    assert brand
    before = set(ids(await shop.post("/v1/recommend", {"user_id": "ann", "limit": 50})))
    assert its & before
    answer = await shop.call("PUT", PUT, "shoppers", json={"hide": [{"brand": brand}]})
    assert answer.status_code == 200, answer.text
    fold_all(shop)
    assert (
        set(ids(await shop.post("/v1/recommend", {"user_id": "ann", "limit": 50}))) == before - its
    )
    offered = {"candidates": candidates("milk", "bread", "oat"), "user_id": "ann", "explain": True}
    ranked = (await shop.post("/v1/rank", offered)).json()["items"]
    hidden = [item["item_id"] for item in ranked if item["item_id"] in its]
    assert [item["item_id"] for item in ranked][-len(hidden) :] == hidden
    assert "hidden by the shopper" in str(ranked[-1]["explanation"])
    told = (await shop.call("GET", PUT)).json()
    assert told["hidden"] == {"items": [], "brands": [brand], "categories": []}
    await shop.call("PUT", PUT, json={"show": [{"brand": brand}]})
    fold_all(shop)
    assert set(ids(await shop.post("/v1/recommend", {"user_id": "ann", "limit": 50}))) == before


async def test_a_hidden_category_is_not_recommended(shop: Service) -> None:
    table = shop.items.table
    path = table.items[table.row_of["milk"]].category
    await shop.call("PUT", PUT, json={"hide": [{"category": path}]})
    fold_all(shop)
    found = ids(await shop.post("/v1/recommend", {"user_id": "ann", "limit": 50}))
    assert found
    assert not [each for each in found if table.items[table.row_of[each]].category == path]


async def test_an_interest_is_told_and_deleted(shop: Service) -> None:
    told = (await shop.call("GET", PUT)).json()["interests"]
    brand = next(each for each in told if each["kind"] == "brand")
    assert brand["times"] >= 1
    assert brand["last_at"]
    await shop.call("PUT", PUT, json={"forget": [{"brand": brand["name"]}]})
    fold_all(shop)
    left = (await shop.call("GET", PUT)).json()["interests"]
    assert brand["name"] not in [each["name"] for each in left]


@pytest.mark.parametrize("choice", [{"frozen": True}, {"profiling": False}])
async def test_nothing_is_hidden_or_forgotten_for_who_may_not_be_kept(
    shop: Service, choice: dict[str, bool]
) -> None:
    answer = await shop.call("PUT", PUT, json={**choice, "hide": [{"item_id": "milk"}]})
    assert answer.status_code == 409
    assert "hide" in problem(answer)["detail"]
    assert shop.log.events == {}
    assert "choices" not in shop.controls.documents


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"hide": [{}]}, "hide.0"),
        ({"hide": [{"brand": "a", "item_id": "b"}]}, "hide.0"),
        ({"forget": [{"item_id": "milk"}]}, "forget.0"),
        ({"show": [{"category": ""}]}, "show.0.category"),
    ],
)
async def test_what_is_hidden_is_one_thing_each(
    shop: Service, body: dict[str, Any], field: str
) -> None:
    answer = await shop.call("PUT", PUT, json=body)
    assert answer.status_code == 422
    assert field in problem(answer)["detail"]
    assert shop.log.events == {}


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"type": "hide", "item_id": None, "brand": "Meadow"}, ""),
        ({"type": "forget", "item_id": None, "category": "Food"}, ""),
        ({"type": "hide", "brand": "Meadow"}, "item_id, a brand or a category"),
        ({"type": "forget", "item_id": None}, "brand or a category"),
        ({"type": "view", "brand": "Meadow"}, "has no brand"),
    ],
)
async def test_an_event_of_a_kind_names_one(
    shop: Service, fields: dict[str, Any], fault: str
) -> None:
    answer = (await shop.post("/v1/events", {"events": [view(**fields)]})).json()
    assert answer["accepted"] == int(not fault)
    assert fault in "".join(each["detail"] for each in answer["rejected"])
