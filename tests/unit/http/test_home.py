"""`/` leads on: a person by links, a program by JSON."""

import re
from pathlib import Path

import pytest

from tests.support.service import Service

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.fixture
def shop(tokenizer_path: Path) -> Service:
    return Service(tokenizer_path)


@pytest.mark.parametrize("accept", ["*/*", "application/json", None])
async def test_a_program_is_told_where_everything_is(shop: Service, accept: str | None) -> None:
    headers = {"accept": accept} if accept else {}
    answer = await shop.call("GET", "/", None, headers=headers)
    told = answer.json()
    assert (told["name"], told["version"]) == ("vitrine", "1")
    assert {"docs", "console", "openapi", "health"} <= set(told)
    assert "demo" not in told  # this service has none
    for path in (path for path in told.values() if path.startswith("/")):
        assert (await shop.call("GET", path, None)).status_code == 200, path
    assert answer.headers["vary"] == "Accept"


async def test_a_browser_gets_a_page_whose_links_lead_somewhere(shop: Service) -> None:
    answer = await shop.call("GET", "/", None, headers={"accept": BROWSER})
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    links = re.findall(r'href="([^"]+)"', answer.text)
    assert {"/docs", "/openapi.json", "/healthz"} <= set(links)
    for path in links:
        assert (await shop.call("GET", path, None)).status_code == 200, path
