"""What a placement earns, counted from rankings and events."""

from typing import Any

import pytest

from features.controls.store import Documents
from features.events.event import BehaviorEvent, EventType
from features.events.log import RankingRecord
from features.objective import Objective
from serving.experiments.kpi.counting import KpiCount, count
from serving.experiments.kpi.published import kept_kpis, publish_kpis
from serving.http.schemas.pages.placements import PlacementsOut
from serving.shops.placements.placement import Placement
from serving.shops.rules import Rules
from tests.support.fakes import NOW_S, FakeControls
from tests.support.service import Service

HOUR = 3_600.0


def ranking(name: str, placement: str | None, *items: str, **fields: Any) -> RankingRecord:
    given: dict[str, Any] = {"at_s": NOW_S - 10 * HOUR, "route": "model", "user_id": "u"}
    return RankingRecord(
        ranking_id=name, item_ids=items, placement=placement, **{**given, **fields}
    )


def event(kind: EventType, item: str, after_h: float = 1.0, **fields: Any) -> BehaviorEvent:
    at_s = NOW_S - 10 * HOUR + after_h * HOUR
    named = {"user_id": "u", **fields}
    event_id = f"{kind}-{item}-{after_h}-{sorted(named.items())}"
    return BehaviorEvent(event_id, kind, at_s, item_id=item, **named)


def counted(
    rankings: list[RankingRecord], happened: list[BehaviorEvent], **kpi: Any
) -> dict[str, KpiCount]:
    placements = {name: Placement.model_validate({"kpi": kpi}) for name in ("home", "cart")}
    return count(placements, rankings, happened, Objective(), NOW_S - 100 * HOUR, NOW_S)


CLICK, BUY, BACK = EventType.CLICK, EventType.PURCHASE, EventType.RETURN


def test_an_event_counts_for_the_ranking_that_it_names() -> None:
    found = counted(
        [ranking("r1", "home", "milk"), ranking("r2", "cart", "milk", at_s=NOW_S - 9.5 * HOUR)],
        [event(CLICK, "milk", ranking_id="r1")],
    )
    assert (found["home"].value, found["cart"].value) == (1.0, 0.0)


def test_an_event_that_names_none_counts_where_its_item_was_shown_last() -> None:
    shown = [
        ranking("r1", "home", "milk"),
        ranking("r2", "cart", "milk", at_s=NOW_S - 9.5 * HOUR),
        ranking("r3", "home", "milk", at_s=NOW_S - 8 * HOUR),  # after the event
    ]
    found = counted(shown, [event(BUY, "milk")], events=["purchase"])
    assert (found["home"].counted, found["cart"].counted) == (0, 1)
    elsewhere = [*shown[:2], ranking("r4", None, "milk", at_s=NOW_S - 9.2 * HOUR)]
    found = counted(elsewhere, [event(BUY, "milk")], events=["purchase"])
    assert (found["home"].counted, found["cart"].counted) == (0, 0)


@pytest.mark.parametrize(
    "missed",
    [
        event(CLICK, "oat", ranking_id="r1"),  # not on the slate
        event(CLICK, "milk", ranking_id="made-up"),
        event(CLICK, "milk", after_h=25, ranking_id="r1"),  # after now
        event(CLICK, "milk", after_h=7, ranking_id="r1"),  # after the horizon
        event(CLICK, "milk", user_id="other"),
        event(CLICK, "milk", after_h=-1),
        event(BUY, "milk", ranking_id="r1"),  # not what the KPI counts
    ],
)
def test_what_is_not_the_placement_s_doing_does_not_count(missed: BehaviorEvent) -> None:
    found = counted([ranking("r1", "home", "milk")], [missed], within_hours=6)
    assert found["home"].counted == 0


def test_a_session_s_event_counts_where_the_session_was_shown_the_item() -> None:
    shown = ranking("r1", "home", "milk", user_id=None, session_id="s")
    found = counted([shown], [event(CLICK, "milk", user_id=None, session_id="s")])
    assert found["home"].counted == 1


def test_money_is_that_of_purchases_less_what_came_back() -> None:
    events = [
        event(BUY, "milk", value=4.0, ranking_id="r1"),
        event(BACK, "milk", value=1.0, ranking_id="r1"),
    ]
    found = counted(
        [ranking("r1", "home", "milk"), ranking("r2", "home", "milk", user_id="v")], events,
        events=["purchase", "return"], count="value", per="shopper",
    )  # fmt: skip
    assert found["home"].value == pytest.approx(1.5)


@pytest.mark.parametrize(
    ("per", "value"), [("ranking", 1 / 3), ("shopper", 1 / 2), ("impression", 1 / 4)]
)
def test_it_is_counted_per_what_the_kpi_says(per: str, value: float) -> None:
    shown = [
        ranking("r1", "home", "milk", "oat"),
        ranking("r2", "home", "milk"),
        ranking("r3", "home", "milk", user_id="v"),
    ]
    found = counted(shown, [event(CLICK, "milk", ranking_id="r1")], per=per)
    assert found["home"].value == pytest.approx(value)
    seen = [event(EventType.IMPRESSION, "milk", n / 10, ranking_id="r1") for n in range(1, 6)]
    found = counted(shown, [event(CLICK, "milk", ranking_id="r1"), *seen], per="impression")
    assert found["home"].value == pytest.approx(1 / 5)  # told ones come before what was ranked


def test_a_ranking_whose_time_is_not_over_is_told() -> None:
    shown = [ranking("r1", "home", "milk"), ranking("r2", "home", "milk", at_s=NOW_S - HOUR)]
    found = counted(shown, [], within_hours=6)
    assert (found["home"].rankings, found["home"].still_open) == (2, 1)
    assert found["cart"].value is None


def test_the_reward_is_by_the_placement_s_own_objective() -> None:
    placements = {
        "home": Placement.model_validate({"objective": {"click": 10}}),
        "cart": Placement(),
    }
    shown = [ranking("r1", "home", "milk"), ranking("r2", "cart", "oat")]
    events = [event(CLICK, "milk", ranking_id="r1"), event(CLICK, "oat", ranking_id="r2"),
              event(BUY, "oat", 2, ranking_id="r2")]  # fmt: skip
    found = count(placements, shown, events, Objective(), NOW_S - 100 * HOUR, NOW_S)
    assert (found["home"].reward, found["cart"].reward) == (10, 5)  # of one item the best


class Log:
    """A `kept.Kept`."""

    def rankings(self) -> list[RankingRecord]:
        return [ranking("r1", "home", "milk")]

    def events(self) -> list[BehaviorEvent]:
        return [event(CLICK, "milk", ranking_id="r1")]


def published(documents: Documents, rules: Rules) -> None:
    list(publish_kpis(rules.placements, Log(), documents, Objective(), NOW_S))  # type: ignore[arg-type]


async def test_a_reading_is_told_with_its_placement_unless_the_kpi_is_another_by_now(
    tokenizer_path: Any,
) -> None:
    rules = Rules.model_validate({"placements": {"home": {}, "cart": {}}})
    shop = Service(tokenizer_path, rules=rules)
    published(shop.controls, rules)
    answer = await shop.call("GET", "/v1/placements", "admin")
    told = PlacementsOut.model_validate_json(answer.content)
    home, cart = (each.reading for each in told.placements)
    assert home is not None
    assert cart is not None
    assert (home.value, home.rankings, home.shoppers, home.reward) == (1.0, 1, 1, 1.0)
    assert (cart.value, cart.rankings) == (None, 0)
    other = Rules.model_validate({"placements": {"home": {"kpi": {"per": "shopper"}}}})
    published(shop.controls, other)
    (again, _) = (await shop.call("GET", "/v1/placements", "admin")).json()["placements"]
    assert again["reading"] is None


async def test_a_store_that_is_away_leaves_what_is_declared(tokenizer_path: Any) -> None:
    shop = Service(tokenizer_path, rules=Rules.model_validate({"placements": {"home": {}}}))
    shop.controls.error = ConnectionError("refused")
    (home,) = (await shop.call("GET", "/v1/placements", "admin")).json()["placements"]
    assert (home["placement"], home["reading"]) == ("home", None)


def test_readings_of_placements_that_are_no_more_stay_out_of_the_way() -> None:
    controls = FakeControls()
    published(controls, Rules.model_validate({"placements": {"home": {}}}))
    assert list(kept_kpis(controls)) == ["home"]
