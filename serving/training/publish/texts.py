"""Texts as token ids: a catalogue's, those of held-out slates, and random ones."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from features.arrays import IntArray

TokenArray = npt.NDArray[Any]  # of token ids
TokenType = type[np.int16] | type[np.int32]  # int16 holds BERT's vocabulary and no larger one

_SPECIAL = (101, 102)  # [CLS], [SEP]
_FIRST_WORD = 1996  # ids below are special, unused or single characters


def read_texts(path: Path) -> list[str]:
    """Item texts (features.catalog.table.Item.ranker_text): JSON lines, each a string."""
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]


def tokenize(
    tokenizer: Path, texts: Sequence[str], max_tokens: int, dtype: TokenType = np.int16
) -> TokenArray:
    """Token ids (n, max_tokens), zero-padded; a row of zeros for an empty text."""
    encoder = Tokenizer.from_file(str(tokenizer))
    encoder.no_padding()
    encoder.enable_truncation(max_tokens)
    encodings = encoder.encode_batch(list(texts))
    ids_of_texts = [
        encoding.ids if text else [] for text, encoding in zip(texts, encodings, strict=True)
    ]
    return padded(ids_of_texts, max_tokens, dtype)


def padded(
    ids_of_texts: Iterable[Sequence[int] | IntArray], length: int, dtype: TokenType = np.int16
) -> TokenArray:
    """Token ids of texts as the model server takes them: (n, length), zero-padded."""
    texts = list(ids_of_texts)
    out = np.zeros((len(texts), length), dtype)
    for row, ids in zip(out, texts, strict=True):
        row[: len(ids)] = ids
    return out


def random_texts(n: int, seed: int) -> list[IntArray]:
    """`n` texts of random words as token ids, each int32 (length,): like those of any catalogue."""
    rng = np.random.default_rng(seed)
    first, last = _SPECIAL
    return [
        np.array([first, *rng.integers(_FIRST_WORD, 30_000, rng.integers(2, 20)), last], np.int32)
        for _ in range(n)
    ]


def with_slate_texts(tokens: TokenArray, slates: Path) -> TokenArray:
    """`tokens` (n, length), and below them the item texts of the file `slates` where it exists.

    int8's ranges must fit the texts that the head was trained on, also when the shop has few items.
    """
    if not slates.is_file():
        return tokens
    with np.load(slates) as stored:
        held_out = stored["ITEM_TOKENS"][:, : tokens.shape[1]]
    out = np.zeros((len(tokens) + len(held_out), tokens.shape[1]), tokens.dtype)
    out[: len(tokens)] = tokens
    out[len(tokens) :, : held_out.shape[1]] = held_out
    return out
