"""What the rules may say of alerts, and what is wrong with the rest."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from serving.shops.alerts.declared import LabelAlerts
from serving.shops.alerts.watch import criterion
from serving.shops.rules import Rules, RulesError, read_rules

ONE = {"key": "complaints", "classifier": "reviews", "label": "Negative"}


def rules(tmp_path: Path, text: str) -> Rules:
    path = tmp_path / "rules.yaml"
    path.write_text(text)
    return read_rules(path)


def test_an_alert_is_declared_in_the_rules(tmp_path: Path) -> None:
    found = rules(
        tmp_path,
        """
alerts:
  false_alarms_a_month: 0.5
  time_zone: Europe/Berlin
  webhook: https://hooks.shop.example/vitrine?team=care
  labels:
    - {key: complaints, classifier: reviews, label: Negative, window: hour, rise: 0.3}
    - {key: returns, classifier: topics, label: returns}
""",
    ).alerts
    assert [alert.window for alert in found.labels] == ["hour", "day"]
    assert criterion(found, found.labels[0]).chance == pytest.approx(0.8 * 0.25 / 730.5)


def test_a_shop_without_alerts_says_nothing_of_them(tmp_path: Path) -> None:
    assert rules(tmp_path, "").alerts.labels == []


@pytest.mark.parametrize(
    ("alerts", "told"),
    [
        ({"labels": [ONE, ONE]}, "labels.1.key: two have the key 'complaints'"),
        ({"labels": [{**ONE, "window": "week"}]}, "alerts.labels.0.window"),
        ({"labels": [{**ONE, "rise": 0}]}, "alerts.labels.0.rise"),
        ({"labels": [{**ONE, "lable": "x"}]}, "alerts.labels.0.lable"),
        ({"time_zone": "Berlin"}, "alerts.time_zone: Value error, no time zone"),
        ({"time_zone": "../etc/passwd"}, "alerts.time_zone"),
        ({"webhook": "http://hooks.shop.example/"}, "alerts.webhook: Value error, https://host"),
        ({"webhook": "https://ann:secret@hooks.example/"}, "alerts.webhook"),
        ({"webhook": "https://[::1"}, "alerts.webhook"),
        ({"false_alarms_a_month": 0}, "alerts.false_alarms_a_month"),
    ],
)
def test_a_mistake_is_told_with_its_place(
    tmp_path: Path, alerts: dict[str, Any], told: str
) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump({"alerts": alerts}))
    with pytest.raises(RulesError) as error:
        read_rules(path)
    assert told in str(error.value)


def test_no_arm_of_an_experiment_changes_alerts() -> None:
    with pytest.raises(ValueError, match="alerts: is the shop's"):
        Rules().changed({"alerts": {"time_zone": "UTC"}})


def test_the_defaults_are_one_false_alarm_a_month() -> None:
    assert LabelAlerts().false_alarms_a_month == 1
