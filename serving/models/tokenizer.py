"""Texts to BERT's token ids."""

import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tokenizers

_UNKNOWN = "[UNK]"
_MOST_UNKNOWN = 0.5  # of a text's tokens: texts of unknown words all look alike to a network


class Tokenizer:
    """Texts to BERT's token ids, int16, zero-padded on the right. Threads may share one."""

    def __init__(self, tokenizer_path: Path) -> None:
        self._path = tokenizer_path
        # One for each length: a tokenizer must not change while another thread encodes with it.
        self._tokenizers: dict[int, tokenizers.Tokenizer] = {}
        self._making = threading.Lock()

    def tokens(self, texts: Sequence[str], max_tokens: int) -> npt.NDArray[np.int16]:
        """Token ids of `texts`, int16 (n, longest).

        An empty text is a row of zeros, and so is one whose words the network does not know.
        """
        tokenizer = self._tokenizer(max_tokens)
        encodings = tokenizer.encode_batch_fast(list(texts))
        unknown = tokenizer.token_to_id(_UNKNOWN)
        ids = [
            encoding.ids if text and _readable(encoding.ids, unknown) else []
            for encoding, text in zip(encodings, texts, strict=True)
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


def _readable(ids: list[int], unknown: int | None) -> bool:
    n_unknown = ids.count(unknown) if unknown is not None else 0
    # [CLS] and [SEP] are no words.
    return n_unknown == 0 or n_unknown <= _MOST_UNKNOWN * (len(ids) - 2)
