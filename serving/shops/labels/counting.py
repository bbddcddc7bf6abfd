"""How often each label came, by the hour, for all replicas together. No text is kept."""

from collections.abc import Iterable, Mapping

from features.controls.store import Tallies

KEPT_HOURS = 400 * 24
UNSURE = ""  # instead of a label; no label is empty
_HOUR_S = 3600
Hours = dict[int, Mapping[str, float]]


class LabelCounts:
    """Of one shop."""

    def __init__(self, tallies: Tallies) -> None:
        self._tallies = tallies

    def add(self, classifier: str, labels: Iterable[tuple[float, str]]) -> None:
        """Count (unix seconds, label or UNSURE), all or none; durable when it returns.

        Raises StoreFullError.
        """
        hours: dict[int, dict[str, float]] = {}  # by their first minute
        for at_s, label in labels:
            counts = hours.setdefault(int(at_s // _HOUR_S) * 60, {})
            counts[label] = counts.get(label, 0.0) + 1.0
        self._tallies.add_all(_name(classifier), hours, kept=KEPT_HOURS * 60)

    def read(self, classifier: str, since_hour: int) -> Hours:
        """Counts by label of each hour (unix seconds // 3600) with any text; UNSURE among them."""
        counted = self._tallies.read(_name(classifier), since_hour * 60)
        return {minute // 60: counts for minute, counts in counted.items()}


def _name(classifier: str) -> str:
    return f"labels/{classifier}"
