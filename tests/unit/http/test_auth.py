"""Who may call and how often; and ids that nobody can turn back."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from serving.errors import ForbiddenError, RateLimitedError, UnauthenticatedError
from serving.http.access.auth import ApiKey, Caller, Keyring, Scope, hash_key
from serving.http.access.rates import Rates
from serving.shops.pseudonyms import Pseudonyms

SECRET = b"0123456789abcdef"


def keyring(rate_per_s: int = 1000, *scopes: Scope) -> Keyring:
    allowed = frozenset(scopes or (Scope.RANK,))
    keys = [
        ApiKey(name=name, sha256=hash_key(name), scopes=allowed, rate_per_s=rate_per_s)
        for name in ("first", "second")
    ]
    return Keyring(keys)


def test_a_known_key_with_the_scope_is_admitted() -> None:
    assert keyring().admit("Bearer first", Scope.RANK).name == "first"
    assert keyring().admit("bearer   first ", Scope.RANK).name == "first"


@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Bearer ", "Bearer other", "first", "Basic first", "Bearer first second",
     f"Bearer {hash_key('first')}", "Bearer " + "x" * 100_000, "Bearer ÿþ"],
)  # fmt: skip
def test_anything_else_is_nobody(header: str | None) -> None:
    with pytest.raises(UnauthenticatedError):
        keyring().admit(header, Scope.RANK)


@pytest.mark.parametrize("scope", [Scope.EVENTS, Scope.ITEMS, Scope.ADMIN])
def test_a_scope_that_was_not_given_is_forbidden(scope: Scope) -> None:
    with pytest.raises(ForbiddenError, match=scope.value):
        keyring().admit("Bearer first", scope)


def test_a_key_over_its_rate_is_told_when_to_come_back_and_others_are_not_held_up() -> None:
    keys = keyring(3)
    for _ in range(3):
        keys.admit("Bearer first", Scope.RANK)
    with pytest.raises(RateLimitedError) as caught:
        keys.admit("Bearer first", Scope.RANK)
    assert caught.value.args[1] >= 1
    assert keys.admit("Bearer second", Scope.RANK).name == "second"


def test_a_refused_scope_costs_nothing_of_the_rate() -> None:
    keys = keyring(1)
    for _ in range(5):
        with pytest.raises(ForbiddenError):
            keys.admit("Bearer first", Scope.ADMIN)
    assert keys.admit("Bearer first", Scope.RANK).name == "first"


def test_keys_come_from_a_file_that_holds_only_their_hashes(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text(json.dumps([{"name": "n", "sha256": hash_key("s3cret"), "scopes": ["rank"]}]))
    caller = Keyring.from_file(path).admit("Bearer s3cret", Scope.RANK)
    assert caller == Caller("n", frozenset({Scope.RANK}))
    path.write_text(json.dumps([{"name": "n", "sha256": "s3cret", "scopes": ["rank"]}]))
    with pytest.raises(ValidationError):
        Keyring.from_file(path)


def test_a_pseudonym_is_stable_and_differs_by_kind_and_by_key() -> None:
    one, other = Pseudonyms(SECRET), Pseudonyms(SECRET[::-1])
    assert one.user("ann") == Pseudonyms(SECRET).user("ann")
    names = {one.user("ann"), one.session("ann"), other.user("ann"), one.user("bob")}
    assert len(names) == 4
    assert all(name is not None and len(name) == 32 and "ann" not in name for name in names)


def test_nobody_has_no_pseudonym() -> None:
    assert Pseudonyms(SECRET).user(None) is None
    assert Pseudonyms(SECRET).session(None) is None


def test_a_short_secret_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_bytes(b"short\n")
    with pytest.raises(ValueError, match="16 bytes"):
        Pseudonyms.from_file(path)


def test_a_line_break_behind_the_secret_is_no_part_of_it(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_bytes(SECRET + b"\n")
    assert Pseudonyms.from_file(path).user("ann") == Pseudonyms(SECRET).user("ann")


def test_a_key_may_spend_a_second_at_once_and_then_goes_at_its_rate() -> None:
    now_s = [100.0]
    rates = Rates(lambda: now_s[0])
    assert [rates.hit("key", 4) for _ in range(4)] == [0.0] * 4
    assert rates.hit("key", 4) == pytest.approx(0.25)
    assert rates.hit("other", 4) == 0.0
    now_s[0] += 0.25
    assert rates.hit("key", 4) == 0.0
    assert rates.hit("key", 4) == pytest.approx(0.25)  # what was refused is not counted
    now_s[0] += 3600
    assert [rates.hit("key", 4) > 0 for _ in range(5)] == [False] * 4 + [True]


def test_at_its_rate_a_key_is_never_refused() -> None:
    now_s = [0.0]
    rates = Rates(lambda: now_s[0])
    for hit in range(10_000):
        now_s[0] = hit / 7
        assert rates.hit("key", 7) == 0.0
