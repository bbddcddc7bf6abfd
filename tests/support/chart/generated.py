"""Dashboards, rules and runbooks as they lie in the repository."""

import json
from pathlib import Path
from typing import Any

import yaml

from helm.tools.paths import CHART, ROOT

RUNBOOKS = ROOT / "docs" / "runbooks"
DASHBOARDS = sorted((CHART / "files" / "dashboards").glob("*.json"))
RULES = [
    rule
    for group in yaml.safe_load((CHART / "files" / "alerts.yaml").read_text())["groups"]
    for rule in group["rules"]
]
ALERTS = [rule for rule in RULES if "alert" in rule]
RECORDED = {rule["record"] for rule in RULES if "record" in rule}


def panels(path: Path) -> list[dict[str, Any]]:
    """The panels of a dashboard."""
    found: list[dict[str, Any]] = json.loads(path.read_text())["panels"]
    return found


def expressions() -> list[tuple[str, str]]:
    """Every PromQL expression of dashboards and rules, with where it stands."""
    of_panels = [
        (f"{path.stem}: {panel['title']}", target["expr"])
        for path in DASHBOARDS
        for panel in panels(path)
        for target in panel["targets"]
    ]
    return of_panels + [(rule.get("alert", rule.get("record")), rule["expr"]) for rule in RULES]


def as_asked(expression: str) -> str:
    """A panel's expression as Grafana sends it, over all namespaces and the last minute."""
    for variable in ("$__rate_interval", "$__range"):
        expression = expression.replace(variable, "1m")
    return expression.replace("$namespace", ".*")
