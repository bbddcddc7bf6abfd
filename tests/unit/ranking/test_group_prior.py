"""A shop without history ranks by what shops of its group share, until it knows better."""

from typing import Any

import numpy as np

from features.arrays import RowArray
from features.catalog.item import Item
from features.controls.priors import document_of, prior_of
from features.controls.shops import Registered, ShopStatus
from serving.models.tokenizer import Tokenizer
from serving.ranking.cold_start import cold_start_scores
from serving.search.dense import DenseIndex
from serving.search.recommender import Recommender
from serving.shops.items import ItemCache
from serving.shops.rules import ColdStartRules
from tests.support.fakes import NOW_S, matrix

SHARES: dict[str, Any] = {"group": "shoes", "shares_priors": True}


def shop(name: str, **definition: Any) -> Registered:
    return Registered(name, f"{name}-1", ShopStatus.ACTIVE, 0, definition, {})


def prior(taker: Registered, *others: Registered) -> dict[str, float]:
    """Of a group in which each other shop tells of two categories."""
    told = document_of({"boots": (90.0, 10), "hats": (10.0, 10)}, 0)
    shops = {each.name: each for each in (taker, *others)}
    return prior_of(taker, shops, {each.space: told for each in shops.values()})


def test_what_is_wanted_more_than_the_mean_counts_for_more_than_a_purchase() -> None:
    found = prior(shop("new", **SHARES), shop("old", **SHARES))
    np.testing.assert_allclose([found["boots"], found["hats"]], [1.8, 0.2])


def test_without_consent_of_both_nothing_is_given() -> None:
    old = shop("old", **SHARES)
    assert prior(shop("new", group="shoes"), old) == {}
    assert prior(shop("new"), old) == {}
    assert prior(shop("new", **SHARES), shop("old", group="shoes")) == {}
    assert prior(shop("new", **SHARES), shop("old", group="hats", shares_priors=True)) == {}
    removed = shop("old", **SHARES).now(ShopStatus.REMOVED, 1)
    assert prior(shop("new", **SHARES), removed) == {}


def test_a_shop_is_told_nothing_of_itself() -> None:
    assert prior(shop("alone", **SHARES)) == {}


def items(encoder: Tokenizer) -> ItemCache:
    cache = ItemCache(encoder, 16)
    cache.upsert(
        [
            Item("hat", "Hat", category="Hats"),
            Item("boot", "Boot", category="Shoes > Boots > Rubber"),
            Item("thing", "Thing"),
        ]
    )
    return cache


ROWS = np.array([0, 1, 2, -1])


def known(cache: ItemCache, rows: RowArray) -> list[float]:
    prior = cache.prior_of(rows)
    assert prior is not None
    found: list[float] = prior.tolist()
    return found


def test_an_item_has_the_prior_of_the_deepest_category_that_is_shared(
    encoder: Tokenizer,
) -> None:
    cache = items(encoder)
    assert cache.prior_of(ROWS) is None
    cache.take_prior({"shoes": 1.0, "shoes > boots": 2.0, "hats": 0.5})
    assert known(cache, ROWS) == [0.5, 2.0, 0.0, 0.0]
    cache.upsert([Item("clog", "Clog", category="shoes>Clogs")])
    assert known(cache, np.array([3])) == [1.0]
    cache.take_prior({})
    assert cache.prior_of(ROWS) is None


def order(prior: list[float] | None, sold: list[float]) -> list[int]:
    known = {} if prior is None else {"prior": np.array(prior)}
    features = matrix(3, item_purchase_7d=np.log1p(sold), item_interest_7d=0.0, **known)
    scores = cold_start_scores(features, ColdStartRules()).values
    best_first: list[int] = np.argsort(-scores, kind="stable").tolist()
    return best_first


def test_the_order_of_a_new_shop_changes_by_the_prior_and_fades_beside_its_own_sales() -> None:
    wanted = [0.2, 1.8, 1.0]
    assert order(None, [0, 0, 0]) == [0, 1, 2]
    assert order(wanted, [0, 0, 0]) == [1, 2, 0]
    assert order(wanted, [300, 3, 100]) == order(None, [300, 3, 100]) == [0, 2, 1]


def test_a_new_shop_recommends_what_its_group_wants(encoder: Tokenizer) -> None:
    cache = items(encoder)
    recommender = Recommender(cache, DenseIndex())
    recommender.refresh(NOW_S)
    keep = np.ones(3, bool)
    assert recommender.popular(keep, 3).rows.tolist() == [0, 1, 2]
    cache.take_prior({"shoes": 1.0})
    recommender.refresh(NOW_S)
    assert recommender.popular(keep, 3).rows.tolist() == [1, 0, 2]
