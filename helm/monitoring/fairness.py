"""Exposure: the dashboard, and what somebody must look at."""

from helm.monitoring.panels import Json, dashboard, graph
from helm.monitoring.rule import alert

MISSED = 0.01  # of exposure: what docs/fairness.md holds a floor within
ENOUGH = 1_000  # rankings: in fewer, a share of exposure is chance
_FLOOR = "{{shop}}: {{floor}}"


def _grown(series: str, by: str, window: str) -> str:
    return f"sum by ({by}) (increase({series}[{window}]))"


def _exposure(part: str, by: str, window: str) -> str:
    return _grown(f'vitrine_floor_exposure_total{{part="{part}"}}', by, window)


def _share(part: str) -> str:
    by = "shop, floor"
    return f"{_exposure(part, by, '1h')} / ({_exposure('all', by, '1h')} > 0)"


def _taken(part: str) -> str:
    by = "shop, floor"
    ndcg = _grown(f'vitrine_floor_ndcg_total{{part="{part}"}}', by, "1h")
    return f"{ndcg} / ({_grown('vitrine_floor_rankings_total', by, '1h')} > 0)"


def _by_age(part: str, by: str = "shop, age") -> str:
    return _grown(f'vitrine_exposure_total{{part="{part}"}}', by, "1h")


def fairness_alerts() -> list[Json]:
    """Of floors that the shop's rules declare."""
    by = "namespace, shop, floor"
    shown, target, whole = (_exposure(part, by, "6h") for part in ("shown", "target", "all"))
    return [
        alert(
            "VitrineFloorNotHeld",
            f"({target} - {shown}) / {whole} > {MISSED:g}\n"
            f"and {_grown('vitrine_floor_rankings_total', by, '6h')} > {ENOUGH}", wait="1h",
            severity="ticket", runbook="floor-not-held",
            summary="Items have less exposure than their floor promises: {{ $labels.floor }}.",
            description="{{ $value | humanizePercentage }} of exposure is missing over six hours.",
        ),
    ]  # fmt: skip


FAIRNESS = dashboard(
    "fairness",
    "fairness",
    "Which items are seen, and what do floors of exposure hold and take? docs/fairness.md.",
    [
        graph(
            "Floors: exposure held", "Share of exposure of the floor's items in rankings that "
            "offered one, and what the floor is; over an hour.",
            {f"{_FLOOR} held": _share("shown"), f"{_FLOOR} floor": _share("target")},
            unit="percentunit", runbook="floor-not-held",
        ),
        graph(
            "Floors: NDCG taken", "Mean of a ranking, as the scores have it, and the price that "
            "may be taken; over an hour.",
            {f"{_FLOOR} taken": _taken("taken"), f"{_FLOOR} price": _taken("allowed")},
            unit="percentunit", runbook="floor-not-held",
        ),
        graph(
            "Floors: exposure owed", "By all replicas; 1 is a first place. It grows while a floor "
            "is not held.",
            {_FLOOR: "sum by (shop, floor) (vitrine_floor_owed)"}, runbook="floor-not-held",
        ),
        graph(
            "Floors: what they did", "Rankings with an item of the floor on offer. gave_way: its "
            "price was taken.",
            {
                f"{_FLOOR} {{{{outcome}}}}": "sum by (shop, floor, outcome) "
                "(rate(vitrine_floor_rankings_total[$__rate_interval]))"
            },
            unit="reqps", stack=True, runbook="floor-not-held",
        ),
        graph(
            "Exposure by age", "Share of the first ten places, as they are seen: new is first seen "
            "within 30 days.",
            {
                "{{shop}}: {{age}}": f"{_by_age('shown')} / on (shop) group_left () "
                f"({_by_age('shown', 'shop')} > 0)"
            },
            unit="percentunit", stack=True,
        ),
        graph(
            "Exposure over offer, by age", "1: as much as if the candidates came in any order.",
            {"{{shop}}: {{age}}": f"{_by_age('shown')} / ({_by_age('offered')} > 0)"},
        ),
    ],
)  # fmt: skip
