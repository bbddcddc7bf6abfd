"""What a shopper hides, or is shown in vain, steps aside within a second, on the real stack."""

import json
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from loadtests.stack import RunningStack, prepare, run_stack
from serving.local.machine import free_port

KINDS = ["Green tea", "Black tea", "White tea", "Clay mug", "Glass cup", "Tin kettle"]
ITEMS = [f"sku-{n}" for n in range(18)]
RULES = """
fatigue: {after: 2, half_life_h: 24, strength: 3}
exploration: {share: 0}
diversity: {depth: 0}
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """A shop of 18 items without events, whose rules have fatigue."""
    source, state = tmp_path_factory.mktemp("shop") / "teas", tmp_path_factory.mktemp("state")
    source.mkdir()
    items = [
        {"item_id": item_id, "title": f"{KINDS[n % 6]} number {n}", "category": KINDS[n % 6][-3:]}
        for n, item_id in enumerate(ITEMS)
    ]
    (source / "items.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items))
    folder = prepare(state, str(source), 100)
    (folder / "rules.yaml").write_text(RULES)
    yield from run_stack(state, free_port(), "--data", str(source))


def tell(shop: RunningStack, kind: str, item_id: str, **who: str) -> None:
    event = {"event_id": uuid.uuid4().hex, "type": kind, "item_id": item_id, **who}
    assert shop.client.post("/v1/events", json={"events": [event]}).json()["accepted"] == 1


def recommended(shop: RunningStack, **who: str) -> dict[str, dict[str, Any]]:
    """All items that are recommended, best first, by id."""
    answer = shop.client.post("/v1/recommend", json={"limit": 50, "explain": True, **who})
    assert answer.status_code == 200, answer.text
    return {item["item_id"]: item for item in answer.json()["items"]}


def within(seconds: float, condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline_s, f"not within {seconds} s"
        time.sleep(0.05)


def somebody() -> str:
    return f"user-{uuid.uuid4().hex}"


@pytest.mark.parametrize("taken_back_by", ["unhide", "add_to_cart", "purchase"])
def test_a_hidden_item_is_gone_within_a_second_and_comes_back(
    shop: RunningStack, taken_back_by: str
) -> None:
    who = {"user_id": somebody()}
    hidden = next(iter(recommended(shop, **who)))
    tell(shop, "hide", hidden, **who)
    within(1, lambda: hidden not in recommended(shop, **who))
    assert len(recommended(shop, **who)) == len(ITEMS) - 1
    assert hidden in recommended(shop)  # for others it is there
    like = shop.client.get(f"/v1/items/{ITEMS[(ITEMS.index(hidden) + 6) % 18]}/similar", params=who)
    assert hidden not in [item["item_id"] for item in like.json()["items"]]
    tell(shop, taken_back_by, hidden, **who)
    within(1, lambda: hidden in recommended(shop, **who))


def test_who_asks_for_a_hidden_item_gets_it_last_and_is_told_why(shop: RunningStack) -> None:
    who = {"user_id": somebody()}
    tell(shop, "hide", "sku-0", **who)
    within(1, lambda: "sku-0" not in recommended(shop, **who))
    offered = {"candidates": ITEMS[:6], "explain": True}
    for path, asked in (("/v1/search", {"query": "green tea", "explain": True}),
                        ("/v1/rank", offered)):  # fmt: skip
        items = shop.client.post(path, json={**asked, **who}).json()["items"]
        assert len(items) > 1
        assert items[-1]["item_id"] == "sku-0"
        assert items[-1]["explanation"]["rules"] == ["hidden by the shopper"]


def test_what_a_guest_hid_stays_hidden_after_the_sign_in(shop: RunningStack) -> None:
    user, session = somebody(), f"session-{uuid.uuid4().hex}"
    tell(shop, "hide", "sku-1", session_id=session)
    within(1, lambda: "sku-1" not in recommended(shop, session_id=session))
    assert "sku-1" in recommended(shop, user_id=user)
    merged = shop.client.post(f"/v1/users/{user}/merge", json={"session_id": session})
    assert merged.status_code == 202
    within(1, lambda: "sku-1" not in recommended(shop, user_id=user))
    known = shop.client.get(f"/v1/users/{user}/features").json()
    assert known["hidden_items"] == ["sku-1"]
    assert known["interactions"] == 0


def test_an_erased_shopper_has_hidden_nothing(shop: RunningStack) -> None:
    user = somebody()
    tell(shop, "hide", "sku-2", user_id=user)
    within(1, lambda: "sku-2" not in recommended(shop, user_id=user))
    assert shop.client.delete(f"/v1/users/{user}").status_code == 202
    within(20, lambda: "sku-2" in recommended(shop, user_id=user))
    assert not shop.client.get(f"/v1/users/{user}/features").json()["known"]


@pytest.mark.parametrize("who", ["user_id", "session_id"])
def test_what_was_shown_in_vain_steps_back_until_it_is_clicked(
    shop: RunningStack, who: str
) -> None:
    shopper = {who: somebody()}
    first = next(iter(recommended(shop, **shopper)))
    for _ in range(5):
        tell(shop, "impression", first, **shopper)

    def rules() -> list[str]:
        told: list[str] = recommended(shop, **shopper)[first]["explanation"]["rules"]
        return told

    within(1, lambda: any(note.endswith("shown 5 times, not clicked") for note in rules()))
    place = list(recommended(shop, **shopper)).index(first)
    assert place > len(ITEMS) // 2
    # Where something is asked, it does not count.
    asked = shop.client.post("/v1/search", json={"query": "tea", "explain": True, **shopper})
    assert not any(item["explanation"]["rules"] for item in asked.json()["items"])
    tell(shop, "click", first, **shopper)
    within(1, lambda: rules() == [])
    assert list(recommended(shop, **shopper)).index(first) < place
