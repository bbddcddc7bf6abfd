"""What each of a handful of policies would have earned at every request of a simulated shop."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.arrays import DoubleArray, LongArray
from features.datasets.simulated.behaviour import draw_queries
from features.datasets.simulated.catalog import category_tree
from features.datasets.simulated.shoppers import DAY_S
from features.datasets.simulated.simulation import START_S
from features.datasets.simulated.truth import examination, match
from loadtests.exploration.learner import Learner
from loadtests.exploration.play import SHOWN
from loadtests.exploration.shop import WARM_UP_DAYS, Shop
from loadtests.exploration.worth import Answers

# Weights of: what the page says of the need, the shopper's last need, an item's appeal, its clicks.
POLICIES = {
    "words": (1.0, 0.0, 0.3, 0.0),
    "appeal": (1.0, 0.0, 1.0, 0.0),
    "bestsellers": (0.3, 0.0, 0.0, 1.0),
    "go on": (0.7, 1.0, 0.7, 0.0),
}
CONTEXT = ("always", "search", "group", "home", "came before")
_HOME = 300  # items that a home page is made of: those with the most clicks


@dataclass(frozen=True, slots=True)
class Choices:
    """Of one shop, in order of time. context: (n, len(CONTEXT)); reward: (n, policies), what its
    shopper would have given to each; worth: (n, policies), the mean of that."""

    context: DoubleArray
    reward: DoubleArray
    worth: DoubleArray


def choices(shop: Shop, learner: Learner, seed: int) -> Choices:
    """Of all requests after the first days; `learner` is as of then and learns nothing more."""
    rng, later = (np.random.default_rng((seed, stream)) for stream in (2, 4))
    page = draw_queries(rng, category_tree(), shop.needs).page[:, 0]
    asked = np.flatnonzero(shop.sessions.start_s >= START_S + WARM_UP_DAYS * DAY_S)
    before = _session_before(shop.sessions.shopper, shop.sessions.is_guest)
    there = np.flatnonzero(shop.launch_day < 0)
    popular = there[np.argsort(-learner.clicks[there], kind="stable")[:_HOME]]
    found = [
        _of_request(
            shop, learner, rng, later, session, int(page[session]), int(before[session]), popular
        )
        for session in asked.tolist()
    ]
    context, reward, worth = (np.array(part) for part in zip(*found, strict=True))
    return Choices(context, reward, worth)


def _session_before(shopper: LongArray, is_guest: npt.NDArray[np.bool_]) -> LongArray:
    """Row of the same shopper's session before, as far as the shop can know; -1 = none."""
    last: dict[int, int] = {}
    before = np.full(len(shopper), -1)
    for session, (who, guest) in enumerate(zip(shopper.tolist(), is_guest.tolist(), strict=True)):
        if not guest:
            before[session] = last.get(who, -1)
            last[who] = session
    return before


def _of_request(
    shop: Shop,
    learner: Learner,
    rng: np.random.Generator,
    later: np.random.Generator,
    session: int,
    page: int,
    before: int,
    popular: LongArray,
) -> tuple[DoubleArray, DoubleArray, DoubleArray]:
    """Context, reward and worth of one request."""
    group = int(shop.needs.group[session, 0])
    of_group = np.flatnonzero((shop.latents.group == group) & (shop.launch_day < 0))
    items = popular if page == 2 else of_group
    needed = _match(shop, session, items)
    signals = np.stack(
        [
            needed if page == 0 else np.zeros(len(items)),
            _match(shop, before, items) if before >= 0 else np.zeros(len(items)),
            learner.appeal(items),
            np.log(learner.clicks[items] + 1),
        ]
    )
    chance = shop.answers(np.full(len(items), session), items, needed)
    # One shopper, who likes the same items whoever ranks; only the places differ.
    looks, likes, puts, pays = rng.random((4, len(items)))
    stays, sends = later.random((2, len(items)))
    given = shop.worth.of(
        Answers(
            likes < chance.click, stays < chance.long_view, puts < chance.cart,
            pays < chance.sold, sends < chance.back,
        ),
        items,
    )  # fmt: skip
    mean = shop.worth.of(chance, items)
    examined = examination(np.arange(1, SHOWN + 1))
    reward, worth = [], []
    for weights in POLICIES.values():
        shown = np.argsort(-(np.array(weights) @ signals), kind="stable")[:SHOWN]
        reward.append(float(given[shown] @ (looks[:SHOWN] < examined)))
        worth.append(float(mean[shown] @ examined))
    context = np.array([1, page == 0, page == 1, page == 2, before >= 0], np.float64)
    return context, np.array(reward), np.array(worth)


def _match(shop: Shop, session: int, items: LongArray) -> DoubleArray:
    rows = np.full(len(items), session)
    return match(shop.latents, shop.needs, rows, np.zeros_like(rows), items)
