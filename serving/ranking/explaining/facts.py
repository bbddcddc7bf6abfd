"""What is true of an item and a shopper, as a person would count it: no logarithms, no shares of
shares. Each fact names the family of columns that it belongs to; reasons are chosen among them.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from features.arrays import FloatArray
from features.behavior.matrix import COLUMN
from features.behavior.state import USER_BOUNDS
from features.behavior.state_rows import StateRow
from features.catalog.counters import DAY_S, HALF_LIVES_S
from features.catalog.item import CATEGORY_SEPARATOR, Item
from features.catalog.words import folded, words, words_in_order
from serving.models.columns.families import Family
from serving.ranking.explaining.told import Because
from serving.ranking.slate.because import cause
from serving.ranking.values import Resolved
from serving.search.relevance import COLUMN as MATCH
from serving.search.relevance import EXACT_CODE
from serving.search.words.lexicon import misspelt
from serving.types import Cause

_RHYTHM = 3  # purchases from which on there is one
_DUE = 0.3  # how far the days since the last purchase may be off the rhythm, as a logarithm
_SHARE = 0.05  # of what a shopper chooses, from which on it is worth telling
_NEAR = 0.15  # of the usual price
_SOLD = 5  # purchases from which on they are told
NEW_DAYS = 14
_CLOSE = 0.35  # cosine from which on texts mean something alike


@dataclass(frozen=True, slots=True)
class Fact:
    """`key`: of phrases.PHRASES, with its fields."""

    family: Family
    key: str
    given: dict[str, Any] = field(default_factory=dict)


class Facts:
    """Of one request."""

    def __init__(self, resolved: Resolved) -> None:
        self._resolved = resolved
        self._now_s = resolved.context.at_s
        self._table = resolved.shop.items.table
        self._user, self._session = resolved.evidence.asking.histories(self._table)

    def of(
        self, index: int, because: Because | None, reminder: Because | None = None
    ) -> Iterator[Fact]:
        """All that are true of a candidate, of each family the most telling first.

        because: what speaks for it; reminder: what the whole slate was asked to be like
        """
        row = int(self._resolved.candidates.rows[index])
        if row < 0:
            return
        item, values = self._table.items[row], self._resolved.features.values[index]
        query = self._resolved.context.query
        if query is not None:
            yield from self._asked(query, item, index, row)
        yield from self._bought(row)
        yield from self._looked(row)
        if reminder is not None:
            yield from _goes_with(Family.QUERY_MATCH, reminder, item)
        elif because is not None:
            yield from _goes_with(Family.TASTE, because, item)
        yield from _taste(item, values)
        yield from self._price(row)
        yield from _sold(values)
        yield from _new(values)

    def _bought(self, row: int) -> Iterator[Fact]:
        found = (self._user.bought == row).nonzero()[0]
        if len(found) == 0:
            return
        kept, first_s, last_s = self._user.purchases[found[0]].tolist()
        visits, ago = math.ceil(kept), _days(self._now_s - last_s)
        if visits < 1:
            return
        rhythm = (last_s - first_s) / DAY_S / max(visits - 1, 1)
        due = math.log((max(self._now_s - last_s, 0.0) / DAY_S + 0.5) / (rhythm + 0.5))
        full = len(self._user.bought) >= USER_BOUNDS.bought_items  # then older ones were forgotten
        if visits >= _RHYTHM and rhythm >= 2 and abs(due) < _DUE:
            yield Fact(Family.BOUGHT_BEFORE, "due", {"every_days": round(rhythm), "days_ago": ago})
        elif full:
            yield Fact(Family.BOUGHT_BEFORE, "bought_often", {"days_ago": ago})
        elif visits == 1:
            yield Fact(Family.BOUGHT_BEFORE, "bought_once", {"days_ago": ago})
        else:
            yield Fact(Family.BOUGHT_BEFORE, "bought", {"times": visits, "days_ago": ago})

    def _looked(self, row: int) -> Iterator[Fact]:
        asking = self._resolved.evidence.asking
        for state, history in ((asking.session, self._session), (asking.user, self._user)):
            places = (history.recent == row).nonzero()[0]
            if state is None or len(places) == 0:
                continue
            place = int(places[0])
            done = cause(float(history.strengths[place]))
            if done is Cause.CART:  # the time that is kept may be of a later look
                yield Fact(Family.LOOKED_AT_LATELY, "cart")
            elif done is Cause.VIEWED and state is asking.session:
                yield Fact(Family.LOOKED_AT_LATELY, "viewed_now")
            elif done is Cause.VIEWED:
                last_s, _ = StateRow.of(state).numbers("recent_values")
                ago = _days(self._now_s - float(np.sort(last_s)[::-1][place]))
                yield Fact(Family.LOOKED_AT_LATELY, "viewed", {"days_ago": ago})
            return

    def _price(self, row: int) -> Iterator[Fact]:
        user = self._resolved.evidence.asking.user
        price = float(self._table.log_price[row])
        if user is None or user.price_weight <= 0 or not math.isfinite(price):
            return
        usual = user.price_sum / user.price_weight
        if abs(math.expm1(price - usual)) <= _NEAR:
            yield Fact(Family.PRICE, "price", {"share": round(100 * _NEAR)})

    def _asked(self, query: str, item: Item, index: int, row: int) -> Iterator[Fact]:
        matches, asked = self._resolved.candidates.matches, words(query)
        given: dict[str, Any] = {"query": query}
        if matches is not None and float(matches.values[index]) == EXACT_CODE:
            yield Fact(Family.QUERY_MATCH, "code", given)
            return
        title = words(item.title)
        facts = title | words(item.brand) | words(item.category)
        text = facts | words(item.description) | words(" ".join(item.attributes.values()))
        for key, held in (("title", title), ("facts", facts), ("text", text)):
            if asked and asked <= held:
                yield Fact(Family.QUERY_MATCH, key, given)
                return
        if seen := self._on_picture(query, text, row):
            yield Fact(Family.QUERY_MATCH, "picture", {**given, "words": seen})
        elif part := [word for word in words_in_order(query) if word in text]:
            yield Fact(Family.QUERY_MATCH, "part", {**given, "words": ", ".join(part)})
        elif meant := [near for word in words_in_order(query) if (near := misspelt(word, facts))]:
            yield Fact(Family.QUERY_MATCH, "spelling", {**given, "words": " ".join(meant)})
        elif any(map(str.isalpha, query)) and self._cosine(index) > _CLOSE:  # no number means much
            yield Fact(Family.QUERY_MATCH, "meaning", given)

    def _on_picture(self, query: str, text: frozenset[str], row: int) -> str:
        """What of a query is written on the item's picture and nowhere in its text; "" = nothing.

        These are words of the query: what a picture says is told to no shopper.
        """
        matcher = self._resolved.shop.retrieval.matcher
        written = matcher.items.written(row)
        if not written:
            return ""
        analyzer, telling = matcher.lexicon.analyzer, matcher.lexicon.query_terms(query)
        there, terms = set(analyzer.terms(written)), {each.term for each in telling}
        asked = [(term, word) for term, word in analyzer.spans(query) if term in terms]
        if asked and all(term in there for term, _ in asked):
            return query
        found = [word for term, word in asked if term in there and not words(word) <= text]
        return ", ".join(dict.fromkeys(found))

    def _cosine(self, index: int) -> float:
        """Of the texts of query and item; NaN: not compared."""
        matches = self._resolved.candidates.matches
        return math.nan if matches is None else float(matches.columns[index, MATCH["cosine"]])


def _goes_with(family: Family, because: Because, item: Item) -> Iterator[Fact]:
    """Of two with one title, as are sizes of a product, it would say nothing."""
    if folded(because.title) != folded(item.title):
        yield Fact(family, f"because_{because.kind.value}", {"title": because.title})


def _taste(item: Item, values: FloatArray) -> Iterator[Fact]:
    """The deepest category of which the shopper takes enough, and the brand.

    A category that is divided on is too wide to be a reason: half of a grocer's is "Grocery".
    """
    levels = item.category_levels
    for depth in range(len(levels), int(len(levels) > 1), -1):
        share = float(values[COLUMN[f"user_category_{depth}"]])
        if share >= _SHARE:
            name = levels[depth - 1].split(CATEGORY_SEPARATOR)[-1]
            yield Fact(Family.TASTE, "category", {"name": name, "share": round(100 * share)})
            break
    share = float(values[COLUMN["user_brand"]])
    if item.brand and share >= _SHARE:
        yield Fact(Family.TASTE, "brand", {"name": item.brand, "share": round(100 * share)})


def sold_at_least(values: FloatArray) -> int:
    """How often the item was surely bought in the last 30 days, from counts that fade.

    A purchase before that counts 2^(-age/7d) of one among those of seven days, which is at most
    2^(-30 (1/7 - 1/h)) times what it counts among those of a half-life of h days; and none counts
    more than one. So the count of seven days, less that share of a slower count, is too low.
    """
    fast = float(values[COLUMN["item_purchase_7d"]])
    if not math.isfinite(fast):
        return 0
    best = 0.0
    for name in ("30d", "120d"):
        slow = math.expm1(float(values[COLUMN[f"item_purchase_{name}"]]))
        old = 2 ** (-30 * DAY_S * (1 / HALF_LIVES_S["7d"] - 1 / HALF_LIVES_S[name]))
        best = max(best, math.expm1(fast) - old * slow)
    return math.ceil(best - 1e-3)


def _sold(values: FloatArray) -> Iterator[Fact]:
    if (n := sold_at_least(values)) >= _SOLD:
        yield Fact(Family.POPULARITY, "sold", {"times": n, "days": 30})


def _new(values: FloatArray) -> Iterator[Fact]:
    age = math.expm1(float(values[COLUMN["item_age_days"]]))
    if age < NEW_DAYS:  # an unknown age is not
        yield Fact(Family.NEWNESS, "new", {"days_ago": int(age + 1e-4)})


def _days(seconds: float) -> int:
    return int(max(seconds, 0.0) / DAY_S)
