"""Category paths as a tree of any depth: which items lie in a category, however it was written."""

from collections.abc import Mapping

import numpy as np

from features.arrays import BoolArray, FloatArray, IntArray
from features.catalog.item import CATEGORY_SEPARATOR
from features.catalog.words import folded

_NONE = -1


class CategoryTree:
    """Codes of category paths; a path's prefixes have codes as well, and lower ones.

    Capitals, spaces and forms of letters do not count (`folded`): "Dairy>Milk " is "dairy > milk".
    One thread adds, others read without a lock: an array is replaced by a longer one, never cut.
    """

    def __init__(self) -> None:
        self._codes: dict[tuple[int, str], int] = {}  # by the code above and the folded name
        self._written: dict[str, int] = {}  # by path, as items write it
        # Code of the path one level up. The last place is always spare: that of "no category".
        self._parent: IntArray = np.full(1, _NONE, np.int32)

    def __len__(self) -> int:
        return len(self._codes)

    def add(self, path: str) -> int:
        """The code of `path`, made when it is new; -1 for a path without any level."""
        code = self._written.get(path)
        if code is None:
            code = _NONE
            for name in names_of(path):
                code = self._below(code, name)
            self._written[path] = code
        return code

    def paths(self) -> list[str]:
        """All paths, as items write them."""
        return list(self._written)

    def inside(self, codes: IntArray, path: str) -> BoolArray:
        """Which of `codes`, int32 (n,), -1 = no category, are `path` or lie below it: (n,)."""
        wanted = _NONE
        for name in names_of(path):
            code = self._codes.get((wanted, name))
            if code is None:
                return np.zeros(len(codes), bool)
            wanted = code
        if wanted == _NONE:  # no level at all names no category
            return np.zeros(len(codes), bool)
        parent = self._parent  # read after the codes were, so that it knows them all
        if len(codes) <= len(parent):
            return _climb(codes, wanted, parent)
        return _climb(np.arange(len(parent), dtype=np.int32), wanted, parent)[codes]

    def spread(self, values: Mapping[str, float]) -> FloatArray:
        """The value of each path, or of the next above it that has one: float32 (len(self) + 1,)
        by code, 0 without any; the last is that of "no category".

        values: by path, its names folded and put together by CATEGORY_SEPARATOR
        """
        codes = list(self._codes)  # in the order of their codes: who is above comes first
        found = np.zeros(len(codes) + 1, np.float32)
        paths: list[str] = []
        for code, (parent, name) in enumerate(codes):
            paths.append(name if parent == _NONE else paths[parent] + CATEGORY_SEPARATOR + name)
            found[code] = values.get(paths[code], found[parent])
        return found

    def _below(self, parent: int, name: str) -> int:
        code = self._codes.get((parent, name))
        if code is not None:
            return code
        code = len(self._codes)
        if code + 1 >= len(self._parent):
            grown = np.full(2 * len(self._parent) + 8, _NONE, np.int32)
            grown[: len(self._parent)] = self._parent
            self._parent = grown
        self._parent[code] = parent
        self._codes[parent, name] = code
        return code


def _climb(codes: IntArray, wanted: int, parent: IntArray) -> BoolArray:
    """Whether each of `codes` or one of its ancestors is `wanted`."""
    found: BoolArray = codes == wanted
    at, above = np.arange(len(codes)), codes
    while len(at):
        going = above > wanted  # an ancestor has a lower code: the others cannot meet it any more
        at, above = at[going], parent[above[going]]
        found[at[above == wanted]] = True
    return found


def names_of(path: str) -> list[str]:
    """The names of a path from the top, folded."""
    # Folded as a whole: a full-width ">" separates levels too.
    return [name for part in folded(path).split(">") if (name := part.strip())]
