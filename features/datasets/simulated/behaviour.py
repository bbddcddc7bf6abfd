"""What the simulated shop shows, and what simulated shoppers do with it."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.arrays import BoolArray, DoubleArray, LongArray
from features.datasets.simulated.catalog import BRAND_NAMES, MATERIALS, Tree
from features.datasets.simulated.shoppers import DAY_S, Needs, Sessions
from features.datasets.simulated.truth import (
    BUY,
    CART,
    DWELL_LOG,
    DWELL_S,
    DWELL_SPREAD,
    SEEN,
    Truth,
    examination,
    return_chance,
    sigmoid,
    taste,
    utility,
)
from features.datasets.simulated.words import COLOURS
from features.events.event import EventType

SLATE = 20
SLATE_S = 240.0  # seconds a shopper spends on a slate
SHUFFLED_SHARE = 0.1  # slates in random order: position bias can be told from relevance
SEARCH_SHARE, GROUP_PAGE_SHARE = 0.5, 0.3  # the rest are home pages
SYNONYM_SHARE = 0.25  # searches in words that no title has
FORGETTING = 0.95  # of the shop's popularity, a day
RETURN_DAYS = (2.0, 14.0)


@dataclass(frozen=True, slots=True)
class Actions:
    """Events as columns of equal length, in no order; ids are still rows."""

    type: npt.NDArray[np.str_]
    at: DoubleArray
    session: LongArray
    slate: LongArray
    item: LongArray  # -1 for a search
    position: LongArray
    value: DoubleArray
    dwell_ms: LongArray


@dataclass(frozen=True, slots=True)
class Slates:
    """Rankings of a (day, slate number): (n_slates, SLATE) items and their true probabilities."""

    session: LongArray  # (n_slates,)
    number: LongArray  # (n_slates,)
    items: LongArray
    relevance: DoubleArray  # P(click | examined)
    purchase: DoubleArray  # P(purchase | examined)
    shuffled: BoolArray  # (n_slates,)


@dataclass(frozen=True, slots=True)
class Queries:
    """What is typed at each slate: (n_sessions, MAX_SLATES); "" where nothing is."""

    text: npt.NDArray[np.object_]
    synonym: BoolArray  # the words stand in no title
    page: LongArray  # 0 search, 1 page of the group, 2 home


def draw_queries(rng: np.random.Generator, tree: Tree, needs: Needs) -> Queries:
    """Half the slates answer a query that tells the need, with some wishes left unsaid."""
    shape = needs.type.shape
    lot = rng.random(shape)
    page = np.where(lot < SEARCH_SHARE, 0, np.where(lot < SEARCH_SHARE + GROUP_PAGE_SHARE, 1, 2))
    synonym = rng.random(shape) < SYNONYM_SHARE
    names = np.array(tree.names, dtype=object)[needs.type]
    words = np.where(synonym, np.array(tree.synonyms, dtype=object)[needs.type], names)
    for vocabulary, wish, said in (
        (MATERIALS, needs.material, 0.7),
        (COLOURS, needs.colour, 0.8),
        (BRAND_NAMES, needs.brand, 0.7),
    ):
        spoken = (wish >= 0) & (rng.random(shape) < said)
        words = np.where(spoken, np.array(vocabulary, dtype=object)[wish] + " " + words, words)
    text = np.array([word.lower() for word in words.ravel()], dtype=object).reshape(shape)
    return Queries(np.where(page == 0, text, ""), synonym, page)


def log_policy(
    rng: np.random.Generator, truth: Truth, queries: Queries, popularity: DoubleArray,
    available: BoolArray, session: LongArray, slate: LongArray,
) -> tuple[LongArray, BoolArray]:  # fmt: skip
    """The items shown, (n_slates, SLATE), best first, and which slates were shuffled.

    score = 0.5 log(popularity + 0.3) + place + 0.6 Gumbel, where place is, for a search, 3.5 for
    the type when its own words were typed and 2 for the group, + 1 for a wished colour; for a page
    of a group 5 for the group; for home 1 for the department (an old habit of the shop's).
    """
    items, needs = truth.items, truth.needs
    page = queries.page[session, slate]
    literal = ~queries.synonym[session, slate]
    score = rng.gumbel(size=(len(session), len(popularity))).astype(np.float32) * 0.6
    score += (0.5 * np.log(popularity + 0.3)).astype(np.float32)
    of_type = np.where((page == 0) & literal, 3.5, 0.0).astype(np.float32)
    of_group = np.choose(page, [2.0, 5.0, 0.0]).astype(np.float32)
    of_department = np.where(page == 2, 1.0, 0.0).astype(np.float32)
    of_colour = np.where(page == 0, 1.0, 0.0).astype(np.float32)
    for bonus, need, trait in (
        (of_type, needs.type, items.type),
        (of_group, needs.group, items.group),
        (of_department, needs.department, items.department),
        (of_colour, needs.colour, items.colour),
    ):
        score += bonus[:, None] * (need[session, slate][:, None] == trait)
    score[:, ~available] = -np.inf
    top = np.argpartition(-score, SLATE, axis=1)[:, :SLATE]
    order = np.argsort(-np.take_along_axis(score, top, axis=1), axis=1, kind="stable")
    shown = np.take_along_axis(top, order, axis=1)
    shuffled = rng.random(len(session)) < SHUFFLED_SHARE
    shown[shuffled] = rng.permuted(shown[shuffled], axis=1)
    return shown, shuffled


def act(
    rng: np.random.Generator, truth: Truth, slates: Slates, prices: DoubleArray, searched: BoolArray
) -> tuple[list[Actions], DoubleArray]:
    """The events of some slates, and what each item gained in the shop's popularity."""
    shopper = truth.sessions.shopper[slates.session]
    n, size = slates.items.shape
    position = np.tile(np.arange(1, size + 1), (n, 1))
    started = truth.sessions.start_s[slates.session] + slates.number * SLATE_S
    shown_at = np.repeat(started[:, None] + 1.0, size, axis=1)
    examined = rng.random((n, size)) < examination(position)
    clicked = examined & (rng.random((n, size)) < slates.relevance)
    row, place = np.nonzero(clicked)
    item, relevance = slates.items[row, place], slates.relevance[row, place]
    liking = taste(truth.shoppers, truth.items, shopper[row], item)
    clicked_at = started[row] + 3.0 + 6.0 * place + rng.random(len(row)) * 5.0
    base, slope = DWELL_LOG
    lasting = base + slope * relevance + rng.normal(0, DWELL_SPREAD, len(row))
    dwell_s = np.clip(np.exp(lasting), *DWELL_S)
    carted = rng.random(len(row)) < CART * relevance
    bought = carted & (rng.random(len(row)) < BUY * sigmoid(1 + liking / 2))
    fashion = truth.items.department[item] == 0
    sent_back = bought & (rng.random(len(row)) < return_chance(liking, fashion))
    checkout = (
        truth.sessions.start_s[slates.session[row]]
        + SLATE_S * (truth.sessions.n_slates[slates.session[row]])
    )
    returned_at = checkout + np.round(rng.uniform(*RETURN_DAYS, len(row)) * DAY_S)

    def at_clicks(
        kind: EventType, at: DoubleArray, chosen: BoolArray, dwell: bool = False
    ) -> Actions:
        money = kind in (EventType.ADD_TO_CART, EventType.PURCHASE, EventType.RETURN)
        size = int(chosen.sum())
        return Actions(
            np.full(size, str(kind)), at[chosen], slates.session[row][chosen],
            slates.number[row][chosen], item[chosen], place[chosen] + 1,
            prices[item[chosen]] if money else np.full(size, np.nan),
            (dwell_s[chosen] * 1000).astype(np.int64) if dwell else np.zeros(size, np.int64),
        )  # fmt: skip

    every = np.ones(len(row), dtype=bool)
    seen = rng.random(len(row)) < SEEN
    searches = np.flatnonzero(searched)
    actions = [
        Actions(
            np.full(len(searches), str(EventType.SEARCH)), started[searches],
            slates.session[searches], slates.number[searches],
            np.full(len(searches), -1), np.zeros(len(searches), np.int64),
            np.full(len(searches), np.nan), np.zeros(len(searches), np.int64),
        ),
        Actions(
            np.full(n * size, str(EventType.IMPRESSION)), shown_at.ravel(),
            np.repeat(slates.session, size), np.repeat(slates.number, size), slates.items.ravel(),
            position.ravel(), np.full(n * size, np.nan), np.zeros(n * size, np.int64),
        ),
        at_clicks(EventType.CLICK, clicked_at, every),
        at_clicks(EventType.VIEW, clicked_at + 0.5, seen),
        at_clicks(EventType.DWELL, clicked_at + 0.5 + dwell_s, seen, dwell=True),
        at_clicks(EventType.ADD_TO_CART, clicked_at + 0.5 + 0.8 * dwell_s, carted),
        at_clicks(EventType.PURCHASE, checkout, bought),
        at_clicks(EventType.RETURN, returned_at, sent_back),
    ]  # fmt: skip
    gain = np.bincount(item, 1.0 + 3.0 * carted + 5.0 * bought, minlength=len(prices))
    return actions, gain.astype(np.float64)


def play_day(
    rng: np.random.Generator, truth: Truth, queries: Queries, prices: DoubleArray,
    available: BoolArray, popularity: DoubleArray, today: LongArray,
) -> tuple[list[Slates], list[Actions], DoubleArray]:  # fmt: skip
    """All slates of the sessions `today`; popularity is looked at as of the morning."""
    sessions: Sessions = truth.sessions
    slates: list[Slates] = []
    actions: list[Actions] = []
    gained = np.zeros(len(prices))
    for number in range(int(sessions.n_slates[today].max(initial=0))):
        session = today[sessions.n_slates[today] > number]
        slate = np.full(len(session), number)
        shown, shuffled = log_policy(rng, truth, queries, popularity, available, session, slate)
        rows = np.broadcast_to(session[:, None], shown.shape)
        shopper = sessions.shopper[rows]
        utilities = utility(
            truth.shoppers, truth.items, truth.needs, shopper, rows,
            np.full(shown.shape, number), shown,
        )  # fmt: skip
        relevance = sigmoid(utilities)
        liking = taste(truth.shoppers, truth.items, shopper, shown)
        purchase = relevance * CART * relevance * BUY * sigmoid(1 + liking / 2)
        block = Slates(session, slate, shown, relevance, purchase, shuffled)
        done, gain = act(rng, truth, block, prices, queries.page[session, slate] == 0)
        slates.append(block)
        actions.extend(done)
        gained += gain
    return slates, actions, popularity * FORGETTING + gained
