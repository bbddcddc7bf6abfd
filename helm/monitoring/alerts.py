"""All rules: the recorded ratios, the budgets, and everything else that somebody must look at.

Everything is summed by namespace, so that one Prometheus can watch several installations.
"""

from helm.monitoring.experiment_alerts import experiment_alerts
from helm.monitoring.fairness import fairness_alerts
from helm.monitoring.label_alerts import label_alerts
from helm.monitoring.objectives import ASKED, LONG, SHORT, burns, ratios
from helm.monitoring.panels import Json
from helm.monitoring.rule import alert, record

DRIFT = 0.25
FALLBACK_TICKET, FALLBACK_PAGE = 0.05, 0.5
FEATURES_FAILED = 0.05
MODEL_FAILED = 0.1
LATE_SHARE = 0.1
WAITING = 10_000
STALE_S = 60
STORE_FILLED = 0.8  # rankings are not recorded any more (serving/shops/reserve.py)
CAPPED_SHARE = 0.05  # simulated shoppers: 0.01


def _share(of: str, window: str) -> str:
    route = f'sum by (namespace) (rate(vitrine_rankings_total{{route="{of}"}}[{window}]))'
    rankings = f"sum by (namespace) (rate(vitrine_rankings_total[{window}]))"
    return f"({route} or {rankings} * 0) / {rankings}"


def _not_ok(counted: str) -> str:
    failed = f'sum by (namespace) (rate({counted}{{outcome!="ok"}}[5m]))'
    return f"{failed} / sum by (namespace) (rate({counted}[5m]))"


def _serving() -> list[Json]:
    fallback = "vitrine:fallback:ratio10m"
    # A single fallback at night is half of two rankings.
    busy = "sum by (namespace) (increase(vitrine_rankings_total[10m])) > 20"
    requests = f"sum by (namespace) (rate(vitrine_requests_total{{{ASKED}}}[15m]%s))"
    return [
        alert(
            "VitrineAbsent", "absent(vitrine_catalog_items)", wait="2m",
            severity="page", runbook="absent",
            summary="No replica tells its metrics.",
            description="No /metrics has been read for two minutes: nobody may be answering.",
        ),
        alert(
            "VitrineFallback", f"{fallback} > {FALLBACK_PAGE:g}\nand {busy}", wait="5m",
            severity="page", runbook="fallback",
            summary="Most rankings are made by rules, because something is down.",
            description="{{ $value | humanizePercentage }} of the rankings of the last ten minutes "
            "are fallbacks.",
        ),
        alert(
            "VitrineFallback", f"{fallback} > {FALLBACK_TICKET:g}\nand {busy}", wait="15m",
            severity="ticket", runbook="fallback",
            summary="Many rankings are made by rules, because something is slow or down.",
            description="{{ $value | humanizePercentage }} of the rankings of the last ten minutes "
            "are fallbacks.",
        ),
        alert(
            "VitrineColdStartShare",
            "vitrine:cold_start:ratio1h > 0.3\n"
            "and vitrine:cold_start:ratio1h > 1.5 * vitrine:cold_start:ratio1d", wait="15m",
            severity="ticket", runbook="cold-start",
            summary="Far more shoppers than usual are new to us.",
            description="{{ $value | humanizePercentage }} of the rankings of the last hour are "
            "cold starts, half as many again as over the day.",
        ),
        alert(
            "VitrineFeaturesUnavailable",
            f"{_not_ok('vitrine_feature_read_seconds_count')} > {FEATURES_FAILED:g}", wait="10m",
            severity="ticket", runbook="features-unavailable",
            summary="The online store does not answer, or not in time.",
            description="{{ $value | humanizePercentage }} of the reads of shoppers fail.",
        ),
        alert(
            "VitrineModelServerFailing",
            f"{_not_ok('vitrine_model_seconds_count')} > {MODEL_FAILED:g}", wait="5m",
            severity="ticket", runbook="model-server",
            summary="Calls to the model server fail or are too slow.",
            description="{{ $value | humanizePercentage }} of the calls fail.",
        ),
        alert(
            "VitrineBreakerOpen", "max by (namespace, model) (vitrine_breaker_open) == 1",
            wait="2m", severity="ticket", runbook="model-server",
            summary="A model did not answer for so long that it is not asked any more.",
            description="The breaker of {{ $labels.model }} has been open for two minutes.",
        ),
        alert(
            "VitrineScoreDrift", f"max by (namespace) (vitrine_score_drift) > {DRIFT:g}",
            wait="30m", severity="ticket", runbook="score-drift",
            summary="The model's top scores are not what they were when its version began.",
            description='Population stability index {{ $value | printf "%.2f" }}; over 0.25 is a '
            "shift.",
        ),
        alert(
            "VitrineNotRefreshing",
            f"time() - min by (namespace) (vitrine_refreshed_timestamp_seconds) > {STALE_S}",
            wait="5m", severity="ticket", runbook="not-refreshing",
            summary="A replica does not take over changed items and counters.",
            description="The last time was {{ $value | humanizeDuration }} ago; it should be a "
            "second.",
        ),
        alert(
            "VitrineNoTraffic",
            f"{requests % ''} == 0\nand {requests % ' offset 1d'} > 0.05", wait="15m",
            severity="ticket", runbook="no-traffic",
            summary="Nobody asks for rankings, though yesterday somebody did at this time.",
            description="Not one request for a ranking in the last fifteen minutes.",
        ),
    ]  # fmt: skip


def _events() -> list[Json]:
    in_time = 'sum by (namespace) (rate(vitrine_event_lag_seconds_bucket{le="1.0"}[10m]))'
    batches = "sum by (namespace) (rate(vitrine_event_lag_seconds_count[10m]))"
    accepted = 'sum by (namespace) (increase(vitrine_events_total{outcome="accepted"}[10m])) > 0'
    ingested = "sum by (namespace) (increase(vitrine_ingested_events_total[10m])) > 0"
    capped = "sum by (namespace) (%s(vitrine_ingest_capped_events_total[%s]))"
    folded = "sum by (namespace) (rate(vitrine_ingested_events_total[15m]))"
    leaders = "sum by (namespace) (vitrine_ingest_leader)"
    return [
        alert(
            "VitrineIngestStopped", f"{accepted}\nunless {ingested}", wait="5m",
            severity="page", runbook="ingest",
            summary="Events are accepted, and none of them becomes a feature.",
            description="{{ $value | humanize }} events came in ten minutes, and ingest took none.",
        ),
        alert(
            "VitrineIngestNoLeader", f"{leaders} == 0", wait="3m",
            severity="page", runbook="ingest",
            summary="No ingest holds the lease: events wait in the log.",
            description="For three minutes every ingest has stood by.",
        ),
        alert(
            "VitrineIngestTwoLeaders", f"{leaders} > 1", wait="3m",
            severity="page", runbook="ingest",
            summary="Two ingests fold at once: counters and states may be wrong.",
            description="{{ $value | humanize }} lead, and the log commits for one.",
        ),
        alert(
            "VitrineIngestFailing",
            "sum by (namespace) (increase(vitrine_ingest_failures_total[10m])) > 3", wait="5m",
            severity="ticket", runbook="ingest",
            summary="Ingest fails and begins again and again.",
            description="{{ $value | humanize }} times in ten minutes.",
        ),
        alert(
            "VitrineEventsWaiting",
            f"max by (namespace) (vitrine_events_waiting) > {WAITING}", wait="10m",
            severity="ticket", runbook="ingest",
            summary="Ingest cannot keep up with the events.",
            description="{{ $value | humanize }} events wait for their fold.",
        ),
        alert(
            "VitrineEventLag",
            f"1 - {in_time} / {batches} > {LATE_SHARE:g}", wait="15m",
            severity="ticket", runbook="ingest",
            summary="Behaviour takes longer than a second to become features.",
            description="{{ $value | humanizePercentage }} of the batches of events were late.",
        ),
        alert(
            "VitrineEventFlood",
            f"{capped % ('rate', '15m')} / {folded} > {CAPPED_SHARE:g}\n"
            f"and {capped % ('increase', '15m')} > 100", wait="5m",
            severity="ticket", runbook="event-flood",
            summary="Somebody sends far more events of an item than a shopper does.",
            description="{{ $value | humanizePercentage }} of the events of the last quarter of an "
            "hour no longer count for their item's popularity.",
        ),
        alert(
            "VitrineEventsRefused",
            'sum by (namespace) (increase(vitrine_events_total{outcome="refused"}[10m])) > 0',
            severity="page", runbook="log-full",
            summary="Events are refused: the log has no room.",
            description="{{ $value | humanize }} events were refused in ten minutes.",
        ),
        alert(
            "VitrineStoreFilling",
            "max by (namespace) (vitrine_store_bytes)\n"
            f"/ (max by (namespace) (vitrine_store_max_bytes) > 0) > {STORE_FILLED:g}", wait="10m",
            severity="ticket", runbook="log-full",
            summary="The log's store fills up, and trimming does not help.",
            description="{{ $value | humanizePercentage }} of its room is taken: rankings are "
            "not recorded, from 90 % on events are refused.",
        ),
        alert(
            "VitrineEventsTrimmed",
            'sum by (namespace) (increase(vitrine_log_trimmed_total{kind="event"}[1h])) > 0',
            severity="ticket", runbook="log-full",
            summary="The log is so small that events go before their time, and all rankings.",
            description="{{ $value | humanize }} events went in an hour: no model can learn from "
            "them.",
        ),
        alert(
            "VitrineRankingRecordsLost",
            "sum by (namespace) (increase(vitrine_ranking_records_lost_total[10m])) > 0",
            severity="ticket", runbook="ranking-records-lost",
            summary="Answered rankings are not recorded: training data is missing.",
            description="{{ $value | humanize }} records were lost in ten minutes.",
        ),
    ]  # fmt: skip


RULES: Json = {
    "groups": [
        {
            "name": "vitrine-ratios",
            "rules": [
                *ratios(SHORT),
                record("vitrine:fallback:ratio10m", _share("fallback", "10m")),
                record("vitrine:cold_start:ratio1h", _share("cold_start", "1h")),
            ],
        },
        {
            "name": "vitrine-long-ratios",
            "interval": "2m",
            "rules": [
                *ratios(LONG),
                record("vitrine:cold_start:ratio1d", _share("cold_start", "1d")),
            ],
        },
        {"name": "vitrine-budgets", "rules": burns()},
        {"name": "vitrine-serving", "rules": _serving()},
        {"name": "vitrine-events", "rules": _events()},
        {"name": "vitrine-experiments", "rules": experiment_alerts()},
        {"name": "vitrine-labels", "rules": label_alerts()},
        {"name": "vitrine-fairness", "rules": fairness_alerts()},
    ]
}
