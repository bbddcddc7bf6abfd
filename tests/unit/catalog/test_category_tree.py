"""Categories of any depth, however they are written."""

import numpy as np
import pytest

from features.arrays import IntArray
from features.catalog.category_tree import CategoryTree

PATHS = [
    "Electronics > Audio > Headphones > Over-ear > Wireless > Noise cancelling",
    "Electronics > Audio > Headphones > Over-ear",
    "Electronics > Audio > Speakers",
    "Books > Audio",
    "",
]


def tree_of(paths: list[str]) -> tuple[CategoryTree, IntArray]:
    tree = CategoryTree()
    return tree, np.array([tree.add(path) for path in paths], np.int32)


def inside(paths: list[str], path: str) -> list[bool]:
    tree, codes = tree_of(paths)
    found = tree.inside(codes, path)
    assert found.shape == (len(paths),)
    return [bool(each) for each in found]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("Electronics", [1, 1, 1, 0, 0]),
        ("Electronics > Audio", [1, 1, 1, 0, 0]),
        ("Electronics > Audio > Headphones > Over-ear", [1, 1, 0, 0, 0]),
        (PATHS[0], [1, 0, 0, 0, 0]),
        (f"{PATHS[0]} > Blue", [0, 0, 0, 0, 0]),
        ("Books > Audio", [0, 0, 0, 1, 0]),
        ("Audio", [0, 0, 0, 0, 0]),
        ("Electro", [0, 0, 0, 0, 0]),
        ("", [0, 0, 0, 0, 0]),
        (" > ", [0, 0, 0, 0, 0]),
    ],
)
def test_an_item_lies_in_each_prefix_of_its_path_and_in_nothing_else(
    path: str, expected: list[int]
) -> None:
    assert inside(PATHS, path) == [bool(each) for each in expected]


@pytest.mark.parametrize(
    "path", ["DAIRY>milk", " dairy  > Milk ", "\uff24airy \uff1e MILK", "Dairy > > milk"]
)
def test_capitals_spacing_and_width_do_not_count(path: str) -> None:
    assert inside(["Dairy > Milk", "dairy>MILK > Oat", "Dairy > Butter"], path) == [
        True,
        True,
        False,
    ]


def test_a_path_of_any_script_and_depth_is_found() -> None:
    deep = " > ".join(f"第{level}层" for level in range(30))
    assert inside([deep, "第0层"], deep) == [True, False]
    assert inside([deep, "第0层"], "第0层") == [True, True]


def test_few_rows_and_many_rows_of_a_large_tree_get_the_same_answer() -> None:
    rng = np.random.default_rng(5)
    paths = [
        " > ".join(f"c{level}" for level in rng.integers(6, size=int(rng.integers(0, 6))))
        for _ in range(2_000)
    ]
    tree, codes = tree_of(paths)
    assert len(tree) < len(codes)
    for path in ("c1", "c1 > c2", "c1 > c2 > c3", "c1 > c2 > c3 > c4 > c5"):
        wanted = [f"{each} > ".startswith(f"{path} > ") for each in paths]
        assert tree.inside(codes, path).tolist() == wanted
        assert tree.inside(codes[:50], path).tolist() == wanted[:50]


def test_codes_given_before_the_tree_grew_stay_right() -> None:
    tree, codes = tree_of(PATHS)
    for number in range(1_000):
        tree.add(f"More > {number}")
    assert tree.inside(codes, "electronics").tolist() == [True, True, True, False, False]
    assert tree.add("ELECTRONICS>AUDIO>SPEAKERS") == codes[2]
