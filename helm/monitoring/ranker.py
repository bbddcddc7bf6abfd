"""The dashboard of the ranker: batches, the model server, what the model says."""

from helm.monitoring.alerts import DRIFT
from helm.monitoring.panels import dashboard, graph, heatmap, number, quantiles


def _each_us(spent: str, calls: str) -> dict[str, str]:
    """Mean microseconds a call by model, from two of Triton's counters."""
    return {
        "{{model}}": f"sum by (model) (rate({spent}[$__rate_interval]))"
        f" / sum by (model) (rate({calls}[$__rate_interval]))"
    }


RANKER = dashboard(
    "ranker",
    "ranker",
    "Does the model answer, in time, and does it still say what it said? Triton's own figures "
    "need its /metrics to be scraped, too.",
    [
        number(
            "Model version", "That answered last.", "max(vitrine_model_version)", decimals=0,
            runbook="score-drift",
        ),
        number(
            "Breakers open", "Models that did not answer and are not asked.",
            "sum(vitrine_breaker_open)", steps=(("green", None), ("red", 1)),
            runbook="model-server",
        ),
        number(
            "Calls that fail", "Share of the calls to the model server.",
            '(sum(rate(vitrine_model_seconds_count{outcome!="ok"}[$__rate_interval]))'
            " or sum(rate(vitrine_model_seconds_count[$__rate_interval])) * 0)"
            " / sum(rate(vitrine_model_seconds_count[$__rate_interval]))",
            unit="percentunit", decimals=1, steps=(("green", None), ("red", 0.1)),
            runbook="model-server",
        ),
        number(
            "Queued rows", "Candidates that wait for the model.", "sum(vitrine_queued_rows)",
            runbook="fallback",
        ),
        number(
            "Score drift", "Population stability index of the top scores; over 0.25 is a shift. 0 "
            "until a version has made 2,000 rankings.",
            "max(vitrine_score_drift)", decimals=2,
            steps=(("green", None), ("orange", 0.1), ("red", DRIFT)), runbook="score-drift",
        ),
        number(
            "Records lost", "Answered rankings of the last hour that were not recorded.",
            "sum(increase(vitrine_ranking_records_lost_total[1h]))", decimals=0,
            steps=(("green", None), ("red", 1)), runbook="ranking-records-lost",
        ),
        graph(
            "Batches by dispatch", "idle: nothing else waited. waited: what came behind the last "
            "one. full: more waits than fits, add a replica or a model server.",
            {"{{dispatch}}": "sum by (dispatch) (rate(vitrine_batches_total[$__rate_interval]))"},
            unit="ops", stack=True,
        ),
        graph(
            "Size of a batch", "Mean candidate rows and requests.",
            {
                "rows": "sum(rate(vitrine_batch_rows_sum[$__rate_interval]))"
                " / sum(rate(vitrine_batch_rows_count[$__rate_interval]))",
                "requests": "sum(rate(vitrine_batch_requests_sum[$__rate_interval]))"
                " / sum(rate(vitrine_batch_requests_count[$__rate_interval]))",
            },
        ),
        graph(
            "Fill of a batch", "Rows as a share of the most that fit.",
            quantiles("vitrine_batch_fill_ratio_bucket[$__rate_interval]"), unit="percentunit",
        ),
        graph(
            "Calls by outcome", "deadline: too slow. model_unavailable: nobody answers.",
            {
                "{{outcome}}": "sum by (outcome) "
                "(rate(vitrine_model_seconds_count[$__rate_interval]))"
            },
            unit="ops", stack=True, runbook="model-server",
        ),
        graph(
            "Calls, p99 by outcome", "As the ranker sees it: queue, model and network.",
            {
                "{{outcome}}": "histogram_quantile(0.99, sum by (outcome, le) "
                "(rate(vitrine_model_seconds_bucket[$__rate_interval])))"
            },
            unit="s", runbook="model-server",
        ),
        graph(
            "Breakers and retries", "Opened: this many times. Retries: calls made a second time.",
            {
                "{{model}} opened": "sum by (model) "
                "(increase(vitrine_breaker_opened_total[$__rate_interval]))",
                "{{model}} open": "max by (model) (vitrine_breaker_open)",
                "retries": "sum(increase(vitrine_model_retries_total[$__rate_interval]))",
            },
            runbook="model-server",
        ),
        graph(
            "Triton: queue", "Mean wait inside the model server. More than the model takes: it is "
            "the bottleneck.",
            _each_us("nv_inference_queue_duration_us", "nv_inference_request_success"), unit="µs",
            runbook="model-server",
        ),
        graph(
            "Triton: model", "Mean time of one run.",
            _each_us("nv_inference_compute_infer_duration_us", "nv_inference_exec_count"),
            unit="µs", runbook="model-server",
        ),
        graph(
            "Triton: requests", "Answered, failed by reason, and waiting now.",
            {
                "{{model}} ok": "sum by (model) "
                "(rate(nv_inference_request_success[$__rate_interval]))",
                "{{model}} {{reason}}": "sum by (model, reason) "
                "(rate(nv_inference_request_failure[$__rate_interval]))",
                "{{model}} pending": "sum by (model) (nv_inference_pending_request_count)",
            },
            runbook="model-server",
        ),
        graph(
            "Rankings by version", "A rollout is a crossing of two lines.",
            {
                "version {{model_version}}": "sum by (model_version) "
                "(rate(vitrine_model_rankings_total[$__rate_interval]))"
            },
            unit="reqps", stack=True,
        ),
        graph(
            "Score drift", "The last 1,000 top scores against the first 1,000 of the version.",
            {"index": "max(vitrine_score_drift)"}, limit=DRIFT, runbook="score-drift",
        ),
        graph(
            "How much an answer reorders", "Mean share of candidate pairs that were turned round, "
            "by route. Near 0: the order is the caller's own.",
            {
                "{{route}}": "sum by (route) (rate(vitrine_kendall_distance_sum[$__rate_interval]))"
                " / sum by (route) (rate(vitrine_kendall_distance_count[$__rate_interval]))"
            },
            unit="percentunit", runbook="score-drift",
        ),
        heatmap(
            "Top scores of the model", "Score of the first item of a slate. A band that moves "
            "without a new version: inputs have changed.",
            'sum by (le) (increase(vitrine_top_score_bucket{route="model"}[$__rate_interval]))',
            unit="short",
        ),
        heatmap(
            "Reordering by the model", "Distribution of the share of pairs that were turned round.",
            "sum by (le) "
            '(increase(vitrine_kendall_distance_bucket{route="model"}[$__rate_interval]))',
            unit="percentunit",
        ),
    ],
)  # fmt: skip
