"""The simulated shop of pictures: its log, and what the rule `looks` moves in it."""

import numpy as np
import pytest

from features.arrays import FloatArray
from features.catalog.counters import DAY_S
from loadtests.pictures.log import Log, log_of
from loadtests.pictures.looks import Met, met
from loadtests.pictures.shoppers import Items, Visits
from serving.models.contract import PICTURE_VECTOR_SIZE
from serving.search.pictures.index import PictureIndex

N_ITEMS, N_OLD, N_SHOPPERS = 160, 120, 4


def visits(first: int, last: int, sessions: int) -> Visits:
    shopper = np.repeat(np.arange(N_SHOPPERS), sessions)
    rng = np.random.default_rng(0)
    items = np.array([rng.permutation(np.arange(first, last))[:5] for _ in shopper])
    return Visits(shopper, items)


@pytest.fixture(scope="module")
def log() -> Log:
    new = np.arange(N_ITEMS) >= N_OLD
    none = np.zeros((N_ITEMS, 3))
    items = Items(np.arange(N_ITEMS), none.astype(bool), none, np.zeros(N_ITEMS), new)
    names = [f"thing {number}" for number in range(N_ITEMS)]
    return log_of(names, items, visits(0, N_OLD, 2))


@pytest.fixture(scope="module")
def next_visits(log: Log) -> Met:
    """New items look like the old ones of 40 less, and each shopper clicks new ones next."""
    index = PictureIndex()
    looks = np.zeros((N_ITEMS, PICTURE_VECTOR_SIZE), np.float32)
    looks[np.arange(N_ITEMS), np.arange(N_ITEMS) % 40] = 1
    index.update(np.arange(N_ITEMS), looks)
    new = np.arange(N_ITEMS) >= N_OLD
    return met(log, index, new, visits(N_OLD, N_ITEMS, 1), np.ones(N_ITEMS, bool))


def test_nobody_has_met_the_new_items_before_they_come(log: Log) -> None:
    events, items = log.dataset.events, log.dataset.items
    new = items["created_at"] == log.now_s - DAY_S
    assert new.sum() == N_ITEMS - N_OLD
    assert not set(events["item_id"]) & set(items["item_id"][new])
    assert events["at"].max() < log.now_s - DAY_S


def test_a_visit_ends_with_a_purchase(log: Log) -> None:
    events = log.dataset.events
    assert (events["type"] == "purchase").sum() == 2 * N_SHOPPERS
    last = events.groupby("user_id")["type"].last()
    assert (last == "purchase").all()


def test_a_slate_has_what_is_clicked_next_among_others(next_visits: Met) -> None:
    slates = next_visits.slates
    assert np.diff(slates.offsets).tolist() == [100] * N_SHOPPERS
    for number in range(N_SHOPPERS):
        rows = slates.item_rows[slates.part(number)]
        assert len(np.unique(rows)) == 100
        wanted = rows[slates.labels[slates.part(number)] > 0]
        assert set(wanted.tolist()) == set(visits(N_OLD, N_ITEMS, 1).items[number].tolist())


def test_what_looks_like_what_was_clicked_is_lifted_and_only_if_it_is_new(
    next_visits: Met,
) -> None:
    nothing: FloatArray = np.zeros(len(next_visits.slates.item_rows), np.float32)
    lifted = next_visits.lifted(nothing, 1.0) > 0.1
    seen = {
        number: {row % 40 for row in visits(0, N_OLD, 2).items[2 * number : 2 * number + 2].flat}
        for number in range(N_SHOPPERS)
    }
    alike = np.array(
        [
            row >= N_OLD and row % 40 in seen[number]
            for number, row in zip(
                next_visits.slates.slate_of.tolist(),
                next_visits.slates.item_rows.tolist(),
                strict=True,
            )
        ]
    )
    exposed = ~next_visits.new
    assert lifted[~exposed].tolist() == alike[~exposed].tolist()


def test_likenesses_that_are_dealt_out_anew_lift_as_much_and_others(next_visits: Met) -> None:
    nothing: FloatArray = np.zeros(len(next_visits.slates.item_rows), np.float32)
    own, dealt = (next_visits.lifted(nothing, 1.0, dealt=each) for each in (False, True))
    new = next_visits.new
    assert np.sort(own[new]).tolist() == pytest.approx(np.sort(dealt[new]).tolist())
    assert own[new].tolist() != dealt[new].tolist()
    assert own[~new].tolist() == dealt[~new].tolist()
