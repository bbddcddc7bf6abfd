"""Google Analytics 4 as BigQuery exports it: one event a line, with the items that it names.

https://support.google.com/analytics/answer/7029846
"""

from collections.abc import Iterable, Iterator
from typing import Any

from features.datasets.feeds.found import Found, Report
from features.datasets.feeds.log import finish, key_of
from features.datasets.feeds.rows import Row
from features.datasets.feeds.values import moment_of
from features.datasets.format import DatasetError
from features.events.event import BehaviorEvent, EventType

_TYPES = {
    "view_item_list": EventType.IMPRESSION,
    "select_item": EventType.CLICK,
    "view_item": EventType.VIEW,
    "add_to_cart": EventType.ADD_TO_CART,
    "purchase": EventType.PURCHASE,
    "refund": EventType.RETURN,
    "search": EventType.SEARCH,
    "view_search_results": EventType.SEARCH,
}
# Where the money of a line stands; what is returned in full is told by its purchase.
_PAID = {
    EventType.PURCHASE: ("item_revenue",),
    EventType.RETURN: ("item_refund", "item_revenue"),
}
_NOT_SET = frozenset({"", "(not set)"})


def is_event(values: dict[str, Any]) -> bool:
    """Whether a JSON object is an event of this export."""
    return "event_name" in values and "event_timestamp" in values


def read_ga4(rows: Iterable[Row], found: Found, report: Report) -> None:
    """Add the e-commerce events; internal and debug traffic and other events are left out."""
    orders: dict[str, list[dict[str, Any]]] = {}
    events: list[BehaviorEvent] = []
    for row in rows:
        try:
            events.extend(_events(row, orders, found))
        except DatasetError as problem:
            report(problem)
    finish(events, found)


def _events(
    row: Row, orders: dict[str, list[dict[str, Any]]], found: Found
) -> Iterator[BehaviorEvent]:
    name = row.text("event_name")
    kind = _TYPES.get(name)
    params = _params(row)
    if params.get("traffic_type") == "internal" or params.get("debug_mode") in ("1", "true"):
        found.skipped["internal or debug traffic"] += 1
        return
    if kind is None:
        found.skipped[f"events {name!r}"] += 1
        return
    try:
        at_s = moment_of(row.required("event_timestamp"))
    except ValueError as error:
        raise row.error("event_timestamp", str(error)) from error
    device = row.text("user_pseudo_id")
    session = params.get("ga_session_id", "")
    key = key_of(device, row.text("event_timestamp"), name, row.text("event_bundle_sequence_id"))
    shared: dict[str, Any] = {
        "type": kind,
        "at_s": at_s,
        "user_id": row.text("user_id") or device or None,
        "session_id": f"{device}.{session}" if device and session else None,
        "query": params.get("search_term") or None,
    }
    if kind is EventType.SEARCH:
        yield BehaviorEvent(event_id=f"ga4-{key}", **shared)
        return
    items = _items(row)
    order = _order(row, params)
    if kind is EventType.PURCHASE and order:
        orders[order] = items
    if kind is EventType.RETURN:
        items = items or orders.get(order, [])  # a refund in full names no items
    named = [item for item in items if str(item.get("item_id") or "") not in _NOT_SET]
    if not named:
        found.skipped[f"events {name!r} without an item_id"] += 1
    zero_based = any(str(item.get("item_list_index")) == "0" for item in named)
    for number, item in enumerate(named, start=1):
        if kind is EventType.IMPRESSION:
            index = str(item.get("item_list_index") or "")
            position = int(index) + zero_based if index.isdigit() else number
            shared |= {"ranking_id": f"ga4-{key}", "position": max(position, 1)}
        elif kind in _PAID:
            shared["value"] = _value(row, item, _PAID[kind])
        item_id = found.resolve(str(item["item_id"]))
        yield BehaviorEvent(event_id=f"ga4-{key}-{number}", item_id=item_id, **shared)


def _items(row: Row) -> list[dict[str, Any]]:
    items = row.values.get("items") or []
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise row.error("items", "holds no list of objects")
    return items


def _order(row: Row, params: dict[str, str]) -> str:
    ecommerce = row.values.get("ecommerce")
    told = ecommerce.get("transaction_id") if isinstance(ecommerce, dict) else None
    order = str(told or params.get("transaction_id") or "")
    return "" if order in _NOT_SET else order


def _value(row: Row, item: dict[str, Any], columns: tuple[str, ...]) -> float | None:
    """Money of the line, as a positive number; None when it is not told."""
    told = next((item[name] for name in columns if item.get(name) is not None), None)
    try:
        if told is None and item.get("price") is not None:
            told = float(item["price"]) * float(item.get("quantity") or 1)
        return None if told is None else abs(float(told))
    except (TypeError, ValueError) as error:
        raise row.error("items", f"holds no number in {columns[0]}, price or quantity") from error


def _params(row: Row) -> dict[str, str]:
    """The parameters by key; each stands in the field of its type."""
    params = row.values.get("event_params") or []
    found = {}
    for param in params if isinstance(params, list) else []:
        value = param.get("value") if isinstance(param, dict) else None
        told = (
            [each for each in value.values() if each is not None] if isinstance(value, dict) else []
        )
        if told:
            found[str(param.get("key"))] = str(told[0])
    return found
