"""The feature views: one of each entity, each row a whole state."""

from datetime import timedelta

from feast import Entity, FeatureView, Field
from feast.types import Array, FeastType, Float32, Float64, Int64, String

from features.behavior.state_rows import BEHAVIOR_COLUMNS, ITEM_COLUMNS
from features.entities import item, session, user
from features.sources import push_source

USER_VIEW = "user_behavior"
SESSION_VIEW = "session_behavior"
ITEM_VIEW = "item_behavior"

COLUMNS: dict[str, dict[str, str]] = {
    USER_VIEW: BEHAVIOR_COLUMNS,
    SESSION_VIEW: BEHAVIOR_COLUMNS,
    ITEM_VIEW: ITEM_COLUMNS,
}
JOIN_KEY = {USER_VIEW: "user_id", SESSION_VIEW: "session_id", ITEM_VIEW: "item_id"}
TTL_S: dict[str, float] = {
    USER_VIEW: 400 * 86_400.0,  # a yearly shopper is still known
    SESSION_VIEW: 86_400.0,  # as features.behavior.replay drops finished sessions
    ITEM_VIEW: 400 * 86_400.0,  # the slowest counter has faded to a tenth by then
}
_ENTITY: dict[str, Entity] = {USER_VIEW: user, SESSION_VIEW: session, ITEM_VIEW: item}
_TYPES: dict[str, FeastType] = {
    "float64": Float64,
    "int64": Int64,
    "float64 list": Array(Float64),
    "float32 list": Array(Float32),
    "int64 list": Array(Int64),
    "string list": Array(String),
}


def view(name: str, offline: str) -> FeatureView:
    """The view called `name`, with its snapshots in a folder under `offline`."""
    key = JOIN_KEY[name]
    return FeatureView(
        name=name,
        entities=[_ENTITY[name]],
        # The join key is named here so that `feast apply` need not open the Parquet files.
        schema=[
            Field(name=key, dtype=String),
            *(Field(name=column, dtype=_TYPES[kind]) for column, kind in COLUMNS[name].items()),
        ],
        ttl=timedelta(seconds=TTL_S[name]),
        source=push_source(name, offline),
    )
