"""What items bring to suggestions: their titles as words, their categories and brands by name."""

from dataclasses import dataclass

import numpy as np

from features.arrays import DoubleArray, IntArray, RowArray
from features.catalog.item import CATEGORY_SEPARATOR
from features.catalog.table import ItemTable
from features.catalog.words import folded
from serving.search.suggest.words import SEPARATOR, Vocabulary

WIDTH = 32  # words of a title, separators included; what comes behind says no more


@dataclass(frozen=True, slots=True)
class Name:
    """Of a category or a brand, as items write it first.

    path: of a category, to it; above: the number of the category that it lies in, -1 = none
    """

    text: str
    words: tuple[int, ...]
    path: str | None = None
    above: int = -1


class Texts:
    """By row of the catalogue. One thread writes, others read `names`, which only grow.

    titles: int32 (capacity, WIDTH) codes, -1 = no more;
    categories, brands: int32 (capacity,) numbers of `names`, -1 = none
    """

    def __init__(self, language: str) -> None:
        self.vocabulary = Vocabulary(language)
        self.titles: IntArray = np.full((0, WIDTH), -1, np.int32)
        self.categories: IntArray = np.full(0, -1, np.int32)
        self.brands: IntArray = np.full(0, -1, np.int32)
        self.names: list[Name] = []
        self._number_of: dict[tuple[int, str], int] = {}  # by what is above, and folded name
        self._brand_of: dict[str, int] = {}
        self._path_of: dict[str, int] = {}  # as items write it

    def update(self, rows: RowArray, table: ItemTable) -> None:
        """Take over new and changed items."""
        self._grow(int(rows.max(initial=-1)) + 1)
        for row in rows.tolist():
            item = table.items[row]
            codes = self.vocabulary.codes(item.title)[:WIDTH]
            self.titles[row] = -1
            self.titles[row, : len(codes)] = codes
            self.categories[row] = self._category(item.category)
            self.brands[row] = self._brand(item.brand)

    def named(self, rows: RowArray, demand: DoubleArray) -> tuple[DoubleArray, DoubleArray]:
        """For how many of `rows` each name stands, and for how much of their `demand`: (n,)."""
        n = len(self.names)
        count, total = np.zeros(n), np.zeros(n)
        for numbers in (self.categories[rows], self.brands[rows]):
            known = numbers >= 0
            count += np.bincount(numbers[known], minlength=n)
            total += np.bincount(numbers[known], demand[known], n)
        for number in range(n - 1, -1, -1):  # a category has a higher number than those above it
            above = self.names[number].above
            if above >= 0:
                count[above] += count[number]
                total[above] += total[number]
        return count, total

    def _category(self, path: str) -> int:
        number = self._path_of.get(path)
        if number is None:
            number, written = -1, ""
            for level in filter(None, map(str.strip, path.split(">"))):
                key = (number, folded(level))
                written = f"{written}{CATEGORY_SEPARATOR}{level}" if written else level
                found = self._number_of.get(key)
                if found is None:
                    found = self._number_of[key] = self._add(level, written, number)
                number = found
            self._path_of[path] = number
        return number

    def _brand(self, brand: str) -> int:
        key = folded(brand)
        if not key:
            return -1
        number = self._brand_of.get(key)
        if number is None:
            number = self._brand_of[key] = self._add(brand.strip(), None, -1)
        return number

    def _add(self, text: str, path: str | None, above: int) -> int:
        words = tuple(code for code in self.vocabulary.codes(text) if code != SEPARATOR)
        self.names.append(Name(text, words, path, above))
        return len(self.names) - 1

    def _grow(self, n_rows: int) -> None:
        n_before = len(self.titles)
        if n_rows <= n_before:
            return
        more = max(n_rows, 2 * n_before) - n_before
        self.titles = np.concatenate([self.titles, np.full((more, WIDTH), -1, np.int32)])
        self.categories = np.concatenate([self.categories, np.full(more, -1, np.int32)])
        self.brands = np.concatenate([self.brands, np.full(more, -1, np.int32)])
