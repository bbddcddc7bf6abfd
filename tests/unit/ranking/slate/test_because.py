"""Because you bought X: only a neighbour or what reads alike, never the item itself."""

from dataclasses import replace

import numpy as np
import pytest

from features.behavior.matrix import Shopper
from features.catalog.table import ItemTable
from features.events.event import EventType
from serving.ranking.explaining.told import Because
from serving.ranking.slate.because import because_of, done_with
from serving.ranking.values import Evidence
from serving.types import Cause
from tests.support.fakes import GROCERIES, state

BUY, CART = EventType.PURCHASE, EventType.ADD_TO_CART


@pytest.fixture
def table() -> ItemTable:
    """Milk speaks for bread, strongly, and oat drink does, weakly; nothing speaks for glasses."""
    table = ItemTable(GROCERIES)
    neighbors = np.full((len(table), 2), -1, np.int32)
    weights = np.zeros((len(table), 2), np.float32)
    bread = table.row_of["bread"]
    neighbors[bread], weights[bread] = table.rows(["milk", "oat"]), [0.5, 0.2]
    table.set_neighbors(neighbors, weights)
    return table


def why(table: ItemTable, shopper: Shopper, *item_ids: str) -> list[Because | None]:
    rows = table.rows(item_ids)
    evidence = Evidence(shopper, shopper.histories(table), shopper)
    found = because_of(table, evidence, rows, np.arange(len(rows)))
    return [found.get(index) for index in range(len(rows))]


@pytest.mark.parametrize(
    ("kind", "told"), [(BUY, Cause.BOUGHT), (CART, Cause.CART), (EventType.VIEW, Cause.VIEWED)]
)
def test_a_neighbour_in_the_history_is_told_with_what_was_done(
    table: ItemTable, kind: EventType, told: Cause
) -> None:
    expected = Because("milk", "Whole milk", told)
    assert why(table, Shopper(state("dress", "milk", kind=kind)), "bread") == [expected]
    session = state("milk", kind=kind, user=False)
    assert why(table, Shopper(None, session), "bread", "glass") == [expected, None]


def test_the_neighbour_that_counts_most_for_this_shopper_is_told(table: ItemTable) -> None:
    (told,) = why(table, Shopper(state("oat", "oat", "milk", kind=BUY)), "bread")
    assert told is not None
    assert told.item_id == "milk"
    table.neighbor_weights[table.row_of["bread"]] = [0.5, 0.4]
    since = ("milk", "butter", "glass", "dress", "soap", "plain", "oat")
    (told,) = why(table, Shopper(state(*since, kind=BUY)), "bread")
    assert told is not None
    assert told.item_id == "oat"  # milk is long ago


def test_of_what_was_done_with_an_item_the_most_is_told_whichever_state_has_it(
    table: ItemTable,
) -> None:
    looked, carted = state("milk", kind=EventType.VIEW, user=False), state("milk", kind=CART)
    milk = table.row_of["milk"]
    assert done_with([carted, looked], table) == {milk: Cause.CART}
    assert done_with([looked, carted], table) == {milk: Cause.CART}
    assert done_with([state("milk", kind=BUY), looked], table) == {milk: Cause.BOUGHT}


def test_nothing_is_told_of_strangers_and_of_unknown_items(table: ItemTable) -> None:
    assert why(table, Shopper(), "bread", "who") == [None, None]
    assert why(table, Shopper(state("milk", kind=BUY)), "who", "dress") == [None, None]


def test_an_item_does_not_speak_for_itself(table: ItemTable) -> None:
    assert why(table, Shopper(state("soap", "bread", kind=BUY)), "bread", "soap") == [None, None]


def test_what_reads_alike_is_told_where_no_neighbour_is() -> None:
    table = ItemTable([*GROCERIES, replace(GROCERIES[0], item_id="large", title="Whole milk 2 l")])
    (told,) = why(table, Shopper(state("dress", "milk", kind=BUY)), "large")
    assert told == Because("milk", "Whole milk", Cause.BOUGHT)


def test_what_only_reads_alike_in_another_category_is_not_told() -> None:
    titles = {"milk": "Pasta, National Brand, 12 oz", "soap": "Beer, National Brand, 12 oz"}
    items = [replace(each, title=titles.get(each.item_id, each.title)) for each in GROCERIES]
    assert why(ItemTable(items), Shopper(state("milk", kind=BUY)), "soap") == [None]


def test_an_item_that_is_gone_is_not_named(table: ItemTable) -> None:
    table.remove("milk")
    assert why(table, Shopper(state("milk", kind=BUY)), "bread") == [None]


def test_pairs_that_are_hardly_one_are_not_told(table: ItemTable) -> None:
    table.neighbor_weights[:] /= 100
    assert why(table, Shopper(state("milk", kind=BUY)), "bread") == [None]


@pytest.mark.parametrize(("weight", "is_told"), [(0.04, False), (0.06, True)])
def test_what_lay_in_one_basket_by_chance_is_not_told(
    table: ItemTable, weight: float, is_told: bool
) -> None:
    none = np.full_like(table.neighbors, -1), np.zeros_like(table.neighbor_weights)
    table.set_neighbors(*none, table.neighbors.copy(), table.neighbor_weights * 2 * weight)
    (told,) = why(table, Shopper(state("milk", kind=BUY)), "bread")
    assert (told is not None) is is_told
