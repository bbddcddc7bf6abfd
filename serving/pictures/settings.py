"""Whether pictures are looked at, from where they may be fetched, and how large they may be."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field, PositiveFloat, PositiveInt, WithJsonSchema

from features.store.settings import StoreSettings
from serving.models.settings import ModelSettings
from serving.section import Section

_HOST = re.compile(r"(\*\.)?[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?")


def _host(given: str) -> str:
    if not _HOST.fullmatch(given):
        raise ValueError('a host is wanted: "cdn.example.com", "*.example.com" or "a.b:8443"')
    return given


Host = Annotated[
    str,
    AfterValidator(_host),
    # For the chart's schema, which knows no validators.
    WithJsonSchema({"type": "string", "pattern": f"^{_HOST.pattern}$"}),
]


class FetchSettings(Section):
    """From where a worker may fetch `image_url`, and how patient it is."""

    hosts: tuple[Host, ...] = Field(
        (),
        description='From here and nowhere else: "cdn.example.com", "*.example.com" for all below '
        "it, with a port where it is not the usual one. Empty: nothing is fetched.",
    )
    private: bool = Field(
        default=False,
        description="Also from addresses of this network, where an allowed name stands for one. "
        "Else a name that leads inside is refused.",
    )
    max_redirects: int = Field(3, ge=0, le=10)
    connect_s: PositiveFloat = 3.0
    total_s: PositiveFloat = Field(15.0, description="Of one picture, with its redirects.")
    at_once: PositiveInt = Field(8, description="Pictures that are fetched side by side.")
    max_tries: PositiveInt = Field(6, description="Then it has failed, until it is told anew.")
    first_wait_s: PositiveFloat = Field(30.0, description="Before the second try; doubles.")


class TextSettings(Section):
    """How what is written on pictures is read, and how much of it is kept."""

    max_side: int = Field(
        960, ge=224, le=2000, description="Pixels; a larger picture is made smaller to be read."
    )
    max_s: PositiveFloat = Field(30.0, description="Of one picture; then it is tried again later.")
    max_characters: int = Field(500, ge=1, le=4000, description="Of one picture that are kept.")
    min_confidence: float = Field(
        0.8, ge=0, le=1, description="Of a line; what is read less surely is left out."
    )
    threads: PositiveInt = Field(1, description="Of the process that reads.")
    idle_s: PositiveFloat = Field(60.0, description="Then that process ends until there is more.")


class PictureSettings(Section):
    """How pictures are looked at."""

    model: str = Field("pictures", description="Its name in the model server.")
    max_bytes: PositiveInt = Field(8 * 1024 * 1024, description="Of a picture as it comes.")
    max_pixels: PositiveInt = Field(
        30_000_000, description="Of a picture as it unfolds: 4 bytes each, one picture at a time."
    )
    fetch: FetchSettings = FetchSettings()
    text: TextSettings | None = Field(
        None,
        description="Read what is written on pictures, and find items by it; null: nobody does.",
    )
    interval_s: PositiveFloat = Field(1.0, description="Between two looks at the catalogue.")


class WorkerSettings(Section):
    """What the process `python -m serving.pictures` reads: parts of Settings."""

    store: StoreSettings
    model: ModelSettings
    pictures: PictureSettings = PictureSettings()
