"""`/rerank` as the clients of others see it, and the page that says so."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from loadtests.stack import RunningStack
from serving.local.state_folder import DEV_KEY
from tests.clients.compat_page import PAGE, Told, written
from tests.clients.running import run_python

FAMILIES = (
    "cohere",
    "voyage",
    "infinity",
    "huggingface_hub",
    "langchain",
    "llama_index",
    "litellm",
    "haystack",
)


@pytest.fixture(scope="module")
def told(stack: RunningStack) -> dict[str, list[Told]]:
    """What the clients of each family told; two at a time, for most of it is their imports."""

    def ask(family: str) -> list[Told]:
        printed = run_python("-m", f"tests.clients.rerank.{family}_calls", stack.url, DEV_KEY)
        return [json.loads(line) for line in printed.splitlines() if line.startswith("{")]

    with ThreadPoolExecutor(2) as pool:
        return dict(zip(FAMILIES, pool.map(ask, FAMILIES), strict=True))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_client_gets_what_it_looks_for(told: dict[str, list[Told]], family: str) -> None:
    assert told[family]
    assert failed(told[family]) == []


def test_the_page_says_what_the_clients_told(
    told: dict[str, list[Told]], pytestconfig: pytest.Config
) -> None:
    cases = [case for family in FAMILIES for case in told[family]]
    page = written(PAGE.read_text(), cases)
    if pytestconfig.getoption("--write-compat") and not failed(cases):
        PAGE.write_text(page)
    assert PAGE.read_text() == page, "`make compat` writes it anew"


def failed(cases: list[Told]) -> list[Told]:
    return [case for case in cases if case["result"].startswith("FAILED")]
