"""Labelled texts, from the files that people have."""

from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pandas as pd

from features.arrays import BoolArray, LongArray
from serving.shops.labels.classifier import MAX_LABELS

_HELD_OUT_FIFTH = 5
_LEAST = 10  # texts of a label


class TextsError(Exception):
    """A file that cannot be learnt from; the message names it and what is wrong."""


@dataclass(frozen=True, slots=True)
class LabelledTexts:
    """texts without two that are equal; codes int64 (n,): places in `labels`, which are sorted."""

    texts: list[str]
    codes: LongArray
    labels: list[str]

    def part(self, chosen: BoolArray) -> "LabelledTexts":
        """Those of a mask (n,)."""
        texts = [text for text, is_in in zip(self.texts, chosen.tolist(), strict=True) if is_in]
        return LabelledTexts(texts, self.codes[chosen], self.labels)


def read_labelled(
    path: Path, text: str, label: str, labels: list[str] | None = None
) -> LabelledTexts:
    """text, label: columns. labels: that may occur; None: those that do. Raises TextsError."""
    table = _table(path, [text, label]).drop_duplicates(text)
    found = sorted(set(table[label])) if labels is None else labels
    if labels is None:
        if not 2 <= len(found) <= MAX_LABELS:
            raise TextsError(f"{path}: {label}: 2 to {MAX_LABELS} labels are wanted")
        rare = table[label].value_counts()
        if rare.min() < _LEAST:
            raise TextsError(
                f"{path}: {label}: {rare.idxmin()!r} has {rare.min()} texts, {_LEAST} are wanted"
            )
    place = {name: at for at, name in enumerate(found)}
    if strange := sorted(set(table[label]) - set(found)):
        raise TextsError(f"{path}: {label}: {strange[0]!r} is no label of the training texts")
    codes = np.array([place[name] for name in table[label]], np.int64)
    return LabelledTexts(table[text].tolist(), codes, found)


def read_texts(path: Path, text: str) -> list[str]:
    """Texts without labels. Raises TextsError."""
    return list(dict.fromkeys(_table(path, [text])[text]))


def held_out(texts: list[str]) -> BoolArray:
    """A fifth (n,), the same of a text in every training: no version has learnt from it."""
    digests = [blake2b(text.strip().encode(), digest_size=4).digest() for text in texts]
    return np.array([int.from_bytes(each, "big") % _HELD_OUT_FIFTH == 0 for each in digests], bool)


def _table(path: Path, columns: list[str]) -> pd.DataFrame:
    readers = {
        ".jsonl": lambda: pd.read_json(path, lines=True, dtype=False),
        ".json": lambda: pd.read_json(path, lines=True, dtype=False),
        ".csv": lambda: pd.read_csv(path, dtype=str, keep_default_na=False),
        ".parquet": lambda: pd.read_parquet(path),
    }
    read = readers.get(path.suffix)
    if read is None:
        raise TextsError(f"{path}: JSON lines, CSV or Parquet is wanted, by the name's end")
    if not path.is_file():
        raise TextsError(f"{path}: cannot be read: there is no such file")
    try:
        table = read()
    except (OSError, ValueError) as error:
        raise TextsError(f"{path}: cannot be read: {type(error).__name__}") from None
    if missing := [name for name in columns if name not in table]:
        raise TextsError(f"{path}: has no column {missing[0]!r}, but {', '.join(table.columns)}")
    table = table[columns].dropna().astype(str)
    table = table[(table.map(str.strip) != "").all(axis=1)]
    if table.empty:
        raise TextsError(f"{path}: no texts")
    return table
