"""Items that one shopper is not shown, as filters: what it hid, and what it has bought.

What it hid is left out where the items are ours to choose. Of a search for words, and of candidates
that the caller brings, it stands last instead (slate/moves.py).
"""

from collections.abc import Iterator
from dataclasses import replace

from features.behavior.matrix import Shopper
from features.behavior.unwanted import hidden_items, hidden_kinds
from serving.ranking.request import Recommend, Search, Source
from serving.ranking.values import Known, ShopperState, Unknown
from serving.search.filters import NO_FILTERS
from serving.types import Exclusion


def for_shopper(source: Source, states: Shopper, at_s: float) -> Source:
    """`source`, whose filters name what this shopper is not shown.

    The same `source` for somebody who has bought or hidden nothing, so that a search without
    filters stays one: it looks less deep.
    """
    filters = source.filters or NO_FILTERS
    left_out: set[str] = set()
    if isinstance(source, Recommend) or (isinstance(source, Search) and not source.query):
        left_out = hidden_items((states.user, states.session))
        kinds = hidden_kinds((states.user, states.session))
        if any(kinds):
            filters = filters.without_kinds(*kinds)
            source = replace(source, filters=filters)
    if filters.bought_within_s is not None:
        left_out |= set(_bought(states, at_s - filters.bought_within_s))
    return replace(source, filters=filters.without(left_out)) if left_out else source


def outcome(source: Source, shopper: ShopperState) -> Exclusion | None:
    """Whether purchases could be left out; None: nobody asked for it."""
    if source.filters is None or source.filters.bought_within_s is None:
        return None
    match shopper:
        case Known():
            return Exclusion.APPLIED
        case Unknown():
            return Exclusion.UNKNOWN_SHOPPER
        case _:
            return Exclusion.FEATURES_UNAVAILABLE


def _bought(states: Shopper, since_s: float) -> Iterator[str]:
    """Of user and session; with the last purchase of each at or after `since_s`."""
    for state in (states.user, states.session):
        if state is not None:
            for item_id, (_, _, last_s, _) in state.bought.items():
                if last_s >= since_s:
                    yield item_id
