"""The collection over HTTP: what is put is kept, and what is wrong changes nothing."""

from pathlib import Path
from typing import Any

import pytest

from serving.errors import ModelUnavailableError
from serving.search.answers.answer import Answer
from serving.shops.answers import answers as answers_of_a_shop
from serving.shops.answers.answers import Answers
from serving.shops.answers.kept import KeptAnswers
from serving.shops.reserve import Reserve
from tests.support.fakes import FakeControls, FakeSpace, FakeVectors
from tests.support.service import Service


@pytest.fixture
def shop(tokenizer_path: Path) -> Service:
    return Service(tokenizer_path)


def answer(answer_id: str, title: str = "Where is it?", **more: Any) -> dict[str, Any]:
    return {"answer_id": answer_id, "title": title, **more}


async def test_what_is_put_comes_back_whole(shop: Service) -> None:
    whole = answer("a/b 茶", text="There.", questions=["Wo?"], language="de")
    put = await shop.call("PUT", "/v1/answers", json={"answers": [whole, answer("c")]})
    assert (put.status_code, put.json()["accepted"]) == (202, 2)
    got = await shop.call("GET", "/v1/answers/a%2Fb%20%E8%8C%B6")
    assert got.json() == whole
    assert (await shop.call("GET", "/v1/answers/c")).json() == answer(
        "c", text="", questions=[], language=None
    )


async def test_one_answer_is_put_replaced_and_deleted(shop: Service) -> None:
    put = await shop.call("PUT", "/v1/answers/c", json={"title": "One", "questions": ["x"]})
    assert put.status_code == 200
    again = await shop.call("PUT", "/v1/answers/c", json={"title": "Two", "answer_id": "c"})
    assert again.json() == answer("c", "Two", text="", questions=[], language=None)
    for _ in range(2):
        assert (await shop.call("DELETE", "/v1/answers/c")).status_code == 204
    gone = await shop.call("GET", "/v1/answers/c")
    assert (gone.status_code, gone.json()["code"]) == (404, "unknown_answer")


async def test_a_bad_entry_is_rejected_alone_with_the_name_of_its_field(shop: Service) -> None:
    bad = [answer("a"), answer("b", title=""), {"title": "x"}, answer("d", language="Deutsch"), 7]
    told = (await shop.call("PUT", "/v1/answers", json={"answers": bad})).json()
    assert told["accepted"] == 1
    assert [each["index"] for each in told["rejected"]] == [1, 2, 3, 4]
    assert {each["code"] for each in told["rejected"]} == {"invalid_answer"}
    for each, word in zip(told["rejected"], ("title", "answer_id", "language"), strict=False):
        assert word in each["detail"]
    refused = await shop.call("PUT", "/v1/answers/e", json={"title": "x", "answer_id": "f"})
    assert (refused.status_code, "answer_id" in refused.json()["detail"]) == (422, True)
    assert list(KeptAnswers(shop.controls).all()) == ["a"]


async def test_answers_are_listed_a_page_at_a_time(shop: Service) -> None:
    await shop.call("PUT", "/v1/answers", json={"answers": [answer(key) for key in "dacbe"]})
    seen, cursor = [], None
    while True:
        params = {"limit": 2, **({"cursor": cursor} if cursor else {})}
        page = (await shop.call("GET", "/v1/answers", params=params)).json()
        seen.append([each["answer_id"] for each in page["answers"]])
        cursor = page["cursor"]
        if cursor is None:
            break
    assert seen == [["a", "b"], ["c", "d"], ["e"]]
    assert (await shop.call("GET", "/v1/answers?cursor=%21")).status_code == 422


async def test_a_key_of_another_scope_changes_nothing(shop: Service) -> None:
    for method, path, body in (
        ("PUT", "/v1/answers", {"answers": [answer("a")]}),
        ("PUT", "/v1/answers/a", {"title": "x"}),
        ("DELETE", "/v1/answers/a", None),
        ("GET", "/v1/answers", None),
    ):
        refused = await shop.call(method, path, "rank", json=body)
        assert refused.status_code == 403
    assert KeptAnswers(shop.controls).all() == {}


async def test_a_full_store_takes_no_answers(shop: Service) -> None:
    shop.space.taken = 960
    refused = await shop.call("PUT", "/v1/answers/a", json={"title": "x"})
    assert (refused.status_code, refused.json()["code"]) == (503, "log_full")


def followed(controls: FakeControls, vectors: FakeVectors) -> Answers:
    return Answers(KeptAnswers(controls), Reserve(FakeSpace(), every_s=0), vectors)


async def test_more_answers_than_a_shop_has_room_for_are_refused(tokenizer_path: Path) -> None:
    service = Service(tokenizer_path)
    most = answers_of_a_shop.MAX_ANSWERS
    KeptAnswers(service.controls).put({str(n): Answer(str(n), "x") for n in range(most)})
    put = await service.call("PUT", "/v1/answers", json={"answers": [answer("0"), answer("new")]})
    assert put.json()["accepted"] == 1
    assert [each["code"] for each in put.json()["rejected"]] == ["too_many_answers"]
    refused = await service.call("PUT", "/v1/answers/new", json={"title": "x"})
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")


def test_another_replica_takes_over_what_was_put(encoder: Any) -> None:
    controls, vectors = FakeControls(), FakeVectors(encoder)
    other = followed(controls, vectors)
    kept = KeptAnswers(controls)
    kept.put({"a": Answer("a", "where is it")})
    other.follow()
    assert [each.answer_id for each in other.judge.collection.answers] == ["a"]
    kept.delete("a")
    other.follow()
    assert other.judge.collection.answers == ()


def test_nothing_is_read_anew_while_nothing_changed(encoder: Any) -> None:
    controls, vectors = FakeControls(), FakeVectors(encoder)
    shop = followed(controls, vectors)
    KeptAnswers(controls).put({"a": Answer("a", "where is it")})
    shop.follow()
    judge, calls = shop.judge, vectors.calls
    shop.follow()
    assert shop.judge is judge
    assert vectors.calls == calls


def test_without_the_encoder_new_answers_are_found_by_words_and_old_ones_as_before(
    encoder: Any,
) -> None:
    controls, vectors = FakeControls(), FakeVectors(encoder)
    shop, kept = followed(controls, vectors), KeptAnswers(controls)
    kept.put({"a": Answer("a", "where is it")})
    shop.follow()
    vectors.error = ModelUnavailableError("down")
    kept.put({"b": Answer("b", "who are you")})
    shop.follow()
    assert shop.judge.collection.encoded.tolist() == [True, False]
    (found,) = shop.judge.answers(["who are you"], None, limit=1)
    assert found.answer.answer_id == "b"
    vectors.error = None
    shop.follow()
    assert shop.judge.collection.encoded.tolist() == [True, True]


def test_a_document_that_is_no_model_leaves_the_one_in_use(encoder: Any) -> None:
    controls = FakeControls()
    shop, kept = followed(controls, FakeVectors(encoder)), KeptAnswers(controls)
    kept.models.publish({"least": 0.5})
    kept.put({"a": Answer("a", "where is it")})
    shop.follow()
    assert shop.judge.model.version == "untrained"
    assert len(shop.judge.collection.answers) == 1


def test_a_model_of_another_encoder_does_not_answer(encoder: Any) -> None:
    controls = FakeControls()
    shop, kept = followed(controls, FakeVectors(encoder)), KeptAnswers(controls)
    kept.models.publish({**shop.judge.model.document, "profile": "multilingual"})
    shop.follow()
    assert shop.judge.model.version == "untrained"
