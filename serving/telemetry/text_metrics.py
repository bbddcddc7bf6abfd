"""Metrics of texts that are no items: customers' questions, labels, and alerts on these."""

from collections import defaultdict

from prometheus_client import Counter, Gauge, Histogram

from serving.telemetry.metrics import SHARES

# Answers to questions (serving/ranking/texts/answers.py)
ANSWERED = Counter(
    "vitrine_questions_total",
    "Questions by outcome: answered, or why a human is to: not_sure, no_answers; and by route: "
    "model, fallback (by words).",
    ("shop", "outcome", "route"),
)
ANSWER_CONFIDENCE = Histogram(
    "vitrine_answer_confidence", "How sure the first answer to a question was, by route.",
    ("shop", "route"), buckets=SHARES,
)  # fmt: skip
# Labels of texts, and alerts on them (serving/shops/alerts)
LABELLED_TEXTS = Counter(
    "vitrine_labelled_texts_total",
    "Texts of streams by classifier and label; label 'unsure': none was likely enough; 'other', of "
    "both: those beyond the first 528 pairs of a shop in a process, which the shop names.",
    ("shop", "classifier", "label"),
)
LABEL_ALERT_FIRING = Gauge(
    "vitrine_label_alert_firing", "1: this label rises against its own history.", ("shop", "alert"),
    multiprocess_mode="livemax",
)  # fmt: skip
ALERT_MESSAGES = Counter(
    "vitrine_alert_messages_total",
    "Tries of an alert's webhook: delivered, failed (tried again), given_up.",
    ("shop", "outcome"),
)
MOST_LABELLED = 528  # 16 classifiers of 32 labels and unsure: what one shop may have


class FirstPairs:
    """Pairs of labels that callers name: the first `most` are told apart, all others are OTHER."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: set[tuple[str, str]] = set()

    def of(self, one: str, other: str) -> tuple[str, str]:
        """The pair to count by."""
        pair = (one, other)
        if pair not in self._known:
            if len(self._known) >= self._most:
                return OTHER
            self._known.add(pair)
        return pair


OTHER = ("other", "other")
# By shop: none takes another's room. A name that comes and goes leaves its series.
LABELLED: defaultdict[str, FirstPairs] = defaultdict(lambda: FirstPairs(MOST_LABELLED))


def begin_alert_messages(shop: str) -> None:
    """Series at 0, so that the first message of a kind is an increase."""
    for outcome in ("delivered", "failed", "given_up"):
        ALERT_MESSAGES.labels(shop, outcome)
