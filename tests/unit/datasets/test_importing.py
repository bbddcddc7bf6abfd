"""What moves a shop's history: a client that goes on where the shop, or it itself, stopped."""

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from features.datasets.columns import ITEM_COLUMNS, conform
from features.datasets.event_rows import EVENT_COLUMNS
from features.datasets.importing.checkpoint import Checkpoint
from features.datasets.importing.lines import event_lines, item_lines
from features.datasets.importing.shop import Shop, ShopError
from tests.support.servers.http_server import http_server

PATH = "/v1/events/import"
Answer = tuple[int, dict[str, Any]] | None  # None: the connection is lost


@contextmanager
def answering(*answers: Answer) -> Iterator[tuple[str, list[list[str]]]]:
    """A server that gives one answer after another; its URL, and the lines that it was sent."""
    left, received = list(answers), list[list[str]]()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            received.append(gzip.decompress(body).decode().splitlines())
            answer = left.pop(0)
            if answer is None:
                self.close_connection = True
                return
            content = json.dumps(answer[1]).encode()
            self.send_response(answer[0])
            self.send_header("retry-after", "0")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    with http_server(Handler) as url:
        yield url, received


def done(lines: int, *errors: tuple[int, str], duplicates: int = 0) -> dict[str, Any]:
    return {
        "lines": lines,
        "accepted": lines - len(errors) - duplicates,
        "duplicates": duplicates,
        "rejected": len(errors),
        "errors": [{"line": line, "code": code, "detail": "why"} for line, code in errors],
        "logged": 9,
        "folded": 8,
    }


def test_behind_what_a_busy_shop_has_taken_the_rest_is_sent() -> None:
    busy = {"detail": "many wait", "taken": done(2, (1, "invalid_event"))}
    with answering((503, busy), None, (200, done(2, (2, "event_in_future")))) as (url, received):
        taken = Shop(url, "key").send(PATH, [b"a\n", b"b\n", b"c\n", b"d\n"])
    assert received == [["a", "b", "c", "d"], ["c", "d"], ["c", "d"]]
    assert (taken.lines, taken.accepted) == (4, 2)
    assert taken.rejected == Counter({"invalid_event": 1, "event_in_future": 1})
    assert taken.where == {0: ("invalid_event", "why"), 3: ("event_in_future", "why")}
    assert (taken.logged, taken.folded) == (9, 8)


def test_a_shop_that_stays_away_is_given_up_with_what_it_said_last() -> None:
    answer: Answer = (503, {"detail": "many wait"})
    with (
        answering(answer, answer, answer) as (url, received),
        pytest.raises(ShopError, match=r"answers 503: many wait; gave up"),
    ):
        Shop(url, "key", patience_s=0.0).send(PATH, [b"a\n"])
    assert len(received) == 1


def test_a_refusal_is_not_tried_again() -> None:
    refusal: Answer = (403, {"detail": "this key has no scope 'events'"})
    with answering(refusal) as (url, received), pytest.raises(ShopError, match="403: this key"):
        Shop(url, "key").send(PATH, [b"a\n"])
    assert len(received) == 1


def test_a_checkpoint_is_of_these_events_and_this_shop_until_it_is_done(tmp_path: Path) -> None:
    events = pd.DataFrame({"event_id": ["a", "b", "c"]})
    first = Checkpoint.of(tmp_path, "http://shop", events)
    first.keep(2, Counter(accepted=1, duplicates=1))
    again = Checkpoint.of(tmp_path, "http://shop", events)
    assert (again.sent, again.counts) == (2, Counter(accepted=1, duplicates=1))
    assert Checkpoint.of(tmp_path, "http://other", events).sent == 0
    assert Checkpoint.of(tmp_path, "http://shop", events[:2]).sent == 0
    again.done()
    assert Checkpoint.of(tmp_path, "http://shop", events).sent == 0


def test_a_line_has_what_its_row_says_and_the_time_to_the_microsecond() -> None:
    row = {"event_id": "e", "type": "purchase", "at": 1767607202.123457, "user_id": "u"}
    events = conform(pd.DataFrame([{**row, "item_id": "i", "value": 0.0}]), EVENT_COLUMNS)
    assert json.loads(next(event_lines(events))) == {
        "event_id": "e", "type": "purchase", "at": "2026-01-05T10:00:02.123457+00:00",
        "user_id": "u", "item_id": "i", "value": 0.0,
    }  # fmt: skip
    items = [{"item_id": "i", "title": "T", "price": 0.0, "available": False, "created_at": 0.0}]
    items[0]["attributes"] = '{"size": "1 l"}'
    lines = item_lines(conform(pd.DataFrame(items), ITEM_COLUMNS))
    assert json.loads(next(lines)) == {
        "item_id": "i", "title": "T", "price": 0.0, "available": False,
        "created_at": "1970-01-01T00:00:00+00:00", "attributes": {"size": "1 l"},
    }  # fmt: skip
