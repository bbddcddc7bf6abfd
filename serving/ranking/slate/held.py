"""What a floor of exposure did in one ranking."""

from enum import StrEnum
from typing import NamedTuple


class FloorOutcome(StrEnum):
    """lifted: by what was owed; nothing_owed: its items had their share; gave_way: they had not,
    and the floor had taken its price."""

    LIFTED = "lifted"
    NOTHING_OWED = "nothing_owed"
    GAVE_WAY = "gave_way"


class Held(NamedTuple):
    """One floor in a ranking that offered an item of it.

    shown, target, whole: exposure of its items, what they were to have, and of all in its depth;
    lost: NDCG that the lift took, and allowed: that it may, both by the scores themselves; owed:
    exposure that is missing at this replica, after the ranking
    """

    name: str
    outcome: FloorOutcome
    shown: float
    target: float
    whole: float
    lost: float
    allowed: float
    owed: float
