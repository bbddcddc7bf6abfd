"""Grafana's JSON, as far as the dashboards need it: panels, their places, variables."""

import re
from collections.abc import Sequence
from typing import Any

Json = dict[str, Any]

COLUMNS = 24  # of Grafana's grid
HEIGHT = 8
_DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
# A metric or a recorded series with or without matchers, but not a label or a function.
_SERIES = re.compile(r"\b(?:vitrine|nv)(?:_[a-z0-9_]+|:[a-z0-9_:]+)(\{)?")


def graph(
    title: str,
    description: str,
    queries: dict[str, str],
    *,
    unit: str = "short",
    stack: bool = False,
    limit: float | None = None,
    runbook: str | None = None,
    width: int = 8,
) -> Json:
    """Lines over time. queries: PromQL by legend. limit: a red line where an alert stands."""
    custom: Json = {"lineWidth": 1, "fillOpacity": 20 if stack else 0, "showPoints": "never"}
    custom["stacking"] = {"mode": "normal" if stack else "none"}
    defaults: Json = {"unit": unit, "min": 0, "custom": custom}
    if limit is not None:
        custom["thresholdsStyle"] = {"mode": "line"}
        defaults["thresholds"] = _steps(("transparent", None), ("red", limit))
    panel = _panel("timeseries", title, description, queries, width, runbook)
    panel["fieldConfig"] = {"defaults": defaults, "overrides": []}
    panel["options"] = {
        "legend": {"displayMode": "list", "placement": "bottom"},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    return panel


def number(
    title: str,
    description: str,
    query: str,
    *,
    unit: str = "short",
    legend: str = "",
    steps: Sequence[tuple[str, float | None]] = (("text", None),),
    decimals: int | None = None,
    runbook: str | None = None,
    width: int = 4,
) -> Json:
    """The last value, large. steps: colours with the value from which each holds, None first."""
    panel = _panel("stat", title, description, {legend: query}, width, runbook)
    defaults: Json = {"unit": unit, "thresholds": _steps(*steps), "noValue": "no data"}
    if decimals is not None:
        defaults["decimals"] = decimals
    panel["fieldConfig"] = {"defaults": defaults, "overrides": []}
    panel["options"] = {
        "reduceOptions": {"calcs": ["lastNotNull"]},
        "colorMode": "value",
        "graphMode": "area",
    }
    return panel


def heatmap(title: str, description: str, query: str, *, unit: str, width: int = 12) -> Json:
    """A histogram over time; `query` gives its buckets by `le`."""
    panel = _panel("heatmap", title, description, {"{{le}}": query}, width, None)
    panel["targets"][0]["format"] = "heatmap"
    panel["fieldConfig"] = {"defaults": {}, "overrides": []}
    panel["options"] = {
        "calculate": False,
        "yAxis": {"unit": unit},
        "color": {"mode": "scheme", "scheme": "Blues", "steps": 64},
        "tooltip": {"mode": "single"},
    }
    return panel


def quantiles(series: str) -> dict[str, str]:
    """p50, p95 and p99 of a histogram's buckets in a window."""
    return {
        f"p{q * 100:.0f}": f"histogram_quantile({q}, sum by (le) (rate({series})))"
        for q in (0.5, 0.95, 0.99)
    }


def dashboard(name: str, title: str, description: str, panels: Sequence[Json]) -> Json:
    """A dashboard of `panels`, placed from left to right, row by row."""
    return {
        "uid": f"vitrine-{name}",
        "title": f"Vitrine / {title}",
        "description": description,
        "tags": ["vitrine"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "templating": {"list": _variables()},
        "links": [
            {
                "title": "Vitrine",
                "type": "dashboards",
                "tags": ["vitrine"],
                "asDropdown": True,
                "includeVars": True,
                "keepTime": True,
            }
        ],
        "panels": _placed(panels),
    }


def _panel(
    kind: str,
    title: str,
    description: str,
    queries: dict[str, str],
    width: int,
    runbook: str | None,
) -> Json:
    targets = [
        {
            "refId": chr(ord("A") + index),
            "datasource": _DATASOURCE,
            "expr": _of_namespace(query),
            "legendFormat": legend,
        }
        for index, (legend, query) in enumerate(queries.items())
    ]
    panel: Json = {"type": kind, "title": title, "description": description}
    panel |= {"datasource": _DATASOURCE, "targets": targets, "gridPos": {"w": width, "h": HEIGHT}}
    if runbook is not None:
        url = f"${{runbooks}}/{runbook}.md"
        panel["links"] = [{"title": "Runbook", "url": url, "targetBlank": True}]
    return panel


def _of_namespace(query: str) -> str:
    """`query` with every series narrowed to the namespace that was chosen."""
    matcher = 'namespace=~"$namespace"'

    def narrowed(match: re.Match[str]) -> str:
        return f"{match[0]}{matcher}, " if match[1] else f"{match[0]}{{{matcher}}}"

    return _SERIES.sub(narrowed, query)


def _steps(*steps: tuple[str, float | None]) -> Json:
    return {
        "mode": "absolute",
        "steps": [{"color": color, "value": value} for color, value in steps],
    }


def _placed(panels: Sequence[Json]) -> list[Json]:
    placed = []
    x = y = 0
    for number_, panel in enumerate(panels, start=1):
        width = panel["gridPos"]["w"]
        if x + width > COLUMNS:
            x, y = 0, y + HEIGHT
        placed.append({"id": number_, **panel, "gridPos": {**panel["gridPos"], "x": x, "y": y}})
        x += width
    return placed


def _variables() -> list[Json]:
    namespaces = "label_values(vitrine_catalog_items, namespace)"
    return [
        {"type": "datasource", "name": "datasource", "label": "Prometheus", "query": "prometheus"},
        {
            "type": "query",
            "name": "namespace",
            "label": "Namespace",
            "datasource": _DATASOURCE,
            "query": {"query": namespaces, "refId": "namespaces"},
            "refresh": 2,
            "includeAll": True,
            "allValue": ".*",
            "current": {"text": "All", "value": "$__all"},
        },
        # Where docs/runbooks/ of this repository can be read; docs/monitoring.md.
        {"type": "constant", "name": "runbooks", "query": "docs/runbooks", "hide": 2},
    ]
