"""What became of answers: kept as events are, folded into nobody's features, and learnt from."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from features.behavior.aggregator import Aggregator
from features.datasets.checks import check_events
from features.datasets.event_rows import event_row
from features.events.event import OF_ANSWERS, BehaviorEvent, EventType
from features.store.archive import Archive, Place
from serving.search.answers.answer import Answer
from serving.training.fit.answers.cases import of_feedback
from tests.support.fakes import NOW_S
from tests.support.service import Service

HELPFUL = BehaviorEvent(
    "h", EventType.HELPFUL, NOW_S, session_id="s", query="can I return shoes", answer_id="returns"
)
ANSWERS = [Answer("returns", "How do I return it?"), Answer("delivery", "When is it here?")]


@pytest.fixture
def shop(tokenizer_path: Path) -> Service:
    return Service(tokenizer_path)


def told(kind: str, **fields: Any) -> dict[str, Any]:
    base = {"event_id": "h", "type": kind, "session_id": "s", "query": "can I return shoes"}
    return {**base, "answer_id": "returns", **fields}


async def test_what_became_of_an_answer_is_durable_and_keeps_its_question(shop: Service) -> None:
    event = told("helpful", ranking_id="r")
    answer = await shop.post("/v1/events", {"events": [event]}, "events")
    assert answer.json() == {"accepted": 1, "duplicates": 0, "rejected": []}
    kept = shop.log.events["h"]
    assert (kept.type, kept.query, kept.answer_id, kept.ranking_id) == (
        EventType.HELPFUL, "can I return shoes", "returns", "r",
    )  # fmt: skip
    assert kept.session_id == shop.shop.pseudonyms.session("s")
    again = await shop.post("/v1/events", {"events": [event]})
    assert again.json()["duplicates"] == 1


async def test_feedback_that_says_nothing_is_refused_with_the_name_of_its_field(
    shop: Service,
) -> None:
    for event, word in (
        (told("helpful", query=None), "query"),
        (told("not_helpful", answer_id=None), "answer_id"),
        (told("handed_over", item_id="milk"), "item_id"),
        (told("click", item_id="milk"), "answer_id"),
    ):
        (bad,) = (await shop.post("/v1/events", {"events": [event]})).json()["rejected"]
        assert bad["code"] == "invalid_event"
        assert word in bad["detail"]
    alone = told("handed_over", answer_id=None)
    assert (await shop.post("/v1/events", {"events": [alone]})).json()["accepted"] == 1


@pytest.mark.parametrize("kind", sorted(OF_ANSWERS))
def test_no_shoppers_features_change(kind: EventType) -> None:
    folded = Aggregator({}, {})
    folded.apply(replace(HELPFUL, type=kind, user_id="u"), 1)
    assert (folded.users, folded.sessions) == ({}, {})


def test_a_data_set_may_have_them_without_an_item() -> None:
    import pandas as pd

    check_events(pd.DataFrame([event_row(HELPFUL)]))


def test_a_day_of_the_archive_that_was_begun_before_answers_takes_them(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    archive = Archive(str(tmp_path))
    view = BehaviorEvent("v", EventType.VIEW, NOW_S, session_id="s", item_id="milk")
    archive.add([view], Place(1, NOW_S))
    (day,) = tmp_path.glob("*.parquet")
    pq.write_table(pq.read_table(day).drop_columns("answer_id"), day)  # as an older version wrote
    archive.add([HELPFUL], Place(2, NOW_S))
    assert list(archive.each_event()) == [view, HELPFUL]


def test_feedback_becomes_questions_with_their_right_answers() -> None:
    handed = replace(HELPFUL, type=EventType.HANDED_OVER, query="Do you sell tea?", answer_id=None)
    wrong = replace(HELPFUL, type=EventType.NOT_HELPFUL, query="is it here?", answer_id="returns")
    by_human = replace(handed, query="is it HERE", answer_id="delivery")
    cases = of_feedback([HELPFUL, handed, wrong, by_human], ANSWERS)
    nothing: frozenset[str] = frozenset()
    assert [(case.question, case.right, case.wrong, case.complete) for case in cases.cases] == [
        ("can I return shoes", frozenset({"returns"}), nothing, True),
        ("Do you sell tea?", nothing, nothing, True),
        ("is it here?", frozenset({"delivery"}), frozenset({"returns"}), True),
    ]


def test_what_was_said_last_stands_and_answers_that_are_gone_say_nothing() -> None:
    later = replace(HELPFUL, type=EventType.NOT_HELPFUL, at_s=NOW_S + 1)
    gone = replace(HELPFUL, query="and this?", answer_id="gone")
    (case,) = of_feedback([later, HELPFUL, gone], ANSWERS).cases
    assert (case.right, case.wrong) == (frozenset(), frozenset({"returns"}))
    assert not case.complete  # another answer may be right
