"""Cases of a purchase log: what the shopper took next, among what else was there to take."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from features.arrays import RowArray
from features.catalog.table import ItemTable
from features.datasets.format import Dataset
from serving.training.data.cases import Case, Draw

MAX_NEW = 4
MAX_WANTED = 12  # a random part of a large basket: a wholesale order must not fill its slate


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
    visits: dict[tuple[str, object], list[int]] = {}
    for index, key in enumerate(keys):
        visits.setdefault(key, []).append(index)
    out = []
    for (user, _), indices in visits.items():
        first = int(numbers[indices[0]])
        # Lines of one second have no order: the state is that before all of them.
        position = int(np.searchsorted(times, times[first]))
        out.append(
            Basket(position, float(times[first]), user, sessions[first], np.unique(rows[indices]))
        )
    return sorted(out, key=lambda basket: basket.position)


def next_basket_cases(
    chosen: Sequence[Basket], draws: Sequence[Draw], rng: np.random.Generator, begun_share: float
) -> list[Case]:
    """One case a basket, at its time: all of its items are wanted; each draws by one of `draws`.

    With probability `begun_share` a random part of the basket already lies in the cart and the rest
    is wanted. A purchase log has no clicks; the session's features are learned from these carts.
    """
    cases = []
    for basket in chosen:
        rows, begun = rng.permutation(basket.rows), basket.rows[:0]
        if len(rows) > 1 and rng.random() < begun_share:
            n_begun = int(rng.integers(1, len(rows)))
            begun, rows = rows[:n_begun], rows[n_begun:]
        case = _case(basket, rows[:MAX_WANTED], draws[int(rng.integers(len(draws)))])
        cases.append(replace(case, excluded=basket.rows, begun=begun))
    return cases


def discoveries(all_baskets: Sequence[Basket]) -> list[tuple[Basket, RowArray]]:
    """Each basket with only the items that are new to its shopper, and the rows bought before."""
    owned: dict[str, set[int]] = {}
    out = []
    for basket in all_baskets:
        had = owned.setdefault(basket.user_id, set())
        new = np.array([row for row in basket.rows.tolist() if row not in had], np.int64)
        if len(new):
            out.append((replace(basket, rows=new), np.array(sorted(had), np.int64)))
        had.update(basket.rows.tolist())
    return out


def discovery_cases(
    chosen: Sequence[tuple[Basket, RowArray]],
    draws: Sequence[Draw],
    items: ItemTable,
    rng: np.random.Generator,
) -> list[Case]:
    """One case a basket, at its time: its never-bought items are wanted, among never-bought ones.

    An item that only enters the catalogue with this very basket is no candidate.
    """
    cases = []
    for basket, owned in chosen:
        known = basket.rows[~(items.created_s[basket.rows] >= basket.at_s)]
        if len(known) == 0:
            continue
        wanted = rng.permutation(known)[:MAX_NEW]
        case = _case(basket, wanted, draws[int(rng.integers(len(draws)))])
        cases.append(replace(case, excluded=np.concatenate([basket.rows, owned])))
    return cases


def position_at(dataset: Dataset, at_s: float) -> int:
    """The number of the first event at or after `at_s`."""
    return int(np.searchsorted(dataset.events["at"].to_numpy(np.float64), at_s))


def _case(basket: Basket, wanted: RowArray, draw: Draw) -> Case:
    ones = np.ones(len(wanted), np.float32)
    return Case(
        basket.position, basket.at_s, basket.user_id, basket.session_id,
        rows=wanted, labels=ones, weights=ones, draw=draw,
    )  # fmt: skip
