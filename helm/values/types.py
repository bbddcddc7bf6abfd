"""The kinds of value that stand in values.yaml."""

from typing import Annotated, Any

from pydantic import Field, StringConstraints


def text(pattern: str, longest: int = 253) -> Any:
    """A constraint on a text: the whole of it, at most `longest` characters."""
    return StringConstraints(pattern=pattern, max_length=longest)


_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
DOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_PREFIXED = rf"^({DOMAIN}/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$"

Name = Annotated[str, text(rf"^{DOMAIN}$")]
OptionalName = Annotated[str, text(rf"^({DOMAIN})?$")]
Host = Annotated[str, text(rf"^(\*\.)?{DOMAIN}$")]
Quantity = Annotated[str, text(r"^[0-9]+(\.[0-9]+)?(m|k|Ki|M|Mi|G|Gi|T|Ti)?$", 20)]
Url = Annotated[str, text(r"^https?://[^\s/]+(/\S*)?$", 500)]
OptionalUrl = Annotated[str, text(r"^(https?://[^\s/]+(/\S*)?)?$", 500)]
Cron = Annotated[str, text(r"^(@(hourly|daily|weekly|monthly)|\S+( \S+){4})$", 100)]
Duration = Annotated[str, text(r"^[1-9][0-9]*(ms|s|m|h)$", 20)]
DataName = Annotated[str, text(r"^[\w./-]*$")]
LabelKey = Annotated[str, text(_PREFIXED)]
LabelValue = Annotated[str, text(r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$", 63)]
Labels = dict[LabelKey, LabelValue]
Positive = Annotated[int, Field(ge=1, le=1_000_000)]
Count = Annotated[int, Field(ge=0, le=1_000)]
Port = Annotated[int, Field(ge=1, le=65535)]
Share = Annotated[float, Field(ge=0, le=1)]
