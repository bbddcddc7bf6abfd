"""An import lasts for minutes: its shop may be opened anew meanwhile, or removed."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from serving.models.tokenizer import Tokenizer
from tests.support.fakes import FakeCatalog, FakeLog, FakeShoppers, groceries
from tests.support.service import Service, problem, shop_of
from tests.unit.shops.registry.test_api import key_of, put


@pytest.fixture
def service(tokenizer_path: Path) -> Service:
    """With a shop `outlet` of the same items."""
    items = groceries(Tokenizer(tokenizer_path))
    return Service(tokenizer_path, others=[shop_of(items, name="outlet")])


def stream(line: Any, meanwhile: Any) -> AsyncIterator[bytes]:
    """Lines of an import; `meanwhile` is done when the first of them were taken."""

    async def lines() -> AsyncIterator[bytes]:
        for number in range(1_200):
            if number == 600:
                await asyncio.sleep(0.1)
                meanwhile()
            yield json.dumps(line(number)).encode() + b"\n"

    return lines()


def item(number: int) -> dict[str, Any]:
    return {"item_id": f"new-{number}", "title": "New"}


def purchase(number: int) -> dict[str, Any]:
    return {
        "event_id": f"e{number}", "type": "purchase", "user_id": "bob", "item_id": "milk",
        "at": "2026-01-01T00:00:00Z",
    }  # fmt: skip


@pytest.mark.parametrize(("path", "line"), [("items", item), ("events", purchase)])
async def test_an_import_into_a_shop_that_is_removed_is_told_so(
    service: Service, path: str, line: Any
) -> None:
    await put(service)
    key = await key_of(service)
    body = stream(line, lambda: service.shops.remove("outlet"))
    refused = await service.call(
        "POST", f"/v1/{path}/import", None, content=body,
        headers={"authorization": f"Bearer {key}"},
    )  # fmt: skip
    assert (refused.status_code, problem(refused)["code"]) == (409, "conflict")
    assert problem(refused)["detail"] == "the shop was removed meanwhile"


@pytest.mark.parametrize(("path", "line"), [("items", item), ("events", purchase)])
async def test_an_import_goes_on_with_the_shop_as_it_was_opened_anew(
    service: Service, path: str, line: Any, tokenizer_path: Path
) -> None:
    await put(service)
    key = await key_of(service)
    log, catalog = FakeLog(), FakeCatalog()
    items = groceries(Tokenizer(tokenizer_path))
    anew = shop_of(items, FakeShoppers(), log, name="outlet", catalog=catalog)
    taken = await service.call(
        "POST", f"/v1/{path}/import", None,
        content=stream(line, lambda: service.shops.put(anew)),
        headers={"authorization": f"Bearer {key}"},
    )  # fmt: skip
    assert taken.status_code == 200, taken.text
    assert taken.json()["accepted"] == 1_200
    assert 0 < len(log.events) + len(catalog.items) < 1_200


async def test_what_comes_too_late_for_a_closed_shop_is_no_failure_of_ours(
    service: Service,
) -> None:
    await put(service)
    key = await key_of(service)
    service.shops.of("outlet").upkeep.close()
    late = await service.call(
        "PUT", "/v1/items", None, json={"items": [item(1)]},
        headers={"authorization": f"Bearer {key}"},
    )  # fmt: skip
    assert (late.status_code, problem(late)["code"]) == (503, "shop_opening")
