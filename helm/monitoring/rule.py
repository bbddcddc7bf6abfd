"""One Prometheus rule as plain data."""

from helm.monitoring.panels import Json

RUNBOOKS = "docs/runbooks"  # relative to the repository; the chart puts its address in front


def record(name: str, expr: str) -> Json:
    """A series that is computed before it is asked for."""
    return {"record": name, "expr": expr}


def alert(
    name: str,
    expr: str,
    *,
    severity: str,
    runbook: str,
    summary: str,
    description: str,
    wait: str | None = None,
    labels: dict[str, str] | None = None,
) -> Json:
    """severity: page or ticket. runbook: a page of RUNBOOKS. wait: how long it must hold."""
    rule: Json = {"alert": name, "expr": expr}
    if wait is not None:
        rule["for"] = wait
    rule["labels"] = {"severity": severity, **(labels or {})}
    rule["annotations"] = {
        "summary": summary,
        "description": description,
        "runbook_url": f"{RUNBOOKS}/{runbook}.md",
    }
    return rule
