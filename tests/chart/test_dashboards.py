"""Dashboards, alerts and runbooks ask for what there is, and point to what there is."""

import re
from pathlib import Path
from typing import Any

import pytest

from features.events.event import EventType
from features.events.outcomes import ROUTES
from helm.monitoring.files import rendered
from helm.tools.paths import ROOT
from serving.types import Route, Stage
from tests.support.chart.generated import (
    ALERTS,
    DASHBOARDS,
    RECORDED,
    RUNBOOKS,
    expressions,
    panels,
)
from tests.support.chart.series import (
    TARGET_LABELS,
    buckets,
    declared,
    every_metric,
    grouped,
    selectors,
)

# Labels whose values are a closed set in the code.
VALUES: dict[str, set[str]] = {
    "route": {*Route, *ROUTES},
    "type": set(EventType),
    "stage": set(Stage),
}


def test_the_files_are_what_the_generator_writes() -> None:
    for path, text in rendered().items():
        assert (ROOT / path).read_text() == text, f"{path} is out of date: make dashboards"
    assert {path.stem for path in DASHBOARDS} == {
        "slo",
        "path",
        "ranker",
        "features",
        "business",
        "experiments",
        "fairness",
    }


@pytest.mark.parametrize(("where", "expression"), expressions())
def test_an_expression_asks_for_declared_series_by_labels_that_they_have(
    where: str, expression: str
) -> None:
    known = declared()
    offered = set(TARGET_LABELS)
    for selector in selectors(expression):
        if selector.name in RECORDED:
            labels: frozenset[str] = TARGET_LABELS
        else:
            assert selector.name in known, selector.name
            labels = known[selector.name] | TARGET_LABELS
        offered |= labels
        for label, operator, value in selector.matchers:
            assert label in labels, f"{selector.name} has no label {label}"
            if label == "le":
                assert value in buckets(selector.name), f"{selector.name} has no bucket {value}"
            elif operator == "=" and label in VALUES:
                assert value in VALUES[label], f"{label} is never {value}"
    assert grouped(expression) <= offered, where


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_a_panel_says_what_it_shows_and_its_legend_has_the_labels(path: Path) -> None:
    for panel in panels(path):
        assert panel["description"].endswith("."), panel["title"]
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24
        for target in panel["targets"]:
            named = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            assert named <= grouped(target["expr"]), panel["title"]
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels(path)]
    assert len(set(places)) == len(places)


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_a_panel_reads_only_the_chosen_namespace_and_source(path: Path) -> None:
    for panel in panels(path):
        for target in panel["targets"]:
            assert target["datasource"]["uid"] == "${datasource}"
            for selector in selectors(target["expr"]):
                assert ("namespace", "=~", "$namespace") in selector.matchers, panel["title"]


def test_every_declared_metric_is_on_a_dashboard_or_in_an_alert() -> None:
    read = {selector.name for _, expression in expressions() for selector in selectors(expression)}
    ends = ("", "_bucket", "_sum", "_count")
    unseen = {name for name in every_metric() if not any(name + end in read for end in ends)}
    assert unseen == set()


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_an_alert_says_how_urgent_it_is_and_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    page = ROOT / rule["annotations"]["runbook_url"]
    assert page.is_file()
    assert rule["alert"] in page.read_text(), f"{page.name} does not name {rule['alert']}"


def test_every_runbook_belongs_to_an_alert_and_every_link_leads_to_one() -> None:
    pages = {path.stem for path in RUNBOOKS.glob("*.md")}
    assert {Path(rule["annotations"]["runbook_url"]).stem for rule in ALERTS} == pages
    for path in DASHBOARDS:
        for panel in panels(path):
            for link in panel.get("links", []):
                assert re.fullmatch(r"\$\{runbooks\}/([\w-]+)\.md", link["url"])
                assert Path(link["url"]).stem in pages


@pytest.mark.parametrize("page", sorted(RUNBOOKS.glob("*.md")), ids=lambda page: page.stem)
def test_a_runbook_has_its_parts_and_asks_for_declared_series(page: Path) -> None:
    text = page.read_text()
    parts = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert parts == ["What shoppers see", "Confirm", "Do", "Do not", "It is over when"]
    known = declared()
    for selector in selectors(text):
        assert selector.name in known or selector.name in RECORDED, selector.name
        labels = known.get(selector.name, frozenset()) | TARGET_LABELS
        assert {label for label, _, _ in selector.matchers} <= labels, selector.name


def test_the_table_of_metrics_is_what_is_declared() -> None:
    text = (ROOT / "docs" / "monitoring.md").read_text()
    rows = re.findall(r"^\| `(vitrine_\w+)` \| (.*?) \| (.*?) \|$", text, re.MULTILINE)
    assert [row[0] for row in rows] == list(every_metric())
    for name, labels, told in rows:
        metric = every_metric()[name]
        assert labels == ", ".join(f"`{label}`" for label in metric._labelnames)
        assert told == metric._documentation
