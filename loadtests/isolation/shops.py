"""Shops that are added over the API, with goods and shoppers that no other shop has."""

import random
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

SCOPES = ["admin", "events", "items", "rank", "shoppers"]
PATIENCE_S = 60.0
SHARED = ("both-item", "both-user", "both-session")  # ids that every shop has, with its own meaning


@dataclass(slots=True)
class OwnShop:
    """A shop that was filled for the proof.

    word: stands in every text of the shop, and nowhere else; client: with a key of all scopes
    """

    name: str
    word: str
    client: httpx.Client
    items: list[str] = field(default_factory=list)
    users: list[str] = field(default_factory=list)
    sessions: list[str] = field(default_factory=list)
    rankings: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    experiment: str = ""
    answer: str = ""

    @property
    def ids(self) -> list[str]:
        """All names that the shop has given."""
        return [
            *self.items, *self.users, *self.sessions, *self.rankings, *self.events,
            self.experiment, self.answer,
        ]  # fmt: skip

    @property
    def withheld(self) -> list[str]:
        """Names that the other shop is never told: where one appears, it was leaked."""
        return [name for name in self.ids[1::2] if name not in (*SHARED, self.experiment)]

    def settled(self) -> None:
        """Wait until ingest has taken in all that was told, erasures too."""
        _until(lambda: self.client.get("/v1/status").json()["events_waiting"] == 0, 600.0)

    def snapshot(self) -> dict[str, Any]:
        """All that the shop tells of itself, but for what passes with time."""
        asked = self.client.get
        status = asked("/v1/status").json()
        features = {user: asked(f"/v1/users/{user}/features").json() for user in self.users}
        for known in features.values():
            known.pop("age_s", None)
        return {
            "items": _pages(self.client),
            "logged": status["events_logged"],
            "catalog": status["catalog_items"],
            "features": features,
            "answers": asked(f"/v1/answers/{self.answer}").json(),
            "experiments": [
                {name: each[name] for name in ("key", "arms", "status", "decision")}
                for each in asked("/v1/experiments").json()["experiments"]
            ],
        }


@contextmanager
def added(
    operator: httpx.Client, name: str, n_items: int, seed: int, rate_per_s: int = 100_000
) -> Iterator[OwnShop]:
    """Add a shop and fill it; removed at the end."""
    made = operator.put(f"/v1/shops/{name}", json={"rules": {"exploration": {"share": 0}}})
    assert made.status_code == 200, made.text
    key = operator.put(
        f"/v1/shops/{name}/keys/proof", json={"scopes": SCOPES, "rate_per_s": rate_per_s}
    ).json()["key"]
    headers = {"authorization": f"Bearer {key}"}
    limits = httpx.Limits(max_connections=16)
    with httpx.Client(
        base_url=operator.base_url, headers=headers, timeout=30, limits=limits
    ) as client:
        shop = OwnShop(name, f"{name.replace('-', '')}word", client)
        try:
            # Each replica opens the shop for itself: until all have, some answers are 503.
            _until(lambda: all(client.get("/v1/status").is_success for _ in range(20)))
            _fill(shop, n_items, random.Random(seed))
            yield shop
        finally:
            gone = operator.delete(f"/v1/shops/{name}")
            assert gone.status_code == 202, gone.text


def _fill(shop: OwnShop, n_items: int, rng: random.Random) -> None:
    word, client = shop.word, shop.client
    new = [f"{rng.getrandbits(64):016x}" for _ in range(n_items)]
    shop.items = [*new, SHARED[0]]
    goods = [
        {
            "item_id": item_id,
            "title": f"{word} {rng.choice(('red', 'blue', 'green'))} thing {place}",
            "description": f"made of {word}",
            "category": f"{word} > {rng.choice('abc')}",
            "brand": f"{word} brand {rng.randrange(5)}",
            "price": 1.0 + place,
            "attributes": {"colour": f"{word} shade"},
        }
        for place, item_id in enumerate(shop.items)
    ]
    for start in range(0, len(goods), 500):
        put = client.put("/v1/items", json={"items": goods[start : start + 500]})
        assert put.json()["accepted"] == len(goods[start : start + 500]), put.text
    shop.users = [*(f"u{rng.getrandbits(64):016x}" for _ in range(8)), SHARED[1]]
    shop.sessions = [*(f"s{rng.getrandbits(64):016x}" for _ in range(8)), SHARED[2]]
    events = [
        {
            "event_id": uuid.UUID(int=rng.getrandbits(128)).hex,
            "type": rng.choice(("view", "click", "add_to_cart", "purchase")),
            "user_id": user, "session_id": session, "item_id": rng.choice(shop.items),
            "query": f"{word} thing",
        }
        for user, session in zip(shop.users, shop.sessions, strict=True)
        for _ in range(6)
    ]  # fmt: skip
    shop.events = [str(event["event_id"]) for event in events]
    told = client.post("/v1/events", json={"events": events})
    assert told.json()["accepted"] == len(events), told.text
    shop.experiment = f"e{rng.getrandbits(48):012x}"
    arms = [{"key": "control"}, {"key": "wider", "rules": {"diversity": {"max_same": 2}}}]
    declared = client.put(
        f"/v1/experiments/{shop.experiment}",
        json={"key": shop.experiment, "status": "running", "arms": arms},
    )
    assert declared.status_code == 200, declared.text
    shop.answer = f"a{rng.getrandbits(48):012x}"
    answer = {"title": f"Where is my {word}?", "text": f"{word} is on its way."}
    assert client.put(f"/v1/answers/{shop.answer}", json=answer).status_code == 200
    _until(lambda: len(_found(client, word)) > 0)
    _until(lambda: client.get("/v1/status").json()["items_to_encode"] == 0)
    for user in shop.users:
        asked = {"query": f"{word} red thing", "user_id": user, "limit": 5}
        shop.rankings.append(client.post("/v1/search", json=asked).json()["ranking_id"])
    # A ranking tells of a sign-in after it was answered.
    shop.settled()
    time.sleep(2.0)
    shop.settled()


def _found(client: httpx.Client, word: str) -> list[Any]:
    answer = client.post("/v1/search", json={"query": word})
    return list(answer.json()["items"]) if answer.status_code == 200 else []


def _pages(client: httpx.Client) -> list[Any]:
    items: list[Any] = []
    cursor: str | None = ""
    while cursor is not None:
        asked: dict[str, int | str] = {"limit": 500, **({"cursor": cursor} if cursor else {})}
        page = client.get("/v1/items", params=asked).json()
        items += page["items"]
        cursor = page["cursor"]
    return items


def _until(condition: Any, patience_s: float = PATIENCE_S) -> None:
    deadline_s = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline_s, "it did not happen in time"
        time.sleep(0.1)
