"""What a shopper does not want to see: items, brands and categories that it hid, and items shown to
it again and again; and what it does not want to be known for.

Of an item the newest word counts, of user and session together: hidden, or to be shown again. Shown
counts the impressions since the shopper last took the item up, fading with SHOWN_HALF_LIFE_S.
"""

from collections.abc import Iterable, Mapping

from features.behavior.state import BehaviorState, Bounds, Marks
from features.behavior.state_rows import AnyState
from features.catalog.counters import DAY_S
from features.catalog.item import CATEGORY_SEPARATOR, ItemFacts, spaced_path
from features.events.event import BehaviorEvent, EventType

SHOWN_HALF_LIFE_S = 7 * DAY_S
_NOTHING_KEPT = 1e-6  # a share that is left by rounding alone
_BRAND, _CATEGORY = "brand:", "category:"
HIDES = {EventType.HIDE: True, EventType.UNHIDE: False}
# Who puts an item into the cart wants it after all.
WANTS = frozenset({EventType.ADD_TO_CART, EventType.PURCHASE})


def kind_of(brand: str | None, category: str | None) -> str | None:
    """What a brand, or a category path, is called among `hidden_kinds`; None: neither."""
    if brand is not None:
        return f"{_BRAND}{brand}"
    return None if category is None else f"{_CATEGORY}{spaced_path(category)}"


def say_of_kinds(state: BehaviorState, event: BehaviorEvent, bounds: Bounds) -> None:
    """Keep whether the shopper hides a brand or a category, unless something newer was said."""
    kind = kind_of(event.brand, event.category)
    if kind is not None and event.type in HIDES:
        word = event.at_s, float(HIDES[event.type])
        state.hidden_kinds = newest_kinds(newest_marks(state.hidden_kinds, {kind: word}), bounds)


def newest_kinds(said: Marks, bounds: Bounds) -> Marks:
    """As many of these words as are kept, oldest first."""
    ordered = sorted(said.items(), key=lambda entry: entry[1][0])
    return dict(ordered[max(len(ordered) - bounds.hidden, 0) :])


def hidden_kinds(states: Iterable[AnyState | None]) -> tuple[list[str], list[str]]:
    """The brands, and the category paths, that the shopper of `states` does not want to see."""
    said: Marks = {}
    for state in states:
        if state is not None and state.hidden_kinds:
            said = newest_marks(said, state.hidden_kinds)
    kinds = [kind for kind, (_, hidden) in said.items() if hidden]
    return (
        [kind.removeprefix(_BRAND) for kind in kinds if kind.startswith(_BRAND)],
        [kind.removeprefix(_CATEGORY) for kind in kinds if kind.startswith(_CATEGORY)],
    )


def say(state: BehaviorState, item_id: str, hidden: bool, at_s: float, bounds: Bounds) -> bool:
    """Keep whether the shopper hides an item; False when something newer was said of it."""
    before = state.hidden.get(item_id)
    if before is not None and before[0] > at_s:
        return False
    state.hidden.pop(item_id, None)
    state.hidden[item_id] = (at_s, float(hidden))
    if at_s < state.last_s:
        state.hidden = dict(sorted(state.hidden.items(), key=lambda entry: entry[1][0]))
    if len(state.hidden) > bounds.hidden:
        del state.hidden[next(iter(state.hidden))]
    return True


def see(state: BehaviorState, item_id: str, at_s: float, bounds: Bounds) -> None:
    """Count an impression, unless the shopper has taken the item up since."""
    taken_up = state.recent.get(item_id)
    if taken_up is not None and taken_up[0] >= at_s:
        return
    state.shown[item_id] = _added(state.shown.get(item_id), (at_s, 1.0))
    if len(state.shown) > 2 * bounds.shown:
        state.shown = most_shown(state.shown, bounds.shown)


def hidden_items(states: Iterable[AnyState | None]) -> set[str]:
    """What the shopper of `states`, user and session, does not want to see."""
    said: Marks = {}
    for state in states:
        if state is not None and state.hidden:
            said = newest_marks(said, state.hidden)
    return {item_id for item_id, (_, hidden) in said.items() if hidden}


def shown_often(
    states: Iterable[AnyState], now_s: float, more_than: float, half_life_s: float
) -> dict[str, tuple[float, float]]:
    """Items shown `more_than` so many times in vain: what is left of that by now, and the times.

    half_life_s: since the last impression. What is in both states was told with both names: of two,
    the larger.
    """
    often: dict[str, tuple[float, float]] = {}
    for state in states:
        for item_id, (at_s, times) in state.shown.items():
            if times > more_than:
                left = times * 2.0 ** (-max(now_s - at_s, 0.0) / half_life_s)
                if left > more_than:
                    often[item_id] = max(often.get(item_id, (0.0, 0.0)), (left, times))
    return often


def newest_marks(marks: Marks, others: Marks) -> Marks:
    """Of each item the newer of two."""
    both = dict(marks)
    for item_id, word in others.items():
        if item_id not in both or word[0] >= both[item_id][0]:
            both[item_id] = word
    return both


def shown_together(shown: Marks, others: Marks) -> Marks:
    """The impressions of two that turn out to be one shopper."""
    both = dict(shown)
    for item_id, more in others.items():
        both[item_id] = _added(both.get(item_id), more)
    return both


def most_shown(shown: Marks, n_kept: int) -> Marks:
    """The `n_kept` that were shown most, as of the newest impression."""
    now_s = max(at_s for at_s, _ in shown.values())

    def as_of_now(item_id: str) -> float:
        at_s, times = shown[item_id]
        return times * _fade(now_s - at_s)

    kept = sorted(shown, key=as_of_now, reverse=True)[:n_kept]
    return {item_id: shown[item_id] for item_id in kept}


def _added(shown: tuple[float, float] | None, more: tuple[float, float]) -> tuple[float, float]:
    """Times shown, as of the newer of both times."""
    if shown is None:
        return more
    older, newer = sorted((shown, more))
    return newer[0], newer[1] + older[1] * _fade(newer[0] - older[0])


def _fade(age_s: float) -> float:
    fade: float = 2.0 ** (-age_s / SHOWN_HALF_LIFE_S)
    return fade


def forget_interest(
    state: BehaviorState, event: BehaviorEvent, facts: Mapping[str, ItemFacts]
) -> None:
    """Take a brand, or a category with all below it, out of `state`.

    The affinity goes, and so do the items that speak for it: recent, bought, shown in vain. What
    the shopper does later teaches it anew. Prices keep what they taught: they name nothing.
    """
    path = None if event.category is None else spaced_path(event.category)
    if event.brand is not None:
        state.brands.pop(event.brand, None)
    if path is not None:
        _forget_category(state.categories, path)
    for kept in (state.recent, state.bought, state.shown):
        for item_id in [each for each in kept if _speaks(facts.get(each), event.brand, path)]:
            del kept[item_id]


def _forget_category(categories: dict[str, float], path: str) -> None:
    weight = categories.get(path, 0.0)
    for level in [each for each in categories if _within(each, path)]:
        del categories[level]
    names = path.split(CATEGORY_SEPARATOR)
    for depth in range(1, len(names)):
        above = CATEGORY_SEPARATOR.join(names[:depth])
        left = categories.get(above, 0.0) - weight
        if left > _NOTHING_KEPT * weight:
            categories[above] = left
        else:
            categories.pop(above, None)


def _within(level: str, path: str) -> bool:
    return level == path or level.startswith(path + CATEGORY_SEPARATOR)


def _speaks(item: ItemFacts | None, brand: str | None, path: str | None) -> bool:
    if item is None:
        return False
    return (brand is not None and item.brand == brand) or path in item.category_levels
