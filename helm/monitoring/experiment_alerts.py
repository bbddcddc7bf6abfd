"""What somebody must look at of experiments."""

from helm.monitoring.panels import Json
from helm.monitoring.rule import alert

CANDIDATE_FAILED = 0.1
_BY_POLICY = 'vitrine_experiment_decisions_total{action="stop", by="policy"}'


def experiment_alerts() -> list[Json]:
    """Of candidates that do not rank, and of guards."""
    by = "sum by (namespace, shop, experiment)"
    shadows = 'vitrine_shadow_rankings_total{outcome!~"busy|not_by_model"%s}[15m]'
    shadow = f"{by} (increase({shadows}))"
    arms = "vitrine_experiment_rankings_total%s[15m]"
    arm = f"sum by (namespace, shop, experiment, variant) (increase({arms}))"
    # By the model, and yet for a reason: by another than the arm's version.
    lost, failed, nothing = '{route="model", reason!~"none|shortlist"}', ', outcome!="ok"', ""
    return [
        alert(
            "VitrineCandidateFails",
            f"({shadow % failed} / {shadow % nothing} > {CANDIDATE_FAILED:g}\n"
            f"and {shadow % nothing} > 20)\n"
            f"or ({arm % lost} / {arm % nothing} > {CANDIDATE_FAILED:g}\n"
            f"and {arm % nothing} > 20)",
            wait="15m", severity="ticket", runbook="candidate",
            summary="A version that is tried does not rank: {{ $labels.experiment }} of the shop "
            "{{ $labels.shop }}.",
            description="{{ $value | humanizePercentage }} of its rankings failed, or were made by "
            "the version in use.",
        ),
        alert(
            "VitrineExperimentStopped",
            f'sum by (namespace, shop) (increase({_BY_POLICY}[1h])) > 0',
            severity="ticket", runbook="experiment-stopped",
            summary="An experiment was stopped, or a promotion rolled back, by its guard: shop "
            "{{ $labels.shop }}.",
            description="{{ $value | humanize }} within an hour. GET /v1/experiments says why.",
        ),
    ]  # fmt: skip
