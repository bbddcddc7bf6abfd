"""Replay: what a stop sees is the past, whatever the future holds."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from features.behavior.aggregator import Aggregator
from features.behavior.neighbors import item_interactions, neighbor_tables
from features.behavior.replay import item_table, replay
from features.catalog.counters import DAY_S
from features.datasets.event_rows import behavior_events
from features.datasets.format import Dataset, DatasetError
from serving.training.data.plans import make_plan
from serving.training.data.slate_building import build_slates
from tests.support.tiny_shop import START_S, tiny_shop


def _with_another_future(dataset: Dataset, from_s: float, seed: int) -> Dataset:
    """The same events before `from_s`; afterwards other items, shoppers and values."""
    rng = np.random.default_rng(seed)
    events = dataset.events.copy()
    late = np.flatnonzero(events["at"] >= from_s)
    for column in ("item_id", "user_id", "session_id"):
        events.loc[late, column] = events[column].to_numpy()[rng.permutation(late)]
    events.loc[late, "value"] = 1e6
    events.loc[late[::3], "type"] = "return"
    return replace(dataset, events=events)


def test_another_future_changes_no_training_row_and_no_row_before_it() -> None:
    shop = tiny_shop()
    plan = make_plan(shop, item_table(shop), seed=3, n_train=60)
    other = _with_another_future(shop, plan.test_from_s, seed=9)
    assert not other.events["item_id"].equals(shop.events["item_id"])
    other_plan = make_plan(other, item_table(other), seed=3, n_train=60)
    cases, other_cases = [*plan.train, *plan.valid], [*other_plan.train, *other_plan.valid]
    here = build_slates(shop, item_table(shop), cases, seed=3)
    there = build_slates(other, item_table(other), other_cases, seed=3)
    assert len(here) > 40
    np.testing.assert_array_equal(here.item_rows, there.item_rows)
    np.testing.assert_array_equal(here.labels, there.labels)
    np.testing.assert_array_equal(here.features, there.features)
    np.testing.assert_array_equal(here.user_history, there.user_history)


def test_rows_at_the_split_do_not_see_events_of_the_split_or_later() -> None:
    shop = tiny_shop()
    plan = make_plan(shop, item_table(shop), seed=3, n_train=10)
    position = int(np.searchsorted(shop.events["at"], plan.test_from_s))
    case = replace(plan.valid[0], position=position, at_s=plan.test_from_s)
    other = _with_another_future(shop, plan.test_from_s, seed=9)
    here = build_slates(shop, item_table(shop), [case], seed=3)
    there = build_slates(other, item_table(other), [case], seed=3)
    np.testing.assert_array_equal(here.features, there.features)


def test_a_changed_past_does_change_rows() -> None:
    shop = tiny_shop()
    plan = make_plan(shop, item_table(shop), seed=3, n_train=20)
    other = _with_another_future(shop, START_S, seed=9)
    here = build_slates(shop, item_table(shop), plan.train, seed=3)
    there = build_slates(other, item_table(other), plan.train, seed=3)
    assert here.features.shape != there.features.shape or not np.array_equal(
        here.features, there.features, equal_nan=True
    )


def test_a_stop_is_the_state_that_live_ingest_would_have() -> None:
    shop = tiny_shop()
    items = item_table(shop)
    live = Aggregator(items.row_of, items.facts)
    for seq, event in enumerate(list(behavior_events(shop.events))[:150], start=1):
        live.apply(event, seq)
    (stop,) = replay(shop, items, np.array([150]))
    assert stop.state.users == live.users
    np.testing.assert_array_equal(stop.state.items.counts, live.items.counts)


def test_stops_come_in_order_of_the_log_and_name_what_was_asked() -> None:
    shop = tiny_shop()
    seen = [(s.position, s.index) for s in replay(shop, item_table(shop), np.array([90, 10, 50]))]
    assert seen == [(10, 1), (50, 2), (90, 0)]


def test_neighbour_tables_at_a_stop_hold_nothing_from_after_it() -> None:
    shop = tiny_shop()
    items = item_table(shop)
    for stop in replay(shop, items, np.array([200, 400]), refresh_s=7 * DAY_S):
        interactions = item_interactions(shop.events, items)
        refreshed_s = stop.at_s - (stop.at_s - interactions.at_s[0]) % (7 * DAY_S)
        expected = neighbor_tables(interactions.before(refreshed_s), len(items))
        np.testing.assert_array_equal(stop.items.neighbors, expected.neighbors)


def test_judged_queries_without_events_are_refused_as_training_data() -> None:
    shop = tiny_shop()
    queries = pd.DataFrame({"query_id": ["q"], "query": ["a mug"], "item_id": ["a"], "gain": [1.0]})
    judged = replace(shop, events=shop.events[:0], queries=queries)
    with pytest.raises(DatasetError, match="make evaluate"):
        make_plan(judged, item_table(judged), seed=3, n_train=10)
