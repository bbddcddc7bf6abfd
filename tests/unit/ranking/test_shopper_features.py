"""Candidates to columns: one read for the shopper, look-ups for the items."""

import asyncio
import time
from typing import Any

import numpy as np
import pytest

from features.arrays import FloatArray
from features.behavior.matrix import COLUMN, Shopper
from features.catalog.counters import DAY_S, Counter
from features.catalog.item import content_key
from features.events.event import EventType
from serving.models.contract import Limits, Tensors
from serving.models.limits import CandidateLimits, PublishedLimits
from serving.models.tokenizer import Tokenizer
from serving.ranking.request import Recommend
from serving.ranking.settings import PipelineSettings
from serving.ranking.shopper_features import ShopperFeatures
from serving.ranking.values import (
    Evidence,
    FeatureMatrix,
    Known,
    ShopperState,
    Unavailable,
    Unknown,
)
from serving.shops.items import ItemCache
from tests.support.fakes import NOW_S, FakeShoppers, candidates, context, groceries, state
from tests.support.service import shop_of

LATER = time.monotonic() + 1e6
NOBODY = Shopper()


class Reader:
    """ShopperFeatures over one shop, with what a test asks of them."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        shoppers: FakeShoppers | None = None,
        items: ItemCache | None = None,
        limits: Limits | None = None,
        candidate: Limits | None = None,
    ) -> None:
        """limits: of the version in use; candidate: of "8", the only one beside it."""
        read = limits or Limits()
        published = PublishedLimits(lambda: read)
        published.refresh()
        self.shop = shop_of(
            groceries(tokenizer) if items is None else items, shoppers or FakeShoppers()
        )
        others = None
        if candidate is not None:
            others = CandidateLimits(lambda: ["8"], lambda _: candidate)
            others.look()
        self.features = ShopperFeatures(
            tokenizer, published, PipelineSettings(features_budget_s=0.3), others
        )

    async def read(self, **fields: Any) -> ShopperState:
        return await self.features.read(self.shop, context(**{"deadline_s": LATER, **fields}))

    def evidence(self, states: Shopper, *seeds: str) -> Evidence:
        return self.features.evidence(self.shop, context(), states, Recommend(seeds))

    def matrix(
        self, *item_ids: str, states: Shopper = NOBODY, seeds: tuple[str, ...] = (), **fields: Any
    ) -> FeatureMatrix:
        evidence = self.evidence(states, *seeds)
        offered = candidates(*item_ids, items=self.shop.items)
        return self.features.matrix(self.shop, context(**fields), offered, evidence)

    def tensors(
        self,
        *item_ids: str,
        states: Shopper = NOBODY,
        seeds: tuple[str, ...] = (),
        version: str | None = None,
        **fields: Any,
    ) -> Tensors:
        columns = self.matrix(*item_ids, states=states, seeds=seeds, **fields)
        evidence = self.evidence(states, *seeds)
        return self.features.tensors(self.shop, context(**fields), evidence, columns, version)


async def test_nobody_is_unknown_without_a_read(encoder: Tokenizer) -> None:
    shoppers = FakeShoppers()
    assert await Reader(encoder, shoppers).read() == Unknown()
    assert shoppers.reads == 0


async def test_user_and_session_are_one_read(encoder: Tokenizer) -> None:
    shoppers = FakeShoppers({"u": state("milk")}, {"s": state("oat")})
    shopper = await Reader(encoder, shoppers).read(user_id="u", session_id="s")
    assert shopper == Known(Shopper(shoppers.users["u"], shoppers.sessions["s"]))
    assert shoppers.reads == 1


async def test_of_whom_the_store_holds_nothing_is_unknown(encoder: Tokenizer) -> None:
    shoppers = FakeShoppers()
    assert await Reader(encoder, shoppers).read(user_id="who") == Unknown()
    assert shoppers.reads == 1


async def test_the_event_loop_does_not_wait_for_the_store(encoder: Tokenizer) -> None:
    reader = Reader(encoder, FakeShoppers(delay_s=0.2))
    reading = asyncio.create_task(reader.read(user_id="u"))
    started_s = time.monotonic()
    await asyncio.sleep(0.01)
    assert time.monotonic() - started_s < 0.15
    await reading


@pytest.mark.parametrize(
    "shoppers", [FakeShoppers(error=OSError("disk")), FakeShoppers(delay_s=0.2)]
)
async def test_a_store_that_fails_or_hangs_is_unavailable(
    encoder: Tokenizer, shoppers: FakeShoppers
) -> None:
    reader = Reader(encoder, shoppers)
    shopper = await reader.read(user_id="u", deadline_s=time.monotonic() + 0.04)
    assert shopper == Unavailable()


def test_known_and_unknown_items_keep_their_places(encoder: Tokenizer) -> None:
    items = groceries(encoder)
    found = Reader(encoder, items=items).matrix("who", "oat", "plain", query="oat drinks")
    assert found.rows.tolist() == [-1, 1, 7]
    assert found.category[0].tolist() == [-1, -1, -1]
    assert found.brand.tolist() == [-1, items.table.brand_code["Oatly"], -1]
    np.testing.assert_array_equal(found.query_match, np.array([np.nan, 1.0, 0.0], np.float32))
    assert found.exposure.tolist() == [np.inf, 0.0, 0.0]  # an unknown item is not explored
    assert found.deepest_category.tolist()[0] == -1


def test_a_query_matches_by_the_share_of_its_words(encoder: Tokenizer) -> None:
    reader = Reader(encoder)

    def match(query: str | None) -> FloatArray:
        return reader.matrix("milk", "oat", "who", query=query).query_match

    np.testing.assert_allclose(match("WHOLE milks, meadow!"), [1.0, 1 / 3, np.nan], rtol=1e-6)
    assert np.isnan(match("?!")).all()
    assert np.isnan(match(None)).all()


def test_an_empty_catalogue_knows_nothing(encoder: Tokenizer) -> None:
    reader = Reader(encoder, items=groceries(encoder, ()))
    states = Shopper(state("a", "b"))
    found = reader.matrix("a", "b", states=states, query="c")
    assert found.rows.tolist() == [-1, -1]
    assert found.category.shape == (2, 3)
    tensors = reader.tensors("a", "b", states=states, query="c")
    assert tensors["PURCHASES"].shape == (0, 3)
    assert tensors["ITEM_KEYS"].tolist() == [0, 0]
    assert not tensors["ITEM_TOKENS"].any()
    assert tensors["USER_HISTORY_COUNTS"].tolist() == [0]


def test_seeds_stand_for_the_session_the_first_one_newest(encoder: Tokenizer) -> None:
    items = groceries(encoder)
    reader = Reader(encoder, items=items)
    asked: dict[str, Any] = {
        "states": Shopper(session=state("milk")), "seeds": ("oat", "bread", "who"),
    }  # fmt: skip
    found = reader.matrix("milk", "oat", "bread", **asked)
    recency = found.values[:, COLUMN["session_recency_rank"]]
    assert recency.tolist() == [0.0, 1.0, 0.5]
    tensors = reader.tensors("milk", "oat", "bread", **asked)
    assert tensors["HISTORY_KEYS"].tolist() == [
        content_key(items.table.items[row].ranker_text) for row in (1, 3)
    ]


def test_texts_are_the_newest_that_the_catalogue_knows_up_to_the_bound(
    encoder: Tokenizer,
) -> None:
    items = groceries(encoder)
    reader = Reader(encoder, items=items, limits=Limits(user_history=2, bought_history=1))
    user = state("milk", "oat", "gone", "bread")
    user.bought = {
        "glass": (1.0, NOW_S - 5 * DAY_S, NOW_S - 5 * DAY_S, 0.0),
        "milk": (3.0, 0.0, NOW_S - DAY_S, 0.0),
    }
    user.bought["gone"] = (9.0, NOW_S, NOW_S, 0.0)
    shopper = Shopper(user, state("soap", "glass"))
    tensors = reader.tensors("milk", "who", states=shopper)
    names = ["bread", "oat", "glass", "soap", "milk"]
    assert tensors["USER_HISTORY_COUNTS"].tolist() == [2]
    assert tensors["SESSION_HISTORY_COUNTS"].tolist() == [2]
    assert tensors["HISTORY_KEYS"].tolist() == items.keys[items.table.rows(names)].tolist()
    np.testing.assert_allclose(tensors["PURCHASES"], [[3, NOW_S / DAY_S, 1]], rtol=1e-6)
    assert tensors["ITEM_KEYS"].tolist() == [int(items.keys[0]), 0]
    assert not tensors["ITEM_TOKENS"][1].any()
    assert tensors["QUERY_TOKENS"].tolist() == [[0]]


def test_a_query_that_moves_no_score_is_sent_to_be_explained_only(encoder: Tokenizer) -> None:
    query = encoder.tokens(["oat milk"], 64).tolist()
    for limits, explain, sent in (
        (Limits(), False, query),
        (Limits(query_tokens=0), False, [[0]]),
        (Limits(query_tokens=0), True, query),
    ):
        reader = Reader(encoder, limits=limits)
        tensors = reader.tensors("milk", query="oat milk", explain=explain)
        assert tensors["QUERY_TOKENS"].tolist() == sent


def test_a_candidate_gets_the_query_that_the_version_in_use_would_read_in_its_place(
    encoder: Tokenizer,
) -> None:
    query, none = encoder.tokens(["oat milk"], 64).tolist(), [[0]]
    for in_use, candidate, sent in (
        (Limits(), Limits(query_tokens=0), query),
        (Limits(query_tokens=0), Limits(), query),
        (Limits(query_tokens=0), Limits(query_tokens=0), none),
    ):
        reader = Reader(encoder, limits=in_use, candidate=candidate)
        tensors = reader.tensors("milk", query="oat milk", version="8")
        assert tensors["QUERY_TOKENS"].tolist() == sent


def test_exposure_counts_what_was_seen_and_fades(encoder: Tokenizer) -> None:
    items = groceries(encoder)
    row = items.table.rows(["milk"])
    counts = np.zeros((1, 5, 5), np.float32)
    counts[0, : Counter.RETURN] = 8.0
    items.set_counters(row, counts, np.array([NOW_S]), np.array([NOW_S]))
    reader = Reader(encoder, items=items)
    now = reader.matrix("milk").exposure
    later = reader.matrix("milk", at_s=NOW_S + 30 * 86_400).exposure
    assert now.tolist() == [32.0]
    assert later == pytest.approx([16.0])


def test_the_features_follow_the_time_of_the_request(encoder: Tokenizer) -> None:
    items = groceries(encoder)
    shopper = Shopper(state("milk", kind=EventType.PURCHASE))
    reader = Reader(encoder, items=items)
    column = COLUMN["user_days_since_bought"]
    soon, late = (
        reader.matrix("milk", states=shopper, at_s=NOW_S + days * 86_400).values[0, column]
        for days in (0, 10)
    )
    assert soon < late
