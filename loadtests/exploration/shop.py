"""A simulated shop with a treatment: it is ranked for, and its shoppers answer with clicks.

Items, shoppers, needs and utilities are those of features/datasets/simulated, whose log is played
once and for all. Here the ranking is ours, so what is shown decides what can be learnt.
"""

from dataclasses import dataclass

import numpy as np

from features.arrays import BoolArray, DoubleArray, LongArray
from features.catalog.item import Item
from features.catalog.table import ItemTable
from features.datasets.simulated.catalog import ItemLatents, category_tree, draw_catalog
from features.datasets.simulated.shoppers import (
    DAY_S,
    Needs,
    Sessions,
    ShopperLatents,
    draw_needs,
    draw_sessions,
    draw_shoppers,
)
from features.datasets.simulated.simulation import START_S
from features.datasets.simulated.truth import (
    BUY,
    CART,
    OFFSET,
    long_view_chance,
    match,
    return_chance,
    sigmoid,
    taste,
)
from features.objective import Objective
from loadtests.exploration.worth import Answers, Worth

WARM_UP_DAYS, DAYS = 14, 30  # before anything is compared; then what is compared
BEST = 5  # items of a type that deserve to be seen first
_ASKED = 300  # shoppers over whom an item's appeal is averaged


@dataclass(frozen=True, slots=True)
class Requests:
    """Those of one day for one group of items. session: (requests,), whose they are; `needed`:
    (requests, items), what the need says of each item; chance: P(click | examined); worth: the mean
    reward when examined."""

    session: LongArray
    items: LongArray
    needed: DoubleArray
    chance: DoubleArray
    worth: DoubleArray


@dataclass(frozen=True, slots=True)
class Shop:
    """One draw of the shop. launch_day: (n_items,), counted as days are, -1 = there from the start;
    deserving: (n_items,), among the best of their type once all have been launched."""

    table: ItemTable
    latents: ItemLatents
    shoppers: ShopperLatents
    sessions: Sessions
    needs: Needs
    launch_day: LongArray
    deserving: BoolArray
    worth: Worth

    @staticmethod
    def drawn(seed: int, n_items: int, rankings_a_day: int, objective: Objective) -> "Shop":
        """A ranking a session; items are launched while the policies are compared."""
        rng, tree = np.random.default_rng(seed), category_tree()
        days = WARM_UP_DAYS + DAYS
        opens_s = START_S + WARM_UP_DAYS * DAY_S
        frame, latents = draw_catalog(rng, tree, n_items, opens_s, START_S + days * DAY_S)
        sessions = draw_sessions(rng, 500, rankings_a_day * days, days, START_S)
        shoppers = draw_shoppers(rng, tree, int(sessions.shopper.max()) + 1)
        needs = draw_needs(rng, tree, shoppers, sessions, days)
        launch = np.nan_to_num((frame["created_at"].to_numpy() - START_S) // DAY_S, nan=-1)
        table = ItemTable(
            Item(item_id, title, category=category, brand=brand)
            for item_id, title, category, brand in zip(
                frame["item_id"], frame["title"], frame["category"], frame["brand"], strict=True
            )
        )
        asked = rng.choice(len(shoppers.thrift), _ASKED)[:, None]
        liked = taste(shoppers, latents, asked, np.arange(n_items)[None, :])
        appeal = sigmoid(liked + 3.0 - OFFSET).mean(axis=0)
        deserving = np.zeros(n_items, bool)
        for kind in range(len(tree.names)):
            members = np.flatnonzero(latents.type == kind)
            deserving[members[np.argsort(-appeal[members])[:BEST]]] = True
        worth = Worth(objective, frame["price"].to_numpy(np.float64))
        return Shop(
            table, latents, shoppers, sessions, needs, launch.astype(np.int64), deserving, worth
        )

    def day(self, day: int) -> list[Requests]:
        """What is asked on a day, from 0, by group; items launched the day before are there."""
        day_of = (self.sessions.start_s - START_S) // DAY_S
        today = np.flatnonzero(day_of == day)
        first = np.zeros_like(today)
        groups = self.needs.group[today, first]
        return [
            self._requests(today[groups == group], self._available(int(group), day))
            for group in np.unique(groups)
        ]

    def _available(self, group: int, day: int) -> LongArray:
        return np.flatnonzero((self.latents.group == group) & (self.launch_day < day))

    def _requests(self, session: LongArray, items: LongArray) -> Requests:
        rows, columns = np.broadcast_arrays(session[:, None], items[None, :])
        needed = match(self.latents, self.needs, rows, np.zeros_like(rows), columns)
        answers = self.answers(rows, columns, needed)
        worth = self.worth.of(answers, columns)
        return Requests(session, items, needed, np.asarray(answers.click), worth)

    def answers(self, session: LongArray, items: LongArray, needed: DoubleArray) -> Answers:
        """The chances of each item that is examined; all three of one shape."""
        liking = taste(self.shoppers, self.latents, self.sessions.shopper[session], items)
        click = sigmoid(liking + needed - OFFSET)
        return Answers(
            click,
            long_view_chance(click, self.worth.long_view_s),
            CART * click,
            BUY * sigmoid(1 + liking / 2),
            return_chance(liking, self.latents.department[items] == 0),
        )
