"""Whether a shopper's rankings tell what the shopper has bought.

Items that a household owns stand beside as many that it never bought and that sell as well. Whoever
may ask for the household's ranking reads its order.
"""

from dataclasses import dataclass

import numpy as np
from rich.progress import Progress

from features.arrays import FloatArray, RowArray
from features.behavior.matrix import COLUMN, SESSION_FEATURES, USER_FEATURES
from features.behavior.replay import item_table
from features.datasets.format import Dataset
from loadtests.privacy.attacks import Attack, attack
from serving.models.runtime.scoring import TEXT_FEATURES
from serving.training.data.baskets import baskets, position_at
from serving.training.data.cases import Case, Draw
from serving.training.data.plans import make_plan
from serving.training.data.slate_building import build_slates
from serving.training.data.slates import Slates
from serving.training.evaluate.int8_vectors import int8_vectors
from serving.training.fit.bundle import Bundle
from serving.training.fit.columns import columns, split_vectors

MOST = 40  # items of a household
LEAST = 10
OF_A_PERSON = [
    COLUMN[name]
    for name in (*USER_FEATURES, *SESSION_FEATURES, "user_interactions", "user_idle_days",
                 "session_interactions")
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Leading:
    """What leads the ranking of a whole catalogue: the share that the shopper has bought before."""

    ranker: str
    owned_of_20: float
    by_chance: float


def reconstruction(
    dataset: Dataset, bundle: Bundle, n_shoppers: int, seed: int, progress: Progress
) -> tuple[list[Attack], list[Leading]]:
    """Attacks on the histories of `n_shoppers` households, as they stood when the test begins."""
    items = item_table(dataset)
    options = bundle.training["options"]
    plan = make_plan(dataset, items, int(options["seed"]), int(options["n_train"]))
    rng = np.random.default_rng(seed)
    at_s, position = plan.test_from_s, position_at(dataset, plan.test_from_s)
    owned: dict[str, set[int]] = {}
    sold = np.zeros(len(items))
    for basket in baskets(dataset, items):
        if basket.at_s < at_s:
            owned.setdefault(basket.user_id, set()).update(basket.rows.tolist())
            sold[basket.rows] += 1
    users = sorted(user for user, rows in owned.items() if len(rows) >= LEAST)
    users = [users[i] for i in np.sort(rng.permutation(len(users))[:n_shoppers]).tolist()]
    by_sales = np.argsort(-sold, kind="stable")
    pairs = [beside(np.array(sorted(owned[user])), by_sales, rng) for user in users]
    cases = [
        Case(position, at_s, user, rows=rows, labels=labels, weights=np.ones_like(labels))
        for user, (rows, labels) in zip(users, pairs, strict=True)
    ]
    whole = [Case(position, at_s, user, draw=Draw(catalogue=True)) for user in users[:100]]
    slates = build_slates(dataset, items, [*cases, *whole], seed, progress, plan.refresh_s)
    texts = [item.ranker_text for item in items.items]
    vectors = split_vectors(int8_vectors(bundle.folder, texts, bundle.training["max_tokens"]), [])
    features = columns(slates, *vectors)
    impersonal = features.copy()
    impersonal[:, OF_A_PERSON] = np.nan
    impersonal[:, -len(TEXT_FEATURES) :] = np.nan
    scores = {
        "the household's ranking": bundle.scores(features),
        "the ranking without the household": bundle.scores(impersonal),
        "what sells": np.nan_to_num(features[:, COLUMN["item_purchase_120d"]], nan=-1.0),
    }
    first, rest = np.arange(len(cases)), np.arange(len(cases), len(slates))
    end = slates.offsets[len(cases)]
    return (
        [_attack(name, slates.take(first), raw[:end]) for name, raw in scores.items()],
        [
            _leading(name, slates.take(rest), raw[end:], [owned[c.user_id] for c in whole])
            for name, raw in scores.items()
        ],
    )


def beside(
    owned: RowArray, by_sales: RowArray, rng: np.random.Generator
) -> tuple[RowArray, FloatArray]:
    """Items of a household, each with the nearest in sales that it never bought; labels 1 and 0."""
    chosen = rng.permutation(owned)[:MOST]
    has = np.isin(by_sales, owned)
    place_of = {int(row): place for place, row in enumerate(by_sales)}
    free = np.flatnonzero(~has)
    taken: list[int] = []
    for row in chosen.tolist():
        nearest = np.argsort(np.abs(free - place_of[row]), kind="stable")[: len(taken) + 1]
        taken.append(next(int(p) for p in free[nearest] if int(p) not in taken))
    rows = np.concatenate([chosen, by_sales[taken]])
    return rows, np.repeat([1.0, 0.0], len(chosen)).astype(np.float32)


def _attack(name: str, slates: Slates, scores: FloatArray) -> Attack:
    """All pairs of owned and other items; a score is read within its own slate, as a place."""
    places = np.empty(len(scores), np.float32)
    for index in range(len(slates)):
        part = slates.part(index)
        places[part] = scores[part].argsort(kind="stable").argsort(kind="stable")
        places[part] /= max(part.stop - part.start - 1, 1)
    return attack(name, places[slates.labels > 0], places[slates.labels == 0])


def _leading(name: str, slates: Slates, scores: FloatArray, owned: list[set[int]]) -> Leading:
    shares, chance = [], []
    for index, rows in enumerate(owned):
        part = slates.part(index)
        best = np.argsort(-scores[part], kind="stable")[:20]
        shares.append(np.isin(slates.item_rows[part][best], list(rows)).mean())
        chance.append(np.isin(slates.item_rows[part], list(rows)).mean())
    return Leading(name, float(np.mean(shares)), float(np.mean(chance)))
