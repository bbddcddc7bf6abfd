"""A composed page: one read, few calls to the model, no item twice, and shelves that fail alone."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from features.events.event import EventType
from serving.errors import ModelTimeoutError, ModelUnavailableError
from serving.http.schemas.pages.page import PageResponse
from serving.models.batcher import RankerJob, RankerReply
from serving.ranking.pipeline import RankingPipeline
from serving.ranking.placements.composer import PageComposer
from serving.ranking.placements.page import Omission, PageAsked, ShelfOmitted, ShelfShown
from serving.ranking.request import Context, Source
from serving.ranking.values import Judged, Resolved, Slate
from serving.shops.rules import Rules
from serving.shops.shop import Shop
from serving.telemetry.stages import Stages
from tests.support.fakes import GROCERIES, NOW_S, state
from tests.support.service import Service, problem

DECLARED: dict[str, Any] = {
    "exploration": {"share": 0},
    "placements": {
        "for_you": {"candidates": {"strategy": "for_you"}},
        "popular": {"candidates": {"strategy": "popular"}},
        "new": {"candidates": {"strategy": "new"}},
        "because": {"candidates": {"strategy": "because"}},
        "also": {"candidates": {"strategy": "because"}},
        "bought": {"candidates": {"strategy": "because", "of": "bought"}},
        "similar": {"candidates": {"strategy": "similar"}},
        "cart": {"candidates": {"strategy": "cart"}},
        "found": {"candidates": {"strategy": "search"}},
        "dairy": {"candidates": {"filters": {"category": ["Grocery > Dairy"]}}},
        "pinned": {
            "rules": {
                "pins": [{"item_id": "soap", "position": 1, "reason": "ours"}],
                "cold_start": {"weights": {"newness": 0}},
            }
        },
        "newer": {"ranker": "8"},
    },
    "pages": {
        "home": {
            "shelves": [
                {"placement": "for_you", "title": "home.for_you", "size": 3},
                {"placement": "popular", "size": 3},
                {"placement": "new", "size": 8, "at_least": 2},
            ]
        },
        "reasons": {
            "shelves": [
                {"placement": "because", "size": 2},
                {"placement": "also", "size": 2},
                {"placement": "bought", "size": 2},
            ]
        },
        "product": {
            "shelves": [
                {"placement": "similar", "size": 2},
                {"placement": "cart", "size": 2},
                {"placement": "found", "size": 2},
            ]
        },
        "full": {
            "shelves": [{"placement": "dairy", "size": 3}, {"placement": "for_you", "size": 8},
                        {"placement": "popular", "size": 8}]
        },
        "pins": {
            "shelves": [{"placement": "for_you", "size": 2}, {"placement": "pinned", "size": 2}]
        },
        "versions": {
            "shelves": [{"placement": "for_you", "size": 2}, {"placement": "newer", "size": 2}]
        },
    },
}  # fmt: skip


@pytest.fixture
def shop(tokenizer_path: Path) -> Service:
    return Service(tokenizer_path, rules=Rules.model_validate(DECLARED))


async def composed(shop: Service, page: str = "home", **fields: Any) -> dict[str, Any]:
    answer = await shop.post(f"/v1/pages/{page}", {"user_id": "ann", **fields})
    assert answer.status_code == 200, answer.text
    PageResponse.model_validate_json(answer.content)
    told: dict[str, Any] = answer.json()
    return told


def shelf_ids(page: dict[str, Any]) -> list[list[str]]:
    return [[item["item_id"] for item in shelf["items"]] for shelf in page["shelves"]]


def all_ids(page: dict[str, Any]) -> list[str]:
    return [item_id for shelf in shelf_ids(page) for item_id in shelf]


def left_out(page: dict[str, Any]) -> dict[str, str]:
    return {each["placement"]: each["why"] for each in page["left_out"]}


async def test_no_item_stands_twice_and_a_shelf_is_filled_from_what_is_next(shop: Service) -> None:
    page = await composed(shop)
    shelves = shelf_ids(page)
    assert [len(shelf) for shelf in shelves] == [3, 3, 2]
    assert sorted(all_ids(page)) == sorted(item.item_id for item in GROCERIES)


async def test_the_shopper_is_read_once_and_shelves_of_one_kind_are_one_call_to_the_model(
    shop: Service,
) -> None:
    await composed(shop)
    assert shop.shoppers.reads == 1
    (job,) = shop.scorer.jobs
    assert job.rows == len(GROCERIES)  # each item once, though all three shelves have it


async def test_each_shelf_is_a_ranking_of_its_own_and_names_the_page(shop: Service) -> None:
    page = await composed(shop)
    told = [shelf["ranking_id"] for shelf in page["shelves"]]
    assert len({*told, page["page_id"]}) == 4
    kept = [slate.context for slate in shop.kept.slates]
    assert [each.ranking_id for each in kept] == told
    assert {each.page_id for each in kept} == {page["page_id"]}
    assert [each.placement for each in kept] == ["for_you", "popular", "new"]
    assert [shelf["title"] for shelf in page["shelves"]] == ["home.for_you", "popular", "new"]


async def test_an_item_is_logged_with_the_features_that_it_was_scored_by(shop: Service) -> None:
    await composed(shop)
    (job,) = shop.scorer.jobs
    scored = {row.tobytes() for row in job.tensors["FEATURES"]}
    for slate in shop.kept.slates:
        assert {row.tobytes() for row in slate.features.values} <= scored


async def test_what_a_shelf_above_took_leaves_a_shelf_with_too_little_out(shop: Service) -> None:
    page = await composed(shop, "full")
    assert set(shelf_ids(page)[0]) == {"milk", "oat", "butter"}
    assert len(shelf_ids(page)[1]) == 5
    assert left_out(page) == {"popular": "empty"}
    assert len(shop.kept.slates) == 2  # what nobody sees is no ranking


async def test_two_shelves_of_reasons_name_two_items(shop: Service) -> None:
    page = await composed(shop, "reasons")
    reasons = [shelf["because"]["item_id"] for shelf in page["shelves"]]
    assert reasons == ["oat", "milk"]
    assert left_out(page) == {"bought": "empty"}
    assert len(shop.scorer.jobs) == 2  # each is asked about another item


async def test_a_shelf_whose_question_was_not_asked_is_left_out(shop: Service) -> None:
    page = await composed(shop, "product", query="olive soap")
    assert shelf_ids(page) == [["soap"]]
    assert left_out(page) == {"similar": "not_asked", "cart": "not_asked"}
    whole = await composed(shop, "product", seed_item_ids=["milk"], cart_item_ids=["bread"])
    assert [shelf["placement"] for shelf in whole["shelves"]] == ["similar", "cart"]
    assert "milk" not in shelf_ids(whole)[0]


async def test_filters_of_the_request_hold_on_every_shelf(shop: Service) -> None:
    page = await composed(shop, filters={"brand": ["Meadow", "Linen"]})
    assert set(all_ids(page)) == {"milk", "butter", "dress", "soap"}


async def test_without_the_model_each_shelf_is_ranked_by_its_own_rules(shop: Service) -> None:
    shop.scorer.error = ModelUnavailableError("down")
    page = await composed(shop, "pins")
    assert [shelf["route"] for shelf in page["shelves"]] == ["fallback", "fallback"]
    assert [shelf["reason"] for shelf in page["shelves"]] == ["model_unavailable"] * 2
    first, second = shop.kept.slates
    assert first.assignment.rules.cold_start.weights.newness == 0.2
    assert second.assignment.rules.cold_start.weights.newness == 0


async def test_a_version_of_a_shelf_that_is_down_leaves_the_others_to_the_model(
    shop: Service,
) -> None:
    shop.scorer.errors["8"] = ModelUnavailableError("down")
    page = await composed(shop, "versions")
    assert [shelf["route"] for shelf in page["shelves"]] == ["model", "fallback"]


class Broken:
    """A pipeline that raises for one placement, where `stage` says."""

    def __init__(self, pipeline: RankingPipeline, placement: str, stage: str) -> None:
        self._pipeline, self._placement, self._stage = pipeline, placement, stage

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pipeline, name)

    async def resolve(self, shop: Shop, source: Source, context: Context, *rest: Any) -> Resolved:
        if self._stage == "resolve" and context.placement == self._placement:
            raise RuntimeError("no candidates")
        return await self._pipeline.resolve(shop, source, context, *rest)

    def slate(self, judged: Judged) -> Slate:
        if self._stage == "slate" and judged.resolved.context.placement == self._placement:
            raise RuntimeError("no order")
        return self._pipeline.slate(judged)


@pytest.mark.parametrize("stage", ["resolve", "slate"])
async def test_a_shelf_that_fails_leaves_the_others_and_its_items_to_them(
    shop: Service, stage: str
) -> None:
    broken: Any = Broken(shop.pipeline, "for_you", stage)
    context = Context("p", NOW_S, time.monotonic() + 1, user_id=shop.shop.pseudonyms.user("ann"))
    asked = PageAsked("home", shop.shop.rules.pages["home"], context)
    page = await PageComposer(broken).compose(shop.shop, asked, Stages())
    first, second, third = page.shelves
    assert isinstance(first, ShelfOmitted)
    assert first.why is Omission.FAILED
    assert isinstance(second, ShelfShown)
    assert isinstance(third, ShelfShown)
    assert (len(second.slate.order), len(third.slate.order)) == (3, 5)


async def test_a_stranger_gets_a_page_by_rules_without_reasons(shop: Service) -> None:
    page = await composed(shop, user_id="nobody")
    assert {shelf["reason"] for shelf in page["shelves"]} == {"new_shopper"}
    assert shop.scorer.jobs == []
    assert left_out(await composed(shop, "reasons", user_id="nobody")) == {
        "because": "empty", "also": "empty", "bought": "empty",
    }  # fmt: skip


class Slow:
    """A ranker that is never in time."""

    async def score(self, job: RankerJob, budget_s: float) -> RankerReply:
        await asyncio.sleep(budget_s)
        raise ModelTimeoutError("late")


async def test_a_slow_model_costs_a_page_of_two_calls_the_time_of_one(tokenizer_path: Path) -> None:
    shop = Service(tokenizer_path, rules=Rules.model_validate(DECLARED), ranker=Slow())
    started_s = time.monotonic()
    page = await composed(shop, "reasons", budget_ms=2_000)
    spent_s = time.monotonic() - started_s
    assert 0.5 < spent_s < 1.1  # .15 of .5 s are the model's
    assert {shelf["reason"] for shelf in page["shelves"]} == {"deadline"}


async def test_what_the_shopper_hides_stands_on_no_shelf(shop: Service) -> None:
    names = shop.shop.pseudonyms
    hider = state("bread", kind=EventType.HIDE, user=False)
    shop.shoppers.sessions[str(names.session("h"))] = hider
    page = await composed(shop, session_id="h")
    assert "bread" not in all_ids(page)


async def test_a_page_that_is_not_declared_is_not_there(shop: Service) -> None:
    answer = await shop.post("/v1/pages/hom", {"user_id": "ann"})
    assert (answer.status_code, problem(answer)["code"]) == (404, "unknown_page")


@pytest.mark.parametrize("body", [{"limit": 3}, {"seed_item_ids": "milk"}, {"budget_ms": 0}])
async def test_a_field_that_is_wrong_is_named(shop: Service, body: dict[str, Any]) -> None:
    answer = await shop.post("/v1/pages/home", body)
    assert answer.status_code == 422
    assert problem(answer)["detail"].startswith(next(iter(body)))
    assert shop.kept.slates == []


async def test_placements_are_told_as_they_are_declared(shop: Service) -> None:
    told = (await shop.call("GET", "/v1/placements", "admin")).json()
    dairy = next(each for each in told["placements"] if each["placement"] == "dairy")
    assert dairy["candidates"] == {"filters": {"category": ["Grocery > Dairy"]}}
    assert (dairy["pages"], dairy["reading"]) == (["full"], None)
    assert dairy["kpi"]["name"] == "clicks per ranking"
    home = next(each for each in told["pages"] if each["page"] == "home")
    assert home["shelves"][0] == {
        "placement": "for_you", "title": "home.for_you", "size": 3, "at_least": 1,
    }  # fmt: skip
    refused = await shop.call("GET", "/v1/placements", "rank")
    assert refused.status_code == 403
