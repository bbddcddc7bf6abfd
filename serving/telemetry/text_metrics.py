"""Metrics of texts that are no items: customers' questions, labels, and alerts on these."""

from prometheus_client import Counter, Gauge, Histogram

from serving.telemetry.metrics import SHARES

# Answers to questions (serving/ranking/texts/answers.py)
ANSWERED = Counter(
    "vitrine_questions_total",
    "Questions by outcome: answered, or why a human is to: not_sure, no_answers; and by route: "
    "model, fallback (by words).",
    ("outcome", "route"),
)
ANSWER_CONFIDENCE = Histogram(
    "vitrine_answer_confidence", "How sure the first answer to a question was, by route.",
    ("route",), buckets=SHARES,
)  # fmt: skip
# Labels of texts, and alerts on them (serving/shops/alerts)
LABELLED_TEXTS = Counter(
    "vitrine_labelled_texts_total",
    "Texts of streams by classifier and label; label 'unsure': none was likely enough; 'other', of "
    "both: those beyond the first 528 pairs of a process, which shops name.",
    ("classifier", "label"),
)
LABEL_ALERT_FIRING = Gauge(
    "vitrine_label_alert_firing", "1: this label rises against its own history.", ("shop", "alert"),
    multiprocess_mode="livemax",
)  # fmt: skip
ALERT_MESSAGES = Counter(
    "vitrine_alert_messages_total",
    "Tries of an alert's webhook: delivered, failed (tried again), given_up.",
    ("outcome",),
)
MOST_LABELLED = 528  # 16 classifiers of 32 labels and unsure: what one shop may have


class FirstPairs:
    """Counts by two labels that callers name: the first `most` pairs, all others as 'other'."""

    def __init__(self, counter: Counter, most: int) -> None:
        self._counter = counter
        self._most = most
        self._known: set[tuple[str, str]] = set()

    def count(self, one: str, other: str, n: int) -> None:
        """`n` more of the pair."""
        pair = (one, other)
        if pair not in self._known and len(self._known) >= self._most:
            pair = ("other", "other")
        else:
            self._known.add(pair)
        self._counter.labels(*pair).inc(n)


LABELLED = FirstPairs(LABELLED_TEXTS, MOST_LABELLED)
for _outcome in ("delivered", "failed", "given_up"):
    ALERT_MESSAGES.labels(outcome=_outcome)
