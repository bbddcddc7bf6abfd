"""An operator adds, pauses and removes shops by API, and a key leads to its own shop alone."""

from pathlib import Path
from typing import Any

import pytest

from features.controls.shops import ShopStatus
from serving.http.access.auth import ApiKey, Scope, hash_key
from serving.models.tokenizer import Tokenizer
from serving.shops.pseudonyms import Pseudonyms
from tests.support.fakes import FakeLog, FakeShoppers, groceries, state
from tests.support.service import Service, candidates, ids, problem, shop_of, view

SCOPES = ["admin", "events", "items", "rank", "shoppers"]


@pytest.fixture
def service(tokenizer_path: Path) -> Service:
    """With a shop `outlet` of the same items, where `bob` is known."""
    items = groceries(Tokenizer(tokenizer_path))
    names = Pseudonyms(b"0123456789abcdef").of_shop("outlet-1")
    shoppers, log = FakeShoppers(), FakeLog()
    shoppers.users[str(names.user("bob"))] = state("milk", "oat", items=items)
    outlet = shop_of(items, shoppers, log, name="outlet", pseudonyms=names)
    return Service(tokenizer_path, others=[outlet])


async def key_of(service: Service, name: str = "outlet", **terms: Any) -> str:
    """A new key of a shop, which the replica knows."""
    path = f"/v1/shops/{name}/keys/{terms.pop('key_name', 'all')}"
    made = await service.call("PUT", path, "shops", json={"scopes": SCOPES, **terms})
    assert made.status_code == 200, made.text
    service.keys.follow(service.registry.all())
    return str(made.json()["key"])


async def put(service: Service, **definition: Any) -> Any:
    answer = await service.call("PUT", "/v1/shops/outlet", "shops", json=definition)
    service.keys.follow(service.registry.all())
    return answer


async def test_a_shop_is_added_and_told_with_what_was_left_out(service: Service) -> None:
    added = await put(service, title="Outlet", rules={"diversity": {"max_same": 2}})
    assert added.status_code == 200, added.text
    told = (await service.call("GET", "/v1/shops/outlet", "shops")).json()
    assert told == added.json()
    assert (told["status"], told["open"], told["definition"]["weight"]) == ("active", True, 1.0)
    assert told["definition"]["rules"] == {"diversity": {"max_same": 2}}
    listed = (await service.call("GET", "/v1/shops", "shops")).json()["shops"]
    assert [shop["name"] for shop in listed] == ["default", "outlet"]


@pytest.mark.parametrize(
    ("definition", "field"),
    [
        ({"language": "english"}, "language"),
        ({"rules": {"diversity": {"max_same": 0}}}, "rules: diversity.max_same"),
        ({"rules": {"pins": [{"item_id": "a", "position": 0, "reason": "x"}]}}, "rules: pins.0"),
        ({"prices": {"currency": "euro"}}, "prices.currency"),
        ({"weight": 0}, "weight"),
        ({"rate_per_s": 0}, "rate_per_s"),
        ({"rate_per_s": 2**64}, "rate_per_s"),
        ({"rules": {"fatigue": {"after": 2**64}}}, "rules"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_a_definition_that_cannot_be_used_names_its_field_and_changes_nothing(
    service: Service, definition: dict[str, Any], field: str
) -> None:
    refused = await put(service, **definition)
    assert (refused.status_code, problem(refused)["code"]) == (422, "invalid_request")
    assert problem(refused)["detail"].startswith(field)
    assert service.registry.all() == {}


@pytest.mark.parametrize("name", ["Outlet", "a_b", "-a", "a-", "x" * 33, "a.b"])
async def test_a_name_that_cannot_be_a_folder_and_a_key_is_refused(
    service: Service, name: str
) -> None:
    refused = await service.call("PUT", f"/v1/shops/{name}", "shops", json={})
    assert refused.status_code == 422
    assert "name" in problem(refused)["detail"]


async def test_the_operator_sees_which_shops_there_are_and_nothing_in_them(
    service: Service,
) -> None:
    await put(service)
    for method, path in (
        ("POST", "/v1/rank"), ("POST", "/v1/events"), ("GET", "/v1/items"),
        ("GET", "/v1/users/bob/features"), ("GET", "/v1/experiments"), ("GET", "/v1/status"),
    ):  # fmt: skip
        refused = await service.call(method, path, "shops", json={})
        assert (refused.status_code, problem(refused)["code"]) == (403, "forbidden"), path
    for scope in ("rank", "events", "items", "admin"):
        for method, path in (("GET", "/v1/shops"), ("DELETE", "/v1/shops/outlet")):
            assert (await service.call(method, path, scope)).status_code == 403


async def test_a_key_is_told_once_and_kept_as_its_hash(service: Service) -> None:
    await put(service)
    key = await key_of(service)
    (kept,) = service.registry.get("outlet").keys.values()
    assert kept["sha256"] == hash_key(key)
    for path in ("/v1/shops", "/v1/shops/outlet"):
        told = (await service.call("GET", path, "shops")).text
        assert key not in told
        assert hash_key(key) not in told


async def test_a_key_made_anew_is_another_and_a_deleted_one_is_unknown(service: Service) -> None:
    await put(service)
    first, second = await key_of(service), await key_of(service)
    body = {"candidates": candidates("milk")}
    assert (await service.post("/v1/rank", body, first)).status_code == 401
    assert (await service.post("/v1/rank", body, second)).status_code == 200
    gone = await service.call("DELETE", "/v1/shops/outlet/keys/all", "shops")
    assert gone.status_code == 204
    service.keys.follow(service.registry.all())
    assert (await service.post("/v1/rank", body, second)).status_code == 401
    again = await service.call("DELETE", "/v1/shops/outlet/keys/all", "shops")
    assert (again.status_code, problem(again)["code"]) == (404, "unknown_key")


@pytest.mark.parametrize(
    "terms",
    [
        {"scopes": ["shops"]},
        {"scopes": []},
        {"scopes": ["rank"], "publishable": {"origins": ["https://a.example"]}},
    ],
)
async def test_no_key_of_a_shop_may_do_more_than_in_its_shop(
    service: Service, terms: dict[str, Any]
) -> None:
    await put(service)
    refused = await service.call("PUT", "/v1/shops/outlet/keys/k", "shops", json=terms)
    assert refused.status_code == 422
    assert service.registry.get("outlet").keys == {}


async def test_a_key_leads_to_its_own_shop(service: Service) -> None:
    await put(service)
    key = await key_of(service)
    ours = await service.call("GET", "/v1/users/bob/features", key)
    assert ours.json()["known"] is True
    assert (await service.call("GET", "/v1/users/ann/features", key)).json() == {"known": False}
    default = await service.call("GET", "/v1/users/bob/features", "admin")
    assert default.json() == {"known": False}
    told = await service.post("/v1/events", {"events": [view(user_id="bob")]}, key)
    assert told.json()["accepted"] == 1
    assert service.log.events == {}


async def test_one_shopper_of_two_shops_is_two_in_what_is_kept(service: Service) -> None:
    outlet, default = service.shops.of("outlet"), service.shop
    assert outlet.pseudonyms.user("ann") != default.pseudonyms.user("ann")
    assert outlet.pseudonyms.session("s") != default.pseudonyms.session("s")


async def test_a_paused_shop_keeps_everything_and_answers_nobody(service: Service) -> None:
    await put(service)
    key = await key_of(service)
    await put(service, paused=True)
    for method, path, body in (
        ("POST", "/v1/rank", {"candidates": candidates("milk")}),
        ("POST", "/rerank", {"query": "milk", "texts": ["milk"]}),
        ("POST", "/v1/events", {"events": [view()]}),
        ("GET", "/v1/items", None),
        ("GET", "/v1/status", None),
    ):
        refused = await service.call(method, path, key, json=body)
        assert (refused.status_code, problem(refused)["code"]) == (403, "shop_paused"), path
    default = await service.post("/v1/rank", {"candidates": candidates("milk")})
    assert default.status_code == 200
    assert service.registry.get("outlet").status is ShopStatus.PAUSED
    await put(service)
    answer = await service.post("/v1/rank", {"candidates": candidates("milk")}, key)
    assert ids(answer) == ["milk"]


async def test_the_keys_of_a_removed_shop_are_unknown(service: Service) -> None:
    await put(service)
    key = await key_of(service)
    removed = await service.call("DELETE", "/v1/shops/outlet", "shops")
    assert (removed.status_code, removed.json()) == (202, {"accepted": 1})
    service.keys.follow(service.registry.all())
    assert (await service.post("/v1/rank", {"candidates": ["milk"]}, key)).status_code == 401
    assert (await service.call("GET", "/v1/shops/outlet", "shops")).status_code == 404
    (told,) = [
        shop for shop in (await service.call("GET", "/v1/shops", "shops")).json()["shops"]
        if shop["name"] == "outlet"
    ]  # fmt: skip
    assert (told["status"], told["keys"]) == ("removing", [])
    again = await put(service)
    assert (again.status_code, problem(again)["code"]) == (409, "conflict")


async def test_the_rate_of_a_shop_is_of_all_its_keys_together(service: Service) -> None:
    await put(service, rate_per_s=3)
    one, other = [await key_of(service, key_name=name) for name in ("one", "other")]
    answers = [
        await service.post("/v1/rank", {"candidates": ["milk"]}, key)
        for key in (one, other, one, other)
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert problem(answers[-1])["detail"] == "over 3 requests per second of the shop"
    assert (await service.post("/v1/rank", {"candidates": ["milk"]})).status_code == 200


async def test_a_shop_that_is_not_open_here_yet_is_asked_again(service: Service) -> None:
    await service.call("PUT", "/v1/shops/new", "shops", json={})
    key = await key_of(service, "new")
    early = await service.post("/v1/rank", {"candidates": ["milk"]}, key)
    assert (early.status_code, problem(early)["code"]) == (503, "shop_opening")
    assert early.headers["retry-after"] == "1"


async def test_a_key_of_the_key_file_may_name_its_shop(service: Service) -> None:
    key = ApiKey(
        name="file", sha256=hash_key("file"), scopes=frozenset({Scope.ADMIN}), shop="outlet"
    )
    service.keys.replace([key, *service.keys._of_file])
    asked = "/v1/users/bob/features"
    assert (await service.call("GET", asked, "file")).status_code == 401  # there is no such shop
    await put(service)
    assert (await service.call("GET", asked, "file")).json()["known"] is True


def test_the_scope_of_the_installation_is_of_no_single_shop() -> None:
    with pytest.raises(ValueError, match="key 'file': the scope shops is of no single shop"):
        ApiKey(name="file", sha256="0" * 64, scopes=frozenset({Scope.SHOPS}), shop="outlet")


async def test_metrics_of_several_shops_are_the_operators(service: Service) -> None:
    assert (await service.call("GET", "/metrics", "rank")).status_code == 403
    assert (await service.call("GET", "/metrics", None)).status_code == 401
    assert (await service.call("GET", "/metrics", "shops")).status_code == 200
    service.shops.remove("outlet")
    assert (await service.call("GET", "/metrics", None)).status_code == 200


async def test_the_status_is_of_the_shop_of_the_key(service: Service) -> None:
    await put(service)
    key = await key_of(service)
    await service.post("/v1/events", {"events": [view()]})
    assert (await service.call("GET", "/v1/status")).json()["events_logged"] == 1
    assert (await service.call("GET", "/v1/status", key)).json()["events_logged"] == 0


async def test_who_shares_needs_a_group(service: Service) -> None:
    refused = await put(service, shares_priors=True)
    assert refused.status_code == 422
    assert problem(refused)["detail"] == "shares_priors: it needs a group to share with"
    assert (await put(service, shares_priors=True, group="shoes")).status_code == 200
