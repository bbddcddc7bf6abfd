"""Judged queries for the grocery catalogue, made: its log has no searches.

What answers a query is judged by the catalogue's product types (needs/), so that a ranker cannot
be right by the words that it shares with a title. Every query at 10,000 items was read by eye.
"""

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.datasets.columns import QUERY_COLUMNS, conform
from features.datasets.grocery.judging import ABSENT, NEEDS, Chosen, answering
from features.datasets.grocery.sizes import PackSize
from features.datasets.grocery.wording import misspelt, other_number, singular

Kind = Literal["type", "everyday", "plural", "misspelt", "brand_type", "size", "title", "absent"]
Split = Literal["dev", "test"]
Texts = npt.NDArray[np.object_]
DEFAULT_SEED = 7
# Of the needs, and of the product types: how many get a query of that kind.
SHARE = {"plural": 0.36, "misspelt": 0.26, "brand_type": 0.2, "size": 0.25, "title": 0.06}
MIN_OF_BRAND = 5  # store brand items of a type that is asked for by brand
MIN_OF_SIZE = 3
# Their sizes are those of cans and packs that the word alone does not mean.
NO_SIZE = frozenset({"cabbage", "turkey", "beef", "broccoli"})
_LETTERS = re.compile(r"[a-z]+")


@dataclass(frozen=True, slots=True)
class MadeQuery:
    """A query, and the ids of all items that answer it, most bought first."""

    query: str
    kind: Kind
    split: Split
    relevant: tuple[str, ...]


def made_queries(items: pd.DataFrame, seed: int = DEFAULT_SEED) -> list[MadeQuery]:
    """Queries that some of `items` answer; the same ones for the same items and seed.

    Halves "dev" and "test" have no product type in common: what is tuned on one cannot know the
    other. Kinds: `type` in the catalogue's words, `everyday` in others, `plural` in the other
    number, `misspelt` by one slip, `brand_type` of the store's brand, `size`, `title` in full,
    `absent` what the shop does not sell: nothing answers it.
    """
    answers = {need: answering(types, items["category"].tolist()) for need, types in NEEDS.items()}
    answers = {need: chosen for need, chosen in answers.items() if chosen.any()}
    splits = _splits(answers, items["category"], seed)
    ids: Texts = items["item_id"].to_numpy(object)
    made: dict[str, MadeQuery] = {}
    for query, kind, chosen, split in _drafts(_Shop(items), answers, splits, seed):
        made.setdefault(query, MadeQuery(query, kind, split, tuple(ids[chosen])))
    for place, query in enumerate(ABSENT):
        made.setdefault(query, MadeQuery(query, "absent", "test" if place % 2 else "dev", ()))
    return list(made.values())


def query_table(made: list[MadeQuery]) -> pd.DataFrame:
    """The judged queries as the data set's table `queries`: a row an item that answers.

    What nothing answers has one row, of gain 0 and without an item.
    """
    rows = [
        (f"{one.kind}-{number}", one.query, item, float(item != ""), one.kind, "en", one.split)
        for number, one in enumerate(made)
        for item in one.relevant or ("",)
    ]
    return conform(pd.DataFrame(rows, columns=list(QUERY_COLUMNS)), QUERY_COLUMNS)


class _Shop:
    """The catalogue's columns, each read once."""

    def __init__(self, items: pd.DataFrame) -> None:
        self.titles: Texts = items["title"].to_numpy(object)
        self.categories: Texts = items["category"].to_numpy(object)
        self.own: Chosen = (items["brand"] == "Store Brand").to_numpy()
        self.sizes = [PackSize.of(title) for title in self.titles]
        self.words = set(_LETTERS.findall(" ".join([*self.titles, *self.categories]).lower()))


def _drafts(
    shop: _Shop, answers: dict[str, Chosen], splits: dict[str, Split], seed: int
) -> Iterator[tuple[str, Kind, Chosen, Split]]:
    for need, chosen in answers.items():
        yield need, _kind(need, shop.titles[chosen]), chosen, splits[shop.categories[chosen][0]]
    for need, chosen in answers.items():
        split = splits[shop.categories[chosen][0]]
        for kind, query, narrowed in _variants(shop, need, chosen, seed):
            yield query, kind, narrowed, split
    for category in sorted(set(shop.categories)):
        if _drawn("title", category, seed):
            shelf = sorted(set(shop.titles[shop.categories == category]))
            title = random.Random(f"{seed} title {category}").choice(shelf)
            yield title, "title", shop.titles == title, splits[category]


def _variants(
    shop: _Shop, need: str, chosen: Chosen, seed: int
) -> Iterator[tuple[Kind, str, Chosen]]:
    """Other queries for a need, and what answers them."""
    rng = random.Random(f"{seed} {need}")
    other, wrong = other_number(need), misspelt(need, shop.words, rng)
    if other is not None and _drawn("plural", need, seed):
        yield "plural", other, chosen
    if wrong is not None and _drawn("misspelt", need, seed):
        yield "misspelt", wrong, chosen
    enough = min((chosen & shop.own).sum(), (chosen & ~shop.own).sum()) >= MIN_OF_BRAND
    if enough and _drawn("brand_type", need, seed):
        yield "brand_type", f"store brand {need}", chosen & shop.own
    if need not in NO_SIZE and _drawn("size", need, seed):
        rows = np.flatnonzero(chosen)
        asked = _size_to_ask_for([shop.sizes[row] for row in rows])
        if asked is not None:
            same = np.zeros(len(chosen), bool)
            same[[row for row in rows if _same(shop.sizes[row], asked)]] = True
            yield "size", f"{need} {asked.typed(rng)}", same


def _same(size: PackSize | None, asked: PackSize) -> bool:
    return size is not None and size.same_as(asked)


def _size_to_ask_for(sizes: list[PackSize | None]) -> PackSize | None:
    """The size that most have; none that a pack of several could be meant by."""
    known = [size for size in sizes if size is not None]
    single = [size for size in known if size.pieces == 1]
    several = [size for size in known if size.pieces > 1]
    plain = [
        size
        for size in single
        if sum(size.same_as(other) for other in single) >= MIN_OF_SIZE
        and size.each != ("count", 1.0)  # nobody asks for one of what is sold by the piece
        and not any(size.part_or_whole_of(pack) for pack in several)
    ]
    return max(
        sorted(set(plain)), key=lambda size: sum(size.same_as(one) for one in plain), default=None
    )


def _kind(need: str, titles: Texts) -> Kind:
    """`type` where some title that answers has all its words, in either number."""
    wanted = {singular(word) for word in need.split()}
    own = any(wanted <= {singular(w) for w in _LETTERS.findall(title.lower())} for title in titles)
    return "type" if own else "everyday"


def _drawn(kind: str, what: str, seed: int) -> bool:
    """Whether `what` gets a query of this kind: by itself, whatever else is in the catalogue."""
    return random.Random(f"{seed} {kind} drawn {what}").random() < SHARE[kind]


def _splits(answers: dict[str, Chosen], categories: pd.Series, seed: int) -> dict[str, Split]:
    """The half of each category: those that one need takes together lie in the same."""
    home = {path: path for path in categories}

    def root(path: str) -> str:
        while home[path] != path:
            path = home[path]
        return path

    paths = categories.to_numpy(object)
    for chosen in answers.values():
        first, *others = sorted(set(paths[chosen]))
        for other in others:
            home[root(other)] = root(first)
    roots = sorted({root(paths[chosen][0]) for chosen in answers.values()})
    weight = dict.fromkeys(roots, 0)
    for chosen in answers.values():
        weight[root(paths[chosen][0])] += 1
    # The heaviest first, each to the lighter half, so that both get as many queries.
    random.Random(f"{seed} splits").shuffle(roots)
    roots.sort(key=lambda one: -weight[one])
    load: dict[Split, int] = {"dev": 0, "test": 0}
    half: dict[str, Split] = {}
    for one in roots:
        lighter: Split = "dev" if load["dev"] <= load["test"] else "test"
        half[one] = lighter
        load[lighter] += weight[one]
    alone: tuple[Split, Split] = ("dev", "test")
    for path in home:
        if root(path) not in half:
            half[root(path)] = random.Random(f"{seed} half {path}").choice(alone)
    return {path: half[root(path)] for path in home}
