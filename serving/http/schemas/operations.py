"""What operators are told, on the wire."""

from typing import Any, Literal

from pydantic import Field

from serving.http.schemas.wire import Wire


class Home(Wire):
    """Where everything is."""

    name: str
    version: str
    docs: str
    console: str
    openapi: str
    health: str
    ready: str
    metrics: str
    demo: str | None = Field(None, description="Left out where there is none.")


class Health(Wire):
    """This process lives."""

    status: Literal["ok"]


class Ready(Wire):
    """What has answered at least once."""

    status: Literal["ready", "starting"]
    features: bool
    model: bool


class StoreSpace(Wire):
    """Bytes of the event log, and of the store that it shares with features and catalogue."""

    log_bytes: int = Field(description="Events and rankings; in Redis estimated.")
    log_max_bytes: int | None = Field(
        description="Above it the oldest rankings go, then events that are features already."
    )
    store_bytes: int
    store_max_bytes: int | None = Field(
        description="Redis's `maxmemory`. From nine tenths of it on events are refused."
    )


class ShopStatus(Wire):
    """Versions and freshness."""

    model_version: str | None
    features_answer: bool
    model_answers: bool
    catalog_items: int
    items_to_encode: int = Field(description="Found by their words only so far.")
    events_logged: int | None = Field(description="null: the log does not answer.")
    events_waiting: int | None = Field(description="Not yet in any feature.")
    space: StoreSpace | None = Field(description="null: the log does not answer.")
    ingest: dict[str, Any] | None = Field(description="What ingest last said of itself.")
    rankings: dict[str, float] = Field(description="Answered by this process, by route.")


class Accepted(Wire):
    """How much was taken."""

    accepted: int
