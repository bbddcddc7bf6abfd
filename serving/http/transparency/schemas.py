"""The transparency document on the wire."""

from typing import Literal

from pydantic import Field

from serving.http.schemas.wire import Wire
from serving.models.columns.families import Family


class TransparencyQuery(Wire):
    """How it is to be told."""

    language: Literal["en", "zh", "de"] | None = Field(
        None, description="Of the sentences; default: the shop's, if it is one of these."
    )
    format: Literal["json", "html"] = Field(
        "json", description="html: a `<section>` without style and script, to be put into a page."
    )


class FamilyOut(Wire):
    """How much one family of facts counts."""

    family: Family
    name: str
    share: int | None = Field(description="Percent of all; null: this version was not measured.")
    ndcg_lost: float | None = Field(
        description="NDCG@10 that held-out rankings lose, as a share, when it is dealt out anew."
    )


class TransparencyOut(Wire):
    """What counts in a ranking and how much, as of the version and the rules in force."""

    title: str
    language: Literal["en", "zh", "de"]
    model_version: str | None = Field(description="null: the model server did not answer.")
    published: str | None = Field(description="When that version was published, RFC 3339.")
    as_of: str = Field(description="Of the rules, RFC 3339.")
    sponsored_rules: int
    families: list[FamilyOut]
    sentences: list[str]
