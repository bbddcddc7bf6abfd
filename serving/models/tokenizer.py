"""Texts to token ids."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tokenizers

from serving.models.sentencepiece import SUFFIX, read_sentencepiece

_UNKNOWN = ("[UNK]", "<unk>")  # of BERT, of SentencePiece
_MOST_UNKNOWN = 0.5  # of a text's tokens: texts of unknown words all look alike to a network


class Tokenizer:
    """Texts to token ids, zero-padded on the right. Threads may share one.

    tokenizer_path: tokenizer.json of the BERT family, or a SentencePiece model.
    dtype: of the ids; int16 holds BERT's vocabulary and no larger one.
    """

    def __init__(
        self, tokenizer_path: Path, dtype: type[np.int16] | type[np.int32] = np.int16
    ) -> None:
        self._path = tokenizer_path
        self._dtype = dtype
        # One for each length: a tokenizer must not change while another thread encodes with it.
        self._tokenizers: dict[int, tokenizers.Tokenizer] = {}
        self._making = threading.Lock()

    def tokens(self, texts: Sequence[str], max_tokens: int) -> npt.NDArray[Any]:
        """Token ids of `texts` (n, longest).

        An empty text is a row of zeros, and so is one whose words the network does not know.
        """
        tokenizer = self._tokenizer(max_tokens)
        encodings = tokenizer.encode_batch_fast(list(texts))
        unknown = {tokenizer.token_to_id(name) for name in _UNKNOWN}
        ids = [
            encoding.ids if text.strip() and _readable(encoding.ids, unknown) else []
            for encoding, text in zip(encodings, texts, strict=True)
        ]
        width = max((len(row) for row in ids), default=0) or 1
        out = np.zeros((len(ids), width), self._dtype)
        for row, values in enumerate(ids):
            out[row, : len(values)] = values
        return out

    def _tokenizer(self, max_tokens: int) -> tokenizers.Tokenizer:
        with self._making:
            tokenizer = self._tokenizers.get(max_tokens)
            if tokenizer is None:
                if self._path.suffix == SUFFIX:
                    tokenizer = read_sentencepiece(self._path)
                else:
                    tokenizer = tokenizers.Tokenizer.from_file(str(self._path))
                tokenizer.no_padding()
                tokenizer.enable_truncation(max_tokens)
                self._tokenizers[max_tokens] = tokenizer
            return tokenizer


def _readable(ids: list[int], unknown: set[int | None]) -> bool:
    n_unknown = sum(token in unknown for token in ids)
    # The first and the last token are no words.
    return n_unknown == 0 or n_unknown <= _MOST_UNKNOWN * (len(ids) - 2)
