"""Labels over HTTP: classify, streams that are counted, classifiers, alerts."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from serving.errors import ModelUnavailableError
from serving.models.contract import EncoderProfile
from serving.models.tokenizer import Tokenizer
from serving.shops.labels.counting import KEPT_HOURS
from serving.shops.rules import Rules
from serving.telemetry.metrics import exposition
from tests.support.fakes import NOW_S
from tests.support.service import Service, problem
from tests.support.texts.labels import BAD, GOOD, classifier

HOUR = int(NOW_S // 3600)
NOW = datetime.fromtimestamp(NOW_S, UTC)
ALERT = {"key": "complaints", "classifier": "reviews", "label": "Negative"}


@pytest.fixture
async def shop(tokenizer_path: Path, encoder: Tokenizer) -> Service:
    found = Service(tokenizer_path, rules=Rules.model_validate({"alerts": {"labels": [ALERT]}}))
    body = classifier(encoder).model_dump(mode="json")
    put = await found.call("PUT", "/v1/classifiers/reviews", "admin", json=body)
    assert put.status_code == 200, put.text
    return found


def asked(*texts: str, **fields: Any) -> dict[str, Any]:
    return {"classifier": "reviews", "texts": list(texts), **fields}


def stream(*texts: str, **fields: Any) -> dict[str, Any]:
    return {"classifier": "reviews", "texts": [{"text": text, **fields} for text in texts]}


async def test_texts_get_labels_with_chances(shop: Service) -> None:
    answer = (await shop.post("/v1/classify", asked(BAD, GOOD, " "), "rank")).json()
    assert (answer["classifier"], answer["version"]) == ("reviews", 1)
    bad, good, nothing = answer["labels"]
    assert (bad["label"], good["label"]) == ("Negative", "Positive")
    assert bad["probabilities"]["Negative"] > 0.9
    assert sum(good["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert nothing == {"label": None, "unsure": True, "probabilities": {}}


async def test_the_caller_says_how_sure_is_sure(shop: Service) -> None:
    (found,) = (await shop.post("/v1/classify", asked("zebra", unsure_below=0.99))).json()["labels"]
    assert found["unsure"]
    (found,) = (await shop.post("/v1/classify", asked("zebra", unsure_below=0))).json()["labels"]
    assert not found["unsure"]


async def test_a_classifier_that_is_not_there_is_404(shop: Service) -> None:
    for path, body in (("/v1/classify", asked(BAD)), ("/v1/texts", stream(BAD))):
        told = problem(await shop.post(path, {**body, "classifier": "topics"}))
        assert (told["status"], told["code"]) == (404, "unknown_classifier")
        assert told["detail"].startswith("classifier: ")
    told = problem(await shop.call("GET", "/v1/classifiers/topics"))
    assert told["status"] == 404


async def test_without_the_encoder_there_is_no_label_and_nothing_is_counted(shop: Service) -> None:
    shop.encoder.error = ModelUnavailableError("down")
    for path, body in (("/v1/classify", asked(BAD)), ("/v1/texts", stream(BAD))):
        told = problem(await shop.post(path, body))
        assert (told["status"], told["code"]) == (503, "model_unavailable")
    assert shop.shop.label_counts.read("reviews", 0) == {}


async def test_texts_of_a_stream_are_counted_by_the_hour_they_are_of(shop: Service) -> None:
    before = (NOW - timedelta(hours=3)).isoformat()
    first = await shop.post("/v1/texts", stream(BAD, BAD, GOOD), "events")
    assert first.json() == {
        "classifier": "reviews", "version": 1, "counted": 3,
        "labels": {"Negative": 2, "Positive": 1}, "unsure": 0,
    }  # fmt: skip
    await shop.post("/v1/texts", stream(BAD, " ", at=before), "events")
    assert shop.shop.label_counts.read("reviews", 0) == {
        HOUR: {"Negative": 2.0, "Positive": 1.0},
        HOUR - 3: {"Negative": 1.0, "": 1.0},
    }
    assert 'vitrine_labelled_texts_total{classifier="reviews",label="unsure",shop="default"}' in (
        exposition().decode()
    )


async def test_no_text_is_kept_anywhere(shop: Service, caplog: pytest.LogCaptureFixture) -> None:
    await shop.post("/v1/texts", stream("my name is Ann Example and it is broken"))
    assert "Example" not in str(shop.controls.tallies) + str(shop.controls.documents) + caplog.text
    assert b"Example" not in exposition()


async def test_many_texts_are_labelled_in_parts(shop: Service) -> None:
    answer = await shop.post("/v1/texts", stream(*[BAD, GOOD] * 500))
    assert answer.json()["labels"] == {"Negative": 500, "Positive": 500}
    assert max(shop.encoder.calls) <= 32


@pytest.mark.parametrize(
    ("path", "body", "told"),
    [
        ("/v1/classify", {"classifier": "reviews", "texts": []}, "texts: "),
        ("/v1/classify", asked(*["x"] * 257), "texts: "),
        ("/v1/classify", asked("x" * 8193), "texts.0: "),
        ("/v1/classify", asked("x", unsure_below=2), "unsure_below: "),
        ("/v1/classify", {"texts": ["x"]}, "classifier: "),
        ("/v1/texts", stream("x", at=(NOW + timedelta(hours=1)).isoformat()), "texts.0.at: in the"),
        (
            "/v1/texts",
            stream("x", at=(NOW - timedelta(hours=KEPT_HOURS + 1)).isoformat()),
            "texts.0.at: more than 400 days ago",
        ),
        ("/v1/texts", stream("x", user="ann"), "texts.0.user: "),
    ],
)
async def test_what_cannot_be_used_is_named(
    shop: Service, path: str, body: dict[str, Any], told: str
) -> None:
    answer = await shop.post(path, body)
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith(told)
    assert shop.shop.label_counts.read("reviews", 0) == {}


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("POST", "/v1/classify", "rank"), ("POST", "/v1/texts", "events"),
        ("GET", "/v1/classifiers", "admin"), ("GET", "/v1/classifiers/reviews", "admin"),
        ("PUT", "/v1/classifiers/reviews", "admin"),
        ("DELETE", "/v1/classifiers/reviews", "admin"), ("GET", "/v1/alerts", "admin"),
    ],
)  # fmt: skip
async def test_each_needs_its_scope(shop: Service, method: str, path: str, scope: str) -> None:
    for key in {"rank", "events", "items", "admin"} - {scope}:
        assert (await shop.call(method, path, key)).status_code == 403
    assert (await shop.call(method, path, None)).status_code == 401


async def test_a_key_that_anyone_may_see_sends_no_texts(shop: Service) -> None:
    async with shop.client("page") as client:
        answer = await client.post(
            "/v1/texts", json=stream(BAD), headers={"origin": "https://shop.example"}
        )
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


async def test_classifiers_are_listed_told_and_taken_away(
    shop: Service, encoder: Tokenizer
) -> None:
    (listed,) = (await shop.call("GET", "/v1/classifiers")).json()["classifiers"]
    assert (listed["name"], listed["version"], listed["labels"]) == (
        "reviews", 1, ["Negative", "Positive"],
    )  # fmt: skip
    assert listed["measured"]["accuracy"] == 0.9
    assert "weights" not in listed
    whole = (await shop.call("GET", "/v1/classifiers/reviews")).json()
    again = {name: whole[name] for name in classifier(encoder).model_dump()}
    put = await shop.call("PUT", "/v1/classifiers/reviews", json=again)
    assert put.json()["version"] == 2
    assert (await shop.call("DELETE", "/v1/classifiers/reviews")).status_code == 204
    assert (await shop.post("/v1/classify", asked(BAD))).status_code == 404


async def test_a_classifier_that_does_not_fit_changes_nothing(
    shop: Service, encoder: Tokenizer
) -> None:
    good = classifier(encoder).model_dump(mode="json")
    for change, told in (
        ({"weights": "AAAA"}, "weights: "),
        ({"profile": EncoderProfile.MULTILINGUAL.value}, "profile: "),
        ({"labels": ["a", "b", "c"]}, "weights: "),
    ):
        answer = await shop.call("PUT", "/v1/classifiers/reviews", json={**good, **change})
        assert answer.status_code == 422
        assert told in answer.json()["detail"]
    assert (await shop.call("PUT", "/v1/classifiers/No Name", json=good)).status_code == 422
    (listed,) = (await shop.call("GET", "/v1/classifiers")).json()["classifiers"]
    assert listed["version"] == 1


async def test_alerts_are_told_as_they_stand(shop: Service) -> None:
    told = (await shop.call("GET", "/v1/alerts")).json()
    assert told["false_alarms_a_month"] == 1
    (alert,) = told["alerts"]
    assert (alert["key"], alert["state"], alert["learnt"]) == ("complaints", "learning", 0)
