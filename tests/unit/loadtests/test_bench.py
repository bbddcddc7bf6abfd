"""What `make bench` asks, how it asks, and what it makes of the answers."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, ClassVar

import pytest
from rich.console import Console
from tokenizers import Tokenizer

from loadtests.bench.bars import bars
from loadtests.bench.clients import Endpoint, closed_loop, open_loop
from loadtests.bench.report import compare, draw, show
from loadtests.bench.suggest import measure
from loadtests.bench.texts import MAX_PAIR_TOKENS, Request, Texts
from loadtests.load.shop import Shop
from serving.local.models import tokenizer_path
from tests.support.servers.http_server import http_server

TITLES = [f"green tea number {number}" for number in range(30)]
SHOP = Shop([str(number) for number in range(30)], ["green tea"] * 30, [])


@pytest.fixture
def texts() -> Texts:
    return Texts(SHOP.item_ids, TITLES, SHOP.queries, seed=1)


class Ranker(BaseHTTPRequestHandler):
    """Answers with a route, or with an error when asked to fail."""

    protocol_version = "HTTP/1.1"
    bodies: ClassVar[list[Any]]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.bodies.append(body)
        answer = json.dumps({"route": "model"}).encode()
        self.send_response(500 if body.get("fail") else 429 if body.get("refuse") else 200)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)


@pytest.fixture
def url() -> Iterator[str]:
    Ranker.bodies = []
    with http_server(Ranker) as url:
        yield f"{url}/v1/rank"


def test_no_request_is_asked_twice_and_recent_items_are_no_candidates(texts: Texts) -> None:
    requests = [texts.ask(20) for _ in range(50)]
    assert len({request.query for request in requests}) == 50
    for request in requests:
        assert len(set(request.candidates)) == 20
        assert not set(request.candidates) & set(request.recent)


def test_a_pair_is_context_and_item_and_an_overlong_context_loses_its_end(texts: Texts) -> None:
    tokenizer = Tokenizer.from_file(str(tokenizer_path()))
    tokenizer.no_padding()
    (row,) = texts.pairs(Request("red shoes", [4], [7]), tokenizer)
    assert tokenizer.decode(row.tolist(), skip_special_tokens=False) == (
        f"[CLS] red shoes, {TITLES[4]} [SEP] {TITLES[7]} [SEP]"
    )
    (row,) = texts.pairs(Request("shoes " * 100, [4], [7]), tokenizer)
    shown = tokenizer.decode(row.tolist(), skip_special_tokens=False)
    assert len(row) == MAX_PAIR_TOKENS
    assert shown.startswith("[CLS] shoes shoes")
    assert shown.endswith(f"shoes [SEP] {TITLES[7]} [SEP]")


def test_each_client_waits_for_its_answer_and_all_are_counted(url: str) -> None:
    numbers = iter(range(1_000))
    endpoint = Endpoint(url, {}, lambda: {"number": next(numbers)}, lambda answer: answer["route"])
    figures = closed_loop(endpoint, clients=4, seconds=0.0, at_least=5).figures()
    assert figures["n"] == 20
    assert figures["answers"] == {"model": 20}
    assert sorted(body["number"] for body in Ranker.bodies) == list(range(20))
    assert 0 < figures["p50_ms"] <= figures["p99_ms"]


def test_an_answer_that_is_no_ranking_fails_the_measurement(url: str) -> None:
    endpoint = Endpoint(url, {}, lambda: {"fail": True}, lambda answer: answer["route"])
    with pytest.raises(RuntimeError, match="answered 500"):
        closed_loop(endpoint, clients=1, seconds=0.0)


def test_at_a_given_rate_refusals_are_counted_and_a_latency_is_from_when_it_was_due(
    url: str,
) -> None:
    numbers = iter(range(1_000))
    endpoint = Endpoint(
        url, {}, lambda: {"refuse": next(numbers) % 4 == 0}, lambda answer: answer["route"]
    )
    found = open_loop(endpoint, per_s=200.0, seconds=0.4, seed=0)
    assert (len(found.latencies_ms), found.refused) == (60, 20)
    assert found.kinds == {"model": 60}
    assert found.spent_s > 0.2  # it does not hurry
    failing = Endpoint(url, {}, lambda: {"fail": True}, lambda answer: answer["route"])
    with pytest.raises(RuntimeError, match="500"):
        open_loop(failing, per_s=100.0, seconds=0.05, seed=0)


def test_bars_are_ratios_of_one_run_and_a_worse_run_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = a_report(ours_ms=20.0)
    report["bars"] = found = bars(report)
    assert found["Infinity's p50 of 100 over ours"] == {"value": 50.0, "bar": ">= 40", "met": True}
    assert found["/v1/rank of 1,000 over 100"]["met"]
    assert not found["platform's share, p50 ms"]["met"]
    assert found["p99 at 70 % of the peak over the idle p50"]["value"] == 3.0
    assert found["good answers at 200 % of the peak, share of the peak"]["value"] == 0.8
    worse = a_report(ours_ms=40.0)
    worse["bars"] = bars(worse)
    assert not worse["bars"]["Infinity's p50 of 100 over ours"]["met"]
    console = Console()
    compare(worse, report, console)
    said = capsys.readouterr().out
    assert "Infinity's p50 of 100 over ours: 50.00 last time" in said
    assert "platform" not in said
    show(report, console)
    assert "NOT MET" in capsys.readouterr().out
    draw(report, tmp_path / "bench.png")
    assert (tmp_path / "bench.png").stat().st_size > 10_000


def a_report(ours_ms: float) -> dict[str, Any]:
    def cell(who: str, n: int, clients: int, p50_ms: float) -> dict[str, Any]:
        times = {"p50_ms": p50_ms, "p99_ms": 2 * p50_ms, "per_s": 1000 / p50_ms, "n": 9}
        return {"who": who, "candidates": n, "clients": clients, **times}

    speed = {"p50_ms": 5.0, "p99_ms": 6.0, "pairs_per_cpu_s": 9.0}
    plain = {**speed, "p50_ms": 500.0}
    load: dict[str, Any] = {
        "n": 9,
        "p50_ms": 2 * ours_ms,
        "p99_ms": 3 * ours_ms,
        "refused": 1,
        "good_per_s": 40.0,
    }
    load |= {"answers": {"model": 7, "model, shortlist": 2}}
    return {
        "load": [load | {"share": share, "asked_per_s": 50.0 * share} for share in (0.7, 1.0, 2.0)],
        "kernel": [
            {"candidates": 100, "times": 100.0, "ours": speed, "cross-encoder, int8": plain}
        ],
        "http": [
            cell("vitrine", 100, 1, ours_ms),
            cell("vitrine", 1_000, 1, 4 * ours_ms),
            cell("vitrine, constant scores", 100, 1, 12.0),
            cell("vitrine, constant scores", 100, 8, 90.0),
            cell("infinity", 100, 1, 1000.0),
        ],
    }


def test_suggestions_are_found_for_most_that_is_typed_in_the_shop_that_is_measured() -> None:
    figures = measure(300)
    assert figures["typed_found"] > 0.9
    assert figures["mistyped_found"] > 0.5
    assert figures["typed_p50_ms"] <= figures["typed_p99_ms"] <= figures["typed_max_ms"]
