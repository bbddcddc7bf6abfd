"""Segment's e-commerce calls: one `track` call a line.

https://segment.com/docs/connections/spec/ecommerce/v2/
"""

from collections.abc import Iterable, Iterator
from typing import Any

from features.datasets.feeds.found import Found, Report
from features.datasets.feeds.log import Sessions, finish, key_of
from features.datasets.feeds.rows import Row
from features.datasets.feeds.values import moment_of
from features.datasets.format import DatasetError
from features.events.event import BehaviorEvent, EventType

_TYPES = {
    "product list viewed": EventType.IMPRESSION,
    "product clicked": EventType.CLICK,
    "product viewed": EventType.VIEW,
    "product added": EventType.ADD_TO_CART,
    "order completed": EventType.PURCHASE,
    "order refunded": EventType.RETURN,
    "products searched": EventType.SEARCH,
}
_OF_MANY = frozenset({EventType.IMPRESSION, EventType.PURCHASE, EventType.RETURN})
_PRICED = frozenset({EventType.PURCHASE, EventType.RETURN})
_CALLS = frozenset({"track", "page", "screen", "identify", "group", "alias"})


def is_call(values: dict[str, Any]) -> bool:
    """Whether a JSON object is a call of Segment's."""
    return values.get("type") in _CALLS and bool({"anonymousId", "userId"} & values.keys())


def read_segment(rows: Iterable[Row], found: Found, report: Report) -> None:
    """Add the e-commerce events; other calls are left out."""
    calls: list[tuple[float, EventType, Row]] = []
    for row in rows:
        try:
            if timed := _timed(row, found):
                calls.append(timed)
        except DatasetError as problem:
            report(problem)
    calls.sort(key=lambda call: call[0])  # sessions and refunds need the order of time
    sessions, orders = Sessions(), dict[str, list[dict[str, Any]]]()
    events: list[BehaviorEvent] = []
    for at_s, kind, row in calls:
        try:
            events.extend(_events(row, kind, at_s, sessions, orders, found))
        except DatasetError as problem:
            report(problem)
    finish(events, found)


def _timed(row: Row, found: Found) -> tuple[float, EventType, Row] | None:
    name = row.text("event")
    kind = _TYPES.get(name.lower()) if row.text("type") == "track" else None
    if kind is None:
        found.skipped[f"calls {name or row.text('type')!r}"] += 1
        return None
    column = "timestamp" if row.text("timestamp") else "originalTimestamp"
    try:
        return moment_of(row.required(column)), kind, row
    except ValueError as error:
        raise row.error(column, str(error)) from error


def _events(
    row: Row,
    kind: EventType,
    at_s: float,
    sessions: Sessions,
    orders: dict[str, list[dict[str, Any]]],
    found: Found,
) -> Iterator[BehaviorEvent]:
    properties = row.values.get("properties") or {}
    if not isinstance(properties, dict):
        raise row.error("properties", "holds no object")
    user, visitor = row.text("userId"), row.text("anonymousId", "userId")
    message = row.text("messageId")
    key = f"sg-{key_of(message or (visitor, at_s, row.text('event')))}"
    shared: dict[str, Any] = {
        "type": kind,
        "at_s": at_s,
        "user_id": user or visitor or None,
        "session_id": sessions.of(visitor, at_s) if visitor else None,
        "query": str(properties.get("query") or "") or None,
    }
    if kind is EventType.SEARCH:
        yield BehaviorEvent(event_id=key, **shared)
        return
    products = properties.get("products") or [] if kind in _OF_MANY else [properties]
    if not isinstance(products, list) or not all(isinstance(each, dict) for each in products):
        raise row.error("properties.products", "holds no list of objects")
    order = str(properties.get("order_id") or "")
    if kind is EventType.PURCHASE and order:
        orders[order] = products
    if kind is EventType.RETURN:
        products = products or orders.get(order, [])  # a refund in full may name no products
    for number, product in enumerate(products, start=1):
        names = (product.get(name) for name in ("product_id", "sku", "variant"))
        item_id = found.resolve(*(str(name) for name in names if name))
        if not item_id:
            found.skipped[f"calls {row.text('event')!r} without a product_id or sku"] += 1
            continue
        if kind is EventType.IMPRESSION:
            shared |= {"ranking_id": key, "position": _position(product, number)}
        elif kind in _PRICED:
            shared["value"] = _value(row, product)
        yield BehaviorEvent(event_id=f"{key}-{number}", item_id=item_id, **shared)


def _position(product: dict[str, Any], number: int) -> int:
    told = str(product.get("position") or "")
    return int(told) if told.isdigit() and int(told) else number


def _value(row: Row, product: dict[str, Any]) -> float | None:
    if product.get("price") is None:
        return None
    try:
        return abs(float(product["price"]) * float(product.get("quantity") or 1))
    except (TypeError, ValueError) as error:
        raise row.error("properties.products", "holds no number in price or quantity") from error
