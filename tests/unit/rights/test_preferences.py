"""What a shopper chose: kept, told, in force at ingest, and gone with an erasure."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from features.catalog.counters import DAY_S
from features.controls.choices import USUAL, Choice, Choices
from features.controls.sqlite_store import SqliteControls
from features.events.log import RankingRecord
from features.ingest.export import collected
from features.ingest.export_rankings import write_rankings
from features.ingest.loop import Ingest
from features.ingest.status import read_status
from features.store.kept import open_kept
from features.store.learnt import learnt_from
from tests.support.fakes import FakeControls
from tests.support.live_shop import Shop
from tests.support.service import Service, problem, view

ANN = "/v1/users/ann@example.org/preferences"


def keep(choices: Choices, name: str, choice: Choice, at_s: float = 1.0) -> None:
    choices.change(name, lambda _: choice, at_s)


@pytest.fixture
def service(tokenizer_path: Any) -> Service:
    return Service(tokenizer_path)


async def test_who_chose_nothing_is_told_the_usual(service: Service) -> None:
    answer = await service.call("GET", ANN, "shoppers")
    told = {"personal": True, "profiling": True, "frozen": False, "chosen_at": None}
    nothing = {"interests": [], "hidden": {"items": [], "brands": [], "categories": []}}
    assert (answer.status_code, answer.json()) == (200, {**told, **nothing})
    assert service.controls.documents.get("choices", {}) == {}


@pytest.mark.parametrize(
    ("bodies", "expected"),
    [
        ([{"personal": False}], (False, False, False)),
        ([{"personal": False, "profiling": True}], (False, True, False)),
        ([{"profiling": False}], (False, False, False)),
        ([{"frozen": True}], (True, True, True)),
        ([{"personal": False}, {"frozen": True}], (False, False, True)),
        ([{"personal": False}, {"profiling": True}], (False, True, False)),
        ([{"personal": False}, {"personal": True}], (True, True, False)),
        ([{"frozen": True}, {}], (True, True, True)),
    ],
)
async def test_what_is_given_changes_and_all_else_stays(
    service: Service, bodies: list[dict[str, bool]], expected: tuple[bool, bool, bool]
) -> None:
    for body in bodies:
        answer = await service.call("PUT", ANN, "shoppers", json=body)
        assert answer.status_code == 200
    told = (await service.call("GET", ANN, "shoppers")).json()
    assert (told["personal"], told["profiling"], told["frozen"]) == expected


async def test_a_choice_is_kept_by_pseudonym_alone(service: Service) -> None:
    await service.call("PUT", ANN, json={"personal": False})
    assert service.shop.choices.of(service.shop.pseudonyms.user("ann@example.org")) != USUAL
    assert "ann" not in repr(service.controls.documents)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"personal": "no"}, "personal"),
        ({"personal": True, "profiling": False}, "personal"),
        ({"frozen": 1}, "frozen"),
        ({"personel": False}, "personel"),
    ],
)
async def test_a_bad_choice_names_the_field_and_changes_nothing(
    service: Service, body: dict[str, Any], field: str
) -> None:
    answer = await service.call("PUT", ANN, json=body)
    assert answer.status_code == 422
    assert field in problem(answer)["detail"]
    assert "choices" not in service.controls.documents


@pytest.mark.parametrize("key", ["rank", "events", "items", "admin"])
@pytest.mark.parametrize("kind", ["users", "sessions"])
async def test_preferences_need_the_scope_of_shoppers(
    service: Service, key: str, kind: str
) -> None:
    for method, body in (("GET", None), ("PUT", {"personal": False})):
        answer = await service.call(method, f"/v1/{kind}/ann/preferences", key, json=body)
        assert answer.status_code == 403
    assert service.controls.documents == {}


@pytest.mark.parametrize("body", [{"personal": False}, {"profiling": False}, {"frozen": True}])
@pytest.mark.parametrize("kind", ["users", "sessions"])
async def test_an_event_of_who_objects_is_refused_and_not_kept(
    service: Service, body: dict[str, bool], kind: str
) -> None:
    await service.call("PUT", f"/v1/{kind}/ann/preferences", json=body)
    named = {"user_id": "ann"} if kind == "users" else {"user_id": None, "session_id": "ann"}
    batch = {"events": [view(**named), view(user_id="ben")]}
    answer = (await service.post("/v1/events", batch)).json()
    assert (answer["accepted"], answer["duplicates"]) == (1, 0)
    assert [(each["index"], each["code"]) for each in answer["rejected"]] == [(0, "objected")]
    ben = service.shop.pseudonyms.user("ben")
    assert [event.user_id for event in service.log.events.values()] == [ben]


async def test_who_may_be_learnt_from_is_while_answers_are_everybodys(service: Service) -> None:
    body = {"personal": False, "profiling": True}
    await service.call("PUT", "/v1/users/ann/preferences", json=body)
    answer = (await service.post("/v1/events", {"events": [view(user_id="ann")]})).json()
    assert (answer["accepted"], answer["rejected"]) == (1, [])


async def test_an_import_keeps_nothing_of_who_objects(service: Service) -> None:
    await service.call("PUT", "/v1/users/ann/preferences", json={"personal": False})
    answer = (await service.post("/v1/events/import", json.dumps(view(user_id="ann")))).json()
    assert (answer["accepted"], answer["errors"][0]["code"]) == (0, "objected")
    assert service.log.events == {}


async def test_a_session_is_not_given_to_who_objects(service: Service) -> None:
    await service.call("PUT", "/v1/users/ann/preferences", json={"personal": False})
    answer = await service.post("/v1/users/ann/merge", {"session_id": "s"})
    assert (answer.status_code, answer.json()) == (202, {"accepted": 0})
    assert service.log.events == {}


def test_what_came_before_the_choice_is_not_folded_after_it(shop: Shop, ingest: Ingest) -> None:
    shop.log.append([shop.event("u1"), shop.event("u2", session_id="s2")])
    controls = SqliteControls(shop.settings.store.state / "controls.db")
    keep(Choices(controls), "u1", Choice(frozen=True))
    ingest.drain()
    assert set(shop.online.read_users(["u1", "u2"])) == {"u2"}
    controls.close()


def test_what_was_known_of_who_is_frozen_stays_as_it_was(shop: Shop, ingest: Ingest) -> None:
    shop.log.append([shop.event("u1")])
    ingest.drain()
    before = shop.user("u1")
    controls = SqliteControls(shop.settings.store.state / "controls.db")
    keep(Choices(controls), "u1", Choice(frozen=True))
    shop.log.append([shop.event("u1", item_id="i2")])
    assert ingest._choices is not None
    ingest._choices.follow()
    ingest.drain()
    assert shop.user("u1") == before
    controls.close()


def test_an_erasure_takes_the_choice_along(shop: Shop, ingest: Ingest) -> None:
    controls = SqliteControls(shop.settings.store.state / "controls.db")
    choices = Choices(controls)
    shop.log.append([shop.event("u1", session_id="5e")])
    ingest.drain()
    for name in ("u1", "5e", "u2"):
        keep(choices, name, Choice(personal=False))
    shop.log.erase_user("u1")
    ingest.drain()
    choices.follow()
    assert [choices.of(name) for name in ("u1", "5e")] == [USUAL, USUAL]
    assert choices.of("u2") == Choice(personal=False)
    controls.close()


def test_what_another_process_chose_is_taken_over(tmp_path: Path) -> None:
    one, two = (SqliteControls(tmp_path / "controls.db") for _ in range(2))
    here, there = Choices(one), Choices(two)
    here.follow()
    keep(there, "ab1", Choice(frozen=True))
    assert here.of("ab1") == USUAL
    here.follow()
    assert here.of("ab1", "cd2", None) == Choice(frozen=True)
    keep(there, "ab1", USUAL)
    here.follow()
    assert here.of("ab1") == USUAL
    for controls in (one, two):
        controls.close()


def test_a_shard_that_did_not_change_is_not_read(tmp_path: Path) -> None:
    class Counting(FakeControls):
        def __init__(self) -> None:
            super().__init__()
            self.asked: list[str] = []

        def all(self, kind: str) -> dict[str, dict[str, Any]]:
            self.asked.append(kind)
            return super().all(kind)

    controls, now_s = Counting(), [0.0]
    choices = Choices(controls, lambda: now_s[0])
    choices.follow()
    keep(choices, "ab1", Choice(frozen=True))
    keep(choices, "cd2", Choice(frozen=True))
    choices.follow()
    controls.asked.clear()
    choices.follow()
    assert controls.asked == ["choices"]
    keep(Choices(controls), "ab3", Choice(personal=False))
    controls.asked.clear()
    choices.follow()
    assert controls.asked == ["choices", "choices:ab"]


def test_a_choice_whose_writer_died_before_its_mark_is_found_in_ten_minutes() -> None:
    controls, now_s = FakeControls(), [0.0]
    choices = Choices(controls, lambda: now_s[0])
    choices.follow()
    told = {"personal": False, "profiling": True, "frozen": False, "at_s": 1.0}
    controls.put("choices:ab", "ab1", told)
    now_s[0] = 300.0
    choices.follow()
    assert choices.of("ab1") == USUAL
    now_s[0] = 600.0
    choices.follow()
    assert choices.of("ab1") == Choice(personal=False)


async def test_an_event_without_consent_is_refused_and_one_with_it_says_so(
    service: Service,
) -> None:
    batch = [view(consent=False), view(consent=True), view()]
    answer = (await service.post("/v1/events", {"events": batch})).json()
    assert [(each["index"], each["code"]) for each in answer["rejected"]] == [(0, "objected")]
    assert [event.consent for event in service.log.events.values()] == [1, None]


def test_nothing_is_trained_on_or_counted_of_who_is_frozen(shop: Shop, tmp_path: Path) -> None:
    shop.log.append([shop.event("u1", session_id="s1"), shop.event("u2", session_id="s2")])
    shown = [RankingRecord(f"r-{u}", 1.0, "model", ("i1",), u, f"s{u[1]}") for u in ("u1", "u2")]
    shop.log.append_rankings(shown)
    controls = SqliteControls(shop.settings.store.state / "controls.db")
    keep(Choices(controls), "u1", Choice(frozen=True))
    controls.close()
    store = shop.settings.store
    assert collected(store).events["user_id"].tolist() == ["u2"]
    assert write_rankings(store, tmp_path / "r.parquet", learnt_from(store)) == 1
    # What experiments' reports, off-policy evaluation, KPIs and the model of answers read.
    with open_kept(store) as kept:
        assert [event.user_id for event in kept.events()] == ["u2"]
        assert [ranking.ranking_id for ranking in kept.rankings()] == ["r-u2"]


def test_a_shopper_who_was_not_seen_for_long_is_known_no_more(shop: Shop, ingest: Ingest) -> None:
    now_s = time.time()
    shop.log.append([shop.event("u1", at_s=now_s - 399 * DAY_S, session_id=None), shop.event("u2")])
    ingest.drain()
    shop.online.prune(now_s)
    assert set(shop.online.read_users(["u1", "u2"])) == {"u1", "u2"}
    shop.online.prune(now_s + 2 * DAY_S)
    assert set(shop.online.read_users(["u1", "u2"])) == {"u2"}


def test_ingest_tells_how_long_what_is_kept(shop: Shop, ingest: Ingest) -> None:
    shop.log.append([shop.event()])
    ingest.drain()
    told = read_status(shop.log)
    assert told is not None
    assert (told.retention_s, told.shopper_retention_s) == (90 * DAY_S, 400 * DAY_S)
