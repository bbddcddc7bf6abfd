"""Search returns what was asked: a sample of the made queries, over HTTP, at the real stack."""

import httpx
import numpy as np
import pytest

from features.datasets.registry import load
from loadtests.search_quality.asking import BUDGET_MS, Asker, Question
from loadtests.search_quality.cases import Case, judged_cases, sampled
from loadtests.search_quality.measures import measure
from loadtests.stack import RunningStack
from serving.local.state_folder import DEV_KEY, prepared

# Hits in the first ten, of what exists, on average. docs/quality.md has the figures of a full run.
LEAST_PRECISION = 0.9
# In the catalogue's own words: zero-shot MiniLM alone reaches .97 there, on 10,000 items.
KINDS = frozenset({"type", "plural", "title"})
N_QUERIES = 60


@pytest.fixture(scope="module")
def cases(stack: RunningStack) -> list[Case]:
    """Queries that something in the stack's catalogue answers."""
    ready = prepared(stack.folder)
    assert ready is not None
    dataset = load(ready.data, stack.folder.parent / "datasets", ready.n_items)
    answered = [case for case in judged_cases(dataset) if case.relevant and case.kind in KINDS]
    return sampled(answered, N_QUERIES, seed=0)


def test_a_stranger_gets_what_was_asked(stack: RunningStack, cases: list[Case]) -> None:
    _enough(stack, cases, None)


def test_a_known_shopper_gets_what_was_asked(stack: RunningStack, cases: list[Case]) -> None:
    _enough(stack, cases, stack.sample["user_id"])


@pytest.mark.parametrize("query", ["shampoo", "hair conditioner", "running shoes", "laptop"])
def test_what_the_shop_has_nothing_of_is_no_match(stack: RunningStack, query: str) -> None:
    body = {"query": query, "budget_ms": BUDGET_MS}
    headers = {"authorization": f"Bearer {DEV_KEY}"}
    answer = httpx.post(f"{stack.url}/v1/search", json=body, headers=headers, timeout=30)
    told = answer.raise_for_status().json()
    assert ([item["item_id"] for item in told["items"]], told["reason"]) == ([], "no_match")


def _enough(stack: RunningStack, cases: list[Case], user_id: str | None) -> None:
    asker = Asker(stack.url, DEV_KEY)
    answers = asker.ask([Question(case.query, user_id) for case in cases])
    precision = measure(cases, answers, frozenset())["precision@10"]
    worst = np.argsort(precision, kind="stable")[:10].tolist()
    told = ", ".join(f"{cases[place].query!r} {precision[place]:.2f}" for place in worst)
    assert precision.mean() >= LEAST_PRECISION, told
