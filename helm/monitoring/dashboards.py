"""The six dashboards; objectives and path are here, the others beside.

Every panel answers a question that somebody on call has.
"""

from helm.monitoring.business import BUSINESS
from helm.monitoring.experiments import EXPERIMENTS
from helm.monitoring.fairness import FAIRNESS
from helm.monitoring.features import FEATURES
from helm.monitoring.objectives import ASKED, BURNS, FAST, OBJECTIVES, errors, slow
from helm.monitoring.panels import Json, dashboard, graph, number, quantiles
from helm.monitoring.ranker import RANKER

_ALL = f"sum(rate(vitrine_requests_total{{{ASKED}}}[$__rate_interval]))"
_FAILED = f'sum(rate(vitrine_requests_total{{{ASKED}, status=~"5.."}}[$__rate_interval]))'
_TIMED = f"vitrine_request_seconds_bucket{{{ASKED}}}[$__rate_interval]"
_IN_TIME = f'vitrine_request_seconds_bucket{{{ASKED}, le="{FAST}"}}[$__rate_interval]'
_COUNTED = f"vitrine_request_seconds_count{{{ASKED}}}[$__rate_interval]"
_ERRORS, _SLOW = (1 - OBJECTIVES[slo] for slo in ("availability", "latency"))
_LEFT = (("red", None), ("orange", 0.1), ("green", 0.5))


def _burns(ratio: str, budget: float) -> str:
    return f"max({ratio}) / {budget:.6g}"


SLO = dashboard(
    "slo",
    "objectives",
    "Are shoppers served? Availability and latency of rankings against their objectives.",
    [
        number(
            "Availability", "Share of rankings that were not answered with 5xx.",
            f"1 - ({_FAILED} or {_ALL} * 0) / {_ALL}", unit="percentunit", decimals=3,
            steps=(("red", None), ("green", OBJECTIVES["availability"])), runbook="error-budget",
        ),
        number(
            "Under 250 ms", "Share of rankings that were answered within 250 ms.",
            f"sum(rate({_IN_TIME})) / sum(rate({_COUNTED}))", unit="percentunit", decimals=2,
            steps=(("red", None), ("green", OBJECTIVES["latency"])), runbook="latency-budget",
        ),
        number(
            "Error budget left", f"Of the {_ERRORS:.1%} of rankings that may fail in 30 days.",
            f"1 - max({errors('30d')}) / {_ERRORS:.6g}", unit="percentunit", decimals=1,
            steps=_LEFT, runbook="error-budget",
        ),
        number(
            "Latency budget left", f"Of the {_SLOW:.0%} of rankings that may be slow in 30 days.",
            f"1 - max({slow('30d')}) / {_SLOW:.6g}", unit="percentunit", decimals=1,
            steps=_LEFT, runbook="latency-budget",
        ),
        number(
            "Ranked by the model", "Share of rankings with route=model.",
            'sum(rate(vitrine_rankings_total{route="model"}[$__rate_interval]))'
            " / sum(rate(vitrine_rankings_total[$__rate_interval]))",
            unit="percentunit", decimals=1, runbook="fallback",
        ),
        number("Rankings", "Requests for rankings a second.", _ALL, unit="reqps"),
        graph(
            "Availability", "Share of rankings that were not answered with 5xx. A fallback is an "
            "answer: see routes.",
            {"available": f"1 - ({_FAILED} or {_ALL} * 0) / {_ALL}"}, unit="percentunit",
            runbook="error-budget",
        ),
        graph(
            "Latency", "From the first byte at the replica to the last one sent.",
            quantiles(_TIMED), unit="s", limit=float(FAST), runbook="latency-budget",
        ),
        graph(
            "Routes", "How rankings come about. More fallbacks: something is down. More cold "
            "starts: new shoppers, or features are lost.",
            {"{{route}}": "sum by (route) (rate(vitrine_rankings_total[$__rate_interval]))"},
            unit="reqps", stack=True, runbook="fallback",
        ),
        graph(
            "Burn rate of the error budget", "1: the budget lasts just 30 days. An alert pages "
            "over 14.4 (1 h) and over 6 (6 h).",
            {burn.long: _burns(errors(burn.long), _ERRORS) for burn in BURNS},
            limit=BURNS[0].rate, runbook="error-budget", width=12,
        ),
        graph(
            "Burn rate of the latency budget", "As beside, of the rankings that take over 250 ms.",
            {burn.long: _burns(slow(burn.long), _SLOW) for burn in BURNS},
            limit=BURNS[0].rate, runbook="latency-budget", width=12,
        ),
    ],
)  # fmt: skip

PATH = dashboard(
    "path",
    "the path of a request",
    "Where does the time go, and where do requests fail? Rate, errors and durations.",
    [
        graph(
            "Requests", "By endpoint; 'unknown' is a path that does not exist.",
            {"{{endpoint}}": "sum by (endpoint) (rate(vitrine_requests_total[$__rate_interval]))"},
            unit="reqps", stack=True,
        ),
        graph(
            "Server errors", "5xx by endpoint and status. 503: refused, too much is under way.",
            {
                "{{endpoint}} {{status}}": "sum by (endpoint, status) "
                '(rate(vitrine_requests_total{status=~"5.."}[$__rate_interval]))'
            },
            unit="reqps", stack=True, runbook="error-budget",
        ),
        graph(
            "Refusals", "4xx by status. 401, 403: keys. 429: a key over its rate. 422: a caller's "
            "mistake, or its new release. 499: the caller left.",
            {
                "{{status}}": "sum by (status) "
                '(rate(vitrine_requests_total{status=~"4.."}[$__rate_interval]))'
            },
            unit="reqps", stack=True,
        ),
        graph(
            "p50 by endpoint", "Half of the requests are faster.",
            {
                "{{endpoint}}": "histogram_quantile(0.5, sum by (endpoint, le) "
                "(rate(vitrine_request_seconds_bucket[$__rate_interval])))"
            },
            unit="s", width=12,
        ),
        graph(
            "p99 by endpoint", "One request in a hundred is slower.",
            {
                "{{endpoint}}": "histogram_quantile(0.99, sum by (endpoint, le) "
                "(rate(vitrine_request_seconds_bucket[$__rate_interval])))"
            },
            unit="s", runbook="latency-budget", width=12,
        ),
        graph(
            "Stages, mean", "Mean time of a ranking by stage. `score` holds the hop, the wait for "
            "a batch and the model; `features` the read of the online store.",
            {
                "{{stage}}": "sum by (stage) (rate(vitrine_stage_seconds_sum[$__rate_interval]))"
                " / sum by (stage) (rate(vitrine_stage_seconds_count[$__rate_interval]))"
            },
            unit="s", stack=True,
        ),
        graph(
            "Stages, p99", "Which stage makes the slow ones slow.",
            {
                "{{stage}}": "histogram_quantile(0.99, sum by (stage, le) "
                "(rate(vitrine_stage_seconds_bucket[$__rate_interval])))"
            },
            unit="s", runbook="latency-budget",
        ),
        graph(
            "Stages, rate", "`rules` without `score`: cold starts. Both: fallbacks.",
            {
                "{{stage}}": "sum by (stage) "
                "(rate(vitrine_stage_seconds_count[$__rate_interval]))"
            },
            unit="reqps",
        ),
        graph(
            "Wait for a batch", "How long a request waits for the model to be free.",
            quantiles("vitrine_batch_wait_seconds_bucket[$__rate_interval]"), unit="s",
        ),
        graph(
            "Queue", "Candidate rows that wait for the model. At 8,192 a replica refuses "
            "(model_overloaded).",
            {"rows": "sum(vitrine_queued_rows)"}, runbook="fallback",
        ),
        graph(
            "Key file", "Changes that were taken, or refused: then the old keys still hold.",
            {
                "{{outcome}}": "sum by (outcome) "
                "(increase(vitrine_key_reloads_total[$__rate_interval]))"
            },
        ),
    ],
)  # fmt: skip

DASHBOARDS: dict[str, Json] = {
    "slo": SLO,
    "path": PATH,
    "ranker": RANKER,
    "features": FEATURES,
    "business": BUSINESS,
    "experiments": EXPERIMENTS,
    "fairness": FAIRNESS,
}
