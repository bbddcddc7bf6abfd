"""Whether a classifier may be put into use: judged on texts that it did not learn from."""

import math
from dataclasses import dataclass

import numpy as np

from features.arrays import BoolArray, FloatArray, LongArray
from serving.shops.labels.classifier import Measured

_Z = 1.96
_GROUPS = 10


@dataclass(frozen=True, slots=True)
class Difference:
    """Of accuracy to the version in use, on the same texts, with its interval (95 %)."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """refused: why it may not be used; empty: it may."""

    measured: Measured
    in_use: Difference | None
    refused: list[str]


def measure(chances: FloatArray, codes: LongArray) -> Measured:
    """chances (n, labels) of held-out texts."""
    right = chances.argmax(axis=1) == codes
    n, accuracy = len(codes), float(right.mean())
    low, high = _wilson(accuracy, n)
    return Measured(
        accuracy=round(accuracy, 4),
        low=round(low, 4),
        high=round(high, 4),
        majority=round(float(np.bincount(codes).max() / n), 4),
        texts=n,
        calibration_error=round(calibration_error(chances.max(axis=1), right), 4),
    )


def judge(measured: Measured, right: BoolArray, in_use: BoolArray | None) -> Verdict:
    """right, in_use (n,): whether it, and the version in use, label a held-out text rightly."""
    refused = []
    if measured.low <= measured.majority:
        refused.append(
            f"it is not surely better than always the most frequent label: {measured.accuracy:.3f} "
            f"(from {measured.low:.3f} on) against {measured.majority:.3f}"
        )
    difference = None
    if in_use is not None:
        difference = _difference(right, in_use)
        if difference.mean < 0:
            refused.append(
                f"the version in use is better: {difference.mean:+.3f} "
                f"({difference.low:+.3f} to {difference.high:+.3f})"
            )
    return Verdict(measured, difference, refused)


def calibration_error(chances: FloatArray, right: BoolArray) -> float:
    """Expected calibration error over groups of equal size: chances (n,) of the label told."""
    order = np.argsort(chances, kind="stable")
    groups = np.array_split(order, min(_GROUPS, len(order)))
    errors = [abs(float(right[g].mean()) - float(chances[g].mean())) * len(g) for g in groups]
    return sum(errors) / len(order)


def _difference(right: BoolArray, in_use: BoolArray) -> Difference:
    each = right.astype(float) - in_use.astype(float)
    mean = float(each.mean())
    error = _Z * float(each.std(ddof=1)) / math.sqrt(len(each)) if len(each) > 1 else math.inf
    return Difference(mean, mean - error, mean + error)


def _wilson(share: float, n: int) -> tuple[float, float]:
    center = share + _Z**2 / (2 * n)
    spread = _Z * math.sqrt(share * (1 - share) / n + _Z**2 / (4 * n * n))
    whole = 1 + _Z**2 / n
    return max(0.0, (center - spread) / whole), min(1.0, (center + spread) / whole)
