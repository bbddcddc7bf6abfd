"""Text vectors by the int8 tower that publishing builds, as the model server computes them."""

import tempfile
from pathlib import Path

from features.arrays import FloatArray
from serving.models.runtime.text_vectors import TextEncoder
from serving.training.publish.base_model import base_folder, merged_weights
from serving.training.publish.texts import tokenize
from serving.training.publish.version_files import add_tower


def int8_vectors(bundle: Path, texts: list[str], max_tokens: int) -> FloatArray:
    """Vectors of `texts`, float32 (n, 384), of the bundle's tower quantised on these texts."""
    base = base_folder()
    distinct = sorted(set(texts))
    row_of = {text: row for row, text in enumerate(distinct)}
    tokens = tokenize(base / "tokenizer.json", distinct, max_tokens)
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder) / "float"
        scratch.mkdir()
        weights = merged_weights(bundle, base)
        add_tower(Path(folder), weights, tokens, "int8", scratch)
        encoder = TextEncoder(Path(folder) / "text_encoder.onnx", 2, max_tokens)
        vectors: FloatArray = encoder.encode(tokens)
    return vectors[[row_of[text] for text in texts]]
