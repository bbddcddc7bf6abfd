"""kubectl and Helm against the cluster that KUBECONFIG names."""

import json
import subprocess
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from helm.tools.binaries import binary

Json = dict[str, Any]


class CommandError(Exception):
    """A command failed; the message is what it said."""


def run(command: Iterable[str], given: str | None = None, timeout_s: float = 600) -> str:
    """What it prints; raises CommandError."""
    done = subprocess.run(
        list(command), input=given, capture_output=True, text=True, check=False, timeout=timeout_s
    )
    if done.returncode != 0:
        raise CommandError(done.stderr.strip() or done.stdout.strip())
    return done.stdout


class Namespace:
    """One namespace of the cluster."""

    def __init__(self, name: str) -> None:
        self.name = name

    def kubectl(self, *arguments: str, given: str | None = None, timeout_s: float = 600) -> str:
        """What kubectl prints; raises CommandError."""
        return run([str(binary("kubectl")), "-n", self.name, *arguments], given, timeout_s)

    def get(self, kind: str, selector: str = "") -> list[Json]:
        """The objects of a kind."""
        options = ["-l", selector] if selector else []
        found: list[Json] = json.loads(self.kubectl("get", kind, *options, "-o", "json"))["items"]
        return found

    def pods(self, component: str) -> list[Json]:
        """The pods of a part, those that end included."""
        return self.get("pods", f"app.kubernetes.io/component={component}")

    def create(self, restricted: bool = True) -> None:
        """Make the namespace, with restricted pod security."""
        labels = {"pod-security.kubernetes.io/enforce": "restricted"} if restricted else {}
        manifest = {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": self.name, "labels": labels},
        }
        self.kubectl("apply", "-f", "-", given=json.dumps(manifest))

    def apply(self, manifest: Json) -> None:
        """Create or change an object."""
        self.kubectl("apply", "-f", "-", given=json.dumps(manifest))


class Release:
    """The chart in a namespace, by one Helm. helm: helm or helm3, as helm.tools.binaries has it."""

    def __init__(
        self, namespace: Namespace, chart: Path, name: str, values: Iterable[Path]
    ) -> None:
        self.namespace, self.chart, self.name = namespace, chart, name
        self._values = [option for path in values for option in ("-f", str(path))]

    def install(self, *options: str, helm: str = "helm") -> str:
        """helm install."""
        return self._helm(helm, "install", self.name, str(self.chart), *self._values, *options)

    def upgrade(self, *options: str, helm: str = "helm") -> str:
        """helm upgrade."""
        return self._helm(helm, "upgrade", self.name, str(self.chart), *self._values, *options)

    def rollback(self, *options: str, helm: str = "helm") -> str:
        """helm rollback."""
        return self._helm(helm, "rollback", self.name, *options)

    def history(self) -> str:
        """helm history, as JSON."""
        return self._helm("helm", "history", self.name, "-o", "json")

    def test(self, helm: str = "helm") -> str:
        """helm test."""
        return self._helm(helm, "test", self.name, "--timeout", "10m")

    def uninstall(self, helm: str = "helm") -> str:
        """helm uninstall."""
        return self._helm(helm, "uninstall", self.name, "--timeout", "6m")

    def _helm(self, which: str, *arguments: str) -> str:
        return run([str(binary(which)), *arguments, "-n", self.namespace.name], timeout_s=700)


def ready(pod: Json) -> bool:
    """Whether it takes requests."""
    conditions = {each["type"]: each["status"] for each in pod["status"].get("conditions", [])}
    return conditions.get("Ready") == "True" and "deletionTimestamp" not in pod["metadata"]


def until(true: Callable[[], bool], what: str, seconds: float, every_s: float = 1.0) -> float:
    """Wait; returns how long it took. Raises CommandError."""
    started_s = time.monotonic()
    while True:
        try:
            if true():
                return time.monotonic() - started_s
        except CommandError:
            pass  # asked again
        if time.monotonic() - started_s > seconds:
            raise CommandError(f"not within {seconds:.0f} s: {what}")
        time.sleep(every_s)
