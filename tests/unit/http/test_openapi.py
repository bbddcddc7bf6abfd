"""The document that describes the API: complete, usable by generators, and its examples work."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jsonschema_rs
import pytest
from openapi_spec_validator import validate

from serving.experiments.published import keep_reading
from serving.http.documented import EXAMPLES
from serving.http.labels.examples import CLASSIFIER
from serving.http.schemas.example_experiment import DECLARED, READING
from serving.http.schemas.operator.example_shop import DEFINED, KEY
from serving.http.schemas.pages.examples import PAGES, PLACEMENTS
from serving.search.answers.answer import Answer
from serving.shops.answers.kept import KeptAnswers
from serving.shops.experiments import Experiment
from serving.shops.labels.classifier import Classifier
from serving.shops.registry.definition import ShopDefinition
from serving.shops.rules import Rules
from tests.support.fakes import GROCERIES
from tests.support.pictures import look_at, shown_pictures
from tests.support.service import Service, view

Operation = dict[str, Any]


@pytest.fixture(scope="module")
def document(tokenizer_path: Path) -> dict[str, Any]:
    found: dict[str, Any] = Service(tokenizer_path).app.openapi()
    return json.loads(json.dumps(found))  # type: ignore[no-any-return]


@pytest.fixture
def shop(tokenizer_path: Path, tmp_path: Path) -> Service:
    arms = [{"key": "control"}, {"key": "wider", "rules": {"diversity": {"max_same": 2}}}]
    experiment = {"key": "spread", "status": "running", "arms": arms}
    alert = {"key": "complaints", "classifier": "reviews", "label": "Negative"}
    declared = {"experiments": [experiment], "alerts": {"labels": [alert]}}
    rules = Rules.model_validate({**declared, "placements": PLACEMENTS, "pages": PAGES})
    service = Service(tokenizer_path, rules=rules, pictures=shown_pictures(tmp_path))
    service.catalog.upsert(GROCERIES)
    look_at(service, "milk")
    keep_reading(service.controls, "spread", READING)
    service.shop.steering.declare(Experiment.model_validate(DECLARED))
    KeptAnswers(service.controls).put({"returns": Answer.of(EXAMPLES["get_answer"].answer)})
    service.shop.classifiers.put("reviews", Classifier.model_validate(CLASSIFIER))
    service.registry.put("outlet", ShopDefinition.model_validate(DEFINED))
    service.registry.put_key("outlet", "storefront", {**KEY, "sha256": "0" * 64})
    receipt = EXAMPLES["get_erasure"].parameters["receipt"]
    service.controls.put("erasures", receipt, {"at_ms": 1_790_000_000_000, "seq": 1})
    return service


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, Operation]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def by_id(document: dict[str, Any]) -> dict[str, tuple[str, str, Operation]]:
    return {found[2]["operationId"]: found for found in operations(document)}


def nodes(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
    for value in (
        node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    ):
        yield from nodes(value)


def resolved(document: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in node:
        place: Any = document
        for part in node["$ref"].removeprefix("#/").split("/"):
            place = place[part]
        node = place
    return node


def fits(document: dict[str, Any], schema: dict[str, Any], value: Any) -> None:
    whole = {**schema, "components": document["components"]}
    jsonschema_rs.validator_for(whole, validate_formats=True).validate(value)


def test_the_document_is_valid_and_its_references_resolve(document: dict[str, Any]) -> None:
    validate(document)
    assert document["openapi"].startswith("3.1")
    references = [node["$ref"] for node in nodes(document) if isinstance(node.get("$ref"), str)]
    assert references
    for reference in references:
        assert resolved(document, {"$ref": reference})
    event = document["components"]["schemas"]["EventsRequest"]["properties"]["events"]["items"]
    assert event == {"$ref": "#/components/schemas/EventIn"}


def test_every_endpoint_is_in_it(document: dict[str, Any]) -> None:
    assert {(path, method) for method, path, _ in operations(document)} == {
        ("/v1/rank", "post"), ("/v1/search", "post"), ("/v1/recommend", "post"),
        ("/v1/recommend/brands", "post"), ("/v1/recommend/categories", "post"),
        ("/v1/items/{item_id}/similar", "get"), ("/v1/suggest", "get"), ("/rerank", "post"),
        ("/v1/rerank", "post"), ("/v2/rerank", "post"), ("/v1/events", "post"),
        ("/v1/events/import", "post"),
        ("/v1/items", "get"), ("/v1/items", "put"), ("/v1/items", "patch"),
        ("/v1/items/import", "post"), ("/v1/items/{item_id}", "get"),
        ("/v1/items/{item_id}", "patch"), ("/v1/items/{item_id}", "delete"),
        ("/v1/items/{item_id}/image", "get"), ("/v1/items/{item_id}/image", "put"),
        ("/v1/items/{item_id}/image", "delete"),
        ("/v1/users/{user_id}", "delete"), ("/v1/users/{user_id}/features", "get"),
        ("/v1/users/{user_id}/preferences", "get"), ("/v1/users/{user_id}/preferences", "put"),
        ("/v1/sessions/{session_id}/preferences", "get"),
        ("/v1/sessions/{session_id}/preferences", "put"),
        ("/v1/users/{user_id}/export", "get"), ("/v1/erasures/{receipt}", "get"),
        ("/v1/audit", "get"),
        ("/v1/users/{user_id}/merge", "post"), ("/", "get"),
        ("/v1/answers/rank", "post"), ("/v1/answers", "get"), ("/v1/answers", "put"),
        ("/v1/answers/{answer_id}", "get"), ("/v1/answers/{answer_id}", "put"),
        ("/v1/answers/{answer_id}", "delete"),
        ("/v1/experiments", "get"), ("/v1/experiments/{key}", "get"),
        ("/v1/experiments/{key}/reading", "get"), ("/v1/versions", "get"),
        ("/v1/shops", "get"), ("/v1/shops/{name}", "get"), ("/v1/shops/{name}", "put"),
        ("/v1/shops/{name}", "delete"), ("/v1/shops/{name}/keys/{key_name}", "put"),
        ("/v1/shops/{name}/keys/{key_name}", "delete"),
        ("/v1/experiments/{key}", "put"), ("/v1/experiments/{key}", "delete"),
        ("/v1/experiments/{key}/decision", "post"),
        ("/v1/pages/{name}", "post"), ("/v1/placements", "get"),
        ("/v1/transparency", "get"),
        ("/healthz", "get"), ("/readyz", "get"), ("/metrics", "get"), ("/v1/status", "get"),
        ("/v1/classify", "post"), ("/v1/texts", "post"), ("/v1/alerts", "get"),
        ("/v1/classifiers", "get"), ("/v1/classifiers/{name}", "get"),
        ("/v1/classifiers/{name}", "put"), ("/v1/classifiers/{name}", "delete"),
    }  # fmt: skip


def test_every_operation_has_a_tag_a_summary_and_a_name_of_its_own(
    document: dict[str, Any],
) -> None:
    tags = {tag["name"] for tag in document["tags"] if tag["description"]}
    used = set()
    for _, path, operation in operations(document):
        (tag,) = operation["tags"]
        used.add(tag)
        assert operation["summary"], path
        assert operation["description"], path
    assert used == tags
    assert set(by_id(document)) == set(EXAMPLES)
    assert len(by_id(document)) == len(list(operations(document)))


def test_a_schema_has_one_name(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert {name: schema["title"] for name, schema in schemas.items()} == {
        name: name for name in schemas
    }


def test_a_body_has_one_type(document: dict[str, Any]) -> None:
    """openapi-python-client makes two arguments of two, which do not compile."""
    for _, path, operation in operations(document):
        assert len(operation.get("requestBody", {}).get("content", {})) <= 1, path


def test_what_may_be_null_has_no_object_as_its_default(document: dict[str, Any]) -> None:
    """openapi-python-client leaves the schema out, and every operation that takes it."""
    for name, schema in document["components"]["schemas"].items():
        for node in nodes(schema):
            assert not ("anyOf" in node and isinstance(node.get("default"), dict)), (name, node)


def test_nothing_differs_from_its_neighbour_by_capitals_alone(document: dict[str, Any]) -> None:
    """Generators of clients make names of these, and two that are equal break them."""
    schemas = document["components"]["schemas"]
    groups = [list(schemas), list(by_id(document))]
    for node in nodes(document):
        groups.append([str(value) for value in node.get("enum", [])])
        if isinstance(node.get("properties"), dict):
            groups.append(list(node["properties"]))
    for group in groups:
        assert len({name.casefold() for name in group}) == len(group), group


def test_every_operation_tells_its_errors(document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        told = set(operation["responses"])
        if "security" not in operation:
            assert told <= {"200", "503"}, path
            continue
        assert {"401", "403", "429", "503"} <= told, path
        assert ({"400", "413", "415", "422"} <= told) == ("requestBody" in operation), path
        names = "{" in path or operation["operationId"] in ("classify", "post_texts")
        assert ("404" in told) == names, path
        for status in told - {"200", "202", "204"}:
            problem = resolved(document, operation["responses"][status])
            media = problem["content"]["application/problem+json"]
            fits(document, media["schema"], media["example"])
            assert media["example"]["status"] == int(status), (method, path)


@pytest.mark.parametrize("name", EXAMPLES)
async def test_every_example_is_as_it_says_and_works(
    shop: Service, document: dict[str, Any], name: str
) -> None:
    method, path, operation = by_id(document)[name]
    query = {}
    for parameter in operation.get("parameters", []):
        assert "example" in parameter or not parameter["required"], parameter["name"]
        if "example" not in parameter:
            continue
        fits(document, parameter["schema"], parameter["example"])
        if parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", quote(parameter["example"], safe=""))
        else:
            query[parameter["name"]] = parameter["example"]
    sent: dict[str, Any] = {"params": query}
    for kind, media in operation.get("requestBody", {}).get("content", {}).items():
        body = media["example"]
        if isinstance(body, str):
            sent["content"] = body
            for line in body.splitlines():
                fits(document, media["schema"]["contentSchema"], json.loads(line))
        else:
            sent["content"] = json.dumps(body)
            fits(document, media["schema"], body)
        sent["headers"] = {"content-type": kind}
    answer = await shop.call(method.upper(), path, **sent)
    (status,) = set(operation["responses"]) & {"200", "202", "204"}
    assert answer.status_code == int(status), answer.text
    told = operation["responses"][status].get("content", {})
    assert not told or answer.headers["content-type"].partition(";")[0] in told
    for kind, media in told.items():
        fits(document, media["schema"], media["example"])
        if kind == "application/json":
            fits(document, media["schema"], answer.json())
    if name in (
        "put_items", "patch_items", "import_items", "import_events", "post_events", "put_answers",
        "list_answers", "get_answer", "put_answer",
    ):  # fmt: skip
        assert answer.json() == media["example"]


async def test_what_is_refused_is_a_problem_of_the_document(
    shop: Service, document: dict[str, Any]
) -> None:
    problem = {"$ref": "#/components/schemas/Problem"}
    refused = [
        await shop.post("/v1/rank", {"candidates": []}),
        await shop.post("/v1/rank", "{"),
        await shop.call("GET", "/v1/items/nowhere"),
        await shop.post("/v1/events", {"events": [view()]}, "nobody"),
    ]
    assert [answer.status_code for answer in refused] == [422, 400, 404, 401]
    for answer in refused:
        fits(document, problem, answer.json())
