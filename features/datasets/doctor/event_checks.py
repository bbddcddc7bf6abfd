"""What hurts in a log of events."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pandas as pd

from features.datasets.doctor.findings import Finding, Severity, graded

_DAY_S = 86_400.0
_OLD_S = 60 * _DAY_S
_MANY = 1_000  # events of one user or session that no shopper makes, if they are a large share
_FEW = 20  # events: fewer show no pattern


def check_log(
    items: pd.DataFrame, events: pd.DataFrame, now_s: float, as_is: bool
) -> Iterator[Finding]:
    """Findings of a table of EVENT_COLUMNS over a table of ITEM_COLUMNS.

    as_is: the times are used as they are, and not moved to `now_s`.
    """
    if events.empty:
        yield Finding(
            Severity.NOTE, "no events", 0, 0, "", "rules and texts rank until shoppers have come"
        )
        return
    yield from _items(items, events)
    yield from _clocks(items, events, now_s, as_is)
    yield from _shoppers(events)
    yield from _outcomes(events)
    yield from _traffic(events)


def _items(items: pd.DataFrame, events: pd.DataFrame) -> Iterator[Finding]:
    named = events[events["item_id"] != ""]
    strange = ~named["item_id"].isin(items["item_id"])
    cased = items.set_index(items["item_id"].str.casefold())["item_id"]
    unlike = named["item_id"][strange]
    alike = unlike[unlike.str.casefold().isin(cased.index)]
    hint = f"; {len(alike):,} differ only in capitals" if len(alike) else ""
    yield from graded(
        "events of unknown items", strange, named["item_id"], 0.05, 0.5,
        f"they count for nobody: send the ids of the catalogue{hint}",
    )  # fmt: skip
    values = events.loc[events["type"] == "purchase"]
    yield from graded("purchases without value", values["value"].isna(), values["item_id"], 0.5)


def _clocks(
    items: pd.DataFrame, events: pd.DataFrame, now_s: float, as_is: bool
) -> Iterator[Finding]:
    at = events["at"]
    shown = at.map(_date)
    if as_is:
        yield from graded(
            "events in the future", at > now_s + _DAY_S, shown, 0.0, 0.01,
            "a clock or a unit is wrong: times are unix seconds or RFC 3339",
        )  # fmt: skip
        old = at < now_s - _OLD_S
        if old.all():
            yield from graded(
                "all events are older than 60 days", old, shown.iloc[::-1], 0.0,
                advice='"replay": "shift_to_now" in dataset.json gives "this week" a meaning again',
            )  # fmt: skip
    born = events["item_id"].map(
        items.drop_duplicates("item_id").set_index("item_id")["created_at"]
    )
    yield from graded(
        "events before their item", at < born - _DAY_S, events["item_id"] + " at " + shown, 0.05,
        advice="created_at is when the item came into the shop, not when the row was written",
    )  # fmt: skip
    if len(events) >= _FEW:
        yield from graded(
            "times at midnight: only the day is known", at % _DAY_S == 0, shown, 0.2, 0.9,
            "without the time of day nothing tells what came first in a session", note=0.05,
        )  # fmt: skip


def _shoppers(events: pd.DataFrame) -> Iterator[Finding]:
    nobody = (events["user_id"] == "") & (events["session_id"] == "")
    yield from graded(
        "events without user_id and session_id", nobody, events["event_id"], 0.2, 0.8,
        "they count for popularity, but nobody has a history",
    )  # fmt: skip
    sessions = events[events["session_id"] != ""].groupby("session_id")["user_id"].max()
    yield from graded(
        "sessions without a user", sessions == "", pd.Series("", sessions.index), 0.95,
        advice="a history over several visits needs a user_id",
    )  # fmt: skip


def _outcomes(events: pd.DataFrame) -> Iterator[Finding]:
    kinds = events["type"].value_counts()
    wanted = kinds.reindex(["click", "add_to_cart", "purchase"]).fillna(0).sum()
    if not wanted:
        yield Finding(
            Severity.SEVERE, "neither clicks, carts nor purchases", len(events), len(events), "",
            "there is nothing to learn a ranking from",
        )  # fmt: skip
    shown = events[events["type"] == "impression"]
    bought = events[events["type"] == "purchase"]
    if shown.empty:
        yield Finding(
            Severity.NOTE, "no impressions", len(events), len(events), "",
            "position bias cannot be corrected, and exploration not be learnt from",
        )  # fmt: skip
        return
    pairs = pd.MultiIndex.from_frame(shown[["session_id", "item_id"]])
    unseen = ~pd.MultiIndex.from_frame(bought[["session_id", "item_id"]]).isin(pairs)
    yield from graded(
        "purchases without an impression in their session", pd.Series(unseen, bought.index),
        bought["item_id"], 0.5, advice="log lists as they are shown, with the same session_id",
        note=0.1,
    )  # fmt: skip
    yield from graded(
        "impressions without ranking_id or position",
        (shown["position"] == 0) | (shown["ranking_id"] == ""), shown["event_id"], 0.1,
        advice="position bias cannot be corrected for these",
    )  # fmt: skip
    if not kinds.get("click"):
        yield Finding(
            Severity.WARNING, "impressions, but no click", len(shown), len(shown), "",
            "log what is chosen from a list (select_item, Product Clicked)",
        )  # fmt: skip


def _traffic(events: pd.DataFrame) -> Iterator[Finding]:
    for column in ("user_id", "session_id"):
        counts = events.loc[events[column] != "", column].value_counts()
        if len(counts) < 2:
            continue
        heavy = counts[(counts >= _MANY) & (counts > 0.02 * len(events))]
        if len(heavy):
            # Whose events they are is personal: an event's id finds them as well.
            first = events.loc[events[column] == heavy.index[0], "event_id"].iloc[0]
            yield Finding(
                Severity.WARNING, f"test traffic or a robot? many events of one {column}",
                int(heavy.sum()), len(events), f"whose event {first} is",
                "leave it out: it decides what is popular",
            )  # fmt: skip
    same = [name for name in events.columns if name != "event_id"]
    yield from graded(
        "events that are the same but for their id", events.duplicated(same), events["event_id"],
        0.01, advice="a tag that fires twice counts twice",
    )  # fmt: skip


def _date(at_s: float) -> str:
    try:
        return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="minutes")
    except (ValueError, OverflowError, OSError):
        return f"{at_s:.0f}"
