"""k8s/vitrine.yaml, the chart's default profile rendered: run as a module, it is written."""

from helm.tools.paths import CHART, ROOT
from helm.tools.rendering import helm

NAMESPACE = "vitrine"
TARGET = ROOT / "k8s" / "vitrine.yaml"
_NOTICE = "# Written by `make manifests`: change helm/, or the values in k8s/values.yaml.\n"


def rendered() -> str:
    """The content of the file."""
    values = (CHART / "ci" / "default.yaml", ROOT / "k8s" / "values.yaml")
    return _NOTICE + helm(
        "template", "vitrine", str(CHART), "--namespace", NAMESPACE, "--skip-tests",
        "--api-versions", "ray.io/v1", *(option for path in values for option in ("-f", str(path))),
    )  # fmt: skip


if __name__ == "__main__":
    TARGET.write_text(rendered())
