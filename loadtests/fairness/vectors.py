"""Households as the ranker knows them: vectors of their state at the end of the log."""

from collections.abc import Mapping, Sequence
from itertools import islice

import numpy as np
from rich.progress import Progress

from features.arrays import FloatArray
from features.behavior.aggregator import Aggregator, uncollected
from features.behavior.history import ItemHistory
from features.behavior.replay import fold_all, item_table
from features.behavior.state import BehaviorState
from features.catalog.counters import DAY_S
from features.catalog.table import ItemTable
from features.datasets.event_rows import behavior_events
from features.datasets.format import Dataset
from loadtests.fairness.measures import Array
from serving.models.runtime.scoring import RECENCY_DECAY
from serving.training.data.slates import LIMITS
from serving.training.evaluate.int8_vectors import int8_vectors
from serving.training.fit.bundle import Bundle

LEAST = 25  # households that a taste must have to be a column: rarer ones tell a household apart


def household_vectors(
    dataset: Dataset, bundle: Bundle, progress: Progress | None = None
) -> tuple[tuple[str, ...], dict[str, Array]]:
    """Names of all households (n,), and their vectors (n, d) by kind.

    amounts: how much, how often, how dearly; taste: shares of categories and brands; text: what the
    model server makes of the history, vectors by BERT; all: these together
    """
    items = item_table(dataset)
    states = final_states(dataset, items, progress)
    now_s = float(dataset.events["at"].max())
    texts = [item.ranker_text for item in items.items]
    vectors = int8_vectors(bundle.folder, texts, int(bundle.training["max_tokens"]))
    found = {
        "amounts": np.array([_amounts(state, now_s) for state in states.values()]),
        "taste": tastes(list(states.values())),
        "text": np.array([household_text(state, items, vectors) for state in states.values()]),
    }
    found["all"] = np.concatenate(list(found.values()), axis=1)
    return tuple(states), found


def final_states(
    dataset: Dataset, items: ItemTable, progress: Progress | None = None
) -> dict[str, BehaviorState]:
    """What is known of each household that bought something, after the last event."""
    found, n = Aggregator(items.row_of, items.facts), len(dataset.events)
    task = progress.add_task("fold", total=n) if progress else None
    source, done = behavior_events(dataset.events), 0
    while done < n:
        with uncollected():
            done = fold_all(found, islice(source, 50_000), done)
        if progress is not None and task is not None:
            progress.update(task, completed=done)
    return {name: state for name, state in found.users.items() if state.bought}


def _amounts(state: BehaviorState, now_s: float) -> list[float]:
    times = np.array([each[0] for each in state.bought.values()])
    spent = sum(each[3] for each in state.bought.values())
    weight = max(state.price_weight, 1e-9)
    mean = state.price_sum / weight
    spread = max(state.price_square_sum / weight - mean**2, 0.0) ** 0.5
    days = (state.last_s - state.first_s) / DAY_S
    return [
        float(np.log1p(state.n_interactions)), float(np.log1p(len(times))),
        float(np.log1p(max(times.sum(), 0.0))), float(np.log1p(max(spent, 0.0))),
        float((times > 1).mean()), mean, spread, days, (now_s - state.last_s) / DAY_S,
    ]  # fmt: skip


def tastes(states: Sequence[BehaviorState]) -> Array:
    """Square roots of shares, of categories and of brands."""
    kinds = [[state.categories for state in states], [state.brands for state in states]]
    return np.concatenate([_shares(each) for each in kinds], axis=1)


def _shares(weights: Sequence[Mapping[str, float]]) -> Array:
    names, counts = np.unique([name for each in weights for name in each], return_counts=True)
    place = {str(name): column for column, name in enumerate(names[counts >= LEAST])}
    out = np.zeros((len(weights), len(place)))
    for row, each in enumerate(weights):
        whole = sum(max(weight, 0.0) for weight in each.values()) or 1.0
        for name, weight in each.items():
            if name in place:
                out[row, place[name]] = max(weight, 0.0) / whole
    return np.sqrt(out)


def household_text(state: BehaviorState, items: ItemTable, vectors: FloatArray) -> Array:
    """What recent items are like, as runtime/scoring.py has it, and purchases by their number."""
    history = ItemHistory.of(state, items)
    recent = history.recent[history.recent >= 0][: LIMITS.user_history]
    known = history.bought >= 0
    bought = history.bought[known][-LIMITS.bought_history :]
    times = history.purchases[known, 0][-LIMITS.bought_history :]
    profiles = (
        RECENCY_DECAY ** np.arange(len(recent)) @ vectors[recent],
        np.maximum(times, 0.0) @ vectors[bought],
    )
    return np.concatenate([each / (np.linalg.norm(each) + 1e-9) for each in profiles])
