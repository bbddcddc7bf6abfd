"""Alerts as Prometheus itself reads them: promtool checks the rules and plays out cases."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from helm.tools.paths import ROOT
from tests.support.chart.generated import ALERTS, as_asked, expressions
from tests.support.servers.prometheus_server import skip_without

pytestmark = pytest.mark.prometheus
CASES = sorted((ROOT / "tests" / "chart").glob("alerts*_test.yaml"))


@pytest.fixture(scope="module")
def promtool(request: pytest.FixtureRequest) -> str:
    return skip_without("promtool", request)


def run(promtool: str, *arguments: str) -> str:
    """What promtool printed; it must be satisfied."""
    done = subprocess.run([promtool, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_rules_are_valid(promtool: str) -> None:
    said = run(promtool, "check", "rules", str(ROOT / "helm" / "files" / "alerts.yaml"))
    assert "SUCCESS" in said


@pytest.mark.parametrize("cases", CASES, ids=lambda path: path.stem)
def test_every_case_of_the_alerts_comes_out(promtool: str, cases: Path) -> None:
    run(promtool, "test", "rules", str(cases))


def test_every_alert_fires_in_a_case_and_there_are_cases_without_any() -> None:
    expected: list[list[dict[str, Any]]] = [
        check["exp_samples"]
        for path in CASES
        for case in yaml.safe_load(path.read_text())["tests"]
        for check in case["promql_expr_test"]
    ]
    fired = {sample["labels"] for samples in expected for sample in samples}
    for rule in ALERTS:
        labels = {**rule["labels"], "alertname": rule["alert"]}
        named = [f'{name}="{labels[name]}"' for name in ("alertname", "severity", "window")
                 if name in labels]  # fmt: skip
        assert "{" + ", ".join(named) + "}" in fired, labels
    assert [] in expected


def test_every_expression_of_a_dashboard_is_promql(promtool: str, tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:{index}", "expr": as_asked(expression)}
        for index, (_, expression) in enumerate(expressions())
    ]
    file = tmp_path / "panels.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    run(promtool, "check", "rules", str(file))
