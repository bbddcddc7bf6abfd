"""Floors of exposure, held over many rankings: what was missed is owed, and lifts the next ones.

An integral controller of amortised exposure (after Biega et al., 2018, "Equity of Attention", and
Morik et al., 2020, "Controlling Fairness and Bias in Dynamic Learning-to-Rank"): the exposure that
a group of items is owed becomes a lift of its scores, the same for all of them. The lift is part of
the scores that the policy orders by, so propensities, which are given the scores, stay true.

Deficits are those of one replica; what each of them holds, all of them hold.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np

from features.arrays import BoolArray, FloatArray, RowArray
from features.behavior.matrix import COLUMN
from features.catalog.table import ItemTable
from serving.ranking.slate.held import FloorOutcome, Held
from serving.ranking.values import FeatureMatrix
from serving.shops.exploration import Floor

_PER_OWED = 0.01  # spreads of lift for a unit of exposure: small, so that the lift hardly changes


@dataclass(slots=True)
class Account:
    """Of one floor. owed: exposure that is missing; spent: NDCG that it took, of `rankings`."""

    owed: float = 0.0
    spent: float = 0.0
    rankings: int = 0
    shown: float = 0.0
    offered: float = 0.0

    @property
    def share(self) -> float:
        """Of exposure that the group had in the rankings that offered one of it."""
        return self.shown / self.offered if self.offered else float("nan")

    @property
    def price(self) -> float:
        """Mean NDCG that it took, by the scores themselves."""
        return self.spent / self.rankings if self.rankings else 0.0

    def lift(self, floor: Floor) -> tuple[float, FloorOutcome]:
        """What its items are to be lifted by, in spreads, and why."""
        up = min(max(self.owed * _PER_OWED, 0.0), floor.most_lift)
        if up == 0.0:
            return 0.0, FloorOutcome.NOTHING_OWED
        if self.price > floor.price:
            return 0.0, FloorOutcome.GAVE_WAY
        return up, FloorOutcome.LIFTED


Offer = tuple[tuple[Floor, BoolArray], ...]  # floors, and which candidates each is for (n,)


class Floors:
    """The accounts of a replica's shops. Of one event loop."""

    def __init__(self) -> None:
        self._accounts: WeakKeyDictionary[ItemTable, dict[Floor, Account]] = WeakKeyDictionary()

    def account(self, table: ItemTable, floor: Floor) -> Account:
        """Of a shop, by its table."""
        return self._accounts.setdefault(table, {}).setdefault(floor, Account())

    def lift(self, table: ItemTable, offer: Offer) -> FloatArray | None:
        """What candidates are lifted by, in spreads (n,); None: nothing is."""
        out = None
        for floor, own in offer:
            up, _ = self.account(table, floor).lift(floor)
            if up > 0:
                out = np.zeros(len(own), np.float32) if out is None else out
                out[own] += up
        return out

    def shown(
        self,
        table: ItemTable,
        offer: Offer,
        order: RowArray,
        scores: FloatArray,
        owed: FloatArray | None,
    ) -> tuple[Held, ...]:
        """Keep account of a slate, and tell what each floor did.

        scores: (n,); owed: what they were lifted by, see `lift`. What several floors take together
        counts for each of them.
        """
        told = []
        for floor, own in offer:
            account, top = self.account(table, floor), order[: floor.depth]
            _, outcome = account.lift(floor)  # as it was before this ranking
            worth = 1.0 / np.log2(np.arange(2, len(top) + 2))
            had, whole = float(worth[own[top]].sum()), float(worth.sum())
            most = floor.most_lift / _PER_OWED  # what is beyond reach is not carried on for ever
            missing = account.owed + floor.share * whole - had
            account.owed = min(max(missing, -whole), most)
            account.rankings += 1
            account.shown += had
            account.offered += whole
            lost = 0.0 if owed is None else _lost(scores, owed, floor.depth)
            account.spent += lost
            told.append(
                Held(
                    floor.name, outcome, had, floor.share * whole, whole, lost, floor.price,
                    account.owed,
                )
            )  # fmt: skip
        return tuple(told)


def on_offer(table: ItemTable, floors: Iterable[Floor], features: FeatureMatrix) -> Offer:
    """The floors that some candidate is for, worked out once for a ranking."""
    found = ((floor, members(table, floor, features)) for floor in floors)
    return tuple((floor, own) for floor, own in found if own.any())


def members(table: ItemTable, floor: Floor, features: FeatureMatrix) -> BoolArray:
    """Which candidates a floor is for, (n,)."""
    own = features.rows >= 0
    if floor.newer_than_days is not None:
        limit = np.float32(np.log1p(floor.newer_than_days))
        own &= features.values[:, COLUMN["item_age_days"]] <= limit  # an unknown age is not
    if floor.brand is not None:
        own &= table.of_brand(features.rows, floor.brand)
    if floor.category is not None:
        own &= table.in_category(features.rows, floor.category)
    if floor.seller is not None:
        own &= table.of_seller(features.rows, floor.seller)
    return own


def _lost(scores: FloatArray, owed: FloatArray, depth: int) -> float:
    """NDCG that the lifted order loses, if the scores tell what items are worth: their gain is
    their place on a logistic curve, as in bounds.py."""
    spread = float(scores.std()) or 1.0
    gain = 1.0 / (1.0 + np.exp(-(scores - scores.mean()) / spread))
    worth = 1.0 / np.log2(np.arange(2, min(depth, len(gain)) + 2))
    best, own = (
        np.argsort(-each, kind="stable")[: len(worth)] for each in (scores, scores + owed * spread)
    )
    return max(float(1.0 - (gain[own] @ worth) / (gain[best] @ worth)), 0.0)  # rounding
