"""A simulated shop with clicks, carts and searches: no licensed log of these has item text.

The numbers it yields say whether the machinery learns what is there to be learned; they say nothing
about real shoppers. docs/data.md has the model, simulated_truth.py its formulas.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from features.datasets.columns import conform
from features.datasets.event_rows import EVENT_COLUMNS
from features.datasets.format import Dataset, DatasetError, DatasetInfo, write_dataset
from features.datasets.simulated.behaviour import (
    Actions,
    Queries,
    Slates,
    draw_queries,
    play_day,
)
from features.datasets.simulated.catalog import category_tree, draw_catalog
from features.datasets.simulated.shoppers import (
    DAY_S,
    draw_needs,
    draw_sessions,
    draw_shoppers,
)
from features.datasets.simulated.truth import Truth, write_truth

START_S = 1_735_689_600.0 + 5 * DAY_S  # Monday 2025-01-06 00:00 UTC
INFO = DatasetInfo(
    name="simulated",
    source="SIMULATED shoppers and items (features/datasets/simulated): no real behaviour",
    licence="CC0",
    currency="USD",
    replay="shift_to_now",
    simulated=True,
)


@dataclass(frozen=True, slots=True)
class Simulation:
    """The log as a shop would have it, and the truth behind it."""

    dataset: Dataset
    truth: Truth


def simulate(
    seed: int = 7,
    n_items: int = 2_000,
    n_shoppers: int = 500,
    n_sessions: int = 20_000,
    days: int = 60,
) -> Simulation:
    """The same arguments give the same frames, with the same NumPy.

    Raises DatasetError when there are too few of anything to fill a slate.
    """
    if n_items < 100 or n_shoppers < 1 or n_sessions < 1 or days < 1:
        raise DatasetError("simulated: needs at least 100 items and 1 shopper, session and day")
    rng = np.random.default_rng(seed)
    tree = category_tree()
    items, latents = draw_catalog(rng, tree, n_items, START_S, START_S + days * DAY_S)
    sessions = draw_sessions(rng, n_shoppers, n_sessions, days, START_S)
    shoppers = draw_shoppers(rng, tree, max(n_shoppers, int(sessions.shopper.max()) + 1))
    needs = draw_needs(rng, tree, shoppers, sessions, days)
    truth = Truth(
        latents, shoppers, sessions, needs,
        item_ids=np.array(items["item_id"].tolist()),
        session_ids=np.array([f"s{row:06d}" for row in range(n_sessions)]),
        impressions=pd.DataFrame(),
    )  # fmt: skip
    queries = draw_queries(rng, tree, needs)
    prices = items["price"].to_numpy()
    created_at = items["created_at"].fillna(0.0).to_numpy()
    # What sold before the log began: quality and luck. A later launch starts from nothing.
    popularity = np.exp(0.5 * latents.quality + rng.normal(0, 0.7, n_items)) * (created_at == 0)
    day_of = ((sessions.start_s - START_S) // DAY_S).astype(int)
    slates: list[Slates] = []
    actions: list[Actions] = []
    for day in range(days):
        available = created_at <= START_S + day * DAY_S
        today = np.flatnonzero(day_of == day)
        shown, done, popularity = play_day(
            rng, truth, queries, prices, available, popularity, today
        )
        slates += shown
        actions += done
    events = _events(truth, queries, actions, n_shoppers, START_S + days * DAY_S)
    truth = replace(truth, impressions=_impressions(truth, slates))
    return Simulation(Dataset(INFO, items, events), truth)


def write_simulation(simulation: Simulation, folder: Path) -> None:
    """The data set's folder, with `truth.npz` and `truth.parquet` beside its tables."""
    write_dataset(simulation.dataset, folder)
    write_truth(simulation.truth, folder)


def _events(
    truth: Truth, queries: Queries, actions: list[Actions], n_shoppers: int, end_s: float
) -> pd.DataFrame:
    kind = np.concatenate([part.type for part in actions])
    at = np.round(np.concatenate([part.at for part in actions]), 3)
    session = np.concatenate([part.session for part in actions])
    slate = np.concatenate([part.slate for part in actions])
    item = np.concatenate([part.item for part in actions])
    is_return = kind == "return"
    # A return is no part of the visit that bought it: it comes alone, days later.
    session_id = np.where(is_return, "", truth.session_ids.astype(object)[session])
    users = np.array([f"shopper-{row:05d}" for row in range(len(truth.shoppers.thrift))], object)
    user_id = np.where(truth.sessions.is_guest[session], "", users[truth.sessions.shopper[session]])
    rankings = truth.session_ids.astype(object)[:, None] + np.array(
        [f"-{number + 1}" for number in range(truth.needs.type.shape[1])], dtype=object
    )
    item_id = np.where(item >= 0, truth.item_ids.astype(object)[item], "")
    events = pd.DataFrame(
        {
            "type": kind.astype(object),
            "at": at,
            "user_id": user_id,
            "session_id": session_id,
            "item_id": item_id,
            "query": queries.text[session, slate],
            "ranking_id": np.where(is_return, "", rankings[session, slate]),
            "position": np.where(is_return, 0, np.concatenate([p.position for p in actions])),
            "value": np.concatenate([part.value for part in actions]),
            "dwell_ms": np.concatenate([part.dwell_ms for part in actions]),
        }
    )
    # The query stands on the search and on what it showed; later steps find it by ranking_id.
    events.loc[~events["type"].isin(["search", "impression", "click"]), "query"] = ""
    events = events[at < end_s].sort_values("at", kind="stable", ignore_index=True)
    events["event_id"] = [f"sim-{row:07d}" for row in range(len(events))]
    return conform(events, EVENT_COLUMNS)


def _impressions(truth: Truth, slates: list[Slates]) -> pd.DataFrame:
    size = slates[0].items.shape[1]
    session = np.concatenate([part.session for part in slates])
    number = np.concatenate([part.number for part in slates])
    order = np.lexsort((number, session))
    ids = [
        f"{name}-{slate + 1}"
        for name, slate in zip(truth.session_ids[session[order]], number[order], strict=True)
    ]

    def flat(name: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return np.asarray(np.concatenate([getattr(part, name) for part in slates])[order].ravel())

    return pd.DataFrame(
        {
            "ranking_id": np.repeat(np.array(ids, dtype=object), size),
            "item_id": truth.item_ids.astype(object)[flat("items").astype(np.int64)],
            "position": np.tile(np.arange(1, size + 1, dtype=np.int32), len(ids)),
            "relevance": flat("relevance").astype(np.float32),
            "purchase": flat("purchase").astype(np.float32),
            "shuffled": np.repeat(np.concatenate([p.shuffled for p in slates])[order], size),
        }
    )
