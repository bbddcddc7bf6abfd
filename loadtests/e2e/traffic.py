"""Load from a pod in a namespace of its own, through the Service, counted by phase."""

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from helm.tools.kubernetes import Json, Namespace, until

_CALLER = Path(__file__).with_name("caller.py")
_LAG_S = 20.0  # the caller tells a second when its slowest request is over


@dataclass
class Phase:
    """What became of the requests of a stretch of time."""

    name: str
    from_s: float = 0.0
    seconds: int = 0
    sent: int = 0
    routes: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    hanging: int = 0
    worst_ms: int = 0

    def __str__(self) -> str:
        kinds = (("failed", self.failed), ("rejected", self.rejected))
        told = [f"{name} {dict(counts)}" for name, counts in kinds if counts]
        told.append(f"{self.hanging} hanging, worst {self.worst_ms} ms")
        by = f"by the model {self.routes['model']}"
        return f"{self.name}: {self.sent} in {self.seconds} s, {by}, {', '.join(told)}"

    @property
    def clean(self) -> bool:
        """Whether every request was answered in time."""
        return not (self.failed or self.rejected or self.hanging)


@dataclass(frozen=True)
class Span:
    """A stretch of time, on the clock of the callers, in which something was done."""

    name: str
    from_s: float
    to_s: float
    by_the_model: float = 0.0  # a share: so many of its rankings at least
    overload: bool = False  # more is asked for than there is room: refusals are an answer

    @property
    def seconds(self) -> int:
        """How long it took."""
        return round(self.to_s - self.from_s)

    @property
    def told_s(self) -> float:
        """When callers have told all of it."""
        return self.to_s + _LAG_S


class Traffic:
    """A pod that asks for rankings until it is stopped."""

    def __init__(
        self, namespace: Namespace, url: str, key: str, image: str, rate: float = 10.0
    ) -> None:
        self._namespace, self._url, self._key = namespace, url, key
        self._image, self._rate = image, rate
        self.name = "caller"  # of the pod

    def start(self, seconds: float = 3600) -> None:
        """Returns when the first requests are answered."""
        space = self._namespace
        space.create()
        space.kubectl("delete", "pod", self.name, "--ignore-not-found", "--wait=true")
        space.apply(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": "caller", "namespace": space.name},
                "data": {"caller.py": _CALLER.read_text()},
            }
        )
        space.apply(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": "caller", "namespace": space.name},
                "stringData": {"key": self._key},
            }
        )
        space.apply(self._pod(seconds))
        until(
            lambda: "second" in space.kubectl("logs", self.name, "--tail=1"),
            "the caller's first line",
            180,
        )

    def phase(self, span: Span) -> Phase:
        """Everything that was sent in it."""
        phase = Phase(span.name, span.from_s, span.seconds)
        for second, line in self.lines():
            if not int(span.from_s) <= second < span.to_s:
                continue
            phase.worst_ms = max(phase.worst_ms, line["worst_ms"])
            for what, count in line["counts"].items():
                kind, _, why = what.partition(": ")
                if kind == "hanging":
                    phase.hanging += count
                    continue
                phase.sent += count
                if kind == "failed":
                    phase.failed[why] += count
                elif kind == "rejected":
                    phase.rejected[why] += count
                else:
                    phase.routes[kind] += count
        return phase

    def lines(self) -> list[tuple[int, Json]]:
        """What the pod said: second of the clock, and its line."""
        found = []
        for text in self._namespace.kubectl("logs", self.name).splitlines():
            line = json.loads(text)
            found.append((line["second"], line))
        return found

    def finish(self) -> list[tuple[int, Json]]:
        """Let it tell everything, and end it; returns what it said."""
        self._namespace.kubectl("exec", self.name, "--", "sh", "-c", "kill -TERM 1")
        ended = "--for=jsonpath={.status.phase}=Succeeded"
        self._namespace.kubectl("wait", ended, f"pod/{self.name}", "--timeout=60s")
        lines = self.lines()
        self.stop()
        return lines

    def stop(self) -> None:
        """End it."""
        self._namespace.kubectl("delete", "pod", self.name, "--ignore-not-found", "--wait=false")

    def _pod(self, seconds: float) -> dict[str, object]:
        command = ["python", "/caller/caller.py", self._url, str(self._rate), str(seconds)]
        key = {"secretKeyRef": {"name": "caller", "key": "key"}}
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": self.name, "namespace": self._namespace.name},
            "spec": {
                "restartPolicy": "Never",
                "automountServiceAccountToken": False,
                "securityContext": {
                    "runAsNonRoot": True,
                    "runAsUser": 10001,
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
                "containers": [
                    {
                        "name": "caller",
                        "image": self._image,
                        "command": command,
                        "env": [{"name": "VITRINE_KEY", "valueFrom": key}],
                        "resources": {
                            "requests": {"cpu": "20m", "memory": "64Mi"},
                            "limits": {"cpu": "500m", "memory": "128Mi"},
                        },
                        "securityContext": {
                            "allowPrivilegeEscalation": False,
                            "readOnlyRootFilesystem": True,
                            "capabilities": {"drop": ["ALL"]},
                        },
                        "volumeMounts": [{"name": "caller", "mountPath": "/caller"}],
                    }
                ],
                "volumes": [{"name": "caller", "configMap": {"name": "caller"}}],
            },
        }
