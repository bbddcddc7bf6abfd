"""An answer of a shop's collection, and the pieces of it that a question is compared with."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

_PASSAGE = 240  # characters, of a piece of the text: about as much as the encoder reads at once
_PASSAGES = 8  # of a text; what stands behind them is found by title and questions
_END = re.compile(r"(?<=[.!?。！？；;])\s*|\n+")


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer or help article.

    title: the question that it answers, or a heading; questions: other ways to ask it; language:
    ISO 639-1 of all of these, "" when it is not said
    """

    answer_id: str
    title: str
    text: str = ""
    questions: tuple[str, ...] = ()
    language: str = ""

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Self:
        """From what `document` gives."""
        return cls(**{**document, "questions": tuple(document.get("questions", ()))})

    @property
    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self) | {"questions": list(self.questions)}

    @property
    def pieces(self) -> list[str]:
        """What a question is compared with, each once: title, questions, passages of the text."""
        return list(dict.fromkeys([self.title, *self.questions, *_passages(self.text)]))


def _passages(text: str) -> list[str]:
    """The first passages of a text, of whole sentences where these are short enough."""
    passages: list[str] = []
    for sentence in _sentences(text):
        if passages and len(passages[-1]) + len(sentence) < _PASSAGE:
            passages[-1] += f" {sentence}"
        elif len(passages) == _PASSAGES:
            break
        else:
            passages.append(sentence)
    return passages


def _sentences(text: str) -> Iterator[str]:
    for part in _END.split(text):
        sentence = part.strip()
        for start in range(0, len(sentence), _PASSAGE):
            yield sentence[start : start + _PASSAGE]
