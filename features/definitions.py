"""What `feast apply` registers, from the top: entities, sources, feature views, feature services.

Sources and what reads them take the folder of the snapshots: a state folder each has its own.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from feast import Entity, FeatureService, FeatureView, Field, FileSource, PushSource, ValueType
from feast.types import String

from features.behavior.column_kinds import COLUMN_KINDS, ColumnKind
from features.behavior.state import SESSION_TTL_S
from features.behavior.state_rows import (
    BEHAVIOR_COLUMNS,
    FOLD_COLUMNS,
    KIND_COLUMNS,
    ORIGIN_COLUMNS,
    PACKED,
    UNWANTED_COLUMNS,
)
from features.catalog.item_rows import ITEM_COLUMNS
from features.events.event import MAX_AGE_S

# Entities: who and what features are about.

user = Entity(
    name="user",
    join_keys=["user_id"],
    value_type=ValueType.STRING,
    description="A shopper, by pseudonym",
)
session = Entity(
    name="session",
    join_keys=["session_id"],
    value_type=ValueType.STRING,
    description="One visit, by pseudonym",
)
item = Entity(
    name="item",
    join_keys=["item_id"],
    value_type=ValueType.STRING,
    description="A catalogue entry",
)

# Sources: snapshots in Parquet, and pushes of fresh rows.

TIMESTAMP = "event_timestamp"  # the newest event that the row has seen
CREATED = "created"  # when the snapshot was written: of two with one timestamp, the later counts


def push_source(view: str, offline: str) -> PushSource:
    """The source of a view: its folder of Parquet files under `offline`, and pushes."""
    return PushSource(
        name=f"{view}_push",
        batch_source=FileSource(
            name=f"{view}_snapshots",
            path=f"{offline}/{view}",
            timestamp_field=TIMESTAMP,
            created_timestamp_column=CREATED,
        ),
    )


# Feature views: one of each entity, each row a whole state.

USER_VIEW = "user_behavior"
SESSION_VIEW = "session_behavior"
ITEM_VIEW = "item_behavior"
ENTITY: dict[str, Entity] = {USER_VIEW: user, SESSION_VIEW: session, ITEM_VIEW: item}
PACKED_VIEWS = (USER_VIEW, SESSION_VIEW)
JOIN_KEY = {USER_VIEW: "user_id", SESSION_VIEW: "session_id", ITEM_VIEW: "item_id"}
# A snapshot has the columns and nothing in PACKED, an online row has PACKED alone.
_BEHAVIOR = {
    name: COLUMN_KINDS[kind] for name, kind in {**BEHAVIOR_COLUMNS, PACKED: "bytes"}.items()
}
_COUNTERS = {name: COLUMN_KINDS[kind] for name, kind in ITEM_COLUMNS.items()}
COLUMNS: dict[str, dict[str, ColumnKind]] = {
    USER_VIEW: _BEHAVIOR,
    SESSION_VIEW: _BEHAVIOR,
    ITEM_VIEW: _COUNTERS,
}
TTL_S: dict[str, float] = {
    USER_VIEW: MAX_AGE_S,  # a yearly shopper is still known
    SESSION_VIEW: SESSION_TTL_S,
    ITEM_VIEW: MAX_AGE_S,  # the slowest counter has faded to a tenth by then
}


def feature_view(name: str, offline: str) -> FeatureView:
    """The view called `name`, with its snapshots in a folder under `offline`."""
    return FeatureView(
        name=name,
        entities=[ENTITY[name]],
        # The join key is named here so that `feast apply` need not open the Parquet files.
        schema=[
            Field(name=JOIN_KEY[name], dtype=String),
            *(Field(name=column, dtype=kind.feast_type) for column, kind in COLUMNS[name].items()),
        ],
        ttl=timedelta(seconds=TTL_S[name]),
        source=push_source(name, offline),
    )


# Feature services: which columns a ranking reads. A version never changes; add one.

RANKER = "ranker_v4"  # in use
_V3_COLUMNS = [n for n in BEHAVIOR_COLUMNS if n not in (*FOLD_COLUMNS, *KIND_COLUMNS)]
_V2_COLUMNS = [name for name in _V3_COLUMNS if name not in ORIGIN_COLUMNS]
_V1_COLUMNS = [name for name in _V2_COLUMNS if name not in UNWANTED_COLUMNS]


def ranker_v1(users: FeatureView, sessions: FeatureView) -> FeatureService:
    """What the columns of the model are made of."""
    return FeatureService(
        name="ranker_v1",
        features=[users[_V1_COLUMNS], sessions[_V1_COLUMNS]],
        description="What is known of user and session; a ranker needs no more than these columns",
    )


def ranker_v2(users: FeatureView, sessions: FeatureView) -> FeatureService:
    """The same, and what the shopper does not want."""
    return FeatureService(
        name="ranker_v2",
        features=[users[_V2_COLUMNS], sessions[_V2_COLUMNS]],
        description="The same, and what the shopper has hidden and was shown in vain",
    )


def ranker_v3(users: FeatureView, sessions: FeatureView) -> FeatureService:
    """The same, and whom a shopper began as."""
    return FeatureService(
        name="ranker_v3",
        features=[users[_V3_COLUMNS], sessions[_V3_COLUMNS]],
        description="The same, and the session that a user began as, for experiments",
    )


def ranker_v4(users: FeatureView, sessions: FeatureView) -> FeatureService:
    """What a ranking reads online in one call; item counters come from the process's own table."""
    return FeatureService(
        name=RANKER,
        features=[users[[PACKED]], sessions[[PACKED]]],
        description="The same and what the fold keeps, packed: online only",
    )


@dataclass(frozen=True, slots=True)
class Definitions:
    """The objects in the order that they depend on each other."""

    entities: tuple[Entity, ...]
    views: tuple[FeatureView, ...]
    services: tuple[FeatureService, ...]

    def all(self) -> list[Any]:
        """What FeatureStore.apply takes."""
        return [*self.entities, *self.views, *self.services]


def definitions(offline: str) -> Definitions:
    """The definitions with snapshots under the folder `offline`."""
    users, sessions, items = (feature_view(name, offline) for name in ENTITY)
    return Definitions(
        entities=(user, session, item),
        views=(users, sessions, items),
        services=tuple(
            ranker(users, sessions) for ranker in (ranker_v1, ranker_v2, ranker_v3, ranker_v4)
        ),
    )
