"""A floor of exposure is held over many rankings, for its price at most, and propensities stay."""

import numpy as np
import pytest

from features.arrays import BoolArray, RowArray
from features.catalog.item import Item
from features.catalog.table import ItemTable
from loadtests.fairness.floor import PRICE, SHARE, WITHIN, Held, held
from serving.ranking.slate.floors import Floors, on_offer
from serving.ranking.slate.policy import SlatePolicy
from serving.shops.exploration import Floor
from serving.shops.rules import Rules
from tests.support.fakes import candidates, context, matrix

FLOOR = {"name": "new", "newer_than_days": 30, "share": 0.3, "price": 1.0}
N = 20
AGES = np.log1p(np.where(np.arange(N) < 5, 3.0, 400.0))  # the first five are new
SCORES = (np.where(np.arange(N) < 5, -2.0, 0.0) - np.arange(N) / 100).astype(np.float32)


def world(**more: object) -> tuple[SlatePolicy, ItemTable, Rules]:
    table = ItemTable([Item(f"i{n}", f"item {n}") for n in range(N)])
    rules = {"exploration": {"share": 0}, "diversity": {"depth": 0}, "floors": [FLOOR], **more}
    return SlatePolicy(np.random.default_rng(5)), table, Rules.model_validate(rules)


def shares(policy: SlatePolicy, table: ItemTable, rules: Rules, times: int) -> list[float]:
    features, worth = (
        matrix(N, item_age_days=AGES, rows=np.arange(N)),
        1 / np.log2(np.arange(2, 12)),
    )
    offered = candidates(*(f"i{n}" for n in range(N)))
    told = []
    for _ in range(times):
        found = policy.order(table, rules, context(limit=10), offered, features, SCORES)
        told.append(float(worth[found.order < 5].sum() / worth.sum()))
    return told


def test_what_is_missed_is_owed_until_the_share_is_held() -> None:
    policy, table, rules = world()
    found = shares(policy, table, rules, 3_000)
    assert found[0] == 0.0
    assert np.mean(found[1_000:]) == pytest.approx(0.3, abs=0.01)
    assert policy.floors.account(table, rules.floors[0]).share == pytest.approx(
        np.mean(found), abs=1e-9
    )


def test_without_a_floor_the_order_is_that_of_the_scores() -> None:
    policy, table, rules = world(floors=[])
    assert set(shares(policy, table, rules, 50)) == {0.0}


def test_a_floor_that_is_held_anyway_lifts_nothing() -> None:
    policy, table, _ = world()
    floor = Floor.model_validate({**FLOOR, "share": 0.1})
    features = matrix(N, item_age_days=AGES, rows=np.arange(N))
    for _ in range(50):
        offer = on_offer(table, (floor,), features)
        policy.floors.shown(table, offer, np.arange(10), SCORES, None)
    assert policy.floors.lift(table, offer) is None


def test_a_floor_gives_way_at_its_price() -> None:
    policy, table, rules = world(floors=[{**FLOOR, "share": 0.5, "price": 0.02}])
    found = shares(policy, table, rules, 2_000)
    account = policy.floors.account(table, rules.floors[0])
    assert account.price <= 0.02 + 1e-3
    assert np.mean(found) < 0.5


def test_rankings_without_such_an_item_owe_nothing() -> None:
    floors, (_, table, rules) = Floors(), world()
    old = matrix(N, item_age_days=np.full(N, 6.0), rows=np.arange(N))
    offer = on_offer(table, rules.floors, old)
    floors.shown(table, offer, np.arange(10), SCORES, None)
    assert floors.account(table, rules.floors[0]).rankings == 0
    assert floors.lift(table, offer) is None


def test_a_page_behind_the_first_takes_no_part() -> None:
    policy, table, rules = world()
    features = matrix(N, item_age_days=AGES, rows=np.arange(N))
    offered = candidates(*(f"i{n}" for n in range(N)))
    policy.order(table, rules, context(limit=5, offset=5), offered, features, SCORES)
    assert policy.floors.account(table, rules.floors[0]).rankings == 0


def test_by_offset_no_item_that_a_floor_lifts_comes_twice_and_none_is_lost() -> None:
    policy, table, rules = world()
    policy.floors.account(table, rules.floors[0]).owed = 225.0
    features = matrix(N, item_age_days=AGES, rows=np.arange(N))
    offered = candidates(*(f"i{n}" for n in range(N)))
    pages = [
        policy.order(table, rules, context(limit=4, offset=offset), offered, features, SCORES)
        for offset in range(0, N, 4)
    ]
    together = np.concatenate([page.order for page in pages])
    assert sorted(together.tolist()) == list(range(N))
    assert together.tolist() != np.argsort(-SCORES, kind="stable").tolist()
    assert [len(page.floors) for page in pages] == [1, 0, 0, 0, 0]


def test_what_is_not_personal_is_the_same_whatever_is_owed() -> None:
    policy, table, rules = world()
    shares(policy, table, rules, 1_000)
    features = matrix(N, item_age_days=AGES, rows=np.arange(N))
    offered = candidates(*(f"i{n}" for n in range(N)))
    account = policy.floors.account(table, rules.floors[0])
    lifted = policy.order(table, rules, context(limit=10), offered, features, SCORES)
    assert (lifted.order < 5).any()
    before = account.rankings, account.owed
    same = policy.order(table, rules, context(limit=10, personal=False), offered, features, SCORES)
    assert same.order.tolist() == np.argsort(-SCORES, kind="stable")[:10].tolist()
    assert (account.rankings, account.owed) == before


def test_propensities_are_those_of_the_draws_that_were_made() -> None:
    """With the lift that stands, items come as often as their propensity says."""
    draws = {"share": 0, "sampling": {"share": 1.0, "temperature": 0.5, "places": 1, "among": 10}}
    floor = {**FLOOR, "share": 0.5, "most_lift": 0.01}  # at once at its most, where it stays
    policy, table, rules = world(exploration=draws, floors=[floor])
    features = matrix(N, item_age_days=AGES, rows=np.arange(N))
    offered = candidates(*(f"i{n}" for n in range(N)))
    first, told = [], {}
    for _ in range(4_000):
        found = policy.order(table, rules, context(limit=10), offered, features, SCORES)
        first.append(int(found.order[0]))
        told[first[-1]] = float(found.propensity[0])
    for index, chance in told.items():
        error = np.sqrt(chance * (1 - chance) / len(first))
        assert abs(first.count(index) / len(first) - chance) <= 4 * error + 1e-3


def test_a_tenth_is_held_in_the_simulated_shop_for_a_hundredth_of_ndcg() -> None:
    found = held(3_000)
    assert found.without < SHARE - WITHIN
    assert abs(found.share - SHARE) <= WITHIN
    assert found.lost <= PRICE


class Counting(ItemTable):
    """A catalogue that counts how often it is asked whose items are."""

    asked = 0

    def of_brand(self, rows: RowArray, *brands: str) -> BoolArray:
        self.asked += 1
        return super().of_brand(rows, *brands)

    def of_seller(self, rows: RowArray, seller: str) -> BoolArray:
        self.asked += 1
        return super().of_seller(rows, seller)


def test_which_items_floors_are_for_is_worked_out_once_a_ranking_and_never_without_one() -> None:
    names = [f"i{n}" for n in range(N)]
    told = [("Rare", {"seller": "Ada"}) if n < 5 else ("", {}) for n in range(N)]
    table = Counting(
        Item(name, name, brand=brand, attributes=attributes)
        for name, (brand, attributes) in zip(names, told, strict=True)
    )
    floors = [
        {"name": "rare", "brand": "rare", "share": 0.3, "price": 1.0},
        {"name": "ada", "seller": "ADA", "share": 0.3, "price": 1.0},
    ]
    policy, _, rules = world(floors=floors)
    features = matrix(N, item_age_days=AGES, rows=np.arange(N))
    for number in range(1, 50):
        ordered = policy.order(
            table, rules, context(limit=10), candidates(*names), features, SCORES
        )
        assert table.asked == 2 * number
    assert ordered.owed is not None
    assert len(ordered.floors) == 2
    table.asked = 0
    without = world(floors=[])[2]
    policy.order(table, without, context(limit=10), candidates(*names), features, SCORES)
    assert table.asked == 0


def test_a_floor_names_what_it_is_for() -> None:
    with pytest.raises(ValueError, match="needs newer_than_days"):
        Floor(name="nothing", share=0.1)


@pytest.mark.parametrize(
    ("share", "without", "kept"),
    [(0.10, 0.03, True), (0.08, 0.03, False), (0.12, 0.03, False), (0.20, 0.20, True)],
)
def test_a_floor_that_lifts_more_than_it_says_is_not_kept(
    share: float, without: float, kept: bool
) -> None:
    found = Held(0.10, 1_000, share, without, ndcg=0.9, ndcg_without=0.9, price=0.0)
    assert found.kept is kept
