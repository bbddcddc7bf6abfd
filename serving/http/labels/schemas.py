"""Labels on the wire."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, StringConstraints

from serving.http.schemas.wire import Time, Wire
from serving.shops.labels.classifier import Measured

MAX_TEXTS = 256
MAX_STREAM_TEXTS = 1000
MAX_TEXT = 8192
Named = Annotated[str, StringConstraints(min_length=1, max_length=32)]
Text = Annotated[str, StringConstraints(max_length=MAX_TEXT)]


class ClassifyRequest(Wire):
    """Texts to label at once."""

    classifier: Named
    texts: Annotated[list[Text], Field(min_length=1, max_length=MAX_TEXTS)] = Field(
        description="Of each the first 64 tokens count, some 50 words."
    )
    unsure_below: Annotated[float, Field(ge=0, le=1)] | None = Field(
        None, description="Instead of the classifier's own."
    )


class TextLabel(Wire):
    """One text, in the order of the request."""

    label: str | None = Field(description="The likeliest; null for a text that says nothing.")
    unsure: bool = Field(description="No label is likely enough.")
    probabilities: dict[str, float] = Field(description="By label, calibrated; empty without one.")


class ClassifyResponse(Wire):
    """version: of the classifier that answered."""

    classifier: str
    version: int
    labels: list[TextLabel]


class StreamText(Wire):
    """One text of a stream. at: when it was written; left out: now."""

    text: Text
    at: Time | None = None


class StreamRequest(Wire):
    """Texts of a stream: they are labelled and counted by the hour, and not kept."""

    classifier: Named
    texts: Annotated[list[StreamText], Field(min_length=1, max_length=MAX_STREAM_TEXTS)]


class StreamResponse(Wire):
    """What was counted."""

    classifier: str
    version: int
    counted: int
    labels: dict[str, int] = Field(description="How many got each label.")
    unsure: int = Field(description="How many got none: no label was likely enough.")


class ClassifierOut(Wire):
    """A classifier in use."""

    name: str
    version: int = Field(description="How often this name was put.")
    labels: list[str]
    profile: Literal["english", "multilingual"]
    unsure_below: float
    measured: Measured
    learnt_from: int
    trained_at: AwareDatetime


class ClassifierWhole(ClassifierOut):
    """The same with its weights, as it may be put again."""

    weights: str


class ClassifiersOut(Wire):
    """By name."""

    classifiers: list[ClassifierOut]


class Judged(Wire):
    """The last window that is over."""

    begins_at: AwareDatetime
    hours: int
    count: int
    expected: float | None
    chance: float | None = Field(description="Of as many or more, if nothing is unusual.")


class Delivery(Wire):
    """The last try of the webhook."""

    id: str
    outcome: Literal["delivered", "failed", "given_up"]
    tries: int
    error: str | None
    at: AwareDatetime


class AlertOut(Wire):
    """A declared alert, and how it stands."""

    key: str
    classifier: str
    label: str
    window: Literal["hour", "day"]
    rise: float
    state: Literal["learning", "calm", "firing"]
    since: AwareDatetime | None
    judged: Judged | None
    learnt: float = Field(description="Share of the history that a verdict needs.")
    found_from: float | None = Field(
        description="The smallest rise that 9 of 10 times is found within two windows, with as "
        "much to count as now: 0.5 = half as much again. null: not known yet, or none."
    )
    enough: bool | None = Field(
        description="Whether a rise by half is found so. false: there is too little of the label "
        "for this window, or it varies too much. null: not known yet."
    )
    waiting: int = Field(description="Messages that the webhook has not taken yet.")
    delivery: Delivery | None


class AlertsOut(Wire):
    """In the order of the rules."""

    false_alarms_a_month: float
    alerts: list[AlertOut]
