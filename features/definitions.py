"""Everything that `feast apply` registers, for one place of the offline store."""

from dataclasses import dataclass
from typing import Any

from feast import Entity, FeatureService, FeatureView

from features.entities import item, session, user
from features.services import cold_start_v1, ranker_v1
from features.views import ITEM_VIEW, SESSION_VIEW, USER_VIEW, view


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
    users, sessions, items = (view(name, offline) for name in (USER_VIEW, SESSION_VIEW, ITEM_VIEW))
    return Definitions(
        entities=(user, session, item),
        views=(users, sessions, items),
        services=(ranker_v1(users, sessions), cold_start_v1(sessions)),
    )
