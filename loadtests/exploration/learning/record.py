"""A log of the simulated shop with an explored share, in the columns that the head is fitted on.

The shop ranks by popularity. What it knows of items and shoppers is folded from the events by the
code that serves, and the features of a ranking are those of the moment in which it was asked for.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from features.arrays import BoolArray, DoubleArray, FloatArray, LongArray, RowArray
from features.behavior.aggregator import Aggregator
from features.behavior.matrix import FEATURE_NAMES, Shopper, behavior_features
from features.events.event import BehaviorEvent, EventType
from loadtests.exploration.learner import Learner
from loadtests.exploration.play import EXAMINED, Player, without_chance
from loadtests.exploration.shop import DAYS, WARM_UP_DAYS, Requests, Shop
from serving.models.runtime.scoring import TEXT_FEATURES
from serving.shops.rules import Rules
from serving.training.data.slates import offsets_of

LATER_DAYS = 10  # the last ones, on which heads are judged; nothing is explored then
_JUDGED_FROM = WARM_UP_DAYS + DAYS - LATER_DAYS


@dataclass(frozen=True, slots=True)
class Rankings:
    """Ranking i owns rows `offsets[i]:offsets[i + 1]`.

    features: float32 (R, n), as the head takes them, the text matches unknown; offsets: (n + 1,)
    """

    features: FloatArray
    offsets: RowArray


@dataclass(frozen=True, slots=True)
class Logged(Rankings):
    """All that could be shown, and what came of it: (R,), but `explored`, (n,). positions: from 1,
    0 = not shown; propensities: as logged, 1 of what was not shown; clicks: 0 or 1."""

    positions: LongArray
    propensities: FloatArray
    clicks: FloatArray
    explored: BoolArray


@dataclass(frozen=True, slots=True)
class Asked(Rankings):
    """All that could be shown, with the truth: both (R,). chance: P(click | examined); worth: the
    mean reward when examined. popularity: (R,), the score by which the shop ranks."""

    chance: FloatArray
    worth: DoubleArray
    popularity: FloatArray


@dataclass(frozen=True, slots=True)
class Record:
    """Of one shop. reward: mean of a ranking without chance, by the truth, in the explored
    requests; cost: what it lost there to what was explored."""

    logged: Logged
    later: Asked
    reward: float
    cost: float


class _Seen(NamedTuple):
    features: FloatArray
    shown: LongArray
    propensity: FloatArray
    clicked: BoolArray
    explored: bool


class _Judged(NamedTuple):
    features: FloatArray
    chance: DoubleArray
    worth: DoubleArray
    popularity: FloatArray


def record(shop: Shop, rules: Rules, share: float, seed: int) -> Record:
    """Days without chance, then with `rules` in a `share` of the rankings, then without again."""
    clerk, coin = _Clerk(shop, seed), np.random.default_rng((seed, 5))
    seen: list[_Seen] = []
    judged: list[_Judged] = []
    usual, drawn = [], []
    for day in range(WARM_UP_DAYS + DAYS):
        for requests, number in _in_time(shop, day):
            logged = WARM_UP_DAYS <= day < _JUDGED_FROM
            features = clerk.features(requests, number) if day >= WARM_UP_DAYS else None
            shown, propensity = clerk.order(requests, number, without_chance())
            explored = logged and coin.random() < share
            if explored:
                usual.append(_reward(requests, number, shown))
                shown, propensity = clerk.order(requests, number, rules)
                drawn.append(_reward(requests, number, shown))
            if features is not None and not logged:
                scores = clerk.learner.scores(requests.items, requests.needed[number])
                chance, worth = requests.chance[number], requests.worth[number]
                judged.append(_Judged(features, chance, worth, scores))
            clicked = clerk.answered(requests, number, shown)
            if features is not None and logged:
                seen.append(_Seen(features, shown, propensity, clicked, explored))
        clerk.learner.fade()
    reward, cost = float(np.mean(usual)), float(np.mean(usual) - np.mean(drawn))
    return Record(_logged(seen), _asked(judged), reward, cost)


def _in_time(shop: Shop, day: int) -> Iterator[tuple[Requests, int]]:
    asked = [(requests, n) for requests in shop.day(day) for n in range(len(requests.session))]
    starts = shop.sessions.start_s
    return iter(sorted(asked, key=lambda each: float(starts[each[0].session[each[1]]])))


def _reward(requests: Requests, number: int, shown: LongArray) -> float:
    return float(EXAMINED[: len(shown)] @ requests.worth[number, shown])


class _Clerk:
    """Ranks by popularity, and keeps what the shop knows of items and shoppers."""

    def __init__(self, shop: Shop, seed: int) -> None:
        self.learner = Learner.new("popularity", len(shop.table))
        self._shop = shop
        self._player = Player(shop, self.learner, without_chance(), seed)
        self._state = Aggregator(shop.table.row_of, shop.table.facts)
        self._folded = 0

    def features(self, requests: Requests, number: int) -> FloatArray:
        """Of all items of the request; what the need says of them is the score of retrieval."""
        user, session, at_s = self._who(requests, number)
        known = self._state
        shopper = Shopper(known.users.get(user or ""), known.sessions.get(session))
        behavior = behavior_features(
            shopper, self._shop.table, known.items, requests.items, at_s,
            requests.needed[number].astype(np.float32),
        )  # fmt: skip
        out = np.full((len(behavior), len(FEATURE_NAMES) + len(TEXT_FEATURES)), np.nan, np.float32)
        out[:, : len(FEATURE_NAMES)] = behavior
        return out

    def order(self, requests: Requests, number: int, rules: Rules) -> tuple[LongArray, FloatArray]:
        """What is shown, and its propensities."""
        ordered = self._player.order(requests, number, rules)
        return ordered.order, ordered.propensity

    def answered(self, requests: Requests, number: int, shown: LongArray) -> BoolArray:
        """The clicks on it, which are folded."""
        clicked = self._player.answer(requests, number, shown)
        user, session, at_s = self._who(requests, number)
        ids = self._shop.table.item_ids
        items = [ids[row] for row in requests.items[shown].tolist()]
        for place, item_id in enumerate(items, start=1):
            self._fold(
                BehaviorEvent("", EventType.IMPRESSION, at_s, user, session, item_id,
                              position=place)
            )  # fmt: skip
        for place in np.flatnonzero(clicked).tolist():
            self._fold(BehaviorEvent("", EventType.CLICK, at_s, user, session, items[place]))
        return clicked

    def _fold(self, event: BehaviorEvent) -> None:
        self._folded += 1
        self._state.apply(event, self._folded)

    def _who(self, requests: Requests, number: int) -> tuple[str | None, str, float]:
        sessions, row = self._shop.sessions, int(requests.session[number])
        user = None if sessions.is_guest[row] else f"u{sessions.shopper[row]}"
        return user, f"s{row}", float(sessions.start_s[row])


def _logged(seen: list[_Seen]) -> Logged:
    offsets = offsets_of([len(each.features) for each in seen])
    positions = np.zeros(int(offsets[-1]), np.int64)
    propensities, clicks = np.ones(len(positions), np.float32), np.zeros(len(positions), np.float32)
    for start, each in zip(offsets.tolist(), seen, strict=False):
        rows = start + each.shown
        positions[rows] = np.arange(1, len(rows) + 1)
        propensities[rows], clicks[rows] = each.propensity, each.clicked
    return Logged(
        np.concatenate([each.features for each in seen]), offsets,
        positions, propensities, clicks, np.array([each.explored for each in seen]),
    )  # fmt: skip


def _asked(judged: list[_Judged]) -> Asked:
    return Asked(
        np.concatenate([each.features for each in judged]),
        offsets_of([len(each.chance) for each in judged]),
        np.concatenate([each.chance for each in judged]).astype(np.float32),
        np.concatenate([each.worth for each in judged]),
        np.concatenate([each.popularity for each in judged]),
    )
