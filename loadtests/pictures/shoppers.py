"""A simulated shop of real renderings, whose shoppers' taste is partly visual.

Nobody has a permitted log of shoppers and pictures, so these are drawn: the pictures are real, and
the shoppers are not. What a shopper likes is a word that names have and a colour, measured on the
pixels: neither is read from an encoder, so no vector knows the truth. A fifth of the items come
last, and nobody has clicked on them.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from features.arrays import BoolArray, DoubleArray, LongArray
from features.behavior.neighbors import Interactions
from loadtests.pictures.emoji import Emoji
from loadtests.pictures.variants import pixels

N_SHOPPERS = 3_000
_SESSIONS = 4  # a shopper has before new items come, and one after
_CLICKS = 5  # of a session
_SHOWN = 60  # items that a click is chosen among
_LEAST_OF_A_WORD = 8  # kinds whose names have a word that a shopper may like
_NEW = 0.2
_WORD, _COLOUR, _QUALITY, _CHANCE = 2.5, 2.5, 1.0, 1.0  # of an item's worth
_SPREAD = 0.16  # of a liking for a colour, where each channel is 0..1
_WHITE = 240  # of all channels: paper, which is no colour of a thing


@dataclass(frozen=True, slots=True)
class Items:
    """places: of the renderings; words (n, words): which liked words a name has; colours (n, 3);
    quality (n,); new (n,): came last"""

    places: LongArray
    words: BoolArray
    colours: DoubleArray
    quality: DoubleArray
    new: BoolArray


@dataclass(frozen=True, slots=True)
class Visits:
    """Clicks in order: shopper and item (n_visits, _CLICKS)."""

    shopper: LongArray
    items: LongArray

    def interactions(self) -> Interactions:
        """As neighbour tables are made of them; a visit is a basket."""
        n_visits, n_clicks = self.items.shape
        size = n_visits * n_clicks
        return Interactions(
            np.repeat(self.shopper, n_clicks), np.repeat(np.arange(n_visits), n_clicks),
            self.items.ravel(), np.arange(size, dtype=np.float64),
        )  # fmt: skip


def draw_items(found: list[Emoji], rng: np.random.Generator) -> Items:
    """Of each kind the rendering without a tone of skin."""
    places = np.array([place for place, each in enumerate(found) if each.name == each.kind])
    names = [set(found[place].kind.replace(",", " ").split()) for place in places]
    counts = Counter(word for name in names for word in name if len(word) > 2)
    liked = sorted(word for word, count in counts.items() if count >= _LEAST_OF_A_WORD)
    words = np.array([[word in name for word in liked] for name in names], bool)
    colours = np.array([_colour(found[place]) for place in places])
    new = rng.permutation(len(places)) < _NEW * len(places)
    return Items(places, words, colours, rng.normal(size=len(places)), new)


def visit(
    items: Items, rng: np.random.Generator, sessions: int, shown: BoolArray, seed: int
) -> Visits:
    """So many visits of each shopper among the items that are shown. seed: of the shoppers."""
    who = np.random.default_rng(seed)
    words = who.integers(0, items.words.shape[1], N_SHOPPERS)
    colours = items.colours[who.integers(0, len(items.places), N_SHOPPERS)]
    shopper = np.repeat(np.arange(N_SHOPPERS), sessions)
    open_items = np.flatnonzero(shown)
    clicks = np.zeros((len(shopper), _CLICKS), np.int64)
    for number in range(_CLICKS):
        offered = rng.choice(open_items, (len(shopper), _SHOWN))
        away = ((items.colours[offered] - colours[shopper][:, None]) ** 2).sum(axis=2)
        worth = (
            _WORD * items.words[offered, words[shopper][:, None]]
            + _COLOUR * np.exp(-away / (2 * _SPREAD**2))
            + _QUALITY * items.quality[offered]
            + _CHANCE * rng.gumbel(size=offered.shape)
        )
        clicks[:, number] = offered[np.arange(len(shopper)), worth.argmax(axis=1)]
    return Visits(shopper, clicks)


def usual_visits(items: Items, rng: np.random.Generator, seed: int) -> Visits:
    """Before the new items come."""
    return visit(items, rng, _SESSIONS, ~items.new, seed)


def _colour(each: Emoji) -> DoubleArray:
    """The mean colour of what is no paper, 0..1."""
    shown = pixels(each.path.read_bytes()).reshape(-1, 3)
    thing = shown[(shown < _WHITE).any(axis=1)]
    mean: DoubleArray = (thing if len(thing) else shown).mean(axis=0) / 255
    return mean
