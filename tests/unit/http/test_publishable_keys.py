"""A key that anyone may see: it tells events of its own pages, within limits, and nothing else."""

import json
import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from serving.http.access.auth import ApiKey, Publishable, Scope, hash_key, read_keys
from serving.http.access.key_file import KeyFile
from serving.http.access.rates import Rates
from serving.http.routes.events import PAGE_AGE_S, PAGE_EVENTS
from tests.support.fakes import NOW_S
from tests.support.service import PAGE_ORIGIN, RATE_PER_S, Service, problem, view


@pytest.fixture
def shop(tokenizer_path: Path) -> Service:
    return Service(tokenizer_path)


def seen(**fields: Any) -> dict[str, Any]:
    """What a page tells."""
    return view(user_id=None, session_id="tab", **fields)


async def tell(
    shop: Service,
    *events: dict[str, Any],
    origin: str | None = PAGE_ORIGIN,
    query: str = "",
    key: str | None = "page",
    **headers: str,
) -> Any:
    given = {name.replace("_", "-"): text for name, text in headers.items()}
    if origin is not None:
        given["origin"] = origin
    body = {"events": list(events) or [seen()]}
    return await shop.call("POST", f"/v1/events{query}", key, json=body, headers=given)


# --- the key file ---


def entry(**fields: Any) -> dict[str, Any]:
    usual = {"name": "window", "sha256": hash_key("w"), "scopes": ["events"]}
    return {**usual, "publishable": {"origins": [PAGE_ORIGIN]}, **fields}


@pytest.mark.parametrize("scopes", [["rank"], ["events", "rank"], ["events", "admin"], []])
def test_a_publishable_key_with_another_scope_is_refused_and_named(scopes: list[str]) -> None:
    with pytest.raises(ValidationError, match="key 'window': a publishable key has the scope"):
        ApiKey.model_validate_json(json.dumps(entry(scopes=scopes)))


@pytest.mark.parametrize(
    "origin",
    ["*", "null", "", "shop.example", "https://shop.example/", "https://shop.example/path",
     "https://Shop.example", "https://*.shop.example", "https://shop.example:443",
     "http://shop.example:80", "ftp://shop.example", "https://a@shop.example", "https://bücher.de",
     "https://shop.example\n"],
)  # fmt: skip
def test_an_origin_that_no_browser_sends_is_refused(origin: str) -> None:
    with pytest.raises(ValidationError, match="an origin is scheme://host"):
        Publishable.model_validate_json(json.dumps({"origins": [origin]}))


@pytest.mark.parametrize(
    "origin", ["https://shop.example", "http://localhost:3000", "https://[::1]:8443"]
)
def test_an_origin_as_browsers_send_it_is_taken(origin: str) -> None:
    assert Publishable.model_validate({"origins": [origin]}).origins == {origin}


def test_a_publishable_key_needs_an_origin() -> None:
    with pytest.raises(ValidationError, match="origins"):
        Publishable.model_validate({"origins": []})


def test_a_file_with_such_a_key_is_named_in_the_log_and_leaves_the_keys_as_they_are(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "keys.json"
    path.write_text(json.dumps([entry()]))
    watch = KeyFile(path)
    path.write_text(json.dumps([entry(scopes=["events", "rank"])]))
    with caplog.at_level(logging.INFO):
        watch.look()
    assert "key 'window'" in caplog.text
    assert hash_key("w") not in caplog.text
    assert watch.keys.lists(PAGE_ORIGIN)
    path.write_text(json.dumps([]))
    watch.look()
    assert not watch.keys.lists(PAGE_ORIGIN)


def test_a_file_of_before_has_secret_keys_only(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text(json.dumps([{"name": "n", "sha256": hash_key("s"), "scopes": ["rank"]}]))
    assert [key.publishable for key in read_keys(path)] == [None]


# --- who may use it, and where ---


async def test_a_page_of_a_listed_origin_tells_events(shop: Service) -> None:
    answer = await tell(shop, seen(), seen(type="click", position=3))
    assert (answer.status_code, answer.json()["accepted"]) == (202, 2)


@pytest.mark.parametrize(
    "origin",
    [None, "", "null", "https://evil.example", "http://shop.example", "https://shop.example:8443",
     "https://shop.example.evil.example", "https://SHOP.example", PAGE_ORIGIN + "/"],
)  # fmt: skip
@pytest.mark.parametrize("in_url", [False, True], ids=["header", "url"])
async def test_another_origin_or_none_is_a_403(
    shop: Service, origin: str | None, in_url: bool
) -> None:
    where: dict[str, Any] = {"query": "?key=page", "key": None} if in_url else {}
    answer = await tell(shop, origin=origin, **where)
    assert (answer.status_code, problem(answer)["code"]) == (403, "forbidden")
    assert shop.log.events == {}


async def test_it_reads_nothing_and_changes_nothing_else(shop: Service) -> None:
    headers = {"origin": PAGE_ORIGIN}
    for method, path in (
        ("POST", "/v1/rank"), ("POST", "/v1/search"), ("POST", "/v1/recommend"),
        ("POST", "/rerank"), ("GET", "/v1/suggest?q=mil"), ("GET", "/v1/items/milk/similar"),
        ("GET", "/v1/status"), ("PUT", "/v1/items"), ("DELETE", "/v1/items/milk"),
        ("GET", "/v1/users/ann/features"), ("DELETE", "/v1/users/ann"),
    ):  # fmt: skip
        mark = "&" if "?" in path else "?"
        for where, key in ((path, "page"), (f"{path}{mark}key=page", None)):
            answer = await shop.call(method, where, key, content=b"{not json", headers=headers)
            assert answer.status_code == 403, path
    assert shop.log.erased == []


# --- in a URL ---


async def test_a_beacon_has_the_key_in_its_url_and_json_as_plain_text(shop: Service) -> None:
    body = json.dumps({"events": [seen()]})
    headers = {"origin": PAGE_ORIGIN, "content-type": "text/plain;charset=UTF-8"}
    answer = await shop.call("POST", "/v1/events?key=page", None, content=body, headers=headers)
    assert (answer.status_code, answer.json()["accepted"]) == (202, 1)


@pytest.mark.parametrize("header", [None, "events"])
async def test_a_secret_key_in_a_url_is_a_401_and_in_no_log(
    shop: Service, header: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    """Also beside a good header: the URL has passed logs on its way, and the key is no secret."""
    with caplog.at_level(logging.DEBUG):
        for secret in ("events", "all", "nobody", ""):
            answer = await tell(shop, query=f"?key={secret}", key=header)
            assert (answer.status_code, problem(answer)["code"]) == (401, "unauthenticated")
    assert shop.log.events == {}
    own = [record.getMessage() for record in caplog.records if record.name.startswith("vitrine")]
    assert not [line for line in own if "events" in line or "all" in line]


# --- how much ---


async def test_one_address_over_its_rate_is_refused_and_others_are_not_held_up(
    shop: Service,
) -> None:
    answers = [await tell(shop, x_vitrine_peer="192.0.2.7") for _ in range(RATE_PER_S + 3)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused
    assert "from one address" in problem(refused[0])["detail"]
    assert int(refused[0].headers["retry-after"]) >= 1
    assert (await tell(shop, x_vitrine_peer="192.0.2.8")).status_code == 202
    assert (await tell(shop, x_vitrine_peer="192.0.2.7", key="events")).status_code == 202


async def test_the_addresses_of_one_line_are_one(shop: Service) -> None:
    answers = [await tell(shop, x_vitrine_peer=f"2001:db8:1:2::{host:x}") for host in range(1, 9)]
    assert 429 in {answer.status_code for answer in answers}
    assert (await tell(shop, x_vitrine_peer="2001:db8:1:3::1")).status_code == 202


async def test_a_header_of_the_callers_own_is_no_other_address(shop: Service) -> None:
    """HAProxy's word stands behind the caller's, and no proxy is trusted here."""
    statuses = set()
    for number in range(RATE_PER_S + 3):
        forged = [("x-vitrine-peer", f"198.51.100.{number}"), ("x-vitrine-peer", "192.0.2.7")]
        headers = [*forged, ("x-forwarded-for", f"198.51.100.{number}"), ("origin", PAGE_ORIGIN)]
        answer = await shop.call(
            "POST", "/v1/events", "page", json={"events": [seen()]}, headers=headers
        )
        statuses.add(answer.status_code)
    assert 429 in statuses


async def test_a_trusted_proxy_names_the_client_and_only_by_what_it_added(
    tokenizer_path: Path,
) -> None:
    access = {"keys_path": "x", "pseudonym_key_path": "x", "trusted_proxies": ["10.0.0.0/8"]}
    shop = Service(tokenizer_path, access=access)
    for number in range(RATE_PER_S + 3):  # as many clients, through one proxy
        said = {"x_vitrine_peer": "10.1.2.3", "x_forwarded_for": f"192.0.2.{number}, 10.9.9.9"}
        assert (await tell(shop, **said)).status_code == 202
    answers = [
        await tell(shop, x_vitrine_peer="10.1.2.3", x_forwarded_for=f"203.0.113.{n}, 192.0.2.99")
        for n in range(RATE_PER_S + 3)  # one client that makes up the ones before it
    ]
    assert 429 in {answer.status_code for answer in answers}


def test_addresses_are_forgotten_when_they_say_nothing_any_more() -> None:
    now_s = [0.0]
    rates = Rates(lambda: now_s[0])
    for number in range(50_000):
        now_s[0] += 0.001
        assert rates.hit(f"address {number}", 10) == 0.0
    assert len(rates) <= 10_001


async def test_a_post_of_a_page_is_small(shop: Service) -> None:
    assert (await tell(shop, *[seen()] * PAGE_EVENTS)).status_code == 202
    answer = await tell(shop, *[seen()] * (PAGE_EVENTS + 1))
    assert (answer.status_code, problem(answer)["code"]) == (422, "invalid_request")
    assert "events:" in problem(answer)["detail"]


# --- what it may tell ---


@pytest.mark.parametrize(
    ("event", "code", "field"),
    [
        (seen(type="purchase"), "not_publishable", "type"),
        (seen(type="return"), "not_publishable", "type"),
        (seen(type="add_to_cart", value=3), "not_publishable", "value"),
        (view(user_id="ann", session_id="tab"), "not_publishable", "user_id"),
        (
            seen() | {"at": datetime.fromtimestamp(NOW_S - PAGE_AGE_S - 1, UTC).isoformat()},
            "event_too_old",
            "at",
        ),
    ],
    ids=["purchase", "return", "money", "shopper", "long ago"],
)
async def test_what_anyone_could_forge_to_effect_is_rejected_alone_and_named(
    shop: Service, event: dict[str, Any], code: str, field: str
) -> None:
    answer = (await tell(shop, event, seen())).json()
    assert answer["accepted"] == 1
    (rejected,) = answer["rejected"]
    assert (rejected["index"], rejected["code"]) == (0, code)
    assert rejected["detail"].startswith(f"{field}: ")
    secret = (await tell(shop, event, key="events", origin=None)).json()
    assert (secret["accepted"], secret["rejected"]) == (1, [])


async def test_a_key_that_may_name_shoppers_does(tokenizer_path: Path) -> None:
    terms = Publishable(origins=frozenset({PAGE_ORIGIN}), user_ids=True)
    shop = Service(tokenizer_path)
    shop.keys.replace(
        [ApiKey(name="n", sha256=hash_key("known"), scopes=frozenset({Scope.EVENTS}),
                publishable=terms)]
    )  # fmt: skip
    assert (await tell(shop, view(session_id="tab"), key="known")).json()["accepted"] == 1
    (kept,) = shop.log.events.values()
    assert kept.user_id == shop.shop.pseudonyms.user("ann")


async def test_a_page_cannot_use_up_the_id_of_an_event_of_the_servers(shop: Service) -> None:
    """Else whoever guesses an order's event id could make its purchase a duplicate."""
    assert (await tell(shop, seen(event_id="order-1"))).json()["accepted"] == 1
    again = (await tell(shop, seen(event_id="order-1"))).json()
    assert (again["accepted"], again["duplicates"]) == (0, 1)
    bought = view(type="purchase", event_id="order-1")
    assert (await tell(shop, bought, key="events", origin=None)).json()["accepted"] == 1
