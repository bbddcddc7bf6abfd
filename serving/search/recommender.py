"""Shopper, seeds or cart to candidates: from neighbour tables, likenesses, and what is popular."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import numpy as np

from features.arrays import BoolArray, DoubleArray, FloatArray, RowArray
from features.behavior.history import ItemHistory, neighbor_score
from features.behavior.matrix import Shopper
from features.behavior.state_rows import AnyState
from features.catalog.counters import ItemCounters
from features.catalog.table import ItemTable
from serving.search.dense import DenseIndex
from serving.search.fusion import WeightedList, fused
from serving.search.pictures.index import PictureIndex
from serving.search.relevance import Matches

_DEPTH = 400  # places of each list that take part
# Of "because you bought": how much an item is spoken for, as a share of the strongest, and how many
# texts are near. Of weaker neighbours half go together by chance (docs/placements.md).
_SPOKEN_FOR, _NEAR = 0.5, 25
_CATEGORY_REACH = 10_000  # of the most popular, when a category is looked for


class Likeness(StrEnum):
    """By what an item is like another one."""

    TEXT = "text"
    IMAGE = "image"
    BEHAVIOR = "behavior"  # taken together by shoppers


@dataclass(frozen=True, slots=True)
class Retrieved:
    """Candidates, best first. rows: int64 (n,); score: float32 (n,); matches: None: no query.

    below: rows (any,) that came nearest among those that are not relevant enough
    """

    rows: RowArray
    score: FloatArray
    matches: Matches | None = None
    below: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True, slots=True)
class LikenessWeights:
    """What each list of items like some counts: taken together with them, reading and looking like
    them. One that is asked for alone is not weighed."""

    behavior: float = 1.0
    text: float = 0.7
    image: float = 0.5


class IndexedItems(Protocol):
    """The catalogue of a replica, as far as retrieval reads it."""

    @property
    def table(self) -> ItemTable: ...
    @property
    def counters(self) -> ItemCounters: ...
    def prior_of(self, rows: RowArray) -> FloatArray | None: ...


class Recommender:
    """Candidates without a query. One thread writes (`refresh`), others read.

    demand: float32 (n,), how much the first n items were wanted lately
    """

    def __init__(
        self,
        items: IndexedItems,
        dense: DenseIndex,
        pictures: PictureIndex | None = None,
        weights: LikenessWeights | None = None,
    ) -> None:
        self._weights = weights or LikenessWeights()
        self._items = items
        self._dense = dense
        self._pictures = pictures
        self.demand: FloatArray = np.zeros(0, np.float32)
        self._popular: RowArray = np.zeros(0, np.int64)
        self._fresh: RowArray = np.zeros(0, np.int64)

    def refresh(self, now_s: float) -> None:
        """Order items by what is popular and by what is new."""
        n_rows = len(self._items.table)
        rows = np.arange(n_rows)
        demand = self._items.counters.demand(rows, now_s)
        prior = self._items.prior_of(rows)
        if prior is not None:
            demand = demand + prior
        self.demand = demand
        self._popular = np.argsort(-demand, kind="stable")
        # Born as features.behavior.matrix has it; an item of which no time is known is not new.
        born_s = np.fmin(
            self._items.table.created_s[:n_rows], self._items.counters.first_s[:n_rows]
        )
        self._fresh = np.argsort(-np.where(np.isfinite(born_s), born_s, 0.0), kind="stable")

    def recommend(
        self,
        shopper: Shopper,
        seed_item_ids: tuple[str, ...],
        keep: BoolArray,
        limit: int,
        by: Likeness | None = None,
    ) -> Retrieved:
        """Candidates for a shopper: near what was seen, bought before, popular, new; or like seeds.

        keep: bool (n_items,), what may be shown; the seeds are taken out of it; by: the one thing
        that an item is to be like the seeds in, None: all of them
        """
        table = self._items.table
        seeds = table.rows(seed_item_ids)
        keep[seeds[(seeds >= 0) & (seeds < len(keep))]] = False
        popular = _kept(self._popular, keep)
        lists: list[WeightedList] = []
        if seed_item_ids:
            lists += self._like(seeds, np.ones(len(seeds)), by)
        else:
            for weight, state in ((1.5, shopper.session), (1.0, shopper.user)):
                if state is not None and state.recent:
                    history = ItemHistory.of(state, table)
                    alike = self._like(history.recent, history.recent_weights)
                    lists += [(weight * part, rows) for part, rows in alike]
                    lists.append((0.5 * weight, self._popular_in(state, popular)))
            if shopper.user is not None and shopper.user.bought:
                lists.append((1.5, _bought(shopper.user, table)))
            lists += [(0.5, popular[:_DEPTH]), (0.25, _kept(self._fresh, keep)[:_DEPTH])]
        fused = self._fuse(lists, keep, limit)
        return (
            fused
            if len(fused.rows) or by is not None
            else self._fuse([(1.0, popular[:_DEPTH])], keep, limit)
        )

    def companions(self, cart_item_ids: tuple[str, ...], keep: BoolArray, limit: int) -> Retrieved:
        """What lies in one basket with the cart's items: other things, not others of their kind.

        Nothing of a leaf category of the cart, unless there is nothing else; what is popular, where
        no basket is known. keep: as of `recommend`
        """
        table = self._items.table
        cart = table.rows(cart_item_ids)
        cart = cart[(cart >= 0) & (cart < len(keep))]
        keep[cart] = False
        inside = np.zeros(len(table) + 1, bool)  # -1, no source, reads the last
        inside[cart] = True
        sources, weights = table.basket_neighbors, table.basket_neighbor_weights
        score = (weights * inside[sources]).sum(axis=1)[: len(keep)]
        # Tables are made for items that were there, and the catalogue may have grown since.
        together = np.flatnonzero((score > 0) & keep[: len(score)])
        best = together[np.argsort(-score[together], kind="stable")]
        leaves = table.path[cart]
        for rows in (best, self._popular):
            rows = _kept(rows, keep)
            other = rows[~np.isin(table.path[rows], leaves[leaves >= 0])]
            rows = (other if len(other) else rows)[:limit]
            if len(rows):
                return self._fuse([(1.0, rows)], keep, limit)
        return self._fuse([], keep, limit)

    def alike(self, seed_item_ids: tuple[str, ...], keep: BoolArray, limit: int) -> Retrieved:
        """Items clearly taken together with the seeds, and that read like them; none in their
        stead."""
        seeds = self._items.table.rows(seed_item_ids)
        keep[seeds[(seeds >= 0) & (seeds < len(keep))]] = False
        lists = self._like(seeds, np.ones(len(seeds)), spoken_for=_SPOKEN_FOR, near=_NEAR)
        return self._fuse(lists, keep, limit)

    def popular(self, keep: BoolArray, limit: int) -> Retrieved:
        """Items by demand."""
        return self._fuse([(1.0, _kept(self._popular, keep)[:limit])], keep, limit)

    def newest(self, keep: BoolArray, limit: int) -> Retrieved:
        """Items by when they came."""
        return self._fuse([(1.0, _kept(self._fresh, keep)[:limit])], keep, limit)

    def bought(self, shopper: Shopper, keep: BoolArray, limit: int) -> Retrieved:
        """Items that user or session have bought, first what was bought most often."""
        table, states = self._items.table, (shopper.user, shopper.session)
        lists = [(1.0, _bought(state, table)) for state in states if state is not None]
        return self._fuse(lists, keep, limit)

    def _like(
        self,
        taken: RowArray,
        weights: DoubleArray,
        by: Likeness | None = None,
        spoken_for: float = 0.0,
        near: int = _DEPTH,
    ) -> list[WeightedList]:
        """Items taken together with, that read like, and that look like those of `taken` by
        `weights`; by: only one of these.

        spoken_for: least share of the strongest one's score that what is taken together needs;
        near: how many of the others
        """
        lists: list[WeightedList] = []
        if by in (None, Likeness.BEHAVIOR):
            together = neighbor_score(self._items.table, taken, weights)
            least = spoken_for * float(together.max(initial=0.0))
            some = np.flatnonzero((together > 0) & (together >= least))
            best = some[np.argsort(-together[some], kind="stable")][:_DEPTH]
            lists.append((self._weights.behavior, best))
        rows, weights = taken[taken >= 0], weights[taken >= 0]
        if by in (None, Likeness.TEXT):
            known, vectors = self._dense.known(rows)
            if known.any():
                share = weights[known].astype(np.float32)
                lists.append((self._weights.text, self._dense.nearest(share @ vectors, near)))
        if self._pictures is not None and by in (None, Likeness.IMAGE):
            looks = self._pictures.middle(rows, weights)
            if looks is not None:
                lists.append((self._weights.image, self._pictures.nearest(looks, near)))
        return lists

    def _popular_in(self, state: AnyState, popular: RowArray) -> RowArray:
        """Popular items of the state's strongest deepest categories."""
        popular = popular[:_CATEGORY_REACH]
        table = self._items.table
        deepest_first = sorted(
            state.categories, key=lambda name: (-name.count(" > "), -state.categories[name])
        )
        deep = deepest_first[:8]
        codes = [table.category_code[name] for name in deep if name in table.category_code]
        inside = np.isin(table.category[popular], codes).any(axis=1)
        return popular[inside][:_DEPTH]

    def _fuse(self, lists: list[WeightedList], keep: BoolArray, limit: int) -> Retrieved:
        return Retrieved(*fused(lists, keep, limit))


def _bought(state: AnyState, table: ItemTable) -> RowArray:
    """Rows of what was bought, most often first, then last."""
    often = sorted(state.bought.items(), key=lambda entry: (-entry[1][0], -entry[1][2]))
    rows = table.rows([item_id for item_id, _ in often])
    return rows[rows >= 0]


def _kept(rows: RowArray, keep: BoolArray) -> RowArray:
    rows = rows[rows < len(keep)]
    return rows[keep[rows]]
