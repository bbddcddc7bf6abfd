"""A running shop that takes items and events, as a caller that does not give up at once."""

import gzip
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import requests
from tenacity import RetryCallState, RetryError, Retrying, retry_if_exception_type, stop_after_delay

_TIMEOUT_S = (5.0, 60.0)  # to connect, to answer
_WAIT_S = 1.0  # when the shop does not say how long
_AGAIN = frozenset({429, 500, 502, 503, 504})


class ShopError(Exception):
    """The shop does not take what it is sent; the message is one line."""


class _AgainError(Exception):
    """What happened, and after how many seconds to try again."""


@dataclass(slots=True)
class Taken:
    """What became of lines. rejected: by code; where: a code and detail by number, from 0."""

    lines: int = 0
    accepted: int = 0
    duplicates: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    where: dict[int, tuple[str, str]] = field(default_factory=dict)
    logged: int = 0  # positions of the shop's event log
    folded: int = 0

    def add(self, answer: dict[str, Any], n_sent: int) -> None:
        """Count what an answer says of the lines behind those counted already."""
        for each in answer["errors"]:
            self.where[self.lines + each["line"] - 1] = (each["code"], each["detail"])
            self.rejected[each["code"]] += 1
        if untold := answer["rejected"] - len(answer["errors"]):
            self.rejected["(not told)"] += untold
        self.lines += answer.get("lines", n_sent)
        self.accepted += answer["accepted"]
        self.duplicates += answer.get("duplicates", 0)
        self.logged, self.folded = answer.get("logged", 0), answer.get("folded", 0)


class Shop:
    """The shop at `url`. patience_s: how long it may be away, or not take anything."""

    def __init__(self, url: str, key: str, patience_s: float = 300.0) -> None:
        self._url = url.rstrip("/")
        self._patience_s = patience_s
        self._session = requests.Session()
        self._session.headers.update(
            {
                "authorization": f"Bearer {key}",
                "content-type": "application/x-ndjson",
                "content-encoding": "gzip",
            }
        )

    def send(self, path: str, lines: Sequence[bytes]) -> Taken:
        """Post lines until all are taken; raises ShopError."""
        taken = Taken()
        trying = Retrying(
            retry=retry_if_exception_type(_AgainError),
            wait=_as_told,
            stop=stop_after_delay(self._patience_s),
        )
        try:
            trying(self._post, path, lines, taken)
        except RetryError as error:
            last = error.last_attempt.exception()
            raise ShopError(f"{self._url}: {last and last.args[0]}; gave up") from None
        return taken

    def _post(self, path: str, lines: Sequence[bytes], taken: Taken) -> None:
        rest = lines[taken.lines :]
        body = gzip.compress(b"".join(rest), 1)
        try:
            answer = self._session.post(self._url + path, data=body, timeout=_TIMEOUT_S)
            told = answer.json()
        except (requests.ConnectionError, requests.Timeout, requests.JSONDecodeError) as error:
            raise _AgainError(f"no answer ({type(error).__name__})", _WAIT_S) from error
        if answer.ok:
            taken.add(told, len(rest))
            return
        detail = told.get("detail", answer.reason)
        if answer.status_code not in _AGAIN:
            raise ShopError(f"{self._url}{path} answers {answer.status_code}: {detail}")
        if "taken" in told:
            taken.add(told["taken"], len(rest))
        wait_s = float(answer.headers.get("retry-after", _WAIT_S))
        raise _AgainError(f"{path} answers {answer.status_code}: {detail}", wait_s)


def _as_told(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    return float(error.args[1]) if isinstance(error, _AgainError) else _WAIT_S
