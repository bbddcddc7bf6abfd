"""The dashboard for those who run the shop: what shoppers did with what they were shown."""

from helm.monitoring.alerts import FALLBACK_TICKET
from helm.monitoring.panels import dashboard, graph, number


def _done(kind: str, by: str, window: str) -> str:
    return f'sum by ({by}) (increase(vitrine_outcomes_total{{type="{kind}"}}[{window}]))'


def _rate(done: str, of: str, by: str, window: str = "1h") -> str:
    """How many of `of` led to `done`, where there was one at all."""
    return f"{_done(done, by, window)} / ({_done(of, by, window)} > 0)"


def _share(route: str, by: str, window: str) -> str:
    return (
        f'sum{by} (increase(vitrine_rankings_total{{route="{route}"}}[{window}]))'
        f" / scalar(sum(increase(vitrine_rankings_total[{window}])) > 0)"
    )


_BY = "route, model_version"
_LEGEND = "{{route}} {{model_version}}"
_EVERYONE = "of events that name a ranking which is known"

BUSINESS = dashboard(
    "business",
    "business",
    "What do shoppers do with what they are shown? Counted from events that name their ranking_id; "
    "rates over an hour.",
    [
        *(
            number(
                title, "In the chosen time, whether or not they name a ranking.",
                f'sum(increase(vitrine_outcomes_total{{type="{kind}"}}[$__range]))', decimals=0,
            )
            for title, kind in (
                ("Impressions", "impression"), ("Clicks", "click"), ("Carts", "add_to_cart"),
                ("Purchases", "purchase"),
            )
        ),
        number(
            "Cold starts", "Share of rankings for shoppers of whom too little is known.",
            _share("cold_start", "", "$__range"), unit="percentunit", decimals=1,
            runbook="cold-start",
        ),
        number(
            "Fallbacks", "Share of rankings by rules, because something was down.",
            _share("fallback", "", "$__range"), unit="percentunit", decimals=1,
            steps=(("green", None), ("red", FALLBACK_TICKET)), runbook="fallback",
        ),
        graph(
            "Click-through", f"Clicks an impression by route and model version, {_EVERYONE}. "
            "Empty where no impressions are posted.",
            {_LEGEND: _rate("click", "impression", _BY)}, unit="percentunit",
        ),
        graph(
            "Carts a click", "By route and model version.",
            {_LEGEND: _rate("add_to_cart", "click", _BY)}, unit="percentunit",
        ),
        graph(
            "Conversion", "Purchases a click by route and model version. Purchases come late: a "
            "new version starts low.",
            {_LEGEND: _rate("purchase", "click", _BY)}, unit="percentunit",
        ),
        *(
            graph(
                title, "By route and model version; 'unknown' names no ranking that is known.",
                {_LEGEND: _done(kind, _BY, "$__rate_interval")}, stack=True, width=6,
            )
            for title, kind in (
                ("Impressions", "impression"), ("Clicks", "click"), ("Carts", "add_to_cart"),
                ("Purchases", "purchase"),
            )
        ),
        graph(
            "Cold starts", "Share of all rankings.",
            {"{{reason}}": _share("cold_start", " by (reason)", "10m")}, unit="percentunit",
            runbook="cold-start",
        ),
        graph(
            "Fallbacks by reason", "Share of all rankings.",
            {"{{reason}}": _share("fallback", " by (reason)", "10m")}, unit="percentunit",
            stack=True, limit=FALLBACK_TICKET, runbook="fallback",
        ),
        graph(
            "Questions", "Of customers, by outcome: answered, or why a human is to answer.",
            {
                "{{shop}} {{outcome}}": "sum by (shop, outcome) "
                "(rate(vitrine_questions_total[$__rate_interval]))"
            },
            unit="reqps", stack=True,
        ),
        graph(
            "Confidence of answers", "Of the first answer to a question: median, lowest tenth.",
            {
                f"{{{{shop}}}} p{share}": f"histogram_quantile({share / 100}, sum by (shop, le) "
                "(rate(vitrine_answer_confidence_bucket[$__rate_interval])))"
                for share in (10, 50)
            },
        ),
        graph(
            "Events", "Posted, by outcome. rejected: the shop's integration sends what is not an "
            "event.",
            {"{{outcome}}": "sum by (outcome) (rate(vitrine_events_total[$__rate_interval]))"},
            unit="eps", stack=True, runbook="no-traffic",
        ),
        graph(
            "Clicks a ranking by placement", "Of events that name their ranking; over an hour.",
            {
                "{{shop}} {{placement}}": "sum by (shop, placement) "
                '(increase(vitrine_placement_outcomes_total{type="click"}[1h]))'
                " / (sum by (shop, placement) (increase(vitrine_placement_rankings_total[1h])) > 0)"
            },
        ),
        graph(
            "Shelves left out", "Of composed pages, by placement and why.",
            {
                "{{shop}} {{placement}} {{outcome}}": "sum by (shop, placement, outcome) "
                '(rate(vitrine_page_shelves_total{outcome!="shown"}[$__rate_interval]))'
            },
            stack=True,
        ),
        graph(
            "Labels", "Texts of streams by classifier and label, an hour. Alerts compare them with "
            "their own history: docs/classify.md.",
            {
                "{{shop}} {{classifier}}: {{label}}": "sum by (shop, classifier, label) "
                "(increase(vitrine_labelled_texts_total[1h]))"
            },
            runbook="label-rises",
        ),
    ],
)  # fmt: skip
