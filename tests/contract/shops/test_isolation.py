"""Two shops on the real stack: neither learns anything of the other, and neither changes it."""

from collections.abc import Iterator

import httpx
import pytest

from loadtests.isolation.fuzz import fuzzed
from loadtests.isolation.judging import Findings
from loadtests.isolation.operations import EVERY, WITH_A_NAME
from loadtests.isolation.proof import ask
from loadtests.isolation.shops import SHARED, OwnShop, added
from loadtests.stack import RunningStack

NAMES = 150  # the command asks for ten thousand
HTTP = {"get", "put", "post", "patch", "delete"}


@pytest.fixture(scope="module")
def shops(stack: RunningStack) -> Iterator[tuple[OwnShop, OwnShop]]:
    with (
        added(stack.client, "proof-one", 40, 1) as one,
        added(stack.client, "proof-two", 40, 2) as two,
    ):
        yield one, two


@pytest.fixture(scope="module")
def asked(shops: tuple[OwnShop, OwnShop]) -> tuple[Findings, dict[str, bool]]:
    """The first asks for all that the second has; which parts of that are the same after it."""
    one, two = shops
    before = two.snapshot()
    findings = ask(one, two, fuzzed(two, one, NAMES, 0))
    after = two.snapshot()
    return findings, {name: before[name] == after[name] for name in before}


def test_every_operation_is_asked(stack: RunningStack) -> None:
    paths = httpx.get(f"{stack.url}/openapi.json").json()["paths"]
    names = {each["operationId"] for methods in paths.values() for each in methods.values()}
    assert names == EVERY


def test_no_answer_tells_anything_of_the_other_shop(
    asked: tuple[Findings, dict[str, bool]],
) -> None:
    assert asked[0].leaks == []


def test_an_id_of_the_other_shop_is_answered_like_one_that_nobody_has(
    asked: tuple[Findings, dict[str, bool]],
) -> None:
    assert asked[0].differences == []


def test_nothing_of_the_other_shop_changes(asked: tuple[Findings, dict[str, bool]]) -> None:
    assert asked[1] == dict.fromkeys(asked[1], True)


def test_what_is_asked_is_really_answered(asked: tuple[Findings, dict[str, bool]]) -> None:
    """A proof in which all is refused would prove nothing."""
    statuses = asked[0].names
    for operation in WITH_A_NAME:
        assert statuses[operation].total() == NAMES, operation
    for operation in ("rank_candidates", "search", "recommend", "put_items", "post_events"):
        assert statuses[operation][200] + statuses[operation][202] > NAMES / 2, operation
    for operation in (
        "get_shop", "put_shop", "delete_shop", "put_shop_key", "list_shops", "metrics",
    ):  # fmt: skip
        assert set(statuses[operation]) <= {403, 422}, operation


def test_an_id_that_both_have_means_to_each_its_own(shops: tuple[OwnShop, OwnShop]) -> None:
    item, user, _ = SHARED
    for shop in shops:
        told = shop.client.get(f"/v1/items/{item}").json()
        assert told["title"].startswith(shop.word)
        known = shop.client.get(f"/v1/users/{user}/features").json()
        assert known["interactions"] == 6
        assert all(name.startswith(shop.word) for name in known["brands"])


def test_an_erasure_ends_at_the_shop(shops: tuple[OwnShop, OwnShop]) -> None:
    """Last: it changes the first shop."""
    one, two = shops
    before = two.client.get(f"/v1/users/{SHARED[1]}/features").json()
    assert one.client.delete(f"/v1/users/{SHARED[1]}").status_code == 202
    for _ in range(200):
        if not one.client.get(f"/v1/users/{SHARED[1]}/features").json()["known"]:
            break
    else:
        raise AssertionError("the shopper is still known")
    after = two.client.get(f"/v1/users/{SHARED[1]}/features").json()
    assert {**before, "age_s": 0} == {**after, "age_s": 0}
