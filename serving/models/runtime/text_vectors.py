"""Token ids to vectors inside the model server, with a memory of texts already seen.

A published version carries a copy of this module; it needs NumPy and ONNX Runtime only.
"""

import hashlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import numpy.typing as npt
import onnxruntime

from serving.models.runtime.sealed import BrokenVersionError

FloatArray = npt.NDArray[np.float32]
KeyArray = npt.NDArray[np.int64]
TokenArray = npt.NDArray[np.integer[Any]]

NO_KEY = 0  # a text that is not remembered


class EncoderOptions(TypedDict):
    """How a version runs on this machine; the parameters of its configuration."""

    threads: int
    memory: int
    providers: list[str]
    batch: int


class TextEncoder:
    """The text tower. Texts run one by one at their own length, several at a time on CPU.

    That costs 5 % more arithmetic time than one batch of equal lengths and nothing for padding, and
    makes an encoding depend on its text alone, to the bit. `batch` > 1 (a GPU) runs texts of
    exactly equal length together.
    """

    def __init__(
        self,
        path: Path,
        threads: int,
        max_tokens: int,
        providers: Sequence[str] = ("CPUExecutionProvider",),
        batch: int = 1,
    ) -> None:
        self._session = open_session(path, providers)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="encode")
        self._max_tokens = max_tokens
        self._batch = batch
        self.size = int(self._session.get_outputs()[0].shape[1])

    def encode(self, tokens: TokenArray) -> FloatArray:
        """Unit vectors float32 (n, size) of `tokens` (n, length); zero for a row without tokens."""
        out = np.zeros((len(tokens), self.size), np.float32)
        lengths = np.count_nonzero(tokens, axis=1)
        groups: list[npt.NDArray[np.intp]] = []
        for length in np.unique(lengths[lengths > 0]).tolist():
            rows = np.flatnonzero(lengths == length)
            groups += [rows[i : i + self._batch] for i in range(0, len(rows), self._batch)]
        groups.reverse()  # longest first: the threads end together

        def run(rows: npt.NDArray[np.intp]) -> None:
            out[rows] = self._session.run(None, {"tokens": self._cut(tokens[rows])})[0]

        if len(groups) == 1:
            run(groups[0])
        else:
            list(self._pool.map(run, groups))
        return out

    def _cut(self, tokens: TokenArray) -> npt.NDArray[np.int32]:
        """Without padding, and as the tokenizer cuts: the first tokens, then [SEP]."""
        length = int(np.count_nonzero(tokens[0]))
        kept = tokens[:, : min(length, self._max_tokens)].astype(np.int32)
        kept[:, -1] = tokens[:, length - 1]
        return kept


class VectorMemory:
    """Vectors by content key, bounded: what was not asked for longest makes room (clock)."""

    def __init__(self, capacity: int, size: int) -> None:
        self._keys: KeyArray = np.zeros(capacity, np.int64)
        # The last row stands for what is not known. Pages are taken when they are written.
        self._vectors = np.zeros((capacity + 1, size), np.float16)
        self._asked = np.zeros(capacity + 1, bool)
        self._slot_of: dict[int, int] = {}
        self._hand = 0

    def __len__(self) -> int:
        return len(self._slot_of)

    def find(self, keys: KeyArray) -> tuple[FloatArray, npt.NDArray[np.intp]]:
        """Vectors float32 (n, size) of `keys` (n,), and the rows that are not known: zeros."""
        slot_of = self._slot_of
        slots = np.array([slot_of.get(key, -1) for key in keys.tolist()], np.intp)
        self._asked[slots] = True
        return _widened(self._vectors[slots]), np.flatnonzero(slots < 0)

    def put(self, keys: KeyArray, vectors: npt.NDArray[np.floating[Any]]) -> None:
        """Remember `vectors` of distinct `keys`; of more than fit, the first ones."""
        for key, vector in zip(keys[: len(self._keys)].tolist(), vectors, strict=False):
            if key == NO_KEY or key in self._slot_of:
                continue
            slot = self._free_slot()
            self._keys[slot], self._vectors[slot] = key, vector
            self._slot_of[key] = slot

    def _free_slot(self) -> int:
        if len(self._slot_of) < len(self._keys):
            return len(self._slot_of)
        while self._asked[self._hand]:
            self._asked[self._hand] = False
            self._hand = (self._hand + 1) % len(self._keys)
        slot = self._hand
        self._hand = (self._hand + 1) % len(self._keys)
        del self._slot_of[int(self._keys[slot])]
        return slot


class RememberedTexts:
    """Vectors of keyed texts. What is returned does not depend on what is remembered.

    A vector is rounded to float16 also when it is new, as it would come out of the memory.
    """

    def __init__(self, encoder: TextEncoder, memory: VectorMemory) -> None:
        self._encoder = encoder
        self._memory = memory

    def warm(self, path: Path) -> None:
        """Take over the vectors that were published with the version, if any."""
        if path.is_file():
            with np.load(path) as stored:
                self._memory.put(stored["keys"], stored["vectors"])

    def vectors(self, keys: KeyArray, tokens: TokenArray) -> FloatArray:
        """Unit vectors float32 (n, size); zero for a row without tokens, whatever its key."""
        vectors, unknown = self._memory.find(np.where(tokens.any(axis=1), keys, NO_KEY))
        missing = unknown[tokens[unknown].any(axis=1)]
        if len(missing):
            vectors[missing] = self._encoded(keys[missing], tokens[missing])
        return vectors

    def _encoded(self, keys: KeyArray, tokens: TokenArray) -> npt.NDArray[np.float16]:
        """Vectors of texts that are not known, each key encoded once and remembered."""
        _, first, place = np.unique(keys, return_index=True, return_inverse=True)
        nameless = np.flatnonzero(keys == NO_KEY)
        encoded_by = first[place]
        encoded_by[nameless] = nameless
        rows, place = np.unique(encoded_by, return_inverse=True)
        vectors = self._encoder.encode(tokens[rows]).astype(np.float16)
        self._memory.put(keys[rows], vectors)
        return vectors[place]


def _widened(vectors: npt.NDArray[np.float16]) -> FloatArray:
    """As `astype(np.float32)` gives finite numbers, which NumPy 1 makes one by one: sign, exponent
    and fraction are moved to their places in a float32, and the exponent is counted anew."""
    bits = vectors.view(np.int16).astype(np.int32)
    bits <<= 13
    bits &= ~0x70000000  # copies of the sign
    floats: FloatArray = bits.view(np.float32)
    floats *= np.float32(2.0**112)
    return floats


def row_keys(tokens: TokenArray) -> KeyArray:
    """Keys of token rows, for texts that come without one: the same tokens, the same key."""
    rows = tokens.astype(np.int32)
    lengths = np.count_nonzero(rows, axis=1).tolist()
    digests = [
        hashlib.blake2b(row[:length].tobytes(), digest_size=8, person=b"query").digest()
        for row, length in zip(rows, lengths, strict=True)
    ]
    # Negative: cannot meet a content key (features.catalog.item.content_key), which has 63 bits.
    return np.array([int.from_bytes(d, "big") | 1 << 63 for d in digests], np.uint64).view(np.int64)


def open_session(
    path: Path, providers: Sequence[str] = ("CPUExecutionProvider",)
) -> onnxruntime.InferenceSession:
    """A session of one thread: work is shared out by rows or texts, not within a product.

    Raises BrokenVersionError when a provider does not start.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=list(providers))
    # ONNX Runtime goes on without a provider whose libraries do not load, many times slower.
    missing = set(providers) - set(session.get_providers())
    if missing:
        raise BrokenVersionError(f"{path}: ONNX Runtime could not start {', '.join(missing)}")
    return session


def encoder_options(parameters: Mapping[str, Mapping[str, str]]) -> EncoderOptions:
    """The `parameters` of a model's config.pbtxt, as Triton hands them over."""
    value = {name: entry["string_value"] for name, entry in parameters.items()}
    return {
        "threads": int(value["threads"]),
        "memory": int(value["memory"]),
        "providers": value["providers"].split(","),
        "batch": int(value["batch"]),
    }


def open_texts(
    folder: Path,
    max_tokens: int,
    threads: int,
    memory: int,
    providers: Sequence[str] = ("CPUExecutionProvider",),
    batch: int = 1,
) -> RememberedTexts:
    """The text tower of a version folder, with its published vectors taken over."""
    encoder = TextEncoder(folder / "text_encoder.onnx", threads, max_tokens, providers, batch)
    texts = RememberedTexts(encoder, VectorMemory(memory, encoder.size))
    texts.warm(folder / "item_vectors.npz")
    return texts
