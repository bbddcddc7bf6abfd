"""What floors hold and take, and how new what is shown is, is counted as it was."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from prometheus_client import REGISTRY

from features.catalog.item import Item
from features.catalog.table import ItemTable
from serving.ranking.slate.floors import Account, members
from serving.ranking.slate.metrics import count_exposure, exposure_by_age, follow_floors
from serving.ranking.slate.policy import SlatePolicy
from serving.ranking.values import Slate
from serving.shops.exploration import Floor
from serving.shops.rules import Rules
from serving.telemetry.exposure_metrics import MOST_FLOORS
from tests.support.fakes import candidates, context, matrix, scores, slate
from tests.support.service import Service

N = 20
NAMES = tuple(f"i{n}" for n in range(N))
AGES = np.log1p(np.where(np.arange(N) < 5, 3.0, 400.0))  # the first five are new
SCORES = (np.where(np.arange(N) < 5, -2.0, 0.0) - np.arange(N) / 100).astype(np.float32)
FLOOR = {"name": "new", "newer_than_days": 30, "share": 0.3, "price": 1.0}
WORTH = 1.0 / np.log2(np.arange(2, 12))
Count = Callable[..., float]


def counted(shop: str) -> Count:
    """Reads a metric of the shop."""

    def read(name: str, **labels: str) -> float:
        return REGISTRY.get_sample_value(f"vitrine_{name}", {"shop": shop, **labels}) or 0.0

    return read


def replica(floor: dict[str, object], times: int, shop: str) -> Account:
    """One more replica makes rankings, and counts them; its account of the floor."""
    table = ItemTable([Item(name, name) for name in NAMES])
    chance = {"exploration": {"share": 0}, "diversity": {"depth": 0}}
    rules = Rules.model_validate({**chance, "floors": [floor]})
    policy = SlatePolicy(np.random.default_rng(5))
    features = matrix(N, item_age_days=AGES, rows=np.arange(N))
    for _ in range(times):
        asked = context(limit=10)
        ordered = policy.order(table, rules, asked, candidates(*NAMES), features, SCORES)
        answered = slate(features, scores(*SCORES), *NAMES)
        count_exposure(shop, [replace(answered, order=ordered.order, floors=ordered.floors)])
    return policy.floors.account(table, rules.floors[0])


def test_counts_of_two_replicas_add_up_to_what_both_hold_and_take() -> None:
    first, second = (replica(FLOOR, times, "two replicas") for times in (1_500, 700))
    read = counted("two replicas")
    shown, whole = (
        read("floor_exposure_total", floor="new", part=part) for part in ("shown", "all")
    )
    assert shown == pytest.approx(first.shown + second.shown)
    assert whole == pytest.approx(first.offered + second.offered)
    assert read("floor_exposure_total", floor="new", part="target") == pytest.approx(0.3 * whole)
    taken = read("floor_ndcg_total", floor="new", part="taken")
    assert taken == pytest.approx(first.spent + second.spent)
    assert taken > 0
    assert read("floor_ndcg_total", floor="new", part="allowed") == 2_200
    assert read("floor_rankings_total", floor="new", outcome="lifted") == pytest.approx(2_200, 0.1)
    assert read("floor_owed", floor="new") == pytest.approx(second.owed)  # of the process


def test_a_floor_that_has_taken_its_price_is_counted_as_giving_way() -> None:
    account = replica({**FLOOR, "share": 0.5, "price": 0.02}, 1_000, "dear")
    read = counted("dear")
    gave_way = read("floor_rankings_total", floor="new", outcome="gave_way")
    assert 100 < gave_way < 1_000
    outcomes = ("lifted", "nothing_owed", "gave_way")
    told = sum(read("floor_rankings_total", floor="new", outcome=each) for each in outcomes)
    assert told == account.rankings == 1_000
    shown = read("floor_exposure_total", floor="new", part="shown")
    assert shown < read("floor_exposure_total", floor="new", part="target")


def test_a_floor_that_is_declared_no_more_is_owed_nothing(tokenizer_path: Path) -> None:
    arms = [{"key": "one"}, {"key": "other", "rules": {"floors": [{**FLOOR, "name": "arm's"}]}}]
    declared = {
        "floors": [FLOOR],
        "experiments": [{"key": "floors", "status": "running", "arms": arms}],
        "placements": {"home": {"rules": {"floors": [{**FLOOR, "name": "placed"}]}}},
    }
    names = ("new", "arm's", "placed", "gone")
    for name in names:
        replica({**FLOOR, "name": name}, 3, "default")
    read = counted("default")
    follow_floors([Service(tokenizer_path, rules=Rules.model_validate(declared)).shop])
    owed = [read("floor_owed", floor=name) for name in names]
    assert min(owed[:3]) > 0
    assert owed[3] == 0
    replica({**FLOOR, "name": "gone"}, 3, "default")  # a ranking that was under way
    follow_floors([])  # and then the shop is removed
    assert [read("floor_owed", floor=name) for name in names] == [0, 0, 0, 0]


def test_floors_beyond_the_first_are_counted_together() -> None:
    for number in range(MOST_FLOORS + 3):
        replica({**FLOOR, "name": f"floor {number}"}, 1, "many")
    other = REGISTRY.get_sample_value(
        "vitrine_floor_rankings_total",
        {"shop": "other", "floor": "other", "outcome": "nothing_owed"},
    )
    assert other is not None
    assert other >= 3


def shown(order: list[int], ages: np.ndarray, **fields: object) -> Slate:
    features = matrix(len(ages), item_age_days=ages)
    names = tuple(f"i{n}" for n in range(len(ages)))
    answered = slate(features, scores(*np.zeros(len(ages))), *names, **fields)
    return replace(answered, order=np.array(order))


def test_exposure_is_told_by_age_as_shown_and_as_evenly_offered() -> None:
    ages = np.log1p(np.array([400.0, 30.0, np.nan, 31.0]))
    found = exposure_by_age([shown([1, 0, 2], ages)])
    assert found.shown == pytest.approx([WORTH[0], WORTH[1], WORTH[2]])
    assert found.offered == pytest.approx(WORTH[:3].sum() * np.array([0.25, 0.5, 0.25]))
    twice = exposure_by_age([shown([1, 0, 2], ages)] * 2)
    assert twice.shown == pytest.approx(2 * found.shown)


def test_orders_by_chance_give_new_items_what_they_are_offered() -> None:
    rng = np.random.default_rng(3)
    found = exposure_by_age(
        shown(rng.permutation(N)[:10].tolist(), AGES.astype(np.float32)) for _ in range(3_000)
    )
    assert found.shown[0] / found.offered[0] == pytest.approx(1.0, abs=0.03)


def test_what_is_behind_the_tenth_place_or_the_first_page_has_no_exposure() -> None:
    late = exposure_by_age([shown([0, 1], AGES, offset=10)])
    assert late.shown.tolist() == late.offered.tolist() == [0.0, 0.0, 0.0]
    whole = exposure_by_age([shown([*range(5, N), *range(5)], AGES)])
    assert whole.shown == pytest.approx([0.0, WORTH.sum(), 0.0])


def test_a_shop_s_exposure_is_counted_by_age() -> None:
    count_exposure("by age", [shown([1, 0], np.log1p(np.array([400.0, 3.0])))] * 2)
    read = counted("by age")
    assert read("exposure_total", age="new", part="shown") == pytest.approx(2 * WORTH[0])
    assert read("exposure_total", age="older", part="offered") == pytest.approx(WORTH[:2].sum())


def test_a_floor_may_be_for_a_seller_however_it_is_written() -> None:
    sellers = ("Ada's", "ada's ", "Bob", None)
    table = ItemTable(
        Item(name, name, attributes={} if seller is None else {"Seller": seller})
        for name, seller in zip(NAMES, sellers, strict=False)
    )
    features = matrix(5, rows=np.array([0, 1, 2, 3, -1]))
    floor = Floor(name="Ada", seller="ADA'S", share=0.1)
    assert members(table, floor, features).tolist() == [True, True, False, False, False]
    assert hash(floor) == hash(floor.model_copy())  # accounts are kept by it


def test_two_floors_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two floors are called 'new'"):
        Rules.model_validate({"floors": [FLOOR, {**FLOOR, "share": 0.1}]})
