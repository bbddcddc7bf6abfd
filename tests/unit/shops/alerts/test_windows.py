"""Hours that were counted become the windows of the shop's clock."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from serving.shops.alerts.baseline import Window
from serving.shops.alerts.windows import HOUR_S, closed
from serving.shops.labels.counting import Hours

BERLIN = ZoneInfo("Europe/Berlin")
MONDAY = int(datetime(2026, 9, 21, tzinfo=UTC).timestamp() // HOUR_S)


def every_hour(first: int, hours: int) -> Hours:
    return {first + place: {"Negative": 1.0, "": 2.0} for place in range(hours)}


def test_an_hour_is_a_window_once_late_texts_had_their_time() -> None:
    hours: Hours = {MONDAY: {"Negative": 3.0, "Positive": 4.0}, MONDAY + 2: {"": 1.0}}
    zone = ZoneInfo("UTC")
    early = list(closed(hours, "Negative", Window.HOUR, zone, (MONDAY + 3) * HOUR_S + 299))
    assert [one.first for one in early] == [MONDAY, MONDAY + 1]
    found = list(closed(hours, "Negative", Window.HOUR, zone, (MONDAY + 3) * HOUR_S + 300))
    assert [(one.slot, one.count, one.texts) for one in found] == [
        (0, 3.0, 7.0),
        (1, 0.0, 0.0),  # nothing came
        (2, 0.0, 1.0),
    ]


def test_the_slot_is_of_the_shops_clock() -> None:
    (one,) = closed(
        every_hour(MONDAY, 1), "Negative", Window.HOUR, BERLIN, (MONDAY + 1) * HOUR_S + 300
    )
    assert one.slot == 2  # Monday, two o'clock in Berlin


def test_a_day_is_the_shops_and_the_first_one_counts_when_it_is_whole() -> None:
    now_s = (MONDAY + 3 * 24) * HOUR_S + 300
    found = list(closed(every_hour(MONDAY, 72), "Negative", Window.DAY, BERLIN, now_s))
    assert [(one.first, one.slot, one.hours, one.count) for one in found] == [
        (MONDAY + 22, 1, 24, 24.0),  # Tuesday begins at 22:00 UTC
        (MONDAY + 46, 2, 24, 24.0),
    ]


def test_the_day_on_which_clocks_go_back_has_25_hours() -> None:
    first = int(datetime(2026, 10, 23, tzinfo=UTC).timestamp() // HOUR_S)
    now_s = (first + 95) * HOUR_S
    found = list(closed(every_hour(first, 96), "Negative", Window.DAY, BERLIN, now_s))
    assert [(one.slot, one.hours) for one in found] == [(5, 24), (6, 25)]


def test_without_a_text_there_is_no_window() -> None:
    assert list(closed({}, "Negative", Window.HOUR, BERLIN, MONDAY * HOUR_S)) == []
