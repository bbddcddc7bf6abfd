"""The simulated catalogue: what an item says about itself, and what it hides."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from features.arrays import BoolArray, DoubleArray, LongArray
from features.datasets.columns import ITEM_COLUMNS, conform
from features.datasets.simulated.words import BRANDS, COLOURS, LINES, STYLE_TEXT, STYLES, TREE

LAUNCHED_SHARE = 0.15  # items that enter the catalogue while the log runs
MATERIALS = tuple(
    dict.fromkeys(
        word
        for groups in TREE.values()
        for types in groups.values()
        for _, _, _, materials in types
        for word in materials.split()
    )
)
BRAND_NAMES = tuple(name for names in BRANDS.values() for name in names)


@dataclass(frozen=True, slots=True)
class Tree:
    """The category tree as arrays over its leaf types, in the order of the words."""

    names: tuple[str, ...]
    synonyms: tuple[str, ...]
    paths: tuple[str, ...]
    group: LongArray  # (n_types,)
    department: LongArray  # (n_types,)
    price: DoubleArray  # (n_types,) USD
    materials: BoolArray  # (n_types, n_materials) which materials a type comes in


@dataclass(frozen=True, slots=True)
class ItemLatents:
    """Arrays over items. All but `quality` can be read off an item's text and price."""

    type: LongArray
    group: LongArray
    department: LongArray
    brand: LongArray
    colour: LongArray
    material: LongArray
    style: LongArray
    relative_price: DoubleArray  # log(price / usual price of the type)
    quality: DoubleArray  # in utility units; half the brand's, half the item's own and invisible


def category_tree() -> Tree:
    """The tree of simulated_words as arrays; pure."""
    leaves = [
        (department, group, *leaf)
        for department, groups in TREE.items()
        for group, types in groups.items()
        for leaf in types
    ]
    departments = list(TREE)
    groups = list(dict.fromkeys((leaf[0], leaf[1]) for leaf in leaves))
    return Tree(
        names=tuple(leaf[2] for leaf in leaves),
        synonyms=tuple(leaf[3] for leaf in leaves),
        paths=tuple(f"{leaf[0]} > {leaf[1]} > {leaf[2]}" for leaf in leaves),
        group=np.array([groups.index((leaf[0], leaf[1])) for leaf in leaves]),
        department=np.array([departments.index(leaf[0]) for leaf in leaves]),
        price=np.array([float(leaf[4]) for leaf in leaves]),
        materials=np.array([[word in leaf[5].split() for word in MATERIALS] for leaf in leaves]),
    )


def draw_catalog(
    rng: np.random.Generator, tree: Tree, n_items: int, start_s: float, end_s: float
) -> tuple[pd.DataFrame, ItemLatents]:
    """`n_items` items with unique titles, and their latents in the same order.

    Price = usual price x tier of the brand (0.7, 1, 1.5) x lognormal(0, 0.2). Quality =
    N(0, 0.6) of the brand + N(0, 0.8) of the item; only the brand's part shows in text.
    """
    n_brands_each = len(next(iter(BRANDS.values())))
    kind = rng.permutation(np.arange(n_items) % len(tree.names))
    department = tree.department[kind]
    brand = department * n_brands_each + rng.integers(0, n_brands_each, n_items)
    colour = rng.choice(len(COLOURS), n_items, p=_falling(len(COLOURS)))
    material = np.where(tree.materials[kind], rng.random((n_items, len(MATERIALS))), -1).argmax(1)
    style = rng.integers(0, len(STYLES), n_items)
    tier = np.array([0.7, 1.0, 1.5])[rng.integers(0, 3, len(BRAND_NAMES))]
    price = tree.price[kind] * tier[brand] * np.exp(rng.normal(0, 0.2, n_items))
    price = np.maximum(np.round(price) - 0.01, 0.99)
    quality = rng.normal(0, 0.6, len(BRAND_NAMES))[brand] + rng.normal(0, 0.8, n_items)
    created_at = np.where(
        rng.random(n_items) < LAUNCHED_SHARE,
        np.round(rng.uniform(start_s, end_s, n_items)),
        np.nan,
    )
    latents = ItemLatents(
        kind, tree.group[kind], department, brand, colour, material, style,
        np.log(price / tree.price[kind]), quality,
    )  # fmt: skip
    items = pd.DataFrame(
        {
            "item_id": [f"sim-{row:05d}" for row in range(n_items)],
            "title": _titles(rng, tree, latents),
            "description": [
                f"{STYLE_TEXT[STYLES[s]]} {MATERIALS[m]}, in {COLOURS[c].lower()}. From the "
                f"{STYLES[s].lower()} range by {BRAND_NAMES[b]}."
                for s, m, c, b in zip(style, material, colour, brand, strict=True)
            ],
            "category": [tree.paths[k] for k in kind],
            "brand": [BRAND_NAMES[b] for b in brand],
            "price": price,
            "currency": np.full(n_items, "USD", dtype=object),
            "created_at": created_at,
        }
    )
    return conform(items, ITEM_COLUMNS), latents


def _titles(rng: np.random.Generator, tree: Tree, latents: ItemLatents) -> list[str]:
    """ "Norvane Glide Mesh Running Shoes, Red"; the style stands in half the titles."""
    line = rng.integers(0, len(LINES), len(latents.type))
    says_style = rng.random(len(latents.type)) < 0.5
    taken: dict[str, int] = {}
    titles = []
    for row, kind in enumerate(latents.type):
        words = [
            BRAND_NAMES[latents.brand[row]],
            LINES[line[row]],
            STYLES[latents.style[row]] if says_style[row] else "",
            MATERIALS[latents.material[row]],
            tree.names[kind],
        ]
        title = " ".join(word for word in words if word) + f", {COLOURS[latents.colour[row]]}"
        taken[title] = taken.get(title, 0) + 1
        titles.append(title if taken[title] == 1 else f"{title}, Series {taken[title]}")
    return titles


def _falling(size: int) -> DoubleArray:
    weights = 1.0 / np.sqrt(1.0 + np.arange(size))
    return np.asarray(weights / weights.sum())
