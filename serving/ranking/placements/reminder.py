"""Because you bought X: which item of the shopper's history a slate is like."""

from collections.abc import Collection, Iterator
from dataclasses import replace

from features.behavior.matrix import Shopper
from features.behavior.unwanted import hidden_items
from features.catalog.table import ItemTable
from serving.ranking.explaining.told import Because
from serving.ranking.request import Recommend, Source
from serving.ranking.slate.because import cause
from serving.shops.placements.placement import Strategy
from serving.types import Cause


def reminded(
    source: Source, shopper: Shopper, table: ItemTable, told: Collection[str] = ()
) -> tuple[Source, Because | None]:
    """`source` with the item that it is to be like as its seed, and what was done with that.

    It is the one that the shopper took up last, of user and session, of those that the shop still
    has and the shopper does not hide; none of `told`. A source of another strategy stays as it is.
    """
    if not isinstance(source, Recommend) or source.strategy is not Strategy.BECAUSE:
        return source, None
    hidden = hidden_items((shopper.user, shopper.session))
    best: tuple[float, str, Cause] | None = None
    for at_s, item_id, kind in _taken_up(shopper):
        row = table.row_of.get(item_id)
        if row is None or table.removed[row] or item_id in hidden or item_id in told:
            continue
        if source.of in (None, kind) and (best is None or at_s > best[0]):
            best = at_s, item_id, kind
    if best is None:
        return source, None
    _, item_id, kind = best
    title = table.items[table.row_of[item_id]].title
    return replace(source, seed_item_ids=(item_id,)), Because(item_id, title, kind)


def _taken_up(shopper: Shopper) -> Iterator[tuple[float, str, Cause]]:
    """When, what and how; a purchase before the look that it came of."""
    for state in (shopper.session, shopper.user):
        if state is None:
            continue
        for item_id, (_, _, last_s, _) in state.bought.items():
            yield last_s, item_id, Cause.BOUGHT
        for item_id, (last_s, strength) in state.recent.items():
            yield last_s, item_id, cause(strength)
