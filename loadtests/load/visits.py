"""What shoppers do: visits as sequences of requests, and a crowd of them that never waits.

Proportions are those of Google's microservices-demo load generator: ten product views to two carts
to one order. Views, carts and purchases name the ranking that showed the item, and its place.
"""

import random
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import orjson

from loadtests.load.ledger import OK, REFUSED
from loadtests.load.shop import Draws

CANDIDATES = 50  # of POST /v1/rank
SLATE = 20
SEEN = 8  # places that a shopper looks at
# A page is found by search, put together by the shop's own engine, or the home page.
PAGES = {"search": 5, "rank": 3, "recommend": 2}
P_VIEW = 0.6  # of a page: one of its items is clicked and viewed
P_SIMILAR = 0.5  # of a view
P_CART = 0.2  # of a view
P_PURCHASE = 0.5  # of a cart
P_ANOTHER_PAGE = 0.7


@dataclass(frozen=True, slots=True)
class Call:
    """A request to send. `endpoint` is its name in tables."""

    endpoint: str
    path: str
    body: dict[str, Any] | None = None  # None: GET

    @property
    def is_ranking(self) -> bool:
        """Whether the answer is a ranking."""
        return self.endpoint != "events"


@dataclass(frozen=True, slots=True)
class Slate:
    """What came back for a ranking."""

    ranking_id: str
    item_ids: list[str]


Visit = Generator[Call, Slate | None, None]


def visit(draws: Draws, clock: Callable[[], datetime]) -> Visit:
    """One shopper's visit: yields requests, is sent what was shown; leaves when nothing was."""
    rng = draws.rng
    who = {"user_id": draws.shopper(), "session_id": draws.new_id("session")}

    def events(slate: Slate, *happened: tuple[str, int]) -> Call:
        return Call(
            "events",
            "/v1/events",
            {
                "events": [
                    {
                        "event_id": draws.new_id("event"), "type": kind, "at": clock().isoformat(),
                        "item_id": slate.item_ids[place], "ranking_id": slate.ranking_id,
                        "position": place + 1, **who,
                    }
                    for kind, place in happened
                ]
            },
        )  # fmt: skip

    while True:
        slate = yield _page(draws, who)
        if slate is None or not slate.item_ids:
            return
        seen = range(min(SEEN, len(slate.item_ids)))
        yield events(slate, *(("impression", place) for place in seen))
        if rng.random() < P_VIEW:
            # Shoppers examine from the top: a click falls on place k with weight 1/k.
            place = rng.choices(seen, weights=[1 / (k + 1) for k in seen])[0]
            yield events(slate, ("click", place), ("view", place))
            if rng.random() < P_SIMILAR:
                path = f"/v1/items/{quote(slate.item_ids[place], safe='')}/similar"
                yield Call("similar", path)
            if rng.random() < P_CART:
                yield events(slate, ("add_to_cart", place))
                if rng.random() < P_PURCHASE:
                    yield events(slate, ("purchase", place))
        if rng.random() >= P_ANOTHER_PAGE:
            return


def _page(draws: Draws, who: dict[str, str]) -> Call:
    kind = draws.rng.choices(list(PAGES), weights=list(PAGES.values()))[0]
    body: dict[str, Any] = {**who, "limit": SLATE}
    if kind == "search":
        body["query"] = draws.query()
    elif kind == "rank":
        body["candidates"] = [{"item_id": item_id} for item_id in draws.items(CANDIDATES)]
    return Call(kind, f"/v1/{kind}", body)


def judge(call: Call, status: int, content: bytes | None) -> tuple[str, str, Slate | None]:
    """Outcome (see loadtests.load.ledger), route and slate of an answer; status 0 is no answer."""
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return REFUSED, "", None
    if status not in (HTTPStatus.OK, HTTPStatus.ACCEPTED):
        return (f"status {status}" if status else "no answer"), "", None
    try:
        answer = orjson.loads(content or b"")
        if not call.is_ranking:
            return ("events rejected" if answer["rejected"] else OK), "", None
        items = [item["item_id"] for item in answer["items"]]
        return OK, answer["route"], Slate(answer["ranking_id"], items)
    except (orjson.JSONDecodeError, KeyError):
        return "malformed answer", "", None


def now() -> datetime:
    """The time, with its zone."""
    return datetime.now(UTC)


class Crowd:
    """Visits under way. Each arrival is the next step of a visit whose last answer has come.

    When no such visit is left, because the server is slow, another shopper comes: arrivals never
    wait for answers.
    """

    def __init__(
        self,
        draws: Draws,
        thinking: int = 20,
        clock: Callable[[], datetime] = now,
    ) -> None:
        """`thinking`: how many visits pause between two steps."""
        self._draws = draws
        self._thinking = thinking
        self._clock = clock
        self._ready: deque[tuple[Visit, Call]] = deque()

    def next(self) -> tuple[Visit, Call]:
        """Who acts now, and the request."""
        if len(self._ready) >= self._thinking:
            return self._ready.popleft()
        begun = visit(self._draws, self._clock)
        return begun, next(begun)

    def answered(self, under_way: Visit, slate: Slate | None) -> None:
        """The answer to the visit's request; `slate` is None unless it was a ranking."""
        try:
            self._ready.append((under_way, under_way.send(slate)))
        except StopIteration:
            return


def seeded(seed: int, worker: int) -> random.Random:
    """Random draws of one worker of a run."""
    return random.Random(f"{seed}/{worker}")
