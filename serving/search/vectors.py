"""Vectors for retrieval: from a file while the text is the same, else from the encoder."""

import logging
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from features.arrays import FloatArray
from features.catalog.item import content_key

_LOG = logging.getLogger("vitrine.item_vectors")
_CHUNK = 32  # encoded at once: a shopper's query waits for that long (40 ms on two cores)
_SAVE_SHARE = 0.02  # the file is written anew when this share of it is missing


class BlockingEncoder(Protocol):
    """Texts to vectors, for a thread that may wait. `encoder.TextVectors` is one."""

    def encode_blocking(self, texts: Sequence[str]) -> FloatArray:
        """Unit vectors (n, size), zeros for an empty text; raises a RankingError."""
        ...


class StoredVectors:
    """Item vectors by content key, kept in a file: a restart encodes only what is new.

    The file is a cache: it may be deleted, and a broken one is written anew.
    """

    def __init__(self, path: Path, encoder: BlockingEncoder, profile: str = "english") -> None:
        """profile: of the encoder; a file of another one is written anew."""
        self._path = path
        self._encoder = encoder
        self._profile = profile
        self._place: dict[int, int] = {}
        self._vectors: npt.NDArray[np.float16] = np.zeros((0, 0), np.float16)
        self._saved = 0
        self._read()

    def vectors(self, texts: Sequence[str]) -> FloatArray:
        """Unit vectors (n, size); see retrieval.VectorSource."""
        keys = [content_key(text) for text in texts]
        pairs = zip(keys, texts, strict=True)
        missing = {key: text for key, text in pairs if key not in self._place}
        if missing:
            self._encode(missing)
        return self._vectors[[self._place[key] for key in keys]].astype(np.float32)

    def _encode(self, missing: Mapping[int, str]) -> None:
        # Texts of about one length together: a shorter one is sent padded to the longest.
        keys = sorted(missing, key=lambda key: len(missing[key]))
        encoded: list[npt.NDArray[np.float16]] = []
        done: list[int] = []
        try:
            for start in range(0, len(keys), _CHUNK):
                chosen = keys[start : start + _CHUNK]
                vectors = self._encoder.encode_blocking([missing[key] for key in chosen])
                encoded.append(vectors.astype(np.float16))
                done += chosen
        finally:
            # An encoder that goes down halfway is not asked again for what it gave.
            if encoded:
                known = [self._vectors] if len(self._place) else []
                self._place.update({key: len(self._place) + i for i, key in enumerate(done)})
                self._vectors = np.concatenate(known + encoded)
        if len(self._place) - self._saved >= max(1, _SAVE_SHARE * len(self._place)):
            self._save()

    def _read(self) -> None:
        if not self._path.is_file():
            return
        try:
            # Opened here: np.load leaves a broken file open.
            with self._path.open("rb") as file, np.load(file) as stored:
                vectors, keys = stored["vectors"], stored["keys"].tolist()
                profile = str(stored["profile"]) if "profile" in stored else "english"
            if vectors.dtype != np.float16 or vectors.ndim != 2 or len(vectors) != len(keys):
                raise ValueError("keys and vectors do not go together")
            if profile != self._profile:
                raise ValueError(f"its vectors are of the profile {profile}")
        except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
            _LOG.warning("%s is written anew: %s", self._path, error)
            return
        self._vectors = vectors
        self._place = {key: place for place, key in enumerate(keys)}
        self._saved = len(keys)

    def _save(self) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            # A name of its own: replicas of one machine share the file.
            with tempfile.NamedTemporaryFile(
                dir=self._path.parent, suffix=".part", delete=False
            ) as part:
                np.savez(
                    part,
                    keys=np.array(list(self._place), np.int64),
                    vectors=self._vectors,
                    profile=np.array(self._profile),
                )
            Path(part.name).replace(self._path)
            self._saved = len(self._place)
        except OSError as error:
            _LOG.warning("%s cannot be written: %s", self._path, error)
