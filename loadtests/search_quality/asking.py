"""Asks a stack over HTTP, a few requests at a time, as a stranger or as a known shopper."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import httpx

BUSY = frozenset({429, 503})  # told to come again
TRIES = 5
# Quality is measured here and not speed: a busy machine must not turn rankings into fallbacks.
BUDGET_MS = 5_000


class AskingError(Exception):
    """The stack does not answer as it should; the message is one line."""


@dataclass(frozen=True, slots=True)
class Question:
    """One request: a search, or a ranking of `candidates` where there are any."""

    query: str
    user_id: str | None = None
    candidates: tuple[str, ...] = ()
    limit: int = 50

    @property
    def path(self) -> str:
        """The endpoint."""
        return "/v1/rank" if self.candidates else "/v1/search"

    @property
    def body(self) -> dict[str, Any]:
        """The request's JSON."""
        body: dict[str, Any] = {"query": self.query, "limit": self.limit, "budget_ms": BUDGET_MS}
        if self.user_id is not None:
            body["user_id"] = self.user_id
        if self.candidates:
            body["candidates"] = [{"item_id": item} for item in self.candidates]
        return body


@dataclass(slots=True)
class Asker:
    """A client of one stack; `routes` counts who ranked, by endpoint, route and reason."""

    url: str
    key: str
    workers: int = 2
    routes: Counter[str] = field(default_factory=Counter)

    def until_encoded(self, patience_s: float = 300.0) -> None:
        """Wait until a stack that has just started finds all items by meaning as well.

        Raises AskingError when that takes longer, and when the stack cannot be reached.
        """
        headers = {"authorization": f"Bearer {self.key}"}
        deadline_s = time.monotonic() + patience_s
        waiting = True
        while waiting:
            try:
                answer = httpx.get(f"{self.url}/v1/status", headers=headers, timeout=30)
                waiting = answer.raise_for_status().json()["items_to_encode"] > 0
            except httpx.HTTPError as error:
                raise AskingError(f"{self.url}: {type(error).__name__}") from error
            if waiting and time.monotonic() > deadline_s:
                raise AskingError(f"{self.url}: items wait for the encoder")
            time.sleep(0.2)

    def ask(
        self,
        questions: Sequence[Question],
        steps: Callable[[range], Iterator[int]] = iter,
    ) -> list[list[str]]:
        """Item ids of each answer, best first; `steps` is told how far it is.

        Raises AskingError when the stack refuses a request or cannot be reached.
        """
        headers = {"authorization": f"Bearer {self.key}"}
        with (
            httpx.Client(base_url=self.url, headers=headers, timeout=30) as client,
            ThreadPoolExecutor(self.workers) as pool,
        ):
            waiting = [pool.submit(self._one, client, question) for question in questions]
            try:
                return [waiting[place].result() for place in steps(range(len(questions)))]
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise

    def _one(self, client: httpx.Client, question: Question) -> list[str]:
        for attempt in range(1, TRIES + 1):
            try:
                answer = client.post(question.path, json=question.body)
            except httpx.HTTPError as error:
                raise AskingError(f"{self.url}: {type(error).__name__}") from error
            if answer.status_code not in BUSY or attempt == TRIES:
                break
            time.sleep(float(answer.headers.get("retry-after", 1)))
        if answer.status_code != httpx.codes.OK:
            raise AskingError(
                f"{question.path} {question.query!r}: {answer.status_code} {answer.text[:200]}"
            )
        found = answer.json()
        names = (question.path, found.get("route"), found.get("reason"))
        self.routes[" ".join(str(name) for name in names if name)] += 1
        return [item["item_id"] for item in found["items"]]
