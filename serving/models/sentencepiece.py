"""A SentencePiece unigram model as a tokenizer of the `tokenizers` library.

Texts become `<s> pieces </s>`, with ids one more than in the model's file: 0 stays free for
padding. A run of unknown characters is one unknown piece.

The file is a protocol buffer (sentencepiece_model.proto, in the layout of before 2018): pieces in
field 1, and a specification in field 3 whose field 2 is the table of normalisation.
"""

import struct
from collections.abc import Iterator
from pathlib import Path

from tokenizers import Regex, Tokenizer
from tokenizers.models import Unigram
from tokenizers.normalizers import Precompiled, Replace, Sequence, Strip
from tokenizers.pre_tokenizers import Metaspace
from tokenizers.processors import TemplateProcessing

SUFFIX = ".model"  # of SentencePiece's files; `tokenizers` has its own in .json
_NO_TEXT = "\uff21"  # id 0: no text has it, the normalisation makes an A of it
_UNKNOWN, _FIRST, _LAST = "<unk>", "<s>", "</s>"


class SentencePieceError(ValueError):
    """A file that is no unigram model in this layout."""


def read_sentencepiece(path: Path) -> Tokenizer:
    """The tokenizer of a model's file; raises SentencePieceError."""
    pieces: list[tuple[str, float]] = [(_NO_TEXT, 0.0)]
    normalization = b""
    try:
        for field, content in _fields(path.read_bytes()):
            if field == 1:
                pieces.append(_piece(content))
            elif field == 3:
                normalization = dict(_fields(content))[2]
    except (KeyError, IndexError, struct.error, UnicodeDecodeError) as error:
        raise SentencePieceError(f"{path}: {error!r}") from None
    ids = {piece: number for number, (piece, _) in enumerate(pieces)}
    if not normalization or not {_UNKNOWN, _FIRST, _LAST} <= ids.keys():
        raise SentencePieceError(f"{path} is no unigram model with its normalisation")
    tokenizer = Tokenizer(Unigram(pieces, unk_id=ids[_UNKNOWN]))
    tokenizer.normalizer = Sequence(
        [Precompiled(normalization), Replace(Regex(" +"), " "), Strip()]
    )
    tokenizer.pre_tokenizer = Metaspace(replacement="▁", prepend_scheme="always")
    tokenizer.post_processor = TemplateProcessing(
        single=f"{_FIRST} $A {_LAST}",
        special_tokens=[(_FIRST, ids[_FIRST]), (_LAST, ids[_LAST])],
    )
    return tokenizer


def _piece(content: bytes) -> tuple[str, float]:
    """Text and log probability."""
    fields = dict(_fields(content))
    score: float = struct.unpack("<f", fields.get(2, bytes(4)))[0]
    return fields[1].decode(), score


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """Number and content of each field of a message; of those with a varint, nothing."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        kind = key & 7
        if kind == 0:
            _, at = _varint(message, at)
            continue
        size = {1: 8, 5: 4}.get(kind)
        if size is None:
            size, at = _varint(message, at)
        yield key >> 3, message[at : at + size]
        at += size


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """A number of seven bits a byte, and where it ends."""
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
