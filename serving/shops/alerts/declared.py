"""The alerts that the shop declares in its rules."""

from typing import Annotated, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, model_validator

from serving.shops.labels.classifier import Label, Name
from serving.shops.rule import Rule


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        raise ValueError("no time zone, as Europe/Berlin is one") from None
    return name


def _address(url: str) -> str:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("not a URL") from None
    if parts.scheme != "https" or not parts.hostname or port == 0:
        raise ValueError("https://host[:port]/path is wanted")
    if parts.username or parts.password or parts.fragment:
        raise ValueError("a webhook has no user, password or fragment")
    return url


class LabelAlert(Rule):
    """Tells of a label that rises against its own history."""

    key: Name
    classifier: Name
    label: Label
    window: Literal["hour", "day"] = "day"
    rise: float = Field(
        0.2, ge=0.05, le=10, description="The least that is told: 0.2 = a fifth more than expected."
    )


class LabelAlerts(Rule):
    """All of a shop.

    false_alarms_a_month: of all of them together, at most on average.
    time_zone: of days, and of the hours of the week.
    webhook: where it is told; its host must be allowed by the settings (`alerts.hosts`).
    """

    false_alarms_a_month: float = Field(1.0, gt=0, le=100)
    time_zone: Annotated[str, AfterValidator(_zone)] = "UTC"
    webhook: Annotated[str, AfterValidator(_address)] | None = None
    labels: Annotated[list[LabelAlert], Field(max_length=64)] = []

    @model_validator(mode="after")
    def _one_of_a_key(self) -> "LabelAlerts":
        keys = [alert.key for alert in self.labels]
        for place, key in enumerate(keys):
            if key in keys[:place]:
                raise ValueError(f"labels.{place}.key: two have the key {key!r}")
        return self
