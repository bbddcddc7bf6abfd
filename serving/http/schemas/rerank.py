"""The wire of `/rerank`: two dialects that existing clients speak."""

from typing import Annotated, Literal

from pydantic import Field

from serving.http.schemas.wire import Text, Wire


class TextsRerank(Wire):
    """`/rerank` as text-embeddings-inference has it."""

    query: Text
    texts: Annotated[list[Text], Field(min_length=1, max_length=1000)]
    raw_scores: bool = False
    return_text: bool = False
    truncate: bool | None = True
    truncation_direction: Literal["left", "right", "Left", "Right"] = "right"


class RerankDocument(Wire):
    """A document given as an object."""

    text: Text


class DocumentsRerank(Wire):
    """`/rerank` as Cohere and Jina clients send it."""

    model: str = ""
    query: Text
    documents: Annotated[list[Text | RerankDocument], Field(min_length=1, max_length=1000)]
    top_n: Annotated[int, Field(ge=1)] | None = None
    return_documents: bool = False
    max_tokens_per_doc: int | None = None
    priority: int | None = None
