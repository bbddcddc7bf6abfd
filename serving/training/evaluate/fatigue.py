"""What the rule `fatigue` does to what is seen in ten visits, and to the quality of a slate.

    python -m serving.training.evaluate.fatigue --bundle serving/training/bundles/starting

Visits: known shoppers come once a day from the cut on, before the test period, look at ten
recommendations and take up none. Candidates and scores are as of the cut; the impressions are
folded. Quality: logged slates of the test period without a query, by their true relevance, with the
impressions that the log had by then.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from features.arrays import FloatArray, RowArray
from features.behavior.matrix import Shopper
from features.behavior.replay import Stop, item_table, replay
from features.behavior.state import USER_BOUNDS, BehaviorState
from features.behavior.state_rows import StateRow
from features.behavior.unwanted import see
from features.catalog.counters import DAY_S
from features.catalog.table import ItemTable
from features.datasets.format import Dataset
from features.datasets.registry import load
from serving.ranking.request import Context
from serving.ranking.slate.policy import SlatePolicy
from serving.ranking.values import Candidates, FeatureMatrix
from serving.search.retrieval import Retrieval
from serving.shops.rules import Rules
from serving.training.data.baskets import position_at
from serving.training.data.cases import Case
from serving.training.data.plans import make_plan
from serving.training.data.slate_building import build_slates
from serving.training.data.slates import Slates
from serving.training.evaluate import baselines
from serving.training.evaluate.companions import N_CANDIDATES, SEED, Catalogue
from serving.training.evaluate.test_sets import simulated_test_sets
from serving.training.fit.bundle import Bundle
from serving.training.fit.columns import columns
from serving.training.quality import interval, quality

VISITS, DEPTH = 10, 10
LEAST_INTERACTIONS = 2  # of a shopper whom the model ranks for
RULES = [(1.0, 0.0), *((after, strength) for after in (1.0, 3.0) for strength in (0.5, 1.0, 2.0))]


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", default="simulated", help="with impressions and their truth")
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--cache", type=Path, default=Path("build/data"))
    parser.add_argument("--shoppers", type=int, default=200)
    given = parser.parse_args(arguments)
    dataset, bundle = load(given.data, given.cache), Bundle(given.bundle)
    items, console = item_table(dataset), Console()
    plan = make_plan(dataset, items, SEED, 1)
    vectors = bundle.tower().encode([item.ranker_text for item in items.items])
    _, by_truth = simulated_test_sets(dataset, items, plan, SEED)
    logged = [case for case in by_truth.cases if not case.query]
    with Progress(console=console) as progress:
        visits = _visits(dataset, items, plan.test_from_s, vectors, given.shoppers, progress)
        cases = [*visits, *logged]
        shoppers = _shoppers(dataset, items, cases, progress)
        slates = build_slates(dataset, items, cases, SEED, progress)
    scores = {
        "rules": baselines.by_rules(items)(slates, np.zeros((0, 0), np.float32)),
        "model": bundle.scores(columns(slates, vectors, {})),
    }
    first = Slate.all(items, slates, shoppers)
    console.print(_seen(first[: len(visits)], scores))
    console.print(_quality(first[len(visits) :], scores, slates, len(visits)))


class Slate:
    """One slate, to be put in order again and again. part: its place among all rows."""

    def __init__(self, items: ItemTable, slates: Slates, index: int, shopper: Shopper) -> None:
        self.part, self.shopper, self.at_s = slates.part(index), shopper, float(slates.at_s[index])
        self._items, self._policy = items, SlatePolicy(np.random.default_rng(SEED))
        rows = slates.item_rows[self.part]
        nothing = np.full(len(rows), np.nan, np.float32)
        self.item_ids = [items.item_ids[row] for row in rows.tolist()]
        self._candidates = Candidates(self.item_ids, rows, nothing)
        self._features = FeatureMatrix(
            rows, slates.features[self.part], items.category[rows], items.brand[rows], nothing
        )

    @staticmethod
    def all(items: ItemTable, slates: Slates, shoppers: Sequence[Shopper]) -> "list[Slate]":
        """Those of `slates`, in order."""
        return [Slate(items, slates, index, shopper) for index, shopper in enumerate(shoppers)]

    def order(
        self, scores: FloatArray, rule: tuple[float, float], shopper: Shopper, at_s: float
    ) -> RowArray:
        """Indices of the slate's candidates, best first, by the shop's usual rules and `rule`."""
        after, strength = rule
        rules = Rules.model_validate(
            {"fatigue": {"after": after, "strength": strength}, "exploration": {"share": 0}}
        )
        context = Context("", at_s, 0.0)
        return self._policy.order(
            self._items, rules, context, self._candidates, self._features, scores[self.part],
            shopper=shopper,
        ).order  # fmt: skip


def _visits(
    dataset: Dataset,
    items: ItemTable,
    cut_s: float,
    vectors: FloatArray,
    n: int,
    progress: Progress,
) -> list[Case]:
    """Recommendations as of `cut_s` for `n` shoppers who are known by then."""
    position = position_at(dataset, cut_s)
    (stop,) = replay(dataset, items, np.array([position]), progress)
    by_text = {item.ranker_text: vectors[row] for row, item in enumerate(items.items)}
    catalogue = Catalogue(stop.items, stop.state.items, by_text)
    retrieval = Retrieval(catalogue, catalogue)
    retrieval.update_vectors(np.arange(len(items)))
    retrieval.refresh_popularity(cut_s)
    users = stop.state.users
    known = [key for key, user in users.items() if user.n_interactions >= LEAST_INTERACTIONS]
    chosen = np.random.default_rng(SEED).permutation(len(known))[:n]
    return [_recommended(retrieval, stop, known[index], cut_s) for index in np.sort(chosen)]


def _recommended(retrieval: Retrieval, stop: Stop, user_id: str, at_s: float) -> Case:
    shopper = Shopper(stop.state.users[user_id])
    found = retrieval.recommend(shopper, (), None, N_CANDIDATES)
    ones = np.ones(len(found.rows), np.float32)
    return Case(
        stop.position, at_s, user_id, rows=found.rows, labels=0 * ones, weights=ones,
        retrieval_score=found.score,
    )  # fmt: skip


def _shoppers(
    dataset: Dataset, items: ItemTable, cases: Sequence[Case], progress: Progress
) -> list[Shopper]:
    """Who asks in each case, as of its time."""
    found: dict[int, Shopper] = {}
    positions = np.array([case.position for case in cases], np.int64)
    for stop in replay(dataset, items, positions, progress):
        case, state = cases[stop.index], stop.state
        user, session = state.users.get(case.user_id), state.sessions.get(case.session_id)
        found[stop.index] = Shopper(user and user.copy(), session and session.copy())
    return [found[index] for index in range(len(cases))]


def _seen(slates: Sequence[Slate], scores: dict[str, FloatArray]) -> Table:
    """Of VISITS by each shopper: different items in the first DEPTH, and their place by score."""
    table = Table("ranked by", "after", "strength", "different items", "mean place by score")
    for name, ranked in scores.items():
        for rule in RULES:
            visits = [list(_ten_visits(slate, ranked, rule)) for slate in slates]
            distinct = [len(set(np.concatenate(seen).tolist())) for seen in visits]
            places = [
                np.argsort(slate.order(ranked, RULES[0], slate.shopper, slate.at_s))[seen].mean()
                + 1
                for slate, seen in zip(slates, visits, strict=True)
            ]
            row = (f"{np.mean(distinct):.1f}", f"{np.mean(places):.1f}")
            table.add_row(name, *(f"{value:g}" for value in rule), *row)
    return table


def _ten_visits(slate: Slate, scores: FloatArray, rule: tuple[float, float]) -> Iterator[RowArray]:
    """What each visit shows, and leaves untouched."""
    known = slate.shopper.user
    user = StateRow.of(known).state() if known else BehaviorState()
    for day in range(VISITS):
        at_s = slate.at_s + day * DAY_S
        shown = slate.order(scores, rule, Shopper(user), at_s)[:DEPTH]
        for index in shown.tolist():
            see(user, slate.item_ids[index], at_s, USER_BOUNDS)
        yield shown


def _quality(
    logged: Sequence[Slate], scores: dict[str, FloatArray], slates: Slates, first: int
) -> Table:
    """NDCG@DEPTH of the slates from number `first` on, and what the rule adds to it."""
    table = Table("ranked by", "after", "strength", "slates it moves", "NDCG@10", "difference")
    offsets = slates.offsets[first:]
    for name, ranked in scores.items():
        usual = None
        for rule in RULES:
            by_place = np.zeros(len(ranked), np.float32)
            for slate in logged:
                order = slate.order(ranked, rule, slate.shopper, slate.at_s)
                by_place[slate.part.start + order] = -np.arange(len(order))
            ndcg = quality(by_place, slates.labels, offsets, DEPTH).ndcg
            if usual is None:
                usual, before = ndcg, by_place
            moved = [(by_place[s.part] != before[s.part]).any() for s in logged]
            mean, low, high = interval(ndcg - usual)
            table.add_row(
                name, *(f"{value:g}" for value in rule), f"{np.mean(moved):.1%} of {len(logged)}",
                f"{np.nanmean(ndcg):.4f}", f"{mean:+.4f} [{low:+.4f}, {high:+.4f}]",
            )  # fmt: skip
    return table


if __name__ == "__main__":
    main()
