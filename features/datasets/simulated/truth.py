"""What the simulated shop really is: the utility behind every click, for oracles and audits.

The model (docs/data.md has it in words), for shopper u with need n and item i:

    taste(u, i)  = type/3 + brand + colour + material + style tastes
                   - thrift_u * max(0, log relative price_i - price level_u) + quality_i
    match(n, i)  = 3.0 same type | 1.0 same group | 0.2 same department
                   + [same type or group] * (1.0 colour + 0.6 material + 0.8 brand as wished)
    utility      = taste + match - 5.0
    P(click | examined)         = sigmoid(utility)
    P(cart | click)             = 0.5 * sigmoid(utility)
    P(purchase | cart)          = 0.6 * sigmoid(1 + taste / 2)
    P(return | purchase)        = sigmoid(-1 - 0.8 taste + 0.7 [fashion])
    dwell after a click, seconds = exp(2.3 + 1.2 P(click | examined) + N(0, 0.7)), within 1..100;
                                  3 % leave before the page has loaded
    P(examined | position)      = 1 / position^0.7   (position-based model, Joachims et al. 2017)
"""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import ndtr

from features.arrays import BoolArray, DoubleArray, LongArray
from features.datasets.format import DatasetError
from features.datasets.simulated.catalog import ItemLatents
from features.datasets.simulated.shoppers import Needs, Sessions, ShopperLatents

EXAMINATION_POWER = 0.7
CART, BUY = 0.5, 0.6
SEEN = 0.97  # the rest leave before the page has loaded
DWELL_LOG, DWELL_SPREAD, DWELL_S = (2.3, 1.2), 0.7, (1.0, 100.0)
OFFSET = 5.0  # keeps a typical click rate near that of a shop


@dataclass(frozen=True, slots=True)
class Truth:
    """Everything an oracle may know and a model may not."""

    items: ItemLatents
    shoppers: ShopperLatents
    sessions: Sessions
    needs: Needs
    item_ids: npt.NDArray[np.str_]  # (n_items,) in the order of the latents
    session_ids: npt.NDArray[np.str_]  # (n_sessions,)
    # One row an impression: ranking_id, item_id, position, relevance = P(click | examined),
    # purchase = P(purchase | examined), shuffled = the slate was put in random order.
    impressions: pd.DataFrame


def oracle_relevance(
    truth: Truth, session_id: str, item_ids: list[str], slate: int = 0
) -> DoubleArray:
    """P(click | examined) of each item for this session: (n_items,), in the order asked.

    `slate`: which ranking of the session, from 0; its need may have moved on since the first.
    Raises KeyError for an id that the simulation does not know.
    """
    row = _row(truth.session_ids, session_id)
    items = np.array([_row(truth.item_ids, item_id) for item_id in item_ids], dtype=np.int64)
    rows = np.full(len(items), row)
    return sigmoid(
        utility(truth.shoppers, truth.items, truth.needs, truth.sessions.shopper[rows], rows,
                np.full(len(items), slate), items)
    )  # fmt: skip


def taste(
    shoppers: ShopperLatents, items: ItemLatents, shopper: LongArray, item: LongArray
) -> DoubleArray:
    """The lasting part of the utility; `shopper` and `item` are rows, broadcast together."""
    dear = np.maximum(0.0, items.relative_price[item] - shoppers.price_level[shopper])
    return np.asarray(
        shoppers.type[shopper, items.type[item]] / 3
        + shoppers.brand[shopper, items.brand[item]]
        + shoppers.colour[shopper, items.colour[item]]
        + shoppers.material[shopper, items.material[item]]
        + shoppers.style[shopper, items.style[item]]
        - shoppers.thrift[shopper] * dear
        + items.quality[item]
    )


def match(
    items: ItemLatents, needs: Needs, session: LongArray, slate: LongArray, item: LongArray
) -> DoubleArray:
    """The part of the utility that the need of the moment adds."""
    same_type = items.type[item] == needs.type[session, slate]
    same_group = items.group[item] == needs.group[session, slate]
    same_department = items.department[item] == needs.department[session, slate]
    level = np.where(same_type, 3.0, np.where(same_group, 1.0, np.where(same_department, 0.2, 0.0)))
    wished = (
        1.0 * (items.colour[item] == needs.colour[session, slate])
        + 0.6 * (items.material[item] == needs.material[session, slate])
        + 0.8 * (items.brand[item] == needs.brand[session, slate])
    )
    return np.asarray(level + same_group * wished)


def utility(
    shoppers: ShopperLatents, items: ItemLatents, needs: Needs,
    shopper: LongArray, session: LongArray, slate: LongArray, item: LongArray,
) -> DoubleArray:  # fmt: skip
    """taste + match - 5.0, for rows of equal shape."""
    return (
        taste(shoppers, items, shopper, item) + match(items, needs, session, slate, item) - OFFSET
    )


def examination(position: LongArray) -> DoubleArray:
    """P(examined | position), positions from 1."""
    return np.asarray(1.0 / position**EXAMINATION_POWER)


def sigmoid(values: DoubleArray) -> DoubleArray:
    """1 / (1 + exp(-x))."""
    return np.asarray(1.0 / (1.0 + np.exp(-values)))


def return_chance(liking: DoubleArray, fashion: BoolArray) -> DoubleArray:
    """P(return | purchase) for a taste."""
    return sigmoid(-1.0 - 0.8 * liking + 0.7 * fashion)


def long_view_chance(relevance: DoubleArray, at_least_s: float) -> DoubleArray:
    """P(dwell of at least so long | click)."""
    if not DWELL_S[0] < at_least_s <= DWELL_S[1]:
        return np.full(relevance.shape, SEEN if at_least_s <= DWELL_S[0] else 0.0)
    base, slope = DWELL_LOG
    longer = (np.log(at_least_s) - base - slope * relevance) / DWELL_SPREAD
    return np.asarray(SEEN * ndtr(-longer))


def write_truth(truth: Truth, folder: Path) -> None:
    """`truth.npz` (latents) and `truth.parquet` (impressions) in `folder`."""
    arrays: dict[str, Any] = {"item_ids": truth.item_ids, "session_ids": truth.session_ids}
    for part in _PARTS:
        values = getattr(truth, part)
        for field in fields(_PARTS[part]):
            array = getattr(values, field.name)
            compact = array.astype(np.float32) if part == "shoppers" else array
            arrays[f"{part}.{field.name}"] = compact
    np.savez_compressed(folder / "truth.npz", **arrays)
    truth.impressions.to_parquet(folder / "truth.parquet", compression="zstd", index=False)


def read_truth(folder: Path) -> Truth:
    """What `write_truth` wrote; tastes come back as float32. Raises DatasetError."""
    try:
        with np.load(folder / "truth.npz") as stored:
            parts = {
                part: kind(**{field.name: stored[f"{part}.{field.name}"] for field in fields(kind)})
                for part, kind in _PARTS.items()
            }
            ids = (stored["item_ids"], stored["session_ids"])
        impressions = pd.read_parquet(folder / "truth.parquet")
    except Exception as error:  # numpy and pyarrow raise several unrelated kinds
        raise DatasetError(f"{folder}/truth: cannot be read ({type(error).__name__})") from error
    return Truth(**parts, item_ids=ids[0], session_ids=ids[1], impressions=impressions)


_PARTS = {
    "items": ItemLatents, "shoppers": ShopperLatents, "sessions": Sessions, "needs": Needs
}  # fmt: skip


def _row(ids: npt.NDArray[np.str_], wanted: str) -> int:
    # Ids are zero-padded and numbered in order, so the array is sorted.
    row = int(np.searchsorted(ids, wanted))
    if row == len(ids) or ids[row] != wanted:
        raise KeyError(wanted)
    return row
