"""A policy's value from another policy's log, with intervals over shoppers and its support."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict

from features.arrays import DoubleArray
from serving.experiments.ope.estimators import (
    PLAIN,
    WITH_MODEL,
    Form,
    Sums,
    Weights,
    on_policy,
    sums_by_shopper,
    weights,
)
from serving.experiments.ope.slates import LoggedSlates, OpeRefusedError
from serving.experiments.ope.support import LEAST_EFFECTIVE, Support, support

CLIP = 100.0
DRAWS = 1_000
_AT_ONCE = 4_000_000  # counts of shoppers held at a time
Estimator = Callable[[Sums], DoubleArray]


class Value(BaseModel):
    """Reward per ranking, with its 95 % interval."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    value: float
    low: float
    high: float


class PolicyValue(BaseModel):
    """What a policy would have earned. `estimates` is empty when the log cannot say: `refused`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    policy: str
    form: Form
    clip: float
    logged: Value  # of the policy that logged
    estimates: dict[str, Value] = {}
    gains: dict[str, Value] = {}  # estimate minus logged, paired over shoppers
    support: Support | None = None
    refused: str | None = None


class Bootstrap(NamedTuple):
    """Sums of all shoppers (1, ...), and of draws of as many shoppers with replacement."""

    whole: Sums
    draws: list[Sums]


def evaluate(
    slates: LoggedSlates,
    form: Form,
    policy: str = "target",
    clip: float = CLIP,
    floor: float = LEAST_EFFECTIVE,
    seed: int = 0,
    draws: int = DRAWS,
) -> PolicyValue:
    """Evaluate; a log without enough support is answered by `refused`, never by a figure."""
    told: Support | None = None
    try:
        of = weights(slates, form)
        told = support(slates, of, clip)
        told.refuse(floor)
    except OpeRefusedError as error:
        ones = np.ones(slates.shown.shape)
        sums = sums_by_shopper(slates, Weights(ones, ones), clip)
        return PolicyValue(
            policy=policy, form=form, clip=clip, support=told, refused=str(error),
            logged=_value(bootstrap(sums, seed, draws), on_policy),
        )  # fmt: skip
    drawn = bootstrap(sums_by_shopper(slates, of, clip), seed, draws)
    named = {**PLAIN, **(WITH_MODEL if slates.has_model else {})}
    return PolicyValue(
        policy=policy,
        form=form,
        clip=clip,
        logged=_value(drawn, on_policy),
        estimates={name: _value(drawn, of_policy) for name, of_policy in named.items()},
        gains={name: _value(drawn, _gain(of_policy)) for name, of_policy in named.items()},
        support=told,
    )


def bootstrap(sums: Sums, seed: int, draws: int) -> Bootstrap:
    """Draw shoppers, not rankings: those of one shopper are alike."""
    rng = np.random.default_rng(seed)
    n = len(sums.rankings)
    size = max(1, _AT_ONCE // n)
    parts = []
    for start in range(0, draws, size):
        counts = rng.multinomial(n, np.full(n, 1 / n), min(size, draws - start))
        parts.append(sums.drawn(counts.astype(np.float64)))
    return Bootstrap(sums.drawn(np.ones((1, n))), parts)


def _gain(estimator: Estimator) -> Estimator:
    def gain(sums: Sums) -> DoubleArray:
        difference: DoubleArray = estimator(sums) - on_policy(sums)
        return difference

    return gain


def _value(drawn: Bootstrap, estimator: Estimator) -> Value:
    values = np.concatenate([estimator(part) for part in drawn.draws])
    low, high = np.quantile(values, [0.025, 0.975])
    return Value(value=float(estimator(drawn.whole)[0]), low=float(low), high=float(high))
