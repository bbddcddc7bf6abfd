"""Ask the stack and the baselines the same questions, and put what they answer into a report."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from features.arrays import FloatArray
from features.behavior.replay import item_table
from features.datasets.format import Dataset
from loadtests.search_quality import baselines
from loadtests.search_quality.asking import Asker, Question
from loadtests.search_quality.candidates import ordered, slates
from loadtests.search_quality.cases import Case, sampled
from loadtests.search_quality.measures import RECALL_DEPTH, Measures, mean_of, measure
from loadtests.search_quality.progress import steps
from loadtests.search_quality.report import OURS, Report, TestSet
from loadtests.search_quality.vectors import Encoder

BM25, MINILM = "BM25", "zero-shot MiniLM"
BY_RANK, BY_SCORE = "both, by rank", "both, by score"
CROSS = "cross-encoder over both"
KNOWN = "vitrine, known shopper"


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is asked."""

    shoppers: int = 20  # the heaviest of the log
    shopper_queries: int = 30  # that each of them asks
    with_baselines: bool = True
    seed: int = 7
    threads: int = 2
    cache: Path = Path("build/data")


class Evaluation:
    """One data set's cases against one stack."""

    def __init__(
        self, dataset: Dataset, cases: list[Case], asker: Asker, plan: Plan, console: Console
    ) -> None:
        self._dataset, self._cases, self._asker = dataset, cases, asker
        self._plan, self._console = plan, console
        self._items = item_table(dataset)
        self._texts = [item.title for item in self._items.items]  # what a cross-encoder reads
        self._titles = frozenset(item.title for item in self._items.items)

    def run(self) -> Report:
        """Search as a stranger and as known shoppers, then ranking; each beside the baselines."""
        report = Report(self._dataset.info.name, len(self._items))
        report.titles = {item.item_id: item.title for item in self._items.items}
        answers = self._ask([Question(case.query) for case in self._cases], "search")
        report.answers = list(zip(self._cases, answers, strict=True))
        known = self._known({case.query: answer for case, answer in report.answers})
        scores = self._scores()
        crossing = self._cross_encoder(report)
        report.test_sets.append(self._searched(answers, scores, crossing))
        report.test_sets += known
        report.test_sets.append(self._ranked(scores, crossing))
        report.routes = dict(self._asker.routes)
        return report

    def _scores(self) -> dict[str, FloatArray]:
        """Each baseline's scores of all items, (n_cases, n_items); BM25's always."""
        queries = [case.query for case in self._cases]
        self._console.print(f"BM25 over {len(self._items)} items", markup=False)
        words = baselines.by_words(self._items, queries)
        if not self._plan.with_baselines:
            return {BM25: words}
        encoder = Encoder(self._plan.cache, self._plan.threads, self._console)
        meaning = baselines.by_meaning(self._items, queries, encoder)
        return {
            BM25: words,
            MINILM: meaning,
            BY_RANK: baselines.fused_by_rank([words, meaning]),
            BY_SCORE: baselines.fused_by_score([words, meaning]),
        }

    def _cross_encoder(self, report: Report) -> baselines.CrossEncoder | None:
        if not self._plan.with_baselines:
            return None
        found = baselines.CrossEncoder.installed(self._plan.threads)
        if found is None:
            note = f"no cross-encoder: the package {baselines.CROSS_ENCODER} is not installed"
            report.notes.append(note)
        return found

    def _searched(
        self,
        answers: list[list[str]],
        scores: dict[str, FloatArray],
        crossing: baselines.CrossEncoder | None,
    ) -> TestSet:
        found = {OURS: answers}
        if self._plan.with_baselines:
            rows = {name: baselines.best(each, RECALL_DEPTH) for name, each in scores.items()}
            if crossing is not None:
                rows[CROSS] = self._crossed(crossing, self._cases, rows[BY_RANK])
            found |= {name: self._ids(of) for name, of in rows.items()}
        return TestSet("search", self._cases, self._measured(self._cases, found))

    def _known(self, stranger: dict[str, list[str]]) -> list[TestSet]:
        """The same queries by the shoppers of the log who did most, each query's mean over them."""
        events = self._dataset.events
        users = events.loc[events["user_id"] != "", "user_id"].value_counts()
        heaviest = users.sort_index().sort_values(ascending=False, kind="stable")
        shoppers = heaviest.index[: self._plan.shoppers].tolist()
        if not shoppers or self._plan.shopper_queries < 1:
            return []
        asked = [case for case in self._cases if case.relevant]
        asked = sampled(asked, self._plan.shopper_queries, self._plan.seed)
        questions = [Question(case.query, user) for user in shoppers for case in asked]
        answers = self._ask(questions, f"search by {len(shoppers)} known shoppers")
        by_shopper = [
            measure(asked, answers[start : start + len(asked)], self._titles)
            for start in range(0, len(answers), len(asked))
        ]
        without = measure(asked, [stranger[case.query] for case in asked], self._titles)
        measures = {OURS: without, KNOWN: mean_of(by_shopper)}
        return [TestSet("known shoppers", asked, measures)]

    def _ranked(
        self, scores: dict[str, FloatArray], crossing: baselines.CrossEncoder | None
    ) -> TestSet:
        """The order of given candidates, for all rankers the same ones."""
        ids = self._items.item_ids
        made = slates(self._cases, ids, scores[BM25], self._plan.seed)
        cases = [case for case, _ in made]
        place = {case.query: row for row, case in enumerate(self._cases)}
        questions = [Question(case.query, None, offered, len(offered)) for case, offered in made]
        found = {OURS: self._ask(questions, "rank")}
        if self._plan.with_baselines:
            offered = [self._items.rows(each).tolist() for _, each in made]
            rows = {
                name: [
                    ordered(each[place[case.query]], candidates)
                    for case, candidates in zip(cases, offered, strict=True)
                ]
                for name, each in scores.items()
            }
            if crossing is not None:
                rows[CROSS] = self._crossed(
                    crossing, cases, [of[:RECALL_DEPTH] for of in rows[BY_RANK]]
                )
            found |= {name: self._ids(of) for name, of in rows.items()}
        return TestSet("rank", cases, self._measured(cases, found))

    def _crossed(
        self, crossing: baselines.CrossEncoder, cases: Sequence[Case], rows: list[list[int]]
    ) -> list[list[int]]:
        return [
            crossing.reordered(cases[place].query, rows[place], self._texts)
            for place in steps(range(len(cases)), "cross-encoder", self._console)
        ]

    def _measured(
        self, cases: Sequence[Case], found: dict[str, list[list[str]]]
    ) -> dict[str, Measures]:
        return {name: measure(cases, answers, self._titles) for name, answers in found.items()}

    def _ids(self, rows: list[list[int]]) -> list[list[str]]:
        return [[self._items.item_ids[row] for row in each] for each in rows]

    def _ask(self, questions: list[Question], what: str) -> list[list[str]]:
        return self._asker.ask(questions, lambda places: steps(places, what, self._console))
