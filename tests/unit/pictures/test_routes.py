"""Pictures over HTTP: of items, to search with, and the same picture only once."""

from pathlib import Path

import numpy as np
import pytest

from serving.models.contract import PICTURE_VECTOR_SIZE, VECTOR_SIZE
from serving.search.pictures.joint import JointSpace
from tests.support.pictures import Colours, base64_of, look_at, png, shown_pictures
from tests.support.service import Service, ids, problem

RED, BLUE, PALE = png((250, 0, 0)), png((0, 0, 250)), png((250, 9, 9), 60)
PUT = "/v1/items/milk/image"


@pytest.fixture
def encoder() -> Colours:
    return Colours()


@pytest.fixture
def shop(tokenizer_path: Path, tmp_path: Path, encoder: Colours) -> Service:
    service = Service(tokenizer_path, pictures=shown_pictures(tmp_path, encoder))
    service.catalog.upsert(service.items.table.items)
    look_at(service, "milk", RED)
    look_at(service, "oat", PALE)
    look_at(service, "bread", BLUE)
    return service


async def test_a_picture_is_taken_told_of_and_taken_back(shop: Service) -> None:
    answer = await shop.call("PUT", "/v1/items/butter/image", json={"image": base64_of(RED)})
    assert answer.status_code == 202
    waiting = {"state": "waiting", "origin": "bytes", "problem": None, "tries": 0, "reading": None}
    assert answer.json() == waiting
    assert (await shop.call("GET", "/v1/items/butter/image")).json() == waiting
    assert (await shop.call("DELETE", "/v1/items/butter/image")).status_code == 204
    answer = await shop.call("GET", "/v1/items/butter/image")
    assert (answer.status_code, problem(answer)["code"]) == (404, "no_picture")


@pytest.mark.parametrize(
    ("body", "status", "detail"),
    [
        ({"image": "no base64!"}, 422, "image: not base64"),
        ({"image": base64_of(b"<svg/>")}, 422, "image: not a whole picture of JPEG, PNG, WEBP"),
        ({"image": base64_of(png((0, 0, 0), 400))}, 422, "image: a picture may have 100000 pixels"),
        ({"image": base64_of(b"x" * 100_001)}, 413, "image: a picture may have 100000 bytes"),
        ({}, 422, "image: Field required"),
        ({"picture": ""}, 422, "image: Field required"),
    ],
)
async def test_what_is_no_picture_changes_nothing(
    shop: Service, body: dict[str, str], status: int, detail: str
) -> None:
    before = (await shop.call("GET", PUT)).json()
    answer = await shop.call("PUT", PUT, json=body)
    assert (answer.status_code, problem(answer)["detail"]) == (status, detail)
    assert (await shop.call("GET", PUT)).json() == before


async def test_an_item_that_is_not_there_gets_no_picture(shop: Service) -> None:
    answer = await shop.call("PUT", "/v1/items/who/image", json={"image": base64_of(RED)})
    assert (answer.status_code, problem(answer)["code"]) == (404, "unknown_item")


async def test_what_looks_alike_is_found_and_nothing_else(shop: Service) -> None:
    answer = await shop.call("GET", "/v1/items/milk/similar?by=image")
    assert ids(answer) == ["oat"]
    assert answer.json()["items"][0]["relevance"] > 0.9
    assert ids(await shop.call("GET", "/v1/items/butter/similar?by=image")) == []
    answer = await shop.call("GET", "/v1/items/milk/similar?by=smell")
    assert answer.status_code == 422


async def test_a_search_with_a_picture_finds_what_looks_like_it(shop: Service) -> None:
    for image in (base64_of(BLUE), "data:image/png;base64," + base64_of(BLUE)):
        answer = await shop.post("/v1/search", {"query": "", "image": image})
        assert ids(answer)[0] == "bread"
        assert answer.json()["items"][0]["relevance"] > 0.9
    both = await shop.post("/v1/search", {"query": "oat", "image": base64_of(RED)})
    assert ids(both)[0] == "oat"


async def test_a_search_with_no_picture_says_so(shop: Service) -> None:
    for image, detail in (
        ("?", "image: not base64"),
        (base64_of(b"GIF89a"), "image: not a whole picture of JPEG, PNG, WEBP"),
    ):
        answer = await shop.post("/v1/search", {"query": "", "image": image})
        assert (answer.status_code, problem(answer)["detail"]) == (422, detail)


async def test_without_its_model_words_go_on_and_a_picture_alone_is_a_503(
    shop: Service, encoder: Colours
) -> None:
    encoder.down = True
    answer = await shop.post("/v1/search", {"query": "milk", "image": base64_of(BLUE)})
    assert ids(answer)[0] == "milk"
    answer = await shop.post("/v1/search", {"query": "", "image": base64_of(BLUE)})
    assert (answer.status_code, problem(answer)["code"]) == (503, "model_unavailable")


async def test_the_same_picture_is_shown_once(shop: Service) -> None:
    body = {"query": "", "image": base64_of(RED), "collapse": "image"}
    assert ids(await shop.post("/v1/search", body)) == ["milk"]
    plain = set(ids(await shop.post("/v1/recommend", {"limit": 200})))
    once = set(ids(await shop.post("/v1/recommend", {"limit": 200, "collapse": "image"})))
    assert plain - once in ({"milk"}, {"oat"})


async def test_where_nobody_looks_at_pictures_that_is_said(tokenizer_path: Path) -> None:
    shop = Service(tokenizer_path)
    for answer in (
        await shop.call("GET", PUT),
        await shop.call("PUT", PUT, json={"image": base64_of(RED)}),
        await shop.call("DELETE", PUT),
        await shop.call("GET", "/v1/items/milk/similar?by=image"),
    ):
        assert (answer.status_code, problem(answer)["code"]) == (404, "pictures_off")
    searched = await shop.post("/v1/search", {"query": "", "image": base64_of(RED)})
    assert searched.status_code == 422
    assert problem(searched)["detail"].startswith("image: nobody looks at pictures")
    assert "milk" in ids(await shop.post("/v1/recommend", {"limit": 200, "collapse": "image"}))


def test_words_find_an_item_by_its_picture_once_the_shop_has_learnt_how(shop: Service) -> None:
    retrieval, words = shop.shop.retrieval, np.zeros(VECTOR_SIZE, np.float32)
    words[7] = 1
    assert retrieval.pictures is not None
    row = shop.items.table.row_of["bread"]  # the only blue one

    def found() -> dict[int, float]:
        answer = retrieval.search("azure", words, None, 10)
        return dict(zip(answer.rows.tolist(), answer.score[: len(answer.rows)], strict=True))

    before = found()
    text = np.zeros((VECTOR_SIZE, 2), np.float32)
    text[7, 0] = 1
    looks = np.zeros((PICTURE_VECTOR_SIZE, 2), np.float32)
    looks[2, 0] = looks[0, 1] = looks[1, 1] = 1  # blue, and what is not
    zeros = np.zeros(VECTOR_SIZE, np.float32), np.zeros(PICTURE_VECTOR_SIZE, np.float32)
    space = JointSpace(text, zeros[0], looks, zeros[1], (12.0, -6.0), "english")
    retrieval.pictures.take_joint(space)
    answer = retrieval.search("azure", words, None, 10)
    assert before.get(row, 0.0) < 0.5
    assert answer.rows.tolist()[0] == row
    assert answer.matches is not None
    assert answer.matches.values[0] > 0.9
    assert retrieval.matches("azure", words, np.array([row])).values[0] > 0.9
    retrieval.pictures.take_joint(None)
    assert found() == before
