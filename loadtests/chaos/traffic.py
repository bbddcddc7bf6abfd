"""Steady traffic while something is broken: rankings at a fixed rate, events one after another."""

import asyncio
import threading
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

import httpx

from loadtests.stack import RunningStack

_RANK_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Answer:
    """One ranking: when it was due (monotonic), how long it took from then, and its route."""

    due_s: float
    latency_s: float
    route: str  # model, cold_start, fallback, refused (429 or 503: told to come again) or failed
    detail: str = ""


@dataclass(slots=True)
class Traffic:
    """Rankings at `rate` a second whether or not answers come, and events of `user`.

    An event is sent again until it is known what became of it, as a storefront should; only what
    was answered with 202 counts as accepted.
    """

    stack: RunningStack
    rate: float = 10.0
    user: str = field(default_factory=lambda: f"chaos-{uuid.uuid4().hex}")
    answers: list[Answer] = field(default_factory=list)
    accepted: int = 0
    unanswered: int = 0  # posts without a 202: nothing was promised
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop.set()
        assert self._thread is not None
        self._thread.join(60)

    def steady_since(self, since_s: float, n: int = 20) -> float | None:
        """When the first of the last `n` rankings in a row by the model was due, after `since_s`;
        None while they are not steady."""
        last = [answer for answer in self.answers if answer.due_s >= since_s]
        last.sort(key=lambda answer: answer.due_s)
        row = 0
        for place, answer in enumerate(last):
            row = row + 1 if answer.route == "model" else 0
            if row == n:
                return last[place - n + 1].due_s
        return None

    async def _run(self) -> None:
        limits = httpx.Limits(max_connections=200)
        async with httpx.AsyncClient(
            base_url=self.stack.url,
            headers={"authorization": "Bearer dev"},
            timeout=_RANK_TIMEOUT_S,
            limits=limits,
        ) as client:
            posting = asyncio.create_task(self._post_events(client))
            under_way: set[asyncio.Task[None]] = set()
            due_s = time.monotonic()
            while not self._stop.is_set():
                task = asyncio.create_task(self._rank(client, due_s))
                under_way.add(task)
                task.add_done_callback(under_way.discard)
                due_s += 1 / self.rate
                await asyncio.sleep(max(due_s - time.monotonic(), 0))
            await asyncio.gather(posting, *under_way)

    async def _rank(self, client: httpx.AsyncClient, due_s: float) -> None:
        sample = self.stack.sample
        candidates = [{"item_id": item_id} for item_id in sample["item_ids"]]
        body = {"user_id": sample["user_id"], "candidates": candidates}
        detail = ""
        try:
            answer = await client.post("/v1/rank", json=body)
            if answer.status_code == 200:
                route = str(answer.json()["route"])
                detail = str(answer.json()["reason"] or "")
            else:
                refused = answer.status_code in (429, 503) and "retry-after" in answer.headers
                route, detail = "refused" if refused else "failed", str(answer.status_code)
        except (httpx.HTTPError, ValueError) as error:
            route, detail = "failed", type(error).__name__
        self.answers.append(Answer(due_s, time.monotonic() - due_s, route, detail))

    async def _post_events(self, client: httpx.AsyncClient) -> None:
        item_id = self.stack.sample["item_ids"][0]
        while not self._stop.is_set():
            event = {
                "event_id": uuid.uuid4().hex, "type": "click", "user_id": self.user,
                "item_id": item_id, "at": datetime.now(UTC).isoformat(),
            }  # fmt: skip
            while not await self._taken(client, event):
                self.unanswered += 1
                if self._stop.is_set():
                    return
                await asyncio.sleep(0.1)
            self.accepted += 1
            await asyncio.sleep(0.05)

    async def _taken(self, client: httpx.AsyncClient, event: dict[str, Any]) -> bool:
        """Whether the event was taken, now or by an earlier post without an answer."""
        try:
            answer = await client.post("/v1/events", json={"events": [event]})
            taken = answer.json() if answer.status_code == 202 else {}
            return bool(taken.get("accepted", 0) + taken.get("duplicates", 0))
        except (httpx.HTTPError, ValueError):
            return False
