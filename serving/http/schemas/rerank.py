"""The wire of `/rerank`: the dialects that existing clients speak.

Each takes what its clients send, null for whatever they leave open; what changes no score here is
read and not used. What nobody sends is refused, as everywhere.
"""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, FiniteFloat

from serving.http.schemas.wire import Wire

MAX_TEXT = 8192  # characters of a text that are read; what is longer is cut
Value = str | FiniteFloat | bool | None
Top = Annotated[int, Field(ge=1)] | None


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


class _Rerank(Wire):
    query: str = Field(description=f"The first {MAX_TEXT} characters are read.")
    top_n: Top = Field(None, description="So many of the best; null: all.")
    model: str | None = Field(None, description="Repeated in the answer; there is one model.")
    truncate: bool | None = Field(None, description="A text that is too long is always cut.")
    # Named in both writings by versions of text-embeddings-inference; as an enumeration these would
    # make two equal names in generated clients.
    truncation_direction: Annotated[Literal["left", "right"] | None, BeforeValidator(_lower)] = (
        Field(
            None,
            description="Where a text that is too long is cut: at the right, unless left. Capitals "
            "do not count.",
        )
    )
    raw_scores: bool | None = Field(None, description="Logits instead of chances.")
    truncate_prompt_tokens: int | None = None
    priority: int | None = None
    user: str | None = None

    @property
    def keeps_end(self) -> bool:
        """Whether of a text that is too long the end is read, not the start."""
        return self.truncation_direction == "left"


class TextsRerank(_Rerank):
    """`/rerank` as text-embeddings-inference has it."""

    texts: Annotated[list[str], Field(min_length=1, max_length=1000)] = Field(
        description=f"Of each the first {MAX_TEXT} characters are read."
    )
    return_text: bool | None = None
    return_documents: bool | None = Field(None, description="As return_text.")
    is_truncated: bool | None = None


class DocumentsRerank(_Rerank):
    """`/rerank` as clients of Cohere, Jina, Voyage, Infinity and vLLM send it."""

    documents: Annotated[list[str | dict[str, Value]], Field(min_length=1, max_length=1000)] = (
        Field(
            description="Texts, or objects: of these `rank_fields` are read, else `text`, else all."
        )
    )
    rank_fields: list[str] | None = None
    return_documents: bool | None = None
    top_k: Top = Field(None, description="Voyage's top_n; its clients are answered in their form.")
    truncation: bool | None = Field(None, description="Voyage's truncate.")
    max_tokens_per_doc: int | None = None
    max_chunks_per_doc: int | None = None
    max_tokens_per_query: int | None = None
    truncation_side: Literal["left", "right"] | None = Field(
        None, description="vLLM's truncation_direction."
    )

    @property
    def of_voyage(self) -> bool:
        """Whether a client of Voyage sent it, who looks for `data`."""
        return not {"top_k", "truncation"}.isdisjoint(self.model_fields_set)

    @property
    def of_infinity(self) -> bool:
        """Whether Infinity's client sent it, who looks for a document as it was sent."""
        return "raw_scores" in self.model_fields_set

    @property
    def of_anyone(self) -> bool:
        """Whether it has only what clients of Cohere, Jina and Voyage all send."""
        return self.model_fields_set <= {"model", "query", "documents", "return_documents"}

    @property
    def keeps_end(self) -> bool:
        return super().keeps_end or self.truncation_side == "left"


class TextScore(Wire):
    """One text of a TextsRerank."""

    index: int = Field(description="Its place in the request.")
    score: float
    text: str | None = None


class DocumentScore(Wire):
    """One document of a DocumentsRerank."""

    index: int = Field(description="Its place in the request.")
    relevance_score: float
    document: str | dict[str, Any] | None = None


class CohereAnswer(Wire):
    """As Cohere, Jina, Infinity and vLLM answer."""

    id: str
    model: str
    results: list[DocumentScore]
    usage: dict[str, int] = Field(description="Nothing is billed: 0.")
    meta: dict[str, list[str]] | None = Field(None, description="`warnings`: what was cut.")
    object: Literal["list"] | None = None
    data: list[DocumentScore] | None = Field(
        None, description="`results` again, at `/v1/rerank`, where Voyage may have been meant."
    )


class VoyageAnswer(Wire):
    """As Voyage answers."""

    object: Literal["list"]
    model: str
    data: list[DocumentScore]
    usage: dict[str, int] = Field(description="Nothing is billed: 0.")
