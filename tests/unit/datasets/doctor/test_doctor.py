"""The doctor: each thing that hurts is found where it is, and not where it is not."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from features.catalog.prices import Prices
from features.datasets.columns import ITEM_COLUMNS, conform
from features.datasets.doctor.__main__ import main
from features.datasets.doctor.event_checks import check_log
from features.datasets.doctor.findings import Finding, Severity, worst_first
from features.datasets.doctor.guess import as_yaml, guess
from features.datasets.doctor.item_checks import check_catalogue
from features.datasets.event_rows import EVENT_COLUMNS
from features.datasets.feeds.mapping import mapping_path, read_mapping
from features.datasets.registry import load
from tests.support.servers.http_server import http_server

FEEDS = Path(__file__).resolve().parents[3] / "data" / "feeds"
NOON_S = 1_767_614_400.0  # 2026-01-05
DAY_S = 86_400.0
WORDS = ("Kettle", "Lamp", "Chair", "Table", "Mug", "Pan", "Rug", "Clock", "Shelf", "Vase")


def items(n: int = 20, **columns: Any) -> pd.DataFrame:
    """A catalogue that nothing is wrong with, but for `columns`."""
    table: dict[str, Any] = {
        "item_id": [f"i{number}" for number in range(n)],
        "title": [f"{WORDS[number % 10]} of the year {1990 + number}" for number in range(n)],
        "description": "Stands in every house",
        "category": "Home > Living",
        "brand": "Norvane",
        "price": [float(number + 1) for number in range(n)],
        "currency": "EUR",
        "image_url": "https://img.example/1.jpg",
    }
    return conform(pd.DataFrame(table | columns), ITEM_COLUMNS)


def events(n: int = 40, **columns: Any) -> pd.DataFrame:
    """A log that nothing is wrong with: each item is shown, then clicked and bought in turns."""
    kinds = ["impression", "click", "impression", "purchase"]
    table: dict[str, Any] = {
        "event_id": [f"e{number}" for number in range(n)],
        "type": [kinds[number % 4] for number in range(n)],
        "at": [NOON_S + 7 * number for number in range(n)],
        "user_id": [f"u{number // 8}" for number in range(n)],
        "session_id": [f"s{number // 4}" for number in range(n)],
        "item_id": [f"i{number // 2 % 20}" for number in range(n)],
        "ranking_id": [f"r{number // 4}" for number in range(n)],
        "position": 1,
        "value": 5.0,
    }
    return conform(pd.DataFrame(table | columns), EVENT_COLUMNS)


def of_items(table: pd.DataFrame) -> dict[str, Finding]:
    return {finding.what: finding for finding in check_catalogue(table, Prices())}


def of_events(log: pd.DataFrame, catalogue: pd.DataFrame | None = None) -> dict[str, Finding]:
    catalogue = items() if catalogue is None else catalogue
    found = check_log(catalogue, log, NOON_S + DAY_S, as_is=True)
    return {finding.what: finding for finding in found}


def test_nothing_is_found_where_nothing_is_wrong() -> None:
    assert of_items(items()) == {}
    assert {finding.severity for finding in of_events(events()).values()} <= {Severity.NOTE}


def first(n: int, wrong: Any, right: Any, total: int = 20) -> list[Any]:
    return [wrong] * n + [right] * (total - n)


ITEMS: dict[str, tuple[dict[str, Any], str, Severity, int]] = {
    "a title missing": ({"title": first(1, "", "Mug")}, "titles empty", Severity.WARNING, 1),
    "titles missing": ({"title": first(9, "", "Mug")}, "titles empty", Severity.SEVERE, 9),
    "alike": ({"title": first(15, "Product", "Mug")}, "titles all alike", Severity.SEVERE, 15),
    "shared": (
        {"title": [f"Mug {number // 2}" for number in range(20)]},
        "titles that several items share",
        Severity.WARNING,
        20,
    ),
    "markup": (
        {"title": first(1, "<b>Mug</b>", "Pan")},
        "markup in the title",
        Severity.WARNING,
        1,
    ),
    "letters": (
        {"title": first(3, "GrÃ¼ner Hut", "Pan")},
        "letters broken by a wrong encoding",
        Severity.SEVERE,
        3,
    ),
    "a test": ({"title": first(1, "TEST do not buy", "Pan")}, "test items", Severity.WARNING, 1),
    "no test": ({"title": first(1, "Testo Thermometer", "Pan")}, "test items", Severity.NOTE, 0),
    "one price": ({"price": 9.0}, "one price for all", Severity.SEVERE, 20),
    "no price": ({"price": first(10, None, 5.0)}, "no price", Severity.WARNING, 10),
    "for nothing": ({"price": first(1, 0.0, 5.0)}, "price 0", Severity.WARNING, 1),
    "currencies": (
        {"currency": first(5, "USD", "EUR")},
        "currencies mixed (EUR, USD)",
        Severity.SEVERE,
        5,
    ),
    "no category": ({"category": first(10, "", "Home")}, "no category", Severity.WARNING, 10),
    "no picture": ({"image_url": ""}, "no picture", Severity.NOTE, 20),
    "all sold out": ({"available": False}, "sold out", Severity.SEVERE, 20),
    "rounded": (
        {"attributes": first(2, '{"gtin": "4.00638E+12"}', "")},
        "codes that a spreadsheet has rounded",
        Severity.WARNING,
        2,
    ),
    "capitals": (
        {"item_id": ["A", "a", *(f"i{number}" for number in range(18))]},
        "ids that differ only in capitals",
        Severity.WARNING,
        2,
    ),
    "twice": (
        {"item_id": ["a", "a", *(f"i{number}" for number in range(18))]},
        "ids that stand twice",
        Severity.SEVERE,
        1,
    ),
}


@pytest.mark.parametrize("case", ITEMS)
def test_what_hurts_in_a_catalogue_is_counted(case: str) -> None:
    columns, what, severity, count = ITEMS[case]
    finding = of_items(items(**columns)).get(what)
    if not count:
        assert finding is None
        return
    assert finding is not None
    assert (finding.severity, finding.count) == (severity, count)
    assert finding.example


def test_currencies_with_a_rate_are_no_mix_and_others_are_severe() -> None:
    table = items(currency=first(5, "USD", "EUR"))
    assert {*check_catalogue(table, Prices(currency="EUR", rates={"USD": 0.9}))} == set()
    (finding,) = check_catalogue(table, Prices(currency="EUR"))
    assert (finding.what, finding.count) == ("a currency without a rate", 5)
    assert finding.severity is Severity.SEVERE


def test_titles_in_two_languages_are_told() -> None:
    german = "Grüne Wanderschuhe aus weichem Leder für den Sommer"
    english = "Green hiking boots made of soft leather for the summer"
    found = of_items(items(title=first(8, german, english)))
    assert any("titles in several languages (en 60%, de 40%)" in what for what in found)


EVENTS: dict[str, tuple[dict[str, Any], str, Severity, int]] = {
    "strangers": (
        {"item_id": first(30, "X9", "i1", 40)},
        "events of unknown items",
        Severity.SEVERE,
        30,
    ),
    "future": (
        {"at": first(1, NOON_S + 1e9, NOON_S, 40)},
        "events in the future",
        Severity.SEVERE,
        1,
    ),
    "old": (
        {"at": [NOON_S - 99 * DAY_S + number for number in range(40)]},
        "all events are older than 60 days",
        Severity.WARNING,
        40,
    ),
    "midnight": (
        {"at": NOON_S - 43_200},
        "times at midnight: only the day is known",
        Severity.SEVERE,
        40,
    ),
    "nobody": (
        {"user_id": "", "session_id": ""},
        "events without user_id and session_id",
        Severity.SEVERE,
        40,
    ),
    "guests": ({"user_id": ""}, "sessions without a user", Severity.WARNING, 10),
    "only views": (
        {"type": "view"},
        "neither clicks, carts nor purchases",
        Severity.SEVERE,
        40,
    ),
    "no lists": (
        {"type": first(20, "click", "purchase", 40)},
        "no impressions",
        Severity.NOTE,
        40,
    ),
    "unseen": (
        {"session_id": [f"s{number}" for number in range(40)]},
        "purchases without an impression in their session",
        Severity.WARNING,
        10,
    ),
    "no places": (
        {"position": 0},
        "impressions without ranking_id or position",
        Severity.WARNING,
        20,
    ),
    "no clicks": (
        {"type": first(20, "impression", "purchase", 40)},
        "impressions, but no click",
        Severity.WARNING,
        20,
    ),
    "no money": ({"value": float("nan")}, "purchases without value", Severity.WARNING, 10),
    "fired twice": (
        {
            "type": "click",
            "at": NOON_S + 1,
            "user_id": "u",
            "session_id": "s",
            "item_id": "i1",
            "ranking_id": "r",
        },
        "events that are the same but for their id",
        Severity.WARNING,
        39,
    ),
}


@pytest.mark.parametrize("case", EVENTS)
def test_what_hurts_in_a_log_is_counted(case: str) -> None:
    columns, what, severity, count = EVENTS[case]
    finding = of_events(events(**columns)).get(what)
    assert finding is not None
    assert (finding.severity, finding.count) == (severity, count)


def test_unknown_items_that_differ_in_capitals_are_told_apart() -> None:
    found = of_events(events(item_id=first(5, "I1", "i1", 40)))["events of unknown items"]
    assert "5 differ only in capitals" in found.advice


def test_events_before_their_item_are_found() -> None:
    found = of_events(events(), items(created_at=NOON_S + 9 * DAY_S))
    assert found["events before their item"].count == 40


def test_a_robot_is_found_and_not_named() -> None:
    log = events(4_000, user_id=first(1_500, "robot@example.com", "u1", 4_000))
    found = of_events(log)["test traffic or a robot? many events of one user_id"]
    assert found.severity is Severity.WARNING
    assert "robot@" not in found.example


def test_the_worst_comes_first() -> None:
    note, small, large = (
        Finding(Severity.NOTE, "a", 9, 10),
        Finding(Severity.SEVERE, "b", 1, 10),
        Finding(Severity.SEVERE, "c", 2, 10),
    )
    assert worst_first([note, small, large]) == [large, small, note]


def test_a_good_feed_is_exit_0_and_a_bad_row_exit_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(FEEDS / "merchant.tsv"), "--cache", str(tmp_path)]) == 0
    assert "merchant: 1 items, 0 events" in capsys.readouterr().out
    text = (FEEDS / "merchant.tsv").read_text()
    (tmp_path / "bad.tsv").write_text(text + text.splitlines()[1].replace("1,299.00 USD", "ask"))
    assert main([str(tmp_path / "bad.tsv"), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["severe"] is True
    assert told["findings"][0]["what"] == "rows that cannot be read"
    assert "line 3: column 'price'" in told["findings"][0]["example"]


def test_what_cannot_be_read_at_all_is_said_and_exit_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path / "nowhere"), "--json", "--cache", str(tmp_path)]) == 1
    assert "no such file or folder" in capsys.readouterr().out


TABLE = """ProductNo;Product Name;Warengruppe;Preis EUR;Farbe;Verfügbar;EAN;Bild
A1;Wanderschuh [neu];Schuhe/Outdoor;129,00;Braun;ja;4006381333931;https://i.example/1.jpg
A2;Socken 3er Pack;Schuhe/Socken;1.009,90;Grau;nein;4006381333948;https://i.example/2.jpg
A3;Regenjacke Sylt;Jacken/Regen;79,90;Braun;ja;4006381333955;https://i.example/3.jpg
"""


def test_the_mapping_that_is_proposed_reads_the_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "shop.csv"
    path.write_text(TABLE)
    assert main([str(path), "--json"]) == 1
    mappings = json.loads(capsys.readouterr().out)["mappings"]
    (proposed,) = mappings.values()
    mapping_path(path).write_text(proposed)
    dataset = load(str(path), tmp_path)
    assert dataset.items["item_id"].tolist() == ["A1", "A2", "A3"]
    assert dataset.items["title"].tolist()[0] == "Wanderschuh [neu]"
    assert dataset.items["price"].tolist() == [129.0, 1009.9, 79.9]
    assert dataset.items["category"].tolist()[2] == "Jacken > Regen"
    assert dataset.items["available"].tolist() == [True, False, True]
    assert "4006381333931" in dataset.items["attributes"][0]
    assert "Braun" in dataset.items["attributes"][0]
    assert main([str(path)]) == 0


def test_a_mapping_of_events_is_proposed_for_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "clicks.jsonl"
    path.write_bytes((FEEDS / "clicks.jsonl").read_bytes())
    mapping = guess(path)
    assert mapping is not None
    mapping_path(path).write_text(as_yaml(mapping))
    assert read_mapping(mapping_path(path)) == mapping
    assert mapping.columns["item_id"] == "product.id"
    assert {word: str(ours) for word, ours in mapping.types.items()} == {
        "look": "view",
        "buy": "purchase",
    }


def test_a_table_without_items_gets_no_mapping(tmp_path: Path) -> None:
    (tmp_path / "sums.csv").write_text("a,b\n1,2\n1,3\n")
    assert guess(tmp_path / "sums.csv") is None


@contextmanager
def answering(status: dict[str, Any], ready: int = 200) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(ready if self.path == "/readyz" else 200)
            self.end_headers()
            self.wfile.write(json.dumps(status).encode())

    with http_server(Handler) as url:
        yield url


WELL = {"features_answer": True, "model_answers": True, "catalog_items": 5}


@pytest.mark.parametrize(
    ("told", "ready", "expected"),
    [
        (WELL, 200, None),
        (WELL | {"model_answers": False}, 200, "the model: no answer, so rules rank"),
        (WELL | {"catalog_items": 0}, 200, "the running catalogue is empty"),
        (WELL | {"status": "starting"}, 503, "/readyz answers 503"),
    ],
)
def test_a_running_stack_is_asked_too(
    told: dict[str, Any], ready: int, expected: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    with answering(told, ready) as url:
        status = main([str(FEEDS / "merchant.tsv"), "--json", "--url", url])
    severe = [
        finding["what"]
        for finding in json.loads(capsys.readouterr().out)["findings"]
        if finding["severity"] == "severe"
    ]
    assert (status, severe) == ((1, [expected]) if expected else (0, []))


def test_a_stack_that_does_not_run_is_severe(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        assert main([str(FEEDS / "merchant.tsv"), "--url", url]) == 1
    assert "/readyz does not answer" in capsys.readouterr().out
