"""Every endpoint, called by a client that openapi-python-client made of the stack's own document.

    curl -s http://127.0.0.1:8000/openapi.json > openapi.json
    openapi-python-client generate --path openapi.json --meta none \\
      --config tests/clients/python/generator.yaml --output-path build/vitrine_client
    PYTHONPATH=build python tests/clients/python/shop.py http://127.0.0.1:8000 dev

Bodies are the examples of the document. Each request is printed. What was written is taken away
again.
"""

import json
import sys
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any, TypeVar

import httpx
from vitrine_client import AuthenticatedClient, models
from vitrine_client.api.answers import (
    delete_answer,
    get_answer,
    list_answers,
    put_answer,
    put_answers,
    rank_answers,
)
from vitrine_client.api.events import import_events, merge, post_events
from vitrine_client.api.experiments import (
    decide,
    delete_experiment,
    get_experiment,
    get_reading,
    list_experiments,
    list_versions,
    put_experiment,
)
from vitrine_client.api.items import (
    delete_image,
    delete_item,
    get_image,
    get_item,
    import_items,
    list_items,
    patch_item,
    patch_items,
    put_image,
    put_items,
)
from vitrine_client.api.labels import (
    classify,
    delete_classifier,
    get_classifier,
    list_alerts,
    list_classifiers,
    post_texts,
    put_classifier,
)
from vitrine_client.api.operations import get_status, healthz, home, metrics, readyz
from vitrine_client.api.pages import compose_page
from vitrine_client.api.placements import list_placements
from vitrine_client.api.rankings import (
    rank_candidates,
    recommend,
    recommend_brands,
    recommend_categories,
    search,
    similar,
)
from vitrine_client.api.rerank import rerank, rerank_v1, rerank_v2
from vitrine_client.api.rights import (
    export_user,
    get_session_preferences,
    get_user_preferences,
    put_session_preferences,
    put_user_preferences,
)
from vitrine_client.api.shoppers import erase_user, get_erasure, list_accesses, user_features
from vitrine_client.api.shops import (
    delete_shop,
    delete_shop_key,
    get_shop,
    list_shops,
    put_shop,
    put_shop_key,
)
from vitrine_client.api.suggestions import suggest
from vitrine_client.api.transparency import transparency
from vitrine_client.types import UNSET, File

T = TypeVar("T")
R = TypeVar("R", models.RankResponse, models.SearchResponse)
PATIENCE_S = 30.0


class Example:
    """The bodies that the document shows, by the names of operations."""

    def __init__(self, document: Any) -> None:
        found = [each for methods in document["paths"].values() for each in methods.values()]
        self._bodies = {
            operation["operationId"]: media["example"]
            for operation in found
            for media in operation.get("requestBody", {}).get("content", {}).values()
        }

    def of(self, operation: str) -> Any:
        return self._bodies[operation]


def catalogue(client: AuthenticatedClient, example: Example) -> None:
    lines = example.of("import_items").encode()
    imported = a(models.ImportResponse, import_items.sync(client=client, body=File(BytesIO(lines))))
    assert (imported.accepted, imported.rejected) == (2, 0), imported

    goods = models.ItemsPut.from_dict(example.of("put_items"))
    goods.items[0].currency = UNSET  # that of the shop
    put = a(models.ItemsResponse, put_items.sync(client=client, body=goods))
    assert put.accepted == 1, put
    assert [(bad.index, bad.code) for bad in put.rejected] == [(1, "invalid_item")]

    milk = a(models.ItemOut, get_item.sync("milk", client=client))
    assert (milk.title, milk.price, milk.available) == ("Whole milk", 1.2, True)
    assert milk.created_at == datetime(2026, 3, 2, tzinfo=UTC), milk.created_at

    changes = models.ItemsPatch.from_dict(example.of("patch_items"))
    assert a(models.ItemsResponse, patch_items.sync(client=client, body=changes)).accepted == 2
    assert a(models.ItemOut, get_item.sync("oat", client=client)).available is False

    change = models.ItemPatch.from_dict(example.of("patch_item"))
    changed = a(models.ItemOut, patch_item.sync("milk", client=client, body=change))
    assert (changed.price, changed.brand) == (1.1, ""), changed
    assert changed.attributes.additional_properties == {"size": "1 l"}

    page = a(models.ItemPage, list_items.sync(client=client, limit=1))
    assert len(page.items) == 1, page
    following = a(
        models.ItemPage, list_items.sync(client=client, limit=1, cursor=a(str, page.cursor))
    )
    assert following.items[0].item_id > page.items[0].item_id, following


def shopper(client: AuthenticatedClient, example: Example) -> None:
    """Events count within a second or so."""
    body = models.EventsRequest.from_dict(example.of("post_events"))
    for event in body.events:
        event.event_id, event.at = uuid.uuid4().hex, datetime.now(UTC)
    told = a(models.EventsResponse, post_events.sync(client=client, body=body))
    assert (told.accepted, told.duplicates, told.rejected) == (2, 0, []), told
    again = a(models.EventsResponse, post_events.sync(client=client, body=body))
    assert (again.accepted, again.duplicates) == (0, 2), again

    lines = example.of("import_events").replace('"ann"', '"cleo"').encode()
    moved = a(models.EventsImported, import_events.sync(client=client, body=File(BytesIO(lines))))
    assert (moved.lines, moved.accepted, moved.rejected) == (2, 2, 0), moved

    session = models.MergeRequest.from_dict(example.of("merge"))
    assert a(models.Accepted, merge.sync("ann", client=client, body=session)).accepted == 1

    def known() -> models.UserFeatures | None:
        features = a(models.UserFeatures, user_features.sync("ann", client=client))
        return features if features.known and features.interactions == 2 else None

    ann = until(known)
    assert ann.bought_items == ["milk"], ann
    assert a(models.UserFeaturesCounts, ann.counts).additional_properties == {
        "click": 1.0,
        "purchase": 1.0,
    }


def rankings(client: AuthenticatedClient, example: Example) -> None:
    offered = models.RankRequest.from_dict(example.of("rank_candidates"))

    def without_the_sold_out() -> models.RankResponse | None:
        answer = a(models.RankResponse, rank_candidates.sync(client=client, body=offered))
        return answer if len(answer.items) == 1 else None

    ranked = until(without_the_sold_out)
    assert [(item.item_id, item.position) for item in ranked.items] == [("milk", 1)], ranked

    asked = models.SearchRequest.from_dict(example.of("search"))
    found = until(lambda: filled(a(models.SearchResponse, search.sync(client=client, body=asked))))
    assert found.items[0].item_id == "milk", found
    assert a(float, found.items[0].relevance) > 0.5, found
    assert a(models.Prices, found.prices).min_ == 1.1, found
    understood = a(models.UnderstoodOut, found.understood)
    assert [wish.max_price for wish in understood.wishes] == [5.0], understood
    assert [left.words for left in understood.not_used] == ["for a rainy afternoon"], understood

    wanted = models.RecommendRequest.from_dict(example.of("recommend"))
    recommended = a(models.RankResponse, recommend.sync(client=client, body=wanted))
    assert len(recommended.items) == 2, recommended
    assert recommended.items[0].score >= recommended.items[1].score

    home_of = models.PageRequest.from_dict(example.of("compose_page"))
    page = a(models.PageResponse, compose_page.sync("home", client=client, body=home_of))
    assert page.shelves[0].placement == "for_you", page
    shown = [item.item_id for shelf in page.shelves for item in shelf.items]
    assert len(set(shown)) == len(shown) > 2, page
    assert len({shelf.ranking_id for shelf in page.shelves}) == len(page.shelves), page

    asked_brands = models.BrandsRequest.from_dict(example.of("recommend_brands"))
    brands = a(models.LikedResponse, recommend_brands.sync(client=client, body=asked_brands))
    assert len(brands.values) == 1, brands
    assert brands.values[0].value

    level = models.CategoriesRequest.from_dict(example.of("recommend_categories"))
    categories = a(models.LikedResponse, recommend_categories.sync(client=client, body=level))
    assert categories.values[0].value == "Grocery > Dairy", categories

    off = a(models.Problem, get_image.sync("milk", client=client))
    assert (off.status, off.code) == (404, "pictures_off")
    picture = models.ImageIn.from_dict(example.of("put_image"))
    off = a(models.Problem, put_image.sync("milk", client=client, body=picture))
    assert (off.status, off.code) == (404, "pictures_off")
    off = a(models.Problem, delete_image.sync("milk", client=client))
    assert (off.status, off.code) == (404, "pictures_off")

    alike = a(models.RankResponse, similar.sync("milk", client=client, limit=2))
    assert len(alike.items) == 2
    assert "milk" not in {item.item_id for item in alike.items}

    def completed() -> bool:
        typed = a(models.SuggestResponse, suggest.sync(client=client, q="whole mil", limit=8))
        return "Whole milk" in {suggestion.text for suggestion in typed.suggestions}

    assert until(completed)


def texts(client: AuthenticatedClient, example: Example) -> None:
    documents = models.DocumentsRerank.from_dict(example.of("rerank"))
    for call in (rerank.sync, rerank_v2.sync):
        answer = a(models.CohereAnswer, call(client=client, body=documents))
        assert [result.index for result in answer.results] == [1]

    asked = models.TextsRerank.from_dict(example.of("rerank_v1"))
    best, other = (
        a(models.TextScore, each) for each in a(list, rerank_v1.sync(client=client, body=asked))
    )
    assert (best.index, other.index) == (1, 0)
    assert best.score > 2 * other.score, (best, other)


def labels(client: AuthenticatedClient, example: Example) -> None:
    """Another replica than the one that is told follows within two seconds."""
    even = models.Classifier.from_dict(example.of("put_classifier"))
    put = a(models.ClassifierOut, put_classifier.sync("reviews", client=client, body=even))
    assert (put.name, put.labels) == ("reviews", ["Negative", "Positive"]), put

    def kept() -> models.ClassifierWhole | None:
        answer = get_classifier.sync("reviews", client=client)
        return answer if isinstance(answer, models.ClassifierWhole) else None

    assert until(kept).weights == even.weights
    listed = a(models.ClassifiersOut, list_classifiers.sync(client=client))
    assert [one.name for one in listed.classifiers] == ["reviews"]

    asked = models.ClassifyRequest.from_dict(example.of("classify"))
    found = a(models.ClassifyResponse, classify.sync(client=client, body=asked))
    assert [one.probabilities.additional_properties for one in found.labels] == [
        {"Negative": 0.5, "Positive": 0.5}
    ] * 2, found
    stream = models.StreamRequest.from_dict(example.of("post_texts"))
    for each in stream.texts:
        each.at = datetime.now(UTC)
    counted = a(models.StreamResponse, post_texts.sync(client=client, body=stream))
    assert (counted.counted, counted.unsure) == (2, 2), counted  # half and half is not enough
    assert a(models.AlertsOut, list_alerts.sync(client=client)).alerts == []
    assert delete_classifier.sync_detailed("reviews", client=client).status_code == 204


def operations(client: AuthenticatedClient) -> None:
    assert a(models.Home, home.sync(client=client)).openapi == "/openapi.json"
    assert a(models.Health, healthz.sync(client=client)).status == "ok"
    assert a(models.Ready, readyz.sync(client=client)).model is True
    assert "vitrine_requests_total{" in a(str, metrics.sync(client=client))
    status = a(models.ShopStatus, get_status.sync(client=client))
    assert status.model_answers is True, status
    assert status.catalog_items > 2
    assert a(models.ExperimentsOut, list_experiments.sync(client=client)).holdout == 0
    unknown = a(models.Problem, get_experiment.sync("nothing", client=client))
    assert (unknown.status, unknown.code) == (404, "unknown_experiment")
    stop = models.DecisionIn(models.Action.STOP)
    unknown = a(models.Problem, decide.sync("nothing", client=client, body=stop))
    assert (unknown.status, unknown.code) == (404, "unknown_experiment")
    unknown = a(models.Problem, get_reading.sync("nothing", client=client))
    assert (unknown.status, unknown.code) == (404, "unknown_experiment")
    placements = a(models.PlacementsOut, list_placements.sync(client=client))
    assert [page.page for page in placements.pages] == ["home"], placements
    told = a(models.TransparencyOut, transparency.sync(client=client))
    assert (told.model_version, told.sponsored_rules) == (status.model_version, 0), told
    assert sum(family.share or 0 for family in told.families) in range(98, 103), told
    versions = a(models.VersionsOut, list_versions.sync(client=client))
    assert (versions.in_use, versions.candidates) == (status.model_version, [])


def answers(client: AuthenticatedClient, example: Example) -> None:
    goods = models.AnswersPut.from_dict(example.of("put_answers"))
    put = a(models.AnswersResponse, put_answers.sync(client=client, body=goods))
    assert (put.accepted, put.rejected) == (1, []), put
    again = models.AnswerPut.from_dict(example.of("put_answer"))
    kept = a(models.AnswerOut, put_answer.sync("returns", client=client, body=again))
    assert a(models.AnswerOut, get_answer.sync("returns", client=client)) == kept
    page = a(models.AnswerPage, list_answers.sync(client=client, limit=1))
    assert [each.answer_id for each in page.answers] == ["returns"], page
    asked = models.QuestionRequest.from_dict(example.of("rank_answers"))

    def answered() -> models.QuestionResponse | None:
        answer = a(models.QuestionResponse, rank_answers.sync(client=client, body=asked))
        return answer if answer.answers else None

    told = until(answered)
    assert told.answers[0].answer_id == "returns", told
    assert told.hand_over is False, told
    event = models.EventIn(
        uuid.uuid4().hex, models.EventType.HELPFUL, session_id="s1", query=asked.question,
        answer_id="returns", ranking_id=told.ranking_id,
    )  # fmt: skip
    body = models.EventsRequest([event])
    assert a(models.EventsResponse, post_events.sync(client=client, body=body)).accepted == 1
    assert delete_answer.sync_detailed("returns", client=client).status_code == 204


def experiment(client: AuthenticatedClient, example: Example) -> None:
    """Another replica than the one that is told follows within a second."""
    wider = models.Experiment.from_dict(example.of("put_experiment"))
    put = a(models.ExperimentOut, put_experiment.sync(wider.key, client=client, body=wider))
    assert (put.key, put.status, put.active) == (wider.key, models.Status.DRAFT, False), put
    assert a(models.GuardOut, put.guard).after == 200, put  # none was given: the default

    def declared() -> models.ExperimentOut | None:
        answer = get_experiment.sync(wider.key, client=client)
        return answer if isinstance(answer, models.ExperimentOut) else None

    told = until(declared)
    assert a(models.ByApiOut, told.by_api).by == models.ByApiOutBy.ADMIN, told
    assert told.arms[1].rules.additional_properties == {"diversity": {"max_same": 2}}, told
    assert delete_experiment.sync_detailed(wider.key, client=client).status_code == 204


def shops(client: AuthenticatedClient, example: Example, url: str) -> None:
    """A shop of its own: its key sees nothing of the one that made it."""
    name, defined = "outlet", models.ShopDefinition.from_dict(example.of("put_shop"))
    put = a(models.ShopOut, put_shop.sync(name, client=client, body=defined))
    assert (put.name, put.status) == (name, models.ShopOutStatus.ACTIVE), put
    wanted = models.KeyIn.from_dict(example.of("put_shop_key"))
    made = a(models.KeyMade, put_shop_key.sync(name, "pages", client=client, body=wanted))
    own = AuthenticatedClient(url, made.key, timeout=httpx.Timeout(30))

    def empty() -> models.ShopStatus | None:
        answer = get_status.sync(client=own)
        return answer if isinstance(answer, models.ShopStatus) else None

    assert until(empty).catalog_items == 0
    refused = a(models.Problem, list_shops.sync(client=own))
    assert refused.code == "forbidden", refused
    told = a(models.ShopOut, get_shop.sync(name, client=client))
    assert [each.name for each in told.keys] == ["pages"], told
    assert delete_shop_key.sync_detailed(name, "pages", client=client).status_code == 204
    assert a(models.Accepted, delete_shop.sync(name, client=client)).accepted == 1
    listed = a(models.ShopsOut, list_shops.sync(client=client))
    assert [each.status for each in listed.shops if each.name == name] == [
        models.ShopOutStatus.REMOVING
    ], listed


def rights(client: AuthenticatedClient) -> None:
    shared = models.PreferencesIn(personal=False)
    put = put_session_preferences.sync("s9", client=client, body=shared)
    assert not a(models.PreferencesOut, put).profiling
    assert not a(models.PreferencesOut, get_session_preferences.sync("s9", client=client)).personal
    put = put_user_preferences.sync("eve", client=client, body=shared)
    assert not a(models.PreferencesOut, put).personal
    assert export_user.sync_detailed("eve", client=client).status_code == 200
    usual = models.PreferencesIn(personal=True)
    put_user_preferences.sync("eve", client=client, body=usual)
    put_session_preferences.sync("s9", client=client, body=usual)
    told = a(models.PreferencesOut, get_user_preferences.sync("eve", client=client))
    assert told.personal, told
    assert (told.personal, told.profiling, told.frozen) == (True, True, False), told


def farewell(client: AuthenticatedClient) -> None:
    for user_id in ("ann", "cleo"):
        taken = a(models.ErasureTaken, erase_user.sync(user_id, client=client))
        told = get_erasure.sync(taken.receipt, client=client, user_id=user_id)
        assert a(models.ErasureOut, told).of_user
    looked = a(models.AuditOut, list_accesses.sync(client=client))
    assert looked.entries[-1].access == "erased", looked
    for item_id in ("milk", "oat"):
        assert delete_item.sync_detailed(item_id, client=client).status_code == 204
    gone = a(models.Problem, get_item.sync("milk", client=client))
    assert (gone.status, gone.code) == (404, "unknown_item")


def a(kind: type[T], answer: object) -> T:
    """The answer, which is of that kind and neither a Problem nor nothing."""
    assert isinstance(answer, kind), answer
    return answer


def filled(answer: R) -> R | None:
    """An answer with items, else None: what was just written is ranked soon after."""
    return answer if answer.items else None


def until(ask: Callable[[], T | None]) -> T:
    """What it answers in the end."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not (answer := ask()):
        assert time.monotonic() < deadline_s, "not in time"
        time.sleep(0.2)
    return answer


def tell(request: httpx.Request) -> None:
    print(request.method, request.url.raw_path.decode().split("?")[0])


def main(url: str, key: str, document: str) -> None:
    example = Example(json.loads(Path(document).read_text()))
    hooks = {"event_hooks": {"request": [tell]}}
    with AuthenticatedClient(url, key, httpx_args=hooks, timeout=httpx.Timeout(30)) as client:
        operations(client)
        texts(client, example)
        labels(client, example)
        experiment(client, example)
        answers(client, example)
        shops(client, example, url)
        rights(client)
        try:
            catalogue(client, example)
            shopper(client, example)
            rankings(client, example)
        finally:
            farewell(client)


if __name__ == "__main__":
    main(*sys.argv[1:])
