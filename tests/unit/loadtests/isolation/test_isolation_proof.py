"""The proof that shops are apart finds what is planted, however little of it there is."""

import json
from http.server import BaseHTTPRequestHandler
from typing import Any, ClassVar
from urllib.parse import unquote

import httpx
import pytest

from loadtests.isolation.judging import Findings
from loadtests.isolation.operations import EVERY, WITH_A_NAME
from loadtests.isolation.proof import BY_TEXT, ask
from loadtests.isolation.shops import OwnShop
from tests.support.servers.http_server import http_server

OTHER = OwnShop("proof-two", "prooftwoword", httpx.Client(), items=["1a2b3c4d", "5e6f7a8b"])
(WITHHELD,) = OTHER.withheld
HAD, ODD, WORDY = "hadbyother", "odd name\n", "prooftwoword b"
NAMES = ["one", "two", HAD, "three", ODD, "four", WORDY, "five", "six"]
AT_A_TIME = 7  # all of these in the first request
MANY = {  # operations that take many names in one request
    "patch_items": "PATCH /v1/items", "put_items": "PUT /v1/items",
    "import_items": "POST /v1/items/import", "put_answers": "PUT /v1/answers",
    "post_events": "POST /v1/events", "import_events": "POST /v1/events/import",
    "rerank": "POST /rerank", "rerank_v1": "POST /v1/rerank", "rerank_v2": "POST /v2/rerank",
}  # fmt: skip
ONE = {
    "get_item": "GET /v1/items/NAME", "export_user": "GET /v1/users/NAME/export",
    "rank_candidates": "POST /v1/rank", "search": "POST /v1/search",
    "put_classifier": "PUT /v1/classifiers/NAME", "delete_item": "DELETE /v1/items/NAME",
    "get_shop": "GET /v1/shops/NAME",
}  # fmt: skip


ASKED = {**MANY, **ONE}
Planted = dict[tuple[str, str], dict[str, Any]]  # what is told, by request and name


class Service(BaseHTTPRequestHandler):
    """Answers every request alike, but for what is planted. busy: requests refused at first"""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer is one packet
    planted: ClassVar[Planted]
    busy: ClassVar[set[str]]

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
        line = unquote(f"{self.command} {self.path}") + " " + unquote_json(body)
        told: dict[str, Any] = {"accepted": 1}
        status = 200
        for (where, name), more in self.planted.items():
            if line.startswith(where.replace("NAME", name) + " ") and name in line:
                told |= more
                status = 503 if where in self.busy else 200
                self.busy.discard(where)
        content = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_PUT(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        self.do_GET()

    def do_PATCH(self) -> None:
        self.do_GET()

    def do_DELETE(self) -> None:
        self.do_GET()


def unquote_json(body: str) -> str:
    """Names as they are, also those that JSON escapes."""
    return body.replace("\\n", "\n")


def found(planted: Planted, busy: set[str] | None = None) -> Findings:
    handler = type("Planted", (Service,), {"planted": planted, "busy": busy or set()})
    headers = {"authorization": "Bearer own"}
    with http_server(handler) as url, httpx.Client(base_url=url, headers=headers) as client:
        return ask(OwnShop("proof-one", "proofoneword", client), OTHER, NAMES, block=AT_A_TIME)


def test_where_nothing_is_told_nothing_is_found_and_every_name_was_asked_for() -> None:
    findings = found({})
    assert (findings.leaks, findings.differences) == ([], [])
    assert set(findings.names) == EVERY
    asked = {operation: findings.names[operation].total() for operation in WITH_A_NAME}
    assert asked == dict.fromkeys(WITH_A_NAME, len(NAMES))


@pytest.mark.parametrize("name", [HAD, ODD])
def test_an_id_that_is_told_for_one_name_of_many_is_found(name: str) -> None:
    findings = found({(where, name): {"also": [WITHHELD]} for where in ASKED.values()})
    assert {each.split()[0] for each in findings.leaks} == set(ASKED)


@pytest.mark.parametrize("name", [HAD, WORDY])
def test_a_text_that_is_told_is_found_also_where_its_word_was_sent(name: str) -> None:
    findings = found({(where, name): {"title": f"{OTHER.word} red"} for where in ASKED.values()})
    assert {each.split()[0] for each in findings.leaks} == set(ASKED)


def test_what_was_sent_may_be_told_again() -> None:
    findings = found({(where, WORDY): {"title": WORDY} for where in ASKED.values()})
    assert findings.leaks == []


def test_another_answer_to_one_name_of_many_is_found() -> None:
    findings = found({(where, HAD): {"accepted": 0} for where in ASKED.values()})
    assert {each.split()[0] for each in findings.differences} == set(ASKED) - BY_TEXT
    assert all(HAD in each for each in findings.differences)


def test_a_service_that_is_too_busy_is_asked_again() -> None:
    where = ONE["get_item"]
    findings = found({(where, HAD): {"also": WITHHELD}}, busy={where})
    assert [each.split()[0] for each in findings.leaks] == ["get_item"]
    assert set(findings.names["get_item"]) == {200}
