"""The OpenAPI document against the real stack: whatever it allows or forbids, no 500 and no hang."""

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings

from tests.stack import RunningStack


@pytest.fixture
def openapi(stack: RunningStack) -> Any:
    """The document that the running stack serves."""
    return schemathesis.openapi.from_url(f"{stack.url}/openapi.json")


schema = schemathesis.pytest.from_fixture("openapi")


@schema.parametrize()
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
def test_every_operation_keeps_the_document(case: Any) -> None:
    response = case.call(headers={"authorization": "Bearer dev"}, timeout=20)
    case.validate_response(response)
    assert response.status_code < 500 or response.status_code == 503
    assert "Traceback" not in response.text
