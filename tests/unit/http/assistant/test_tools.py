"""What tools say of themselves."""

import subprocess
import sys
from pathlib import Path

import jsonschema_rs
import pytest

from serving.http.assistant.tools import Tools
from serving.http.assistant.words import told
from tests.support.service import Service


@pytest.fixture
def tools(tokenizer_path: Path) -> Tools:
    endpoints = Service(tokenizer_path)
    return Tools(endpoints.rankings, endpoints.shops)


def test_the_schemas_are_valid_and_refer_to_nothing_outside(tools: Tools) -> None:
    for tool in tools.by_name.values():
        for schema in (tool.arguments, tool.answer):
            jsonschema_rs.meta.validate(schema)
            jsonschema_rs.validator_for(schema)


def test_arguments_are_described_where_the_endpoint_describes_them(tools: Tools) -> None:
    search = tools.by_name["search"].arguments
    assert search["required"] == ["query"]
    assert "in a sentence" in str(search["properties"]["user_context"])
    assert search["properties"]["limit"]["maximum"] == 200
    assert "Filters" in search["$defs"]


def test_what_was_let_go_is_said_before_the_items() -> None:
    answer = {
        "items": [
            {"item_id": "1", "title": "Mug", "brand": None, "price": 4.0, "currency": "EUR",
             "available": False, "relevance": 0.5, "position": 1}
        ],
        "total": 1,
        "understood": {
            "wishes": [{"words": "under 3 euros", "required": True, "relaxed": True}],
            "not_used": [],
        },
    }  # fmt: skip
    assert told(answer).splitlines() == [
        "1 items.",
        'Nothing meets "under 3 euros", so it was let go: these items do not all meet it.',
        "1. Mug, 4.00 EUR, sold out (item_id 1)",
    ]


@pytest.mark.timeout(300)  # a process of its own, beside other work
def test_who_does_not_switch_it_on_does_not_import_the_protocol() -> None:
    program = (
        "import sys, serving.http.application, serving.wiring; "
        "assert not any(name.split('.')[0] in ('mcp', 'mcp_types') for name in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
