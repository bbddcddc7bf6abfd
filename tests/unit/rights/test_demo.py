"""The demo shop acts for its own shoppers, and for nobody else's, whoever asks."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from serving.local.state_folder import Prepared, Sample, demo_shoppers_of
from serving.models.tokenizer import Tokenizer
from serving.shops.pseudonyms import Pseudonyms
from tests.support.fakes import groceries
from tests.support.service import Service, problem, shop_of, view

KEYS = ("rank", "events")  # what a browser on /demo holds
OTHER = "other"


@pytest.fixture
def service(tokenizer_path: Any) -> Service:
    names = Pseudonyms(b"0123456789abcdef").of_shop(OTHER)
    other = shop_of(groceries(Tokenizer(tokenizer_path)), name=OTHER, pseudonyms=names)
    return Service(tokenizer_path, demo=["ann"], others=[other])


def preferences(user_id: str) -> str:
    return f"/demo/shoppers/{user_id}/preferences"


async def made(service: Service) -> str:
    answer = await service.call("POST", "/demo/shoppers", "rank")
    return str(answer.json()["user_id"])


async def test_its_own_shopper_sees_and_changes_what_is_known(service: Service) -> None:
    user = await made(service)
    body = {"personal": False, "profiling": True, "hide": [{"brand": "Oatly"}]}
    answer = await service.call("PUT", preferences(user), "events", json=body)
    assert (answer.status_code, answer.json()["personal"]) == (200, False)
    told = await service.call("GET", preferences(user), "rank")
    assert told.json()["profiling"] is True
    assert told.json() == (await service.call("GET", f"/v1/users/{user}/preferences")).json()
    (event,) = service.log.events.values()
    assert (event.user_id, event.brand) == (service.shop.pseudonyms.user(user), "Oatly")


async def test_the_shopper_whom_the_settings_name_is_one_of_its_own(service: Service) -> None:
    told = (await service.call("GET", preferences("ann"), "rank")).json()
    assert told["interests"]
    copy = await service.call("GET", "/demo/shoppers/ann/export", "rank")
    assert json.loads(copy.text.splitlines()[-1])["kind"] == "end"


async def test_no_two_shoppers_are_made_alike(service: Service) -> None:
    assert len({await made(service) for _ in range(50)}) == 50


def forged(real: str) -> list[str]:
    """What somebody would try who has seen an id that the demo made."""
    flipped = "0" if real[-1] != "0" else "1"
    return [
        "ben", "demo-", f"demo-{'0' * 32}", real[:-1], real[:-1] + flipped, f"{real}0",
        real.replace("demo-", ""), real.upper(), real.replace("demo-", "demo-0", 1),
        f"demo-{real[21:]}{real[5:21]}", "demo-é", f"{real}/../ben", "ANN",
    ]  # fmt: skip


async def test_nobody_elses_data_are_told_or_changed_by_the_demo(service: Service) -> None:
    for user in forged(await made(service)):
        path = preferences(user.replace("/", "%2F"))
        copy = path.replace("preferences", "export")
        for answer in (
            await service.call("GET", path, "rank"),
            await service.call("PUT", path, "events", json={"personal": False}),
            await service.call("GET", copy, "rank"),
        ):
            assert (answer.status_code, problem(answer)["code"]) == (403, "not_the_demos"), user
    assert service.controls.documents == {}  # not even an entry of the audit log


async def test_an_id_that_one_shop_made_is_nobodys_in_another(service: Service) -> None:
    other = service.shops.of(OTHER).pseudonyms
    name = "0123456789abcdef"
    for user in (f"demo-{name}{other.demo_mark(name)}", "demo-" + name + Pseudonyms(
        b"another secret..").demo_mark(name)):  # fmt: skip
        assert (await service.call("GET", preferences(user), "rank")).status_code == 403


@pytest.mark.parametrize(
    ("method", "path", "key"),
    [
        ("POST", "/demo/shoppers", "events"),
        ("GET", preferences("ann"), "events"),
        ("PUT", preferences("ann"), "rank"),
        ("GET", "/demo/shoppers/ann/export", "items"),
        ("GET", preferences("ann"), "page"),
        ("PUT", preferences("ann"), "page"),
    ],
)
async def test_a_key_needs_the_scopes_of_a_page_that_ranks_and_tells_events(
    service: Service, method: str, path: str, key: str
) -> None:
    body = {"personal": False} if method == "PUT" else None
    assert (await service.call(method, path, key, json=body)).status_code == 403
    assert (await service.call(method, path, None, json=body)).status_code == 401


async def test_the_keys_of_the_page_still_open_no_door_of_the_api(service: Service) -> None:
    for key in KEYS:
        for path in ("/v1/users/ann/preferences", "/v1/users/ann/export"):
            assert (await service.call("GET", path, key)).status_code == 403


async def test_where_there_is_no_demo_nobody_acts_for_anybody(tokenizer_path: Any) -> None:
    service = Service(tokenizer_path)
    for method, path in (
        ("POST", "/demo/shoppers"),
        ("GET", preferences("ann")),
        ("PUT", preferences("ann")),
        ("GET", "/demo/shoppers/ann/export"),
    ):
        assert (await service.call(method, path, json={})).status_code == 404


async def test_every_access_by_the_demo_is_in_the_audit_log(service: Service) -> None:
    await service.call("GET", preferences("ann"), "rank")
    await service.call("PUT", preferences("ann"), "events", json={"personal": False})
    await service.call("GET", "/demo/shoppers/ann/export", "rank")
    entries = (await service.call("GET", "/v1/audit?day=2026-09-21")).json()["entries"]
    noted = [(each["key"], each["access"]) for each in entries]
    assert sorted(noted) == [
        ("events", "preferences_changed"), ("rank", "exported"), ("rank", "preferences_read"),
    ]  # fmt: skip


async def test_one_copy_is_made_at_a_time(service: Service) -> None:
    assert (await service.post("/v1/events", {"events": [view()]})).json()["accepted"] == 1
    path = "/demo/shoppers/ann/export"
    answers = await asyncio.gather(*(service.call("GET", path, "rank") for _ in range(3)))
    assert sorted(answer.status_code for answer in answers) == [200, 503, 503]
    assert (await service.call("GET", path, "rank")).status_code == 200


@pytest.mark.parametrize(
    ("data", "expected"), [("grocery", ["1598"]), ("simulated", ["1598"]), ("/my/shop", [])]
)
def test_of_a_shops_own_data_the_local_stack_names_nobody(
    tmp_path: Path, data: str, expected: list[str]
) -> None:
    sample = Sample(user_id="1598", item_ids=["1"], query="bread")
    done = Prepared(data=data, n_items=1, sample=sample)
    (tmp_path / "prepared.json").write_text(done.model_dump_json())
    assert demo_shoppers_of(tmp_path) == expected
    assert demo_shoppers_of(tmp_path / "none") == []
