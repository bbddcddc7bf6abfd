"""From cases to what a model is trained on, by the encoder that will answer."""

from pathlib import Path
from typing import Protocol

from features.arrays import FloatArray
from features.catalog.language import dominant_language
from serving.models.sentencepiece import read_sentencepiece
from serving.search.answers.collection import Collection, pieces_of
from serving.search.words.analysis import Analyzer
from serving.training.data.judged_queries import Encoder
from serving.training.fit.answers.candidates import Seen, seen_by
from serving.training.fit.answers.cases import Cases
from serving.training.publish.multilingual.network import build
from serving.training.publish.multilingual.weights import (
    package_folder,
    read_adapter,
    read_weights,
)


class TextEncoding(Protocol):
    """Texts to unit vectors, (n, VECTOR_SIZE)."""

    def encode(self, texts: list[str]) -> FloatArray: ...


def seen_with(cases: Cases, encoder: TextEncoding, language: str | None = None) -> list[Seen]:
    """The questions of `cases`, as a judge sees them.

    language: of the words, ISO 639-1; None: as most answers are
    """
    pieces, _ = pieces_of(cases.answers)
    analyzer = Analyzer(language or dominant_language(pieces))
    collection = Collection(cases.answers, encoder.encode(pieces), analyzer)
    vectors = encoder.encode([case.question for case in cases.cases])
    return seen_by(collection, cases.cases, vectors)


def multilingual_encoder(folder: Path) -> Encoder:
    """The general encoder of the profile `multilingual`, as it is published, built in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    package, tokenizer = package_folder(), folder / "tokenizer.json"
    network = build(read_weights(package), read_adapter())
    (folder / "text_encoder.onnx").write_bytes(network)
    read_sentencepiece(package / "sp.model").save(str(tokenizer), pretty=False)
    return Encoder(folder, tokenizer)
