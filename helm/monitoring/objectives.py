"""Objectives, their error budgets, and the alerts on how fast those burn.

As in the SRE workbook, chapter 5: an alert fires when a long window has spent its part of the
budget and a short one says that it goes on.
"""

from dataclasses import dataclass

from helm.monitoring.panels import Json
from helm.monitoring.rule import alert, record

OBJECTIVES = {"availability": 0.999, "latency": 0.99}  # over 30 days
FAST = "0.25"  # seconds: a bucket of vitrine_request_seconds
SHORT = ("5m", "30m", "1h", "2h", "6h")
LONG = ("1d", "3d", "30d")  # computed every two minutes
ASKED = 'endpoint=~"/v1/(rank|search|recommend)"'


@dataclass(frozen=True, slots=True)
class Burn:
    """How fast a budget may burn: `rate` times its even spending, over both windows."""

    rate: float
    long: str
    short: str
    severity: str


BURNS = (
    Burn(14.4, "1h", "5m", "page"),
    Burn(6, "6h", "30m", "page"),
    Burn(3, "1d", "2h", "ticket"),
    Burn(1, "3d", "6h", "ticket"),
)


def errors(window: str) -> str:
    """The recorded share of rankings that were answered with 5xx."""
    return f"vitrine:request_errors:ratio{window}"


def slow(window: str) -> str:
    """The recorded share of rankings that took longer than FAST."""
    return f"vitrine:request_slow:ratio{window}"


def _ratios(window: str) -> list[Json]:
    requests = f"sum by (namespace) (rate(vitrine_requests_total{{{ASKED}}}[{window}]))"
    failed = (
        f'sum by (namespace) (rate(vitrine_requests_total{{{ASKED}, status=~"5.."}}[{window}]))'
    )
    timed = f"sum by (namespace) (rate(vitrine_request_seconds_count{{{ASKED}}}[{window}]))"
    fast = (
        f"sum by (namespace) "
        f'(rate(vitrine_request_seconds_bucket{{{ASKED}, le="{FAST}"}}[{window}]))'
    )
    return [
        # Without a single 5xx there is no such series: then it is none of those asked.
        record(errors(window), f"({failed} or {requests} * 0) / {requests}"),
        record(slow(window), f"1 - {fast} / {timed}"),
    ]


def ratios(windows: tuple[str, ...]) -> list[Json]:
    """The recorded shares over each of `windows`."""
    return [rule for window in windows for rule in _ratios(window)]


def burns() -> list[Json]:
    """Both budgets, by every speed of BURNS."""
    rules = []
    for slo, ratio, name, runbook, what in (
        ("availability", errors, "VitrineErrorBudgetBurn", "error-budget", "failed (5xx)"),
        ("latency", slow, "VitrineLatencyBudgetBurn", "latency-budget", "took over 250 ms"),
    ):
        budget = 1 - OBJECTIVES[slo]
        for burn in BURNS:
            limit = f"{burn.rate * budget:.6g}"
            rules.append(
                alert(
                    name,
                    f"{ratio(burn.long)} > {limit}\nand {ratio(burn.short)} > {limit}",
                    severity=burn.severity,
                    labels={"slo": slo, "window": burn.long},
                    runbook=runbook,
                    summary=f"The {slo} budget burns {burn.rate:g} times too fast ({burn.long}).",
                    description="{{ $value | humanizePercentage }} of the rankings of the last "
                    f"{burn.long} {what}; the objective allows {budget:.2%} over 30 days.",
                )
            )
    return rules
