"""Texts to BERT's token ids."""

import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tokenizers


class Tokenizer:
    """Texts to BERT's token ids, int16, zero-padded on the right. Threads may share one."""

    def __init__(self, tokenizer_path: Path) -> None:
        self._path = tokenizer_path
        # One for each length: a tokenizer must not change while another thread encodes with it.
        self._tokenizers: dict[int, tokenizers.Tokenizer] = {}
        self._making = threading.Lock()

    def tokens(self, texts: Sequence[str], max_tokens: int) -> npt.NDArray[np.int16]:
        """Token ids of `texts`, int16 (n, longest); an empty text is a row of zeros."""
        encodings = self._tokenizer(max_tokens).encode_batch_fast(list(texts))
        ids = [
            encoding.ids if text else [] for encoding, text in zip(encodings, texts, strict=True)
        ]
        width = max((len(row) for row in ids), default=0) or 1
        out = np.zeros((len(ids), width), np.int16)
        for row, values in enumerate(ids):
            out[row, : len(values)] = values
        return out

    def _tokenizer(self, max_tokens: int) -> tokenizers.Tokenizer:
        with self._making:
            tokenizer = self._tokenizers.get(max_tokens)
            if tokenizer is None:
                tokenizer = tokenizers.Tokenizer.from_file(str(self._path))
                tokenizer.no_padding()
                tokenizer.enable_truncation(max_tokens)
                self._tokenizers[max_tokens] = tokenizer
            return tokenizer
