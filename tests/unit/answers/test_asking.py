"""Questions over HTTP: the likeliest answers, or a human."""

from pathlib import Path
from typing import Any

import pytest

from serving.errors import ModelTimeoutError
from serving.shops.answers.kept import KeptAnswers
from serving.telemetry.metrics import exposition
from serving.telemetry.text_metrics import ANSWERED
from tests.support.service import Service

RETURNS = {
    "answer_id": "returns",
    "title": "How do I send something back?",
    "text": "Within 30 days. The label is in the parcel.",
    "questions": ["Can I return shoes?"],
    "language": "en",
}
DELIVERY = {"answer_id": "delivery", "title": "When does my parcel arrive?", "language": "en"}
ZURUECK = {"answer_id": "zurueck", "title": "Wie schicke ich etwas zurück?", "language": "de"}


@pytest.fixture
async def shop(tokenizer_path: Path) -> Service:
    service = Service(tokenizer_path)
    put = await service.call("PUT", "/v1/answers", json={"answers": [RETURNS, DELIVERY, ZURUECK]})
    assert put.json() == {"accepted": 3, "rejected": []}
    service.shop.answers.follow()
    return service


async def asked(shop: Service, question: str, **more: Any) -> dict[str, Any]:
    answer = await shop.post("/v1/answers/rank", {"question": question, **more}, "rank")
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-vitrine-route"] == answer.json()["route"]
    told: dict[str, Any] = answer.json()
    return told


def ids(told: dict[str, Any]) -> list[str]:
    return [answer["answer_id"] for answer in told["answers"]]


async def test_a_question_gets_the_answer_that_is_asked_for_in_other_words(shop: Service) -> None:
    told = await asked(shop, "can i return shoes", locale="en-GB")
    assert ids(told)[0] == "returns"
    assert told["hand_over"] is False
    assert told["hand_over_reason"] is None
    assert (told["route"], told["reason"]) == ("model", None)
    first = told["answers"][0]
    assert first["text"] == RETURNS["text"]
    assert 0.5 < first["confidence"] <= 1
    assert first["position"] == 1
    assert "explanation" not in first


async def test_a_question_is_counted_for_its_shop(shop: Service) -> None:
    counter = ANSWERED.labels(shop.shop.name, "answered", "model")
    before = counter._value.get()
    await asked(shop, "can i return shoes")
    assert counter._value.get() == before + 1
    of_shop = f'vitrine_answer_confidence_count{{route="model",shop="{shop.shop.name}"}}'
    assert of_shop in exposition().decode()


async def test_answers_stand_in_the_order_of_their_confidence(shop: Service) -> None:
    told = await asked(shop, "when does my parcel arrive")
    sure = [answer["confidence"] for answer in told["answers"]]
    assert sure == sorted(sure, reverse=True)
    assert [answer["position"] for answer in told["answers"]] == list(range(1, len(sure) + 1))
    assert len((await asked(shop, "when does my parcel arrive", limit=1))["answers"]) == 1


async def test_a_question_that_nothing_answers_goes_to_a_human(shop: Service) -> None:
    told = await asked(shop, "xyzzy qqq vvv")
    assert told["hand_over"] is True
    assert told["hand_over_reason"] == "not_sure"
    sure = await asked(shop, "can i return shoes", min_confidence=1.0)
    assert (sure["hand_over"], sure["min_confidence"]) == (True, 1.0)
    assert ids(sure)[0] == "returns"  # what it would have been, for the human


async def test_a_shop_without_answers_hands_over_and_says_why(tokenizer_path: Path) -> None:
    service = Service(tokenizer_path)
    told = await asked(service, "can i return shoes")
    assert (told["hand_over_reason"], told["answers"]) == ("no_answers", [])
    assert service.encoder.calls == []


@pytest.mark.parametrize("question", ["", "   ", "?", "\u0301", "🥛", "跑" * 2048])
async def test_whatever_is_asked_is_answered(shop: Service, question: str) -> None:
    assert (await asked(shop, question))["hand_over"] is True


async def test_without_the_encoder_words_answer_and_the_answer_says_so(shop: Service) -> None:
    shop.encoder.error = ModelTimeoutError("late")
    told = await asked(shop, "can i return shoes")
    assert (told["route"], told["reason"]) == ("fallback", "deadline")
    assert ids(told)[0] == "returns"


async def test_what_was_said_before_is_read_with_the_question(shop: Service) -> None:
    alone = await asked(shop, "and shoes")
    said = [
        {"role": "customer", "text": "can i return"},
        {"role": "assistant", "text": "When does my parcel arrive?"},
    ]
    told = await asked(shop, "and shoes", conversation=said, explain=True)
    assert ids(told)[0] == "returns"
    assert told["answers"][0]["confidence"] > alone["answers"][0]["confidence"]
    assert told["answers"][0]["explanation"]["with_conversation"] is True


async def test_a_locale_gets_answers_of_its_language_where_there_are_some(shop: Service) -> None:
    told = await asked(shop, "etwas zurück schicken my parcel", locale="de_AT")
    assert ids(told) == ["zurueck"]
    told = await asked(shop, "my parcel", locale="fr")
    assert "delivery" in ids(told)


async def test_an_explanation_names_the_piece_and_the_inputs(shop: Service) -> None:
    told = await asked(shop, "can i return shoes", explain=True)
    explanation = told["answers"][0]["explanation"]
    assert explanation["piece"] == "Can I return shoes?"
    assert set(explanation["inputs"]) == {"cosine", "words", "alike"}


async def test_a_bad_question_is_refused_with_the_name_of_its_field(shop: Service) -> None:
    for body, word in (
        ({}, "question"),
        ({"question": "x" * 2049}, "question"),
        ({"question": "x", "limit": 0}, "limit"),
        ({"question": "x", "conversation": [{"role": "robot", "text": "x"}]}, "role"),
        ({"question": "x", "min_confidence": 2}, "min_confidence"),
        ({"question": "x", "shopper": "ann"}, "shopper"),
    ):
        answer = await shop.post("/v1/answers/rank", body)
        assert answer.status_code == 422
        assert word in answer.json()["detail"]
    assert (await shop.post("/v1/answers/rank", {"question": "x"}, "items")).status_code == 403


async def test_stages_tell_where_the_time_went(shop: Service) -> None:
    answer = await shop.post("/v1/answers/rank", {"question": "can i return shoes"})
    assert "retrieve;dur=" in answer.headers["server-timing"]
    assert "score;dur=" in answer.headers["server-timing"]


async def test_another_version_of_the_model_answers_when_it_is_in_use(shop: Service) -> None:
    kept = KeptAnswers(shop.controls)
    document = shop.shop.answers.judge.model.document
    version = kept.models.publish({**document, "least": 0.99, "profile": "english"})
    shop.shop.answers.follow()
    told = await asked(shop, "can i return shoes")
    assert (told["model_version"], told["min_confidence"]) == (version, 0.99)
    assert kept.models.roll_back() == "untrained"
    shop.shop.answers.follow()
    assert (await asked(shop, "can i return shoes"))["model_version"] == "untrained"
