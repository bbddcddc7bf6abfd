"""What `make evaluate-search` asks, and what it makes of the answers."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from features.datasets.columns import ITEM_COLUMNS, QUERY_COLUMNS, conform
from features.datasets.event_rows import EVENT_COLUMNS
from features.datasets.format import Dataset, DatasetError, DatasetInfo, write_dataset
from loadtests.search_quality.__main__ import main
from loadtests.search_quality.asking import Asker, AskingError, Question
from loadtests.search_quality.baselines import best, fused_by_rank, fused_by_score
from loadtests.search_quality.candidates import N_ALIKE, N_DRAWN, N_RELEVANT, slates
from loadtests.search_quality.cases import Case, judged_cases, language_of, sampled
from loadtests.search_quality.measures import MEASURES, measure
from loadtests.search_quality.progress import steps
from tests.support.servers.http_server import http_server

NOTHING = -np.inf


def case(query: str = "milk", kind: str = "type", language: str = "en", **gains: float) -> Case:
    return Case(query, kind, language, "dev", gains)


def measured(of: Case, answer: list[str], titles: frozenset[str] = frozenset()) -> dict[str, float]:
    return {name: float(values[0]) for name, values in measure([of], [answer], titles).items()}


def test_precision_counts_what_there_could_be_and_shown_what_there_is() -> None:
    got = measured(case(a=1, b=1, c=1, d=1), ["a", "x", "b", "y"])
    assert got["precision@10"] == 0.5
    assert got["shown@10"] == 0.5
    assert got["recall@50"] == 0.5
    assert measured(case(a=1), ["a", *"wxyz"])["precision@10"] == 1.0
    assert measured(case(a=1), ["a", *"wxyz"])["shown@10"] == 0.2


def test_many_answers_are_measured_by_the_places_there_are() -> None:
    wanted = {f"w{number}": 1.0 for number in range(80)}
    got = measured(Case("milk", "type", "en", "dev", wanted), list(wanted))
    assert got["precision@10"] == 1.0
    assert got["recall@50"] == 1.0


def test_ndcg_weighs_gains_by_place() -> None:
    graded = case(best=1.0, some=0.1, none=0.0)
    assert measured(graded, ["best", "some"])["ndcg@10"] == pytest.approx(1.0)
    swapped = (0.1 + 1 / np.log2(3)) / (1 + 0.1 / np.log2(3))
    assert measured(graded, ["some", "best"])["ndcg@10"] == pytest.approx(swapped)
    assert graded.relevant == {"best"}


def test_an_empty_answer_is_told_apart() -> None:
    got = measured(case(a=1), [])
    assert got["empty"] == 1.0
    assert got["precision@10"] == 0.0
    assert np.isnan(got["shown@10"])


def test_what_nothing_answers_has_only_a_share_of_empty_answers() -> None:
    got = measured(case(kind="absent"), ["x"])
    assert got["empty"] == 0.0
    assert all(np.isnan(value) for name, value in got.items() if name != "empty")


def test_a_title_counts_where_the_query_is_one() -> None:
    titles = frozenset({"Milk, 1 gal"})
    assert measured(case("Milk, 1 gal", a=1), ["x", "y", "a"], titles)["title@3"] == 1.0
    assert measured(case("Milk, 1 gal", a=1), ["x", "y", "z", "a"], titles)["title@3"] == 0.0
    assert np.isnan(measured(case("milk", a=1), ["a"], titles)["title@3"])


@pytest.mark.parametrize(
    ("query", "language", "length"),
    [
        ("milk", "en", "1 word"),
        ("dog food", "en", "2 words"),
        ("store brand dog food", "en", "4+ words"),
        ("牛奶", "zh", "1-2 characters"),
        ("ペットフード", "ja", "5-8 characters"),
    ],
)
def test_length_is_words_or_characters(query: str, language: str, length: str) -> None:
    assert case(query, language=language).length == length


def test_the_script_tells_a_language_only_where_it_is_that_of_one() -> None:
    assert [language_of(text) for text in ("牛奶", "牛乳パック", "우유", "milk")] == [
        "zh", "ja", "ko", "",
    ]  # fmt: skip


def test_a_sample_has_every_kind() -> None:
    cases = [case(str(n), kind="type") for n in range(90)]
    cases += [case(f"t{n}", kind="title") for n in range(10)]
    drawn = sampled(cases, 20, seed=1)
    assert [one.kind for one in drawn].count("title") == 2
    assert len(drawn) == 20
    assert drawn == sampled(cases, 20, seed=1)
    assert sampled(cases, 0, seed=1) == cases


def test_what_no_ranker_finds_is_no_result() -> None:
    words = np.array([[3, 2, NOTHING], [NOTHING, NOTHING, NOTHING]], np.float32)
    meaning = np.array([[0.1, 0.9, 0.2], [0.3, 0.2, 0.1]], np.float32)
    assert best(words, 3) == [[0, 1], []]
    assert best(fused_by_rank([words, words]), 3) == [[0, 1], []]
    assert best(fused_by_rank([words, meaning]), 3) == [[1, 0, 2], [0, 1, 2]]
    assert best(fused_by_score([words, meaning]), 1) == [[1], [0]]


def test_a_slate_has_some_that_answer_some_alike_and_some_drawn() -> None:
    ids = [str(number) for number in range(500)]
    asked = Case("milk", "type", "en", "dev", dict.fromkeys(ids[:30], 1.0))
    words = np.full((1, 500), NOTHING, np.float32)
    words[0, :60] = np.arange(60, 0, -1)
    [(cut, offered)] = slates([asked], ids, words, seed=1)
    assert len(offered) == len(set(offered)) == N_RELEVANT + N_ALIKE + N_DRAWN
    assert len(cut.relevant) == N_RELEVANT
    assert set(ids[30:50]) <= set(offered)  # the most alike that do not answer
    assert offered != tuple(ids[:100])


def test_where_others_were_judged_a_slate_has_judged_items_alone() -> None:
    asked = case(a=1.0, b=0.0, gone=1.0)
    words = np.zeros((2, 3), np.float32)
    [(cut, offered)] = slates([asked, case(kind="absent")], ["a", "b", "c"], words, seed=1)
    assert set(offered) == {"a", "b"}
    assert cut.gains == {"a": 1.0, "b": 0.0}


def test_a_log_is_told_how_far_a_step_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(steps(range(3), "asking", Console(force_terminal=False))) == [0, 1, 2]
    assert "asking: 3" in capsys.readouterr().out


class Shop(BaseHTTPRequestHandler):
    """Finds what has the query's first word; refuses each request once."""

    protocol_version = "HTTP/1.1"
    titles: ClassVar[dict[str, str]]
    bodies: ClassVar[list[dict[str, Any]]]

    to_encode: ClassVar[list[int]]  # what the status says, one after the other

    def do_GET(self) -> None:
        content = json.dumps({"items_to_encode": self.to_encode.pop(0)}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.bodies.append(body)
        first_time = self.bodies.count(body) == 1
        word = body["query"].split()[0]
        offered = [each["item_id"] for each in body.get("candidates", [])] or list(self.titles)
        found = [item for item in offered if word in self.titles[item]]
        answer = {"route": "model", "items": [{"item_id": item} for item in found]}
        content = json.dumps(answer).encode()
        broken = body["query"] == "broken"
        self.send_response(500 if broken else 503 if first_time else 200)
        self.send_header("retry-after", "0")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def url() -> Iterator[str]:
    Shop.titles = {"m1": "milk one", "m2": "milk two", "b1": "bread", "c1": "milk chocolate"}
    Shop.bodies = []
    Shop.to_encode = [12, 3, 0]
    with http_server(Shop) as url:
        yield url


def test_a_busy_stack_is_asked_again(url: str) -> None:
    asker = Asker(url, "dev")
    assert asker.ask([Question("milk", "u1"), Question("milk", None, ("b1", "m1"))]) == [
        ["m1", "m2", "c1"],
        ["m1"],
    ]
    assert asker.routes == {"/v1/search model": 1, "/v1/rank model": 1}
    assert {body.get("user_id") for body in Shop.bodies} == {"u1", None}


def test_a_stack_that_still_encodes_its_items_is_waited_for(url: str) -> None:
    Asker(url, "dev").until_encoded()
    assert Shop.to_encode == []
    Shop.to_encode = [12]
    with pytest.raises(AskingError, match="items wait for the encoder"):
        Asker(url, "dev").until_encoded(patience_s=0.0)


def test_a_refusal_and_a_missing_stack_are_one_line(url: str) -> None:
    with pytest.raises(AskingError, match="'broken': 500"):
        Asker(url, "dev").ask([Question("broken")])
    with pytest.raises(AskingError, match="ConnectError"):
        Asker("http://127.0.0.1:1", "dev").ask([Question("milk")])


def small_shop() -> Dataset:
    items = pd.DataFrame({"item_id": list(Shop.titles), "title": list(Shop.titles.values())})
    events = pd.DataFrame(
        {"type": "purchase", "at": [1.0, 2.0, 3.0], "user_id": ["u1", "u1", "u2"], "item_id": "m1"}
    )
    queries = pd.DataFrame(
        [
            ("1", "milk", "m1", 1.0, "type"),
            ("1", "milk", "m2", 1.0, "type"),
            ("1", "milk", "c1", 0.0, "type"),
            ("2", "bread", "b1", 1.0, "type"),
            ("3", "laptop", "", 0.0, "absent"),
        ],
        columns=["query_id", "query", "item_id", "gain", "kind"],
    )
    return Dataset(
        DatasetInfo(name="small"),
        conform(items, ITEM_COLUMNS),
        conform(events, EVENT_COLUMNS).assign(event_id=["a", "b", "c"]),
        conform(queries, QUERY_COLUMNS),
    )


def test_a_folder_with_queries_is_measured(url: str, tmp_path: Path) -> None:
    write_dataset(small_shop(), tmp_path / "small")
    options = ["--data", str(tmp_path / "small"), "--url", url, "--out", str(tmp_path)]
    assert main([*options, "--no-baselines"]) == 0
    report = json.loads((tmp_path / "search-small.json").read_text())
    [everything] = [
        row for row in report["rows"] if (row["test_set"], row["group"]) == ("search", "all")
    ]
    assert everything["queries"] == 3
    assert everything["precision@10"] == 1.0
    assert everything["shown@10"] == pytest.approx((2 / 3 + 1) / 2)
    assert everything["empty"] == pytest.approx(1 / 3)
    assert {row["test_set"] for row in report["rows"]} == {"search", "known shoppers", "rank"}
    assert set(MEASURES) < set(everything)
    assert report["queries"][0]["first"] == ["milk one", "milk two", "milk chocolate"]
    assert (tmp_path / "search-small.png").stat().st_size > 1_000
    assert {body.get("user_id") for body in Shop.bodies} == {None, "u1", "u2"}


def test_data_without_queries_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Shop.titles = {"m1": "milk"}
    shop = small_shop()
    write_dataset(Dataset(shop.info, shop.items, shop.events), tmp_path / "small")
    assert main(["--data", str(tmp_path / "small"), "--url", "http://127.0.0.1:1"]) == 2
    assert "no judged queries" in capsys.readouterr().err
    with pytest.raises(DatasetError, match="of the half 'dev'"):
        judged_cases(shop, "dev")
