"""Candidates to columns: one read for the shopper, look-ups for the items."""

import asyncio
import time

import numpy as np
import pytest

from features.behavior.matrix import COLUMN, Shopper
from features.catalog.counters import DAY_S, Counter
from features.catalog.item import content_key
from features.events.event import EventType
from serving.errors import FeaturesUnavailableError
from serving.ranking.shopper_features import FeatureLookup
from serving.ranking.values import FloatArray
from serving.settings import ModelSettings
from serving.shops.items import ItemCache, TextEncoder
from tests.support.fakes import NOW_S, FakeShoppers, groceries, request, state


def lookup(encoder: TextEncoder, shoppers: FakeShoppers, items: ItemCache) -> FeatureLookup:
    return FeatureLookup(shoppers, items, encoder, ModelSettings(tokenizer_path="x"))


async def test_nobody_is_known_without_a_read(encoder: TextEncoder) -> None:
    shoppers = FakeShoppers()
    found = await lookup(encoder, shoppers, groceries(encoder)).shopper(request("milk"), 1.0)
    assert found == Shopper()
    assert shoppers.reads == 0


async def test_user_and_session_are_one_read(encoder: TextEncoder) -> None:
    shoppers = FakeShoppers({"u": state("milk")}, {"s": state("oat")})
    asked = request("milk", user_id="u", session_id="s")
    found = await lookup(encoder, shoppers, groceries(encoder)).shopper(asked, 1.0)
    assert found == Shopper(shoppers.users["u"], shoppers.sessions["s"])
    assert shoppers.reads == 1


async def test_the_event_loop_does_not_wait_for_the_store(encoder: TextEncoder) -> None:
    shoppers = FakeShoppers(delay_s=0.2)
    reading = asyncio.create_task(
        lookup(encoder, shoppers, groceries(encoder)).shopper(request("milk", user_id="u"), 1.0)
    )
    started_s = time.monotonic()
    await asyncio.sleep(0.01)
    assert time.monotonic() - started_s < 0.15
    await reading


@pytest.mark.parametrize(
    "shoppers", [FakeShoppers(error=OSError("disk")), FakeShoppers(delay_s=0.2)]
)
async def test_a_store_that_fails_or_hangs_is_unavailable(
    encoder: TextEncoder, shoppers: FakeShoppers
) -> None:
    reader = lookup(encoder, shoppers, groceries(encoder))
    with pytest.raises(FeaturesUnavailableError):
        await reader.shopper(request("milk", user_id="u"), 0.02)


def test_known_and_unknown_items_keep_their_places(encoder: TextEncoder) -> None:
    items = groceries(encoder)
    found = lookup(encoder, FakeShoppers(), items).matrix(
        request("who", "oat", "plain", query="oat drinks"), Shopper()
    )
    assert found.rows.tolist() == [-1, 1, 7]
    assert found.category[0].tolist() == [-1, -1, -1]
    assert found.brand.tolist() == [-1, items.table.brand_code["Oatly"], -1]
    np.testing.assert_array_equal(found.query_match, np.array([np.nan, 1.0, 0.0], np.float32))
    assert found.exposure.tolist() == [np.inf, 0.0, 0.0]  # an unknown item is not explored
    assert found.deepest_category.tolist()[0] == -1


def test_a_query_matches_by_the_share_of_its_words(encoder: TextEncoder) -> None:
    reader = lookup(encoder, FakeShoppers(), groceries(encoder))

    def match(query: str | None) -> FloatArray:
        return reader.matrix(request("milk", "oat", "who", query=query), Shopper()).query_match

    np.testing.assert_allclose(match("WHOLE milks, meadow!"), [1.0, 1 / 3, np.nan], rtol=1e-6)
    assert np.isnan(match("?!")).all()
    assert np.isnan(match(None)).all()


def test_an_empty_catalogue_knows_nothing(encoder: TextEncoder) -> None:
    items = groceries(encoder, ())
    reader = lookup(encoder, FakeShoppers(), items)
    found = reader.matrix(request("a", "b", query="c"), Shopper(state("a", "b")))
    assert found.rows.tolist() == [-1, -1]
    assert found.category.shape == (2, 3)
    texts = reader.texts(request("a", "b", query="c"), found)
    assert texts.purchases.shape == (0, 3)
    assert texts.item_keys.tolist() == [0, 0]
    assert not texts.item_tokens.any()
    assert texts.n_user_history == 0


def test_seeds_stand_for_the_session_the_first_one_newest(encoder: TextEncoder) -> None:
    items = groceries(encoder)
    reader = lookup(encoder, FakeShoppers(), items)
    asked = request("milk", "oat", "bread", seed_item_ids=("oat", "bread", "who"))
    found = reader.matrix(asked, Shopper(session=state("milk")))
    recency = found.values[:, COLUMN["session_recency_rank"]]
    assert recency.tolist() == [0.0, 1.0, 0.5]
    texts = reader.texts(asked, found)
    assert texts.history_keys.tolist() == [
        content_key(items.table.items[row].ranker_text) for row in (1, 3)
    ]


def test_texts_are_the_newest_that_the_catalogue_knows_up_to_the_bound(
    encoder: TextEncoder,
) -> None:
    items = groceries(encoder)
    reader = FeatureLookup(
        FakeShoppers(),
        items,
        encoder,
        ModelSettings(tokenizer_path="x", user_history=2, bought_history=1),
    )
    user = state("milk", "oat", "gone", "bread")
    user.bought = {
        "glass": (1, NOW_S - 5 * DAY_S, NOW_S - 5 * DAY_S),
        "milk": (3, 0.0, NOW_S - DAY_S),
    }
    user.bought["gone"] = (9, NOW_S, NOW_S)
    shopper = Shopper(user, state("soap", "glass"))
    asked = request("milk", "who")
    texts = reader.texts(asked, reader.matrix(asked, shopper))
    names = ["bread", "oat", "glass", "soap", "milk"]
    assert (texts.n_user_history, texts.n_session_history) == (2, 2)
    assert texts.history_keys.tolist() == items.keys[items.table.rows(names)].tolist()
    np.testing.assert_allclose(texts.purchases, [[3, NOW_S / DAY_S, 1]], rtol=1e-6)
    assert texts.item_keys.tolist() == [int(items.keys[0]), 0]
    assert not texts.item_tokens[1].any()
    assert texts.query_tokens.tolist() == [[0]]


def test_exposure_counts_what_was_seen_and_fades(encoder: TextEncoder) -> None:
    items = groceries(encoder)
    row = items.table.rows(["milk"])
    counts = np.zeros((1, 5, 5), np.float32)
    counts[0, : Counter.RETURN] = 8.0
    items.set_counters(row, counts, np.array([NOW_S]), np.array([NOW_S]))
    reader = lookup(encoder, FakeShoppers(), items)
    now = reader.matrix(request("milk"), Shopper()).exposure
    later = reader.matrix(request("milk", at_s=NOW_S + 30 * 86_400), Shopper()).exposure
    assert now.tolist() == [32.0]
    assert later == pytest.approx([16.0])


def test_the_features_follow_the_time_of_the_request(encoder: TextEncoder) -> None:
    items = groceries(encoder)
    shopper = Shopper(state("milk", kind=EventType.PURCHASE))
    reader = lookup(encoder, FakeShoppers(), items)
    column = COLUMN["user_days_since_bought"]
    soon, late = (
        reader.matrix(request("milk", at_s=NOW_S + days * 86_400), shopper).values[0, column]
        for days in (0, 10)
    )
    assert soon < late
