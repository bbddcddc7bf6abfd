"""What somebody must look at of labels: one rises, or nobody hears of it."""

from helm.monitoring.panels import Json
from helm.monitoring.rule import alert

_GIVEN_UP = 'vitrine_alert_messages_total{outcome="given_up"}'


def label_alerts() -> list[Json]:
    """Of alerts that the shop's rules declare."""
    return [
        alert(
            "VitrineLabelRises",
            "max by (namespace, shop, alert) (vitrine_label_alert_firing) == 1",
            severity="ticket", runbook="label-rises",
            summary="A label of texts rises against its own history: {{ $labels.shop }}, "
            "{{ $labels.alert }}.",
            description="GET /v1/alerts says how many there are and how many were expected.",
        ),
        alert(
            "VitrineAlertNotDelivered",
            f"sum by (namespace, shop) (increase({_GIVEN_UP}[1h])) > 0",
            severity="ticket", runbook="alert-not-delivered",
            summary="A webhook of {{ $labels.shop }} did not take what an alert had to tell, and "
            "was given up.",
            description="{{ $value | humanize }} messages within an hour. GET /v1/alerts says why.",
        ),
    ]  # fmt: skip
