"""What a ranker would have earned on later requests, by the truth of the simulated shop."""

from dataclasses import dataclass

import numpy as np

from features.arrays import DoubleArray, FloatArray
from loadtests.exploration.findings import Interval, interval
from loadtests.exploration.learning.record import Asked, Record
from loadtests.exploration.learning.ways import WAYS, examined, fitted
from loadtests.exploration.play import EXAMINED, SHOWN
from serving.training.fit.head import head_scores
from serving.training.quality import quality

POPULARITY, ORACLE = "popularity (what logged)", "the truth"
FITS = 2  # of each way on a log, from other starting points: their mean is judged


@dataclass(frozen=True, slots=True)
class Judged:
    """reward: mean of a ranking; ndcg: NDCG@10 of it by P(click | examined), mean."""

    reward: float
    ndcg: float


@dataclass(frozen=True, slots=True)
class Compared:
    """A way over all shops, and its differences from another. reward: in %, ndcg: in points of a
    hundred."""

    reward: Interval
    ndcg: Interval


def judge(scores: FloatArray, asked: Asked) -> Judged:
    """Of rankings by `scores` (R,)."""
    rewards = []
    for start, end in zip(asked.offsets[:-1].tolist(), asked.offsets[1:].tolist(), strict=True):
        first = start + np.argsort(-scores[start:end], kind="stable")[:SHOWN]
        rewards.append(float(EXAMINED[: len(first)] @ asked.worth[first]))
    ndcg = quality(scores, asked.chance, asked.offsets, SHOWN).ndcg
    return Judged(float(np.mean(rewards)), float(np.nanmean(ndcg)))


def judge_all(log: Record, clip: float, seed: int) -> dict[str, Judged]:
    """Heads fitted in all ways on the log of one shop, what logged, and the best there could be."""
    estimated = examined(log.logged, seed)
    later = log.later
    out = {
        name: _mean(
            [
                judge(
                    head_scores(
                        fitted(log.logged, way, estimated, clip, seed * FITS + fit), later.features
                    ),
                    later,
                )
                for fit in range(FITS)
            ]
        )
        for name, way in WAYS.items()
    }
    out[POPULARITY] = judge(later.popularity, later)
    out[ORACLE] = judge(later.worth.astype(np.float32), later)
    return out


def compared(judged: list[dict[str, Judged]], name: str, against: str) -> Compared:
    """`judged`: one each a shop, at least two."""
    mine, theirs = ([each[way] for each in judged] for way in (name, against))
    reward, base = (np.array([one.reward for one in each]) for each in (mine, theirs))
    ndcg: DoubleArray = np.array([a.ndcg - b.ndcg for a, b in zip(mine, theirs, strict=True)])
    return Compared(interval(100 * (reward / base - 1)), interval(100 * ndcg))


def _mean(judged: list[Judged]) -> Judged:
    return Judged(
        float(np.mean([each.reward for each in judged])),
        float(np.mean([each.ndcg for each in judged])),
    )
