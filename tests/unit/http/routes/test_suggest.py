"""Suggestions over HTTP."""

from pathlib import Path
from urllib.parse import quote

import pytest

from tests.support.service import Service


@pytest.fixture(scope="module")
def shop(tokenizer_path: Path) -> Service:
    """One for all tests of this module: asking changes nothing."""
    return Service(tokenizer_path)


async def test_what_was_typed_is_completed(shop: Service) -> None:
    answer = await shop.call("GET", "/v1/suggest?q=mil&limit=8", "rank")
    assert answer.status_code == 200
    assert answer.json() == {
        "suggestions": [
            {
                "text": "Milk",
                "kind": "category",
                "item_id": None,
                "category": "Grocery > Dairy > Milk",
            },
            {"text": "Whole milk", "kind": "item", "item_id": "milk", "category": None},
        ],
        "corrected": None,
    }
    assert "retrieve;dur=" in answer.headers["server-timing"]


async def test_what_was_mistyped_is_corrected(shop: Service) -> None:
    found = (await shop.call("GET", "/v1/suggest?q=mwadow")).json()
    assert found["corrected"] == "meadow"
    assert found["suggestions"] == [
        {"text": "Meadow", "kind": "brand", "item_id": None, "category": None}
    ]


async def test_nothing_typed_gets_popular_suggestions_up_to_the_limit(shop: Service) -> None:
    for path in ("/v1/suggest", "/v1/suggest?q=", "/v1/suggest?q=%20%20"):
        assert len((await shop.call("GET", path)).json()["suggestions"]) == 8
    few = (await shop.call("GET", "/v1/suggest?limit=2")).json()
    assert len(few["suggestions"]) == 2
    assert few["corrected"] is None


@pytest.mark.parametrize(
    "typed", ["?", "\x00", "\u0301", "&", "'", "🥛", "\ud7a3\u200d", "x" * 128, "% > <", "跑" * 128]
)
async def test_whatever_was_typed_is_answered(shop: Service, typed: str) -> None:
    answer = await shop.call("GET", f"/v1/suggest?q={quote(typed)}")
    assert answer.status_code == 200
    assert answer.json() == {"suggestions": [], "corrected": None}


async def test_a_deleted_item_is_not_suggested_any_more(tokenizer_path: Path) -> None:
    shop = Service(tokenizer_path)
    shop.items.table.remove("bread")
    found = (await shop.call("GET", "/v1/suggest?q=rye")).json()
    assert found["suggestions"] == []


@pytest.mark.parametrize("typed", ["%ff", "%ED%A0%80", "%F0%9F", "a%00b", "+", "%"])
async def test_bytes_that_are_no_text_are_no_500(shop: Service, typed: str) -> None:
    assert (await shop.call("GET", f"/v1/suggest?q={typed}")).status_code == 200
