"""The dashboard of features: online store, ingest, catalogue."""

from helm.monitoring.alerts import LATE_SHARE, STALE_S, WAITING
from helm.monitoring.panels import dashboard, graph, number, quantiles

FEATURES = dashboard(
    "features",
    "features",
    "Is behaviour known, and known in time? Online store, ingest, catalogue.",
    [
        number(
            "Events late", "Share of batches of events that took over a second to become features.",
            '1 - sum(rate(vitrine_event_lag_seconds_bucket{le="1.0"}[$__rate_interval]))'
            " / sum(rate(vitrine_event_lag_seconds_count[$__rate_interval]))",
            unit="percentunit", decimals=1, steps=(("green", None), ("red", LATE_SHARE)),
            runbook="ingest", width=6,
        ),
        number(
            "Events waiting", "In the log, not yet folded; as ingest last said, so it stands still "
            "when ingest does.",
            "max(vitrine_events_waiting)", steps=(("green", None), ("red", WAITING)),
            runbook="ingest", width=6,
        ),
        number(
            "Age of the items", "Since the slowest replica last took over changes.",
            "time() - min(vitrine_refreshed_timestamp_seconds)", unit="s",
            steps=(("green", None), ("red", STALE_S)), runbook="not-refreshing", width=6,
        ),
        number(
            "Catalogue", "Items that can be ranked.", "max(vitrine_catalog_items)", width=6,
            runbook="not-refreshing",
        ),
        graph(
            "Reads of shoppers", "By outcome. What is not ok becomes route=fallback, "
            "reason=features_unavailable.",
            {
                "{{outcome}}": "sum by (outcome) "
                "(rate(vitrine_feature_read_seconds_count[$__rate_interval]))"
            },
            unit="reqps", stack=True, runbook="features-unavailable",
        ),
        graph(
            "Reads of shoppers, time", "One Feast read; after 100 ms it is given up.",
            quantiles("vitrine_feature_read_seconds_bucket[$__rate_interval]"), unit="s",
            limit=0.1, runbook="features-unavailable",
        ),
        graph(
            "Age of the items", "A line that rises steadily: a replica hangs.",
            {"slowest replica": "time() - min(vitrine_refreshed_timestamp_seconds)"}, unit="s",
            limit=STALE_S, runbook="not-refreshing",
        ),
        graph(
            "Event lag", "From the append of a batch's oldest event until its features were "
            "written: 99 of 100 should be under a second.",
            quantiles("vitrine_event_lag_seconds_bucket[$__rate_interval]"), unit="s", limit=1,
            runbook="ingest",
        ),
        graph(
            "Events in and through", "Accepted at HTTP, and taken by ingest: the two lines should "
            "be one.",
            {
                "accepted": "sum(rate("
                'vitrine_events_total{outcome="accepted"}[$__rate_interval]))',
                "ingested": "sum(rate(vitrine_ingested_events_total[$__rate_interval]))",
            },
            unit="eps", runbook="ingest",
        ),
        graph(
            "Events waiting", "Rising: ingest is too slow. A flat line above zero: it stands.",
            {"waiting": "max(vitrine_events_waiting)"}, limit=WAITING, runbook="ingest",
        ),
        graph(
            "Ingested by outcome", "late: folded all the same. future is ignored: the "
            "clock of a writer that is not the service. Counted for less: their shopper has given "
            "the item its share of popularity.",
            {
                "{{outcome}}": "sum by (outcome) "
                "(rate(vitrine_ingested_events_total[$__rate_interval]))",
                "counted for less": "sum(rate("
                "vitrine_ingest_capped_events_total[$__rate_interval]))",
                "unknown item": "sum(rate("
                "vitrine_ingested_unknown_items_total[$__rate_interval]))",
            },
            unit="eps",
        ),
        graph(
            "Events before their item", "Waiting: a feed is late, or items are named that nobody "
            "has. Dropped: the item never came in time; its first sales are lost.",
            {
                "waiting": "max(vitrine_ingest_held_events)",
                "dropped: {{reason}}": "sum by (reason) "
                "(increase(vitrine_ingest_held_dropped_total[$__rate_interval]))",
            },
            runbook="ingest",
        ),
        graph(
            "Flush of a batch", "Fold and write.",
            quantiles("vitrine_ingest_flush_seconds_bucket[$__rate_interval]"), unit="s",
            runbook="ingest",
        ),
        graph(
            "Ingests that lead", "One, but for the moment in which one takes over from another.",
            {"lead": "sum(vitrine_ingest_leader)"}, runbook="ingest",
        ),
        graph(
            "Room of the log's store",
            "Redis's memory, or what NATS may keep of events; 0: a file. The log gives way "
            "when three quarters are taken; from 90 % on events are refused.",
            {
                "taken": "max(vitrine_store_bytes)",
                "room": "max(vitrine_store_max_bytes)",
                "log": "max(vitrine_log_bytes)",
                "bound of the log": "max(vitrine_log_max_bytes)",
            },
            unit="bytes", runbook="log-full",
        ),
        graph(
            "Trimmed and refused", "Rankings go first, oldest first; then events that are "
            "features already. Refused: there was no room for them.",
            {
                "trimmed: {{kind}}": "sum by (kind) "
                "(rate(vitrine_log_trimmed_total[$__rate_interval]))",
                "refused": "sum(rate("
                'vitrine_events_total{outcome="refused"}[$__rate_interval]))',
            },
            unit="eps", runbook="log-full",
        ),
        graph(
            "Pictures", "By state, and what workers found that looked at them. Many waiting and "
            "none found ready: the worker or its model is down (docs/pictures.md).",
            {
                "{{state}}": "sum by (state) (max by (shop, state) (vitrine_pictures))",
                "found {{outcome}}": "sum by (outcome) "
                "(increase(vitrine_pictures_looked_at_total[$__rate_interval]))",
            },
        ),
        graph(
            "Texts of pictures", "Those that wait to be read, and what came of reading. None where "
            "nobody reads (docs/pictures.md).",
            {
                "waiting": "sum(max by (shop) (vitrine_pictures_unread))",
                "{{outcome}}": "sum by (outcome) "
                "(increase(vitrine_pictures_read_total[$__rate_interval]))",
                "seconds of one, mean": "sum(rate("
                "vitrine_picture_reading_seconds_sum[$__rate_interval])) / sum(rate("
                "vitrine_picture_reading_seconds_count[$__rate_interval]))",
            },
        ),
        graph(
            "Failures of ingest", "It begins again from the stores; nothing is skipped.",
            {"failures": "sum(increase(vitrine_ingest_failures_total[$__rate_interval]))"},
            runbook="ingest",
        ),
    ],
)  # fmt: skip
