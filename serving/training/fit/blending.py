"""The weights with which head and forest are added up, chosen on the validation period."""

from collections.abc import Mapping, Sequence

import numpy as np

from features.arrays import FloatArray
from serving.models.runtime.ranking import Member
from serving.training.data.slates import Slates
from serving.training.quality import quality

BLEND_STEPS = 10


def blend(parts: Mapping[str, FloatArray], members: Sequence[Member]) -> FloatArray:
    """The final score (R,), from the raw scores of each member by name."""
    total = np.zeros(len(next(iter(parts.values()))), np.float32)
    for member in members:
        total += member.contribution(parts[member.name])
    return total


def choose_blend(
    parts: dict[str, FloatArray], slates: Slates
) -> tuple[tuple[Member, ...], dict[str, float]]:
    """Weights that do well on `slates`, and the NDCG@10 there of each member and of the blend.

    parts: raw scores (R,) of "head" and "forest". Of all weights within one standard error (paired)
    of the best, the most even ones are taken: the slates are few, and two members err less than
    one (Breiman et al., 1984, the one-standard-error rule).
    """

    def members(share: float) -> tuple[Member, ...]:
        return tuple(
            Member(name, weight, float(parts[name].mean()), float(parts[name].std()) + 1e-9)
            for name, weight in (("head", share), ("forest", 1 - share))
        )

    shares = np.linspace(0, 1, BLEND_STEPS + 1).round(3).tolist()
    ndcgs = np.stack(
        [
            quality(blend(parts, members(share)), slates.labels, slates.offsets).ndcg
            for share in shares
        ]
    )
    means = np.nanmean(ndcgs, axis=1)
    lost = ndcgs[means.argmax()] - ndcgs
    known = np.maximum((~np.isnan(lost)).sum(axis=1), 1)
    error = np.nanstd(lost, axis=1) / np.sqrt(known)
    good = np.flatnonzero(np.nanmean(lost, axis=1) <= error)
    chosen = min(good.tolist(), key=lambda step: abs(shares[step] - 0.5))
    figures = {"forest": means[0], "head": means[-1], "blend": means[chosen]}
    return members(shares[chosen]), {name: float(value) for name, value in figures.items()}
