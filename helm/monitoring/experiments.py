"""The dashboard of experiments: who is in which arm, and how a candidate would have ranked."""

from helm.monitoring.experiment_alerts import CANDIDATE_FAILED
from helm.monitoring.panels import dashboard, graph

_MEAN = "sum by (shop, experiment) (rate(%s_sum[$__rate_interval]))" + (
    " / sum by (shop, experiment) (rate(%s_count[$__rate_interval]))"
)


def _mean(metric: str) -> dict[str, str]:
    return {"{{shop}} {{experiment}}": _MEAN % (metric, metric)}


def _share_by_arm(matchers: str) -> str:
    arm = "sum by (shop, experiment, variant) (rate(vitrine_experiment_rankings_total%s"
    whole = arm % "[$__rate_interval]))"
    return f"{arm % (matchers + '[$__rate_interval]))')} / ({whole} > 0)"


def _a_ranking(kind: str) -> dict[str, str]:
    done = f'increase(vitrine_experiment_outcomes_total{{type="{kind}"}}[1h])'
    arm = "sum by (shop, experiment, variant) (%s)"
    rankings = arm % "increase(vitrine_experiment_rankings_total[1h])"
    return {"{{shop}} {{experiment}}/{{variant}}": f"{arm % done} / ({rankings} > 0)"}


EXPERIMENTS = dashboard(
    "experiments",
    "experiments",
    "Do the arms get what they were promised, what do shoppers do, and what do candidates cost? "
    "Which arm earns more is in the experiment's report: docs/experiments.md.",
    [
        graph(
            "Rankings by arm", "Arms of equal weight have lines at one height.",
            {
                "{{shop}} {{experiment}}/{{variant}}": "sum by (shop, experiment, variant) "
                "(rate(vitrine_experiment_rankings_total[$__rate_interval]))"
            },
            unit="reqps",
        ),
        graph(
            "Fallbacks by arm", "Share of an arm's rankings that rules made because something was "
            "down or late.",
            {"{{shop}} {{experiment}}/{{variant}}": _share_by_arm('{route="fallback"}')},
            unit="percentunit", limit=CANDIDATE_FAILED, runbook="candidate",
        ),
        graph(
            "Clicks a ranking by arm", "Of events that name their ranking_id, over an hour. To see "
            "that an arm works; the report judges it, by shopper.",
            _a_ranking("click"),
        ),
        graph(
            "Purchases a ranking by arm", "The same.", _a_ranking("purchase"),
        ),
        graph(
            "Versions not loaded", "Share of an arm's rankings that the version in use made "
            "instead of the arm's.",
            {"{{shop}} {{experiment}}/{{variant}}": _share_by_arm('{reason="version_not_loaded"}')},
            unit="percentunit", limit=CANDIDATE_FAILED, runbook="candidate",
        ),
        graph(
            "Not interleaved", "Share of an interleave's rankings that one arm made alone, by why. "
            "alike: both order alike.",
            {
                "{{shop}} {{experiment}} {{reason}}": "sum by (shop, experiment, reason) "
                "(rate(vitrine_not_interleaved_total[$__rate_interval])) / on (shop, experiment) "
                "group_left () (sum by (shop, experiment) (rate(vitrine_experiment_rankings_total"
                '{variant="interleaved"}[$__rate_interval])) > 0)'
            },
            unit="percentunit", stack=True, runbook="candidate",
        ),
        graph(
            "Shadow: requests by outcome", "busy: no room was left. not_by_model: there was "
            "nothing to compare with. Others: the candidate's errors.",
            {
                "{{shop}} {{experiment}} {{outcome}}": "sum by (shop, experiment, outcome) "
                "(rate(vitrine_shadow_rankings_total[$__rate_interval]))"
            },
            unit="reqps", stack=True, runbook="candidate",
        ),
        graph(
            "Shadow: overlap of the orders", "Mean rank-biased overlap. 1: the same order.",
            _mean("vitrine_shadow_overlap"),
        ),
        graph(
            "Shadow: the first ten", "Mean share of the first ten places that both have.",
            _mean("vitrine_shadow_top_overlap"), unit="percentunit",
        ),
        graph(
            "Shadow: shift of the scores", "How much higher the candidate scores, in spreads.",
            _mean("vitrine_shadow_score_shift"),
        ),
        graph(
            "Shadow: time of the model", "95th percentile of the calls for the same requests.",
            {
                "{{shop}} {{experiment}} {{version}}": "histogram_quantile(0.95, sum by (shop, "
                "experiment, version, le) "
                "(rate(vitrine_shadow_model_seconds_bucket[$__rate_interval])))"
            },
            unit="s",
        ),
    ],
)  # fmt: skip
