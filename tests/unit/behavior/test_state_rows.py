"""The feature row is the state."""

import msgpack
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from features.behavior.column_kinds import COLUMN_KINDS
from features.behavior.state import BehaviorState
from features.behavior.state_rows import (
    BEHAVIOR_COLUMNS,
    KIND_COLUMNS,
    PACKED,
    UNWANTED_COLUMNS,
    StateRow,
    pack,
    state_to_row,
    states_to_columns,
)
from features.catalog.counters import Counter, ItemCounters
from features.catalog.item_rows import ITEM_COLUMNS, ItemRows
from features.events.event import OF_ANSWERS, EventType

NAMES = st.text(max_size=12)
NUMBERS = st.floats(allow_nan=False)
MAPS = st.dictionaries(NAMES, NUMBERS, max_size=6)

STATES = st.builds(
    BehaviorState,
    landmark_s=NUMBERS,
    first_s=NUMBERS,
    last_s=NUMBERS,
    counts=st.dictionaries(
        st.sampled_from(sorted({*EventType} - OF_ANSWERS)), st.integers(1, 2**50), max_size=8
    ),
    recent=st.dictionaries(NAMES, st.tuples(NUMBERS, NUMBERS), max_size=6),
    bought=st.dictionaries(NAMES, st.tuples(NUMBERS, NUMBERS, NUMBERS, NUMBERS), max_size=6),
    categories=MAPS,
    brands=MAPS,
    price_weight=NUMBERS,
    price_sum=NUMBERS,
    price_square_sum=NUMBERS,
    queries=MAPS,
    hidden=st.dictionaries(NAMES, st.tuples(NUMBERS, st.sampled_from([0.0, 1.0])), max_size=6),
    shown=st.dictionaries(NAMES, st.tuples(NUMBERS, st.floats(min_value=1.0)), max_size=6),
    hidden_kinds=st.dictionaries(
        NAMES, st.tuples(NUMBERS, st.sampled_from([0.0, 1.0])), max_size=6
    ),
    owner=NAMES,
    given=st.dictionaries(NAMES, st.tuples(*[NUMBERS] * (1 + len(Counter))), max_size=6),
    applied_seq=st.integers(0, 2**60),
)


@settings(max_examples=60, deadline=None)
@given(STATES)
def test_a_state_survives_its_row_and_feasts_values(state: BehaviorState) -> None:
    row = state_to_row(state)
    assert list(row) == list(BEHAVIOR_COLUMNS)
    values = {name: COLUMN_KINDS[kind].write(row[name]) for name, kind in BEHAVIOR_COLUMNS.items()}
    stored = {
        name: type(value).FromString(value.SerializeToString()) for name, value in values.items()
    }
    row = {name: COLUMN_KINDS[kind].read(stored[name]) for name, kind in BEHAVIOR_COLUMNS.items()}
    assert_same(StateRow(row).state(), state)


@settings(max_examples=60, deadline=None)
@given(STATES)
def test_a_state_survives_being_packed(state: BehaviorState) -> None:
    row = StateRow.unpack(pack(state))
    assert row.n_interactions == state.n_interactions
    assert_same(row.state(), state)


def assert_same(back: BehaviorState, state: BehaviorState) -> None:
    assert back == state
    for name in ("recent", "bought", "categories", "brands", "queries", "hidden", "shown", "given"):
        assert list(getattr(back, name)) == list(getattr(state, name))


def test_a_row_written_before_an_event_type_existed_can_be_read() -> None:
    row = state_to_row(BehaviorState(counts={EventType.IMPRESSION: 3}))
    row["counts"] = row["counts"][:4]
    assert StateRow(row).state().counts == {EventType.IMPRESSION: 3}


def test_a_row_written_before_hides_were_kept_can_be_read() -> None:
    before = BehaviorState(counts={EventType.CLICK: 1}, recent={"a": (1.0, 1.0)})
    row = state_to_row(before)
    for name in (*UNWANTED_COLUMNS, *KIND_COLUMNS):
        del row[name]
    assert StateRow(row).state() == before


def test_a_packed_row_that_lacks_what_came_later_can_be_read() -> None:
    before = BehaviorState(counts={EventType.CLICK: 1}, recent={"a": (1.0, 1.0)})
    row = msgpack.unpackb(pack(before))
    for name in KIND_COLUMNS:
        del row[name]
    assert StateRow.unpack(msgpack.packb(row)).state() == before


def test_a_row_written_before_money_was_kept_can_be_read() -> None:
    row = state_to_row(BehaviorState(bought={"a": (2.0, 5.0, 7.0, 9.0), "b": (1.0, 6.0, 6.0, 3.0)}))
    row["bought_values"] = row["bought_values"][:6]
    assert StateRow(row).state().bought == {"a": (2.0, 5.0, 7.0, 0.0), "b": (1.0, 6.0, 6.0, 0.0)}


def test_columns_of_several_states_line_up() -> None:
    columns = states_to_columns([BehaviorState(last_s=1.0), BehaviorState(last_s=2.0)])
    assert list(columns) == [*BEHAVIOR_COLUMNS, PACKED]
    assert columns["last_s"] == [1.0, 2.0]


def test_item_rows_fill_only_the_rows_that_the_table_knows() -> None:
    source = ItemCounters(2)
    source.counts[:] = np.arange(2)[:, None, None] + 0.5
    source.at_s[:] = (10.0, 20.0)
    rows = ItemRows.taken_from(source, np.array([0, 1]), ["a", "b"])
    assert set(rows.columns()) == set(ITEM_COLUMNS)
    target = ItemCounters(3)
    rows.put_into(target, np.array([-1, 2]))
    assert target.at_s.tolist() == [0.0, 0.0, 20.0]
    assert target.counts[2, 0, 0] == 1.5
    kept = rows.where(np.array([False, True]))
    assert kept.item_ids == ("b",)
    assert kept.at_s.tolist() == [20.0]
