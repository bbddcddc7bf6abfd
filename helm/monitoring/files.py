"""What is generated, as text by path from the repository's root."""

import json

import yaml

from helm.monitoring.alerts import RULES
from helm.monitoring.dashboards import DASHBOARDS

_NOTICE = """\
# Written by `make dashboards` from helm/monitoring/alerts.py: change it there.
# The content of a PrometheusRule, and a rule file of Prometheus as it is.
"""


def rendered() -> dict[str, str]:
    """All files."""
    files = {
        f"helm/files/dashboards/{name}.json": json.dumps(dashboard, indent=1) + "\n"
        for name, dashboard in DASHBOARDS.items()
    }
    files["helm/files/alerts.yaml"] = _NOTICE + yaml.dump(
        RULES, Dumper=_Dumper, sort_keys=False, width=10_000, allow_unicode=True
    )
    return files


class _Dumper(yaml.SafeDumper):
    """Texts of several lines are written as such."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style)


_Dumper.add_representer(str, _text)
