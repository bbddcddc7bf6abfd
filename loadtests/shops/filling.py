"""Shops of a running stack, added over the API with goods that no other shop has."""

import json
import random
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import httpx

PATIENCE_S = 1_800.0
_WORDS = (
    "red", "blue", "green", "plain", "large", "small", "fresh", "dried", "sweet", "salted", "dark",
    "light", "soft", "firm", "apple", "bread", "milk", "cheese", "tea", "coffee", "rice", "bean",
    "nut", "oil", "soap", "towel", "lamp", "chair", "shirt", "sock", "shoe",
)  # fmt: skip


def added(
    url: str,
    operator: httpx.Client,
    name: str,
    n_items: int,
    seed: int,
    definition: dict[str, Any] | None = None,
) -> tuple[str, float]:
    """Add a shop with items; its key, and seconds until it was open. They are not encoded yet."""
    added_s = time.monotonic()
    operator.put(f"/v1/shops/{name}", json=definition or {}).raise_for_status()
    key = another_key(operator, name, "all")
    with shop_client(url, key) as client:
        until(lambda: client.get("/v1/status").status_code == 200)
        open_s = time.monotonic() - added_s
        lines = goods(name, n_items, random.Random(seed))
        taken = client.post("/v1/items/import", content=lines).raise_for_status().json()
        assert taken["accepted"] == n_items, taken
    return key, open_s


def another_key(operator: httpx.Client, shop: str, name: str) -> str:
    """A key of a shop that may do all that its own keys may."""
    body = {"scopes": ["rank", "events", "items", "admin"], "rate_per_s": 100_000}
    made = operator.put(f"/v1/shops/{shop}/keys/{name}", json=body)
    key: str = made.raise_for_status().json()["key"]
    return key


def goods(name: str, n: int, rng: random.Random) -> bytes:
    """A catalogue as JSON lines, whose texts no other shop has."""
    lines = []
    for number in range(n):
        title = " ".join([name, *rng.choices(_WORDS, k=4), str(number)])
        item = {
            "item_id": f"{name}-{number}", "title": title, "brand": rng.choice(_WORDS),
            "category": f"{rng.choice(_WORDS)} > {rng.choice(_WORDS)}", "price": rng.randint(1, 99),
        }  # fmt: skip
        lines.append(json.dumps(item))
    return "\n".join(lines).encode()


@contextmanager
def shop_client(url: str, key: str) -> Iterator[httpx.Client]:
    """A client with the key of a shop."""
    headers = {"authorization": f"Bearer {key}"}
    with closing(httpx.Client(base_url=url, headers=headers, timeout=60)) as client:
        yield client


def until(condition: Any, every_s: float = 0.1) -> None:
    """Return as soon as it holds."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline_s, "it did not happen in time"
        time.sleep(every_s)


def is_encoded(client: httpx.Client, n_items: int) -> bool:
    """Whether search knows all items by their vectors."""
    status = client.get("/v1/status").json()
    return bool(status["catalog_items"] == n_items and status["items_to_encode"] == 0)


def candidates(url: str, key: str) -> list[str]:
    """Some items of a shop."""
    with shop_client(url, key) as client:
        page = client.get("/v1/items", params={"limit": 8}).json()
    return [item["item_id"] for item in page["items"]]
