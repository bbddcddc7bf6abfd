"""Simulated shoppers: lasting tastes, and the need of the moment that brings them in."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from features.arrays import DoubleArray, LongArray
from features.datasets.simulated.catalog import BRAND_NAMES, MATERIALS, Tree
from features.datasets.simulated.words import BRANDS, COLOURS, STYLES

DAY_S = 86_400.0
GUEST_SHARE = 0.15  # sessions without a user id
NEW_SHARE = 0.10  # sessions whose shopper was never seen before
CONTINUED_SHARE = 0.3  # sessions that carry on the need of the shopper's last one
MAX_SLATES = 6
DRIFT = 0.25  # chance that the need moves on between two slates of a session


@dataclass(frozen=True, slots=True)
class ShopperLatents:
    """Arrays over shoppers; tastes are in utility units, a row per shopper."""

    type: DoubleArray  # (n, n_types) leaf and department taste together
    brand: DoubleArray  # (n, n_brands)
    colour: DoubleArray  # (n, n_colours)
    material: DoubleArray  # (n, n_materials)
    style: DoubleArray  # (n, n_styles)
    thrift: DoubleArray  # (n,) utility lost per unit of log price above the accepted level
    price_level: DoubleArray  # (n,) accepted log price relative to the type's usual one


@dataclass(frozen=True, slots=True)
class Sessions:
    """Arrays over sessions, in order of start."""

    shopper: LongArray
    is_guest: np.ndarray[tuple[int], np.dtype[np.bool_]]
    start_s: DoubleArray
    n_slates: LongArray


@dataclass(frozen=True, slots=True)
class Needs:
    """What is wanted at each slate of each session: (n_sessions, MAX_SLATES); -1 = any."""

    type: LongArray
    group: LongArray  # of the type
    department: LongArray  # of the type
    colour: LongArray
    material: LongArray
    brand: LongArray


def draw_shoppers(rng: np.random.Generator, tree: Tree, n: int) -> ShopperLatents:
    """Independent normal tastes; scales: department 0.6, type 0.42, brand 0.42, colour 0.42,
    material 0.3, style 0.42; thrift lognormal(0, 0.4), price level N(0, 0.35)."""
    department = rng.normal(0, 0.6, (n, len(BRANDS)))
    return ShopperLatents(
        type=department[:, tree.department] + rng.normal(0, 0.42, (n, len(tree.names))),
        brand=rng.normal(0, 0.42, (n, len(BRAND_NAMES))),
        colour=rng.normal(0, 0.42, (n, len(COLOURS))),
        material=rng.normal(0, 0.3, (n, len(MATERIALS))),
        style=rng.normal(0, 0.42, (n, len(STYLES))),
        thrift=np.exp(rng.normal(0, 0.4, n)),
        price_level=rng.normal(0, 0.35, n),
    )


def draw_sessions(
    rng: np.random.Generator, n_shoppers: int, n_sessions: int, days: int, start_s: float
) -> Sessions:
    """Sessions spread over days and hours (evenings busiest), 1 to 6 slates each.

    Shoppers 0..n_shoppers-1 are regulars, drawn by lognormal(0, 1) activity. Every new or guest
    session has a shopper of its own behind them, numbered on in order of start.
    """
    day = rng.integers(0, days, n_sessions)
    hour = np.clip(rng.normal(17, 4.5, n_sessions), 0, 23.5) * 3600
    start = np.sort(start_s + day * DAY_S + hour + rng.random(n_sessions) * 1200)
    activity = np.exp(rng.normal(0, 1.0, n_shoppers))
    shopper = rng.choice(n_shoppers, n_sessions, p=activity / activity.sum())
    lot = rng.random(n_sessions)
    is_guest = lot < GUEST_SHARE
    alone = lot < GUEST_SHARE + NEW_SHARE
    shopper[alone] = n_shoppers + np.arange(alone.sum())
    n_slates = np.minimum(rng.geometric(0.35, n_sessions), MAX_SLATES)
    return Sessions(shopper, is_guest, np.round(start), n_slates)


def draw_needs(
    rng: np.random.Generator, tree: Tree, shoppers: ShopperLatents, sessions: Sessions, days: int
) -> Needs:
    """The need of each slate.

    P(type | shopper, week) = softmax(taste + trend of the week); the trend of a type is a random
    walk of step 0.25 a week. A colour is wanted in half the needs, a material in a quarter, a brand
    in an eighth, each by softmax(1.5 x taste). Three in ten sessions carry on the last need. From
    slate to slate a need moves on with chance 1/4: to another type of its group or, as often, to
    other wishes for the same type.
    """
    n = len(sessions.shopper)
    week = ((sessions.start_s - sessions.start_s.min()) // (7 * DAY_S)).astype(int)
    trend = np.cumsum(rng.normal(0, 0.25, (days // 7 + 2, len(tree.names))), axis=0)
    kind = _softmax_draw(rng, shoppers.type[sessions.shopper] + trend[week])
    colour, material, brand = _wishes(rng, tree, shoppers, sessions.shopper, kind)
    carried = rng.random(n) < CONTINUED_SHARE
    source = _last_own_need(sessions.shopper, carried)
    kind, colour, material, brand = (part[source] for part in (kind, colour, material, brand))
    steps = [(kind, colour, material, brand)]
    for _ in range(1, MAX_SLATES):
        lot = rng.random(n)
        siblings = np.where(tree.group == tree.group[kind][:, None], 0.0, -np.inf)
        kind = np.where(lot < DRIFT / 2, _softmax_draw(rng, siblings), kind)
        wishes = _wishes(rng, tree, shoppers, sessions.shopper, kind)
        colour, material, brand = (
            np.where(lot < DRIFT, new, old)
            for new, old in zip(wishes, (colour, material, brand), strict=True)
        )
        steps.append((kind, colour, material, brand))
    kinds, colours, materials, brands = (
        np.stack([step[part] for step in steps], axis=1) for part in range(4)
    )
    return Needs(kinds, tree.group[kinds], tree.department[kinds], colours, materials, brands)


def _wishes(
    rng: np.random.Generator,
    tree: Tree,
    shoppers: ShopperLatents,
    shopper: LongArray,
    kind: LongArray,
) -> tuple[LongArray, LongArray, LongArray]:
    n = len(shopper)
    colour = _softmax_draw(rng, 1.5 * shoppers.colour[shopper])
    possible = np.where(tree.materials[kind], 0.0, -np.inf)
    material = _softmax_draw(rng, 1.5 * shoppers.material[shopper] + possible)
    per_department = len(BRAND_NAMES) // len(BRANDS)
    sold = np.arange(len(BRAND_NAMES)) // per_department == tree.department[kind][:, None]
    brand = _softmax_draw(rng, 1.5 * shoppers.brand[shopper] + np.where(sold, 0.0, -np.inf))
    return (
        np.where(rng.random(n) < 0.5, colour, -1),
        np.where(rng.random(n) < 0.25, material, -1),
        np.where(rng.random(n) < 0.125, brand, -1),
    )


def _last_own_need(
    shopper: LongArray, carried: np.ndarray[tuple[int], np.dtype[np.bool_]]
) -> LongArray:
    """Row of the session whose need each has: its own, or the shopper's last one not carried."""
    own = pd.Series(np.where(carried, np.nan, np.arange(len(shopper))))
    source = own.groupby(shopper).ffill().to_numpy()
    return np.where(np.isnan(source), np.arange(len(shopper)), source).astype(np.int64)


def _softmax_draw(rng: np.random.Generator, logits: DoubleArray) -> LongArray:
    """One draw a row from softmax(logits), by the Gumbel-max trick; -inf is never drawn."""
    return np.asarray((logits + rng.gumbel(size=logits.shape)).argmax(axis=1))
