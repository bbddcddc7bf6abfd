"""The lines to paste: a real shell must send what the shop's own ids and titles say."""

import json
import subprocess
from typing import Any

import pandas as pd
import pytest

from features.datasets.columns import ITEM_COLUMNS, conform
from features.datasets.event_rows import EVENT_COLUMNS
from features.datasets.format import Dataset, DatasetInfo
from serving.local.greeting import greeting
from serving.local.prepare import sample_of
from serving.local.state_folder import Sample

ODD = ["it's", 'a "b"', "$(id) `id`", "\\n%s", "茶-1"]


def pasted(text: str) -> list[tuple[str, Any]]:
    """Path and body of each line, as curl gets them from a shell."""
    sent = []
    for line in text.splitlines():
        if line.startswith("  curl"):
            told = subprocess.run(
                ["bash", "-c", f"curl() {{ printf '%s\\0' \"$@\"; }}\n{line}"],
                capture_output=True,
                check=True,
            )
            words = told.stdout.decode().split("\0")
            assert words[:1] + words[2:5] == ["-s", "-H", "Authorization: Bearer dev", "-d"]
            sent.append((words[1].removeprefix("http://shop"), json.loads(words[5])))
    return sent


@pytest.mark.parametrize("plain", [False, True])
def test_pasted_lines_send_ids_and_queries_of_any_characters(plain: bool) -> None:
    sample = Sample(user_id="ann's $HOME", item_ids=ODD, query="绿茶 l'été")
    text = greeting("http://shop", sample, "dev", plain)
    assert text.isascii() == plain
    (rank_path, rank), (click_path, click), (search_path, search) = pasted(text)
    assert [rank_path, click_path, search_path] == ["/v1/rank", "/v1/events", "/v1/search"]
    assert [each["item_id"] for each in rank["candidates"]] == ODD
    (event,) = click["events"]
    assert (event["user_id"], event["item_id"]) == (sample.user_id, ODD[-1])
    assert event["event_id"].isdigit()
    assert event["at"].endswith("Z")
    assert search["query"] == sample.query


def dataset(titles: list[str], bought: list[str] | None = None) -> Dataset:
    items = pd.DataFrame({"item_id": [f"i{k}" for k in range(len(titles))], "title": titles})
    events = pd.DataFrame(
        {"type": "purchase", "at": 1.0, "user_id": "ann", "item_id": bought or []}
    )
    return Dataset(
        DatasetInfo(name="x"), conform(items, ITEM_COLUMNS), conform(events, EVENT_COLUMNS)
    )


def test_a_shop_without_events_greets_with_its_first_items_and_a_new_shopper() -> None:
    sample = sample_of(dataset(["绿茶 礼盒", *(f"Tea {k}" for k in range(20))]))
    assert sample.user_id == "new-shopper"
    assert sample.item_ids == [f"i{k}" for k in range(8)]
    assert sample.query == "绿茶 礼盒"


def test_what_is_bought_comes_first_and_the_catalogue_fills_up() -> None:
    sample = sample_of(dataset([f"Green tea {k}" for k in range(4)], ["i2", "gone"]))
    assert sample.user_id == "ann"
    assert sample.item_ids == ["i2", "i0", "i1", "i3"]
    assert sample.query == "green tea"
