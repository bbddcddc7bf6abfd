"""A floor of exposure for new items over many simulated rankings, by the policy that serves.

A shop of items of which a tenth is new. What an item is worth to a shopper is drawn for each
ranking; the ranker knows it with noise, and of new items, whose behaviour it has not seen, less and
too little. So new items stand where they earn less exposure than they are worth. NDCG@10 is of the
worth, which the policy does not see.
"""

from dataclasses import dataclass

import numpy as np

from features.arrays import FloatArray
from features.behavior.matrix import COLUMN, FEATURE_NAMES
from features.catalog.item import Item
from features.catalog.table import ItemTable
from serving.ranking.request import Context
from serving.ranking.slate.policy import SlatePolicy
from serving.ranking.values import Candidates, FeatureMatrix
from serving.shops.exploration import Floor
from serving.shops.rules import Rules

N_ITEMS, N_NEW, N_CANDIDATES = 1_000, 100, 50
SHARE, PRICE, WITHIN = 0.10, 0.01, 0.01
_NOISE, _NEW_NOISE, _UNKNOWN = 0.6, 1.0, 0.5  # of a spread of 1; what new items are held worth less
_DEPTH, _SEED = 10, 17
_AT_S = 1_790_000_000.0


@dataclass(frozen=True, slots=True)
class Held:
    """A floor over `rankings`. share: of exposure in those that offered a new item; without: the
    same where there is no floor; ndcg and ndcg_without: means, of the same rankings; price: as the
    controller counts it."""

    floor: float
    rankings: int
    share: float
    without: float
    ndcg: float
    ndcg_without: float
    price: float

    @property
    def lost(self) -> float:
        """Of NDCG, as a share."""
        return 1.0 - self.ndcg / self.ndcg_without

    @property
    def kept(self) -> bool:
        """Whether the floor is held within a point, for a hundredth of NDCG at most: no less, and
        no more where it had to lift anything."""
        most = max(self.floor, self.without) + WITHIN
        return self.floor - WITHIN <= self.share <= most and self.lost <= PRICE


def held(rankings: int, floor: float = SHARE, price: float = PRICE) -> Held:
    """Rank as often with a floor as without, the same candidates and scores."""
    table = ItemTable([Item(f"i{n}", f"item {n}") for n in range(N_ITEMS)])
    rule = Floor(name="new items", newer_than_days=30, share=floor, price=price)
    chance = {"exploration": {"share": 0}, "diversity": {"depth": 0}}
    with_floor = Rules.model_validate({**chance, "floors": [rule.model_dump()]})
    without = Rules.model_validate(chance)
    policy, plain = (SlatePolicy(np.random.default_rng(_SEED)) for _ in range(2))
    rng = np.random.default_rng(_SEED)
    context = Context("r", _AT_S, 0.0, limit=_DEPTH)
    worth_of_place = 1.0 / np.log2(np.arange(2, _DEPTH + 2))
    sums = np.zeros(4)  # NDCG with and without; exposure of new items without, and of all
    for _ in range(rankings):
        rows = rng.choice(N_ITEMS, N_CANDIDATES, replace=False)
        new = rows < N_NEW
        worth = rng.normal(size=N_CANDIDATES).astype(np.float32)
        scores = _believed(worth, new, rng)
        candidates = Candidates([f"i{row}" for row in rows], rows, np.full(len(rows), np.nan, "f4"))
        features = _features(rows, new)
        ordered = policy.order(table, with_floor, context, candidates, features, scores)
        usual = plain.order(table, without, context, candidates, features, scores)
        gain = np.exp2(worth)
        best = np.sort(gain)[::-1][:_DEPTH] @ worth_of_place
        sums[0] += gain[ordered.order] @ worth_of_place / best
        sums[1] += gain[usual.order] @ worth_of_place / best
        if new.any():
            sums[2] += new[usual.order] @ worth_of_place
            sums[3] += worth_of_place.sum()
    account = policy.floors.account(table, with_floor.floors[0])
    return Held(
        floor, rankings, account.share, float(sums[2] / sums[3]), float(sums[0] / rankings),
        float(sums[1] / rankings), account.price,
    )  # fmt: skip


def curve(rankings: int) -> list[Held]:
    """Floors from low to high, at whatever price."""
    return [held(rankings, floor, price=1.0) for floor in (0.02, 0.05, 0.08, 0.1, 0.15, 0.2, 0.3)]


def _believed(worth: FloatArray, new: np.ndarray, rng: np.random.Generator) -> FloatArray:
    noise = rng.normal(size=len(worth)) * np.where(new, _NEW_NOISE, _NOISE)
    scores: FloatArray = (worth + noise - _UNKNOWN * new).astype(np.float32)
    return scores


def _features(rows: np.ndarray, new: np.ndarray) -> FeatureMatrix:
    values = np.full((len(rows), len(FEATURE_NAMES)), np.nan, np.float32)
    values[:, COLUMN["item_age_days"]] = np.log1p(np.where(new, 10.0, 400.0))
    return FeatureMatrix(
        rows=rows,
        values=values,
        category=np.full((len(rows), 3), -1, np.int32),
        brand=np.full(len(rows), -1, np.int32),
        exposure=np.full(len(rows), np.inf, np.float32),
    )
