"""Embedded retrieval."""

from pathlib import Path

from pydantic import Field, PositiveInt

from serving.section import Section


class RetrievalSettings(Section):
    """Embedded retrieval for search and recommend."""

    candidates: PositiveInt = 200
    language: str = Field(
        "en",
        description="Of the catalogue, ISO 639-1: whose endings its words and queries are without.",
    )
    vectors_path: Path = Field(description="Cache of item vectors by content key.")
    neighbors_path: Path = Field(
        description="Item-to-item tables of the last feature job; taken over when they change."
    )
