"""Cases of a purchase log: what the shopper took next, among what else was there to take."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from features.aggregate import DAY_S
from features.catalog import ItemTable
from features.datasets.format import Dataset
from serving.model.rows import Case, Draw, RowArray

MAX_WANTED = 12  # of a large basket, a random part: one wholesale order must not be all there is


@dataclass(frozen=True, slots=True)
class Basket:
    """One visit's distinct items; `position` is the number of its first event in the log."""

    position: int
    at_s: float
    user_id: str
    session_id: str
    rows: RowArray


def baskets(dataset: Dataset, items: ItemTable) -> list[Basket]:
    """Baskets of known shoppers, in order of time; items that the catalogue lacks are left out."""
    events = dataset.events
    bought = (events["type"] == "purchase").to_numpy() & (events["user_id"] != "").to_numpy()
    numbers = np.flatnonzero(bought)
    rows = items.rows(events["item_id"].to_numpy()[numbers].tolist())
    numbers, rows = numbers[rows >= 0], rows[rows >= 0]
    times = events["at"].to_numpy(np.float64)
    users, sessions = events["user_id"].to_numpy(), events["session_id"].to_numpy()
    keys = [(users[n], sessions[n] or times[n]) for n in numbers.tolist()]
    found: dict[tuple[str, object], list[int]] = {}
    for index, key in enumerate(keys):
        found.setdefault(key, []).append(index)
    out = []
    for (user, _), indices in found.items():
        first = int(numbers[indices[0]])
        # Lines of one second have no order: the state is that before all of them.
        position = int(np.searchsorted(times, times[first]))
        out.append(
            Basket(position, float(times[first]), user, sessions[first], np.unique(rows[indices]))
        )
    return sorted(out, key=lambda basket: basket.position)


def next_basket_cases(
    chosen: Sequence[Basket], draw: Draw, rng: np.random.Generator, begun_share: float = 0.0
) -> list[Case]:
    """One case a basket, at its time: all of its items are wanted.

    A purchase log has no clicks: with probability `begun_share` a random part of the basket already
    lies in the cart and the rest is wanted, so that the session's features are learned as well.
    """
    cases = []
    for basket in chosen:
        rows, begun = rng.permutation(basket.rows), basket.rows[:0]
        if len(rows) > 1 and rng.random() < begun_share:
            n_begun = int(rng.integers(1, len(rows)))
            begun, rows = rows[:n_begun], rows[n_begun:]
        case = _case(basket, rows[:MAX_WANTED], draw)
        cases.append(replace(case, excluded=basket.rows, begun=begun))
    return cases


def discovery_cases(
    all_baskets: Sequence[Basket],
    cut_s: float,
    horizon_s: float,
    position: int,
    draw: Draw,
    items: ItemTable,
) -> list[Case]:
    """One case a shopper, at the moment `cut_s`: the never-bought items of the first later basket.

    Only baskets in [cut, cut + horizon) count, and only items that were in the catalogue at the
    cut. `position`: the number of the first event at or after the cut.
    """
    owned: dict[str, set[int]] = {}
    first: dict[str, Basket] = {}
    for basket in all_baskets:
        if basket.at_s < cut_s:
            owned.setdefault(basket.user_id, set()).update(basket.rows.tolist())
        elif basket.at_s < cut_s + horizon_s:
            first.setdefault(basket.user_id, basket)
    cases = []
    for user_id, basket in first.items():
        had = owned.get(user_id, set())
        new = [row for row in basket.rows.tolist() if row not in had]
        wanted = np.array([row for row in new if not items.created_s[row] > cut_s], np.int64)
        if len(wanted) == 0:
            continue
        case = _case(basket, wanted[:MAX_WANTED], draw)
        excluded = np.array([*basket.rows.tolist(), *had], np.int64)
        cases.append(replace(case, position=position, at_s=cut_s, session_id="", excluded=excluded))
    return cases


def cuts(start_s: float, last_s: float, every_s: float = 14 * DAY_S) -> npt.NDArray[np.float64]:
    """Moments every `every_s` backwards from `last_s`, none before `start_s`, ascending."""
    count = int((last_s - start_s) // every_s) + 1
    return np.asarray(last_s - every_s * np.arange(count)[::-1], np.float64)


def position_at(dataset: Dataset, at_s: float) -> int:
    """The number of the first event at or after `at_s`."""
    return int(np.searchsorted(dataset.events["at"].to_numpy(np.float64), at_s))


def _case(basket: Basket, wanted: RowArray, draw: Draw) -> Case:
    ones = np.ones(len(wanted), np.float32)
    return Case(
        basket.position, basket.at_s, basket.user_id, basket.session_id,
        rows=wanted, labels=ones, weights=ones, draw=draw,
    )  # fmt: skip
