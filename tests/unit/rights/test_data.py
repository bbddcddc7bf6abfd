"""A shopper's copy, the receipt of an erasure, and who looked at shoppers' data."""

import csv
import io
import json
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pytest

from features.events.event import EventType, sign_in
from features.events.exposure import Exposure
from features.events.log import RankingRecord
from features.ingest.loop import Ingest
from serving.http.rights.export import Form, pages, written
from serving.shops.pseudonyms import Pseudonyms
from serving.shops.rights.erasures import Erased
from serving.shops.rights.export import events_of, rankings_of, sharing_of
from serving.shops.rights.promises import Promises
from serving.shops.rules import Rules
from tests.support.fakes import NOW_S
from tests.support.live_shop import Shop
from tests.support.service import Service, problem, view

EXPORT = "/v1/users/ann/export"
DAY = datetime.fromtimestamp(NOW_S, UTC).date()


@pytest.fixture
async def service(tokenizer_path: Any) -> Service:
    """Ann did something, and so did Ben; both were answered a ranking."""
    shop = Service(tokenizer_path)
    events = [view(), view(user_id="ben"), view(item_id="oat", session_id="s"),
              view(user_id=None, session_id="s", item_id="bread"),
              view(user_id=None, session_id="other")]  # fmt: skip
    assert (await shop.post("/v1/events", {"events": events})).json()["accepted"] == len(events)
    names = shop.shop.pseudonyms
    for name in ("ann", "ben"):
        user = names.user(name)
        shop.log.rankings.append(
            RankingRecord(
                f"r-{name}", NOW_S, "model", ("milk",), user, None, "=query",
                scores=np.ones(1, np.float32),
                exposures=(Exposure("wide", "b", "user", str(user)),),
            )
        )  # fmt: skip
    return shop


async def lines_of(service: Service, query: str = "") -> list[dict[str, Any]]:
    answer = await service.call("GET", EXPORT + query, "shoppers")
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


def test_no_arm_and_no_placement_changes_what_is_promised() -> None:
    with pytest.raises(ValueError, match="rights: is the shop's"):
        Rules().changed({"rights": {"backups_days": 1}})


async def test_a_copy_holds_all_of_one_shopper_and_nothing_of_another(service: Service) -> None:
    lines = await lines_of(service)
    assert [line["kind"] for line in lines] == [
        "preferences", "features", "event", "event", "event", "assignment", "ranking", "end",
    ]  # fmt: skip
    events = [line for line in lines if line["kind"] == "event"]
    # With what the session did before it signed in.
    assert [each["item_id"] for each in events] == ["milk", "oat", "bread"]
    assert lines[-2]["ranking_id"] == "r-ann"
    assert (lines[-3]["experiment"], lines[-3]["variant"]) == ("wide", "b")
    assert lines[1]["known"]
    names = service.shop.pseudonyms
    assert str(names.user("ann")) not in str(lines)
    assert "ben" not in str(lines)
    assert str(names.user("ben")) not in str(lines)


def test_a_copy_says_that_it_leaves_the_archive_out(shop: Shop) -> None:
    (line,) = [line for page in pages(shop.log, "u1", "events", 0, archived=True) for line in page]
    assert line == {"kind": "end", "left_out": ["archive"]}


async def test_a_copy_goes_on_behind_the_cursor_of_any_line(service: Service) -> None:
    lines = await lines_of(service)
    told = [line for line in lines if "cursor" in line]
    for place, line in enumerate(told):
        rest = await lines_of(service, f"?cursor={line['cursor']}")
        assert rest[-1] == {"kind": "end", "left_out": []}
        # An arm comes again with its ranking, for the two share a place.
        assert [each for each in rest[:-1] if each not in told[: place + 1]] == told[place + 1 :]


async def test_a_copy_as_a_table_says_the_same_and_holds_no_formula(service: Service) -> None:
    lines = await lines_of(service)
    answer = await service.call("GET", f"{EXPORT}?format=csv", "shoppers")
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["kind"] for row in rows] == [line["kind"] for line in lines]
    assert json.loads(rows[1]["more"])["known"] is True
    ranking = next(row for row in rows if row["kind"] == "ranking")
    assert ranking["query"] == "'=query"
    assert json.loads(ranking["more"])["items"] == ["milk"]


def test_a_number_below_zero_is_a_number_in_a_table() -> None:
    assert b",-1.5," in written([{"kind": "event", "value": -1.5}], Form.CSV)


@pytest.mark.parametrize("cursor", ["x", "events", "events:", "events:-1", "rankings:1e3", "a:1"])
async def test_a_cursor_that_is_none_is_refused(service: Service, cursor: str) -> None:
    answer = await service.call("GET", f"{EXPORT}?cursor={cursor}")
    assert answer.status_code == 422
    assert "cursor" in problem(answer)["detail"]


@pytest.mark.parametrize("key", ["rank", "events", "items", "admin"])
async def test_a_copy_needs_the_scope_of_shoppers(service: Service, key: str) -> None:
    assert (await service.call("GET", EXPORT, key)).status_code == 403


async def test_a_receipt_tells_what_is_done_and_due_and_names_nobody(service: Service) -> None:
    taken = await service.call("DELETE", "/v1/users/ann", "admin")
    receipt = taken.json()["receipt"]
    kept = service.controls.documents["erasures"]
    assert list(kept) == [receipt]
    assert str(service.shop.pseudonyms.user("ann")) not in str(kept)
    told = (await service.call("GET", f"/v1/erasures/{receipt}", "admin")).json()
    assert told["of_user"] is None
    done = {part["what"]: part["done"] for part in told["parts"]}
    assert done.pop("events and rankings of the log")
    assert not any(done.values())  # ingest has not come to it
    for name, expected in (("ann", True), ("ben", False)):
        path = f"/v1/erasures/{receipt}?user_id={name}"
        assert (await service.call("GET", path, "admin")).json()["of_user"] is expected


def test_what_ingest_came_to_is_done_and_what_is_promised_has_its_day() -> None:
    parts = Erased("r", 1_000_000, 5).parts(5, Promises(retraining_days=7))
    assert [part.done for part in parts] == [True, True, True, False, False, False, False]
    assert parts[5].due_s == 1_000 + 7 * 86_400
    assert not any(part.done for part in Erased("r", 0, 5).parts(4, Promises())[1:])


def test_a_receipt_can_be_made_with_the_secret_alone() -> None:
    one, other = Pseudonyms(b"0" * 16), Pseudonyms(b"1" * 16)
    user = str(one.user("ann"))
    assert one.receipt(user, 1) == one.receipt(user, 1)
    others = {one.receipt(user, 2), one.receipt("x", 1), other.receipt(user, 1), user}
    assert one.receipt(user, 1) not in others


async def test_a_receipt_that_nobody_has_is_a_404(service: Service) -> None:
    answer = await service.call("GET", "/v1/erasures/none", "admin")
    assert (answer.status_code, problem(answer)["code"]) == (404, "unknown_receipt")


async def test_every_access_is_noted_with_its_key_and_never_with_the_shopper(
    service: Service,
) -> None:
    await service.call("GET", "/v1/users/ann/features", "admin")
    await service.call("GET", "/v1/users/ann/preferences", "shoppers")
    await service.call("PUT", "/v1/users/ann/preferences", "shoppers", json={"frozen": True})
    await service.call("GET", EXPORT, "all")
    await service.call("DELETE", "/v1/users/ann", "admin")
    told = (await service.call("GET", f"/v1/audit?day={DAY}", "admin")).json()
    assert sorted((each["key"], each["access"]) for each in told["entries"]) == [
        ("admin", "erased"), ("admin", "features_read"), ("all", "exported"),
        ("shoppers", "preferences_changed"), ("shoppers", "preferences_read"),
    ]  # fmt: skip
    kept = str(service.controls.documents[f"audit:{DAY}"])
    assert "ann" not in kept
    assert str(service.shop.pseudonyms.user("ann")) not in kept
    assert (await service.call("GET", f"/v1/audit?day={DAY}", "shoppers")).status_code == 403


async def test_data_that_cannot_be_noted_is_not_told(service: Service) -> None:
    service.controls.error = ConnectionError("away")
    for method, path in (("GET", "/v1/users/ann/features"), ("GET", EXPORT),
                         ("DELETE", "/v1/users/ann")):  # fmt: skip
        assert (await service.call(method, path)).status_code in (500, 503)
    assert service.log.erased == []


async def test_a_day_that_is_over_for_long_is_forgotten(service: Service) -> None:
    service.controls.put("audit", "2020-01-01", {})
    service.controls.put("audit:2020-01-01", "e", {"at": "x", "key": "k", "access": "exported"})
    await service.call("GET", "/v1/users/ann/features", "admin")
    assert await service.shop.audit.of(date(2020, 1, 1)) == []
    assert list(service.controls.documents["audit"]) == [DAY.isoformat()]


def test_a_copy_of_the_real_log_is_that_of_an_erasure(shop: Shop, ingest: Ingest) -> None:
    shop.log.append([
        shop.event(None, session_id="s1", item_id="i2"), shop.event("u1", session_id="s1"),
        sign_in("u1", "s3", NOW_S), shop.event(None, session_id="s3"),
        shop.event("u2", session_id="s2"), shop.event(None, session_id="s4"),
        shop.event("u1", session_id=None, type=EventType.PURCHASE),
    ])  # fmt: skip
    ingest.drain()
    shop.log.append_rankings([
        RankingRecord("r1", NOW_S, "model", ("i1",), "u1", "s5"),
        RankingRecord("r2", NOW_S, "model", ("i1",), "u2", "s2"),
    ])  # fmt: skip
    sharing = sharing_of(shop.log, "u1")
    told = [each for page in events_of(shop.log, "u1", sharing, 0) for each in page]
    assert [seq for seq, _ in told] == [1, 2, 3, 4, 7]
    shown = [each for page in rankings_of(shop.log, "u1", sharing, 0) for each in page]
    assert [ranking.ranking_id for _, ranking in shown] == ["r1"]
    shop.log.erase_user("u1")
    assert [each for page in events_of(shop.log, "u1", sharing, 0) for each in page] == []


def test_a_copy_tells_nothing_of_who_used_the_same_session(shop: Shop) -> None:
    users = [None, "u1", None, "u2", None, "u1", None]
    shop.log.append([
        shop.event(user, session_id="s1", at_s=NOW_S + place) for place, user in enumerate(users)
    ])  # fmt: skip
    for user, expected in (("u1", [1, 2, 6, 7]), ("u2", [4])):
        sharing = sharing_of(shop.log, user)
        told = [seq for page in events_of(shop.log, user, sharing, 0) for seq, _ in page]
        assert told == expected, user
