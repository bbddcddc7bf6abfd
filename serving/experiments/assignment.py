"""The assignment of a request: the variant it belongs to, and what that variant ranks by."""

from dataclasses import dataclass

from features.events.log import DEFAULT_VARIANT
from serving.shops.rules import Rules


@dataclass(frozen=True, slots=True)
class Assignment:
    """Chosen before scoring; it stands in the slate, the record, the metrics and the response.

    model_version: of the ranker; None: the version in use.
    """

    variant: str
    rules: Rules
    model_version: str | None = None


def assign(rules: Rules) -> Assignment:
    """The assignment of every request, while a shop has one variant: its own rules."""
    return Assignment(DEFAULT_VARIANT, rules)
