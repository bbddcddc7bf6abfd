"""The OpenAPI document against the real stack: whatever comes in, no 500 and no hang."""

import json
from typing import Any
from urllib.parse import quote

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from loadtests.stack import RunningStack

# Not whether what the document allows is accepted: it cannot say that no item may stand twice.
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
EXAMPLES = 20  # of each operation and mode; `make fuzz` sends thousands


@schemathesis.serializer("application/x-ndjson")
def lines(context: Any, value: Any) -> bytes:
    """An import of anything: JSON lines are bytes in the document."""
    return value if isinstance(value, bytes) else json.dumps(value).encode() + b"\n"


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_every_operation_keeps_to_the_document(stack: RunningStack, mode: GenerationMode) -> None:
    schema = schemathesis.openapi.from_url(f"{stack.url}/openapi.json")
    sold = item_ids(stack)
    tried = []
    for found in schema.get_all_operations():
        operation: Any = found.ok()  # type: ignore[union-attr]
        strategy = operation.as_strategy(generation_mode=mode)

        @given(case=strategy)
        @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
        def keeps(case: Any) -> None:
            if case.query:
                case.query.pop("key", None)  # a made-up key would be all that is judged
            response = case.call(headers={"authorization": "Bearer dev"}, timeout=20)
            assert response.status_code != 500, response.text
            assert "Traceback" not in response.text
            case.validate_response(response, checks=CHECKS)

        try:
            keeps()
        except Unsatisfiable:
            continue  # it takes nothing that could be wrong
        tried.append(operation.label)
    assert len(tried) >= 10, tried
    for shop in stack.client.get("/v1/shops").json()["shops"]:
        stack.client.delete(f"/v1/shops/{shop['name']}")
    # What was made up would be found by the tests behind this one.
    for item_id in item_ids(stack) - sold:
        gone = stack.client.delete(f"/v1/items/{quote(item_id, safe='')}")
        assert gone.status_code < 300, gone.text


def item_ids(stack: RunningStack) -> set[str]:
    found: set[str] = set()
    page: dict[str, Any] = {"cursor": ""}
    while page["cursor"] is not None:
        asked = {"limit": 500, **({"cursor": page["cursor"]} if page["cursor"] else {})}
        page = stack.client.get("/v1/items", params=asked).raise_for_status().json()
        found |= {item["item_id"] for item in page["items"]}
    return found
