"""`make cluster-status`: what an installation consists of, how it does, and what it said last.

Reads by kubectl with the rights of whoever calls it; nothing is changed.
"""

import argparse
import json
import sys
from base64 import b64decode
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table

from helm.tools.kubernetes import CommandError, Json, Namespace, ready

_ASK = """
import sys, urllib.request
request = urllib.request.Request(
    "http://127.0.0.1:8000/v1/status", headers={"authorization": "Bearer " + sys.stdin.read()}
)
print(urllib.request.urlopen(request, timeout=10).read().decode())
"""
_ERRORS = 5


def parts(pods: Iterable[Json], now: datetime) -> Table:
    """A row for each pod: part, state, image, restarts, age, and why it is not ready."""
    table = Table(title="parts")
    for column in ("part", "pod", "state", "image", "restarts", "age", "why"):
        table.add_column(column, overflow="fold")
    for pod in sorted(pods, key=lambda each: (_part(each), each["metadata"]["name"])):
        containers = pod["status"].get("containerStatuses", [])
        born = datetime.fromisoformat(pod["metadata"]["creationTimestamp"])
        ending = "deletionTimestamp" in pod["metadata"]
        state = "ending" if ending else "ready" if ready(pod) else pod["status"]["phase"].lower()
        table.add_row(
            _part(pod),
            pod["metadata"]["name"],
            state,
            pod["spec"]["containers"][0]["image"].rpartition("/")[2],
            str(sum(each["restartCount"] for each in containers)),
            _age(now - born),
            why(pod),
        )
    return table


def why(pod: Json) -> str:
    """What a pod that is not ready waits for, in Kubernetes's words; "" for one that is."""
    if ready(pod) or pod["status"]["phase"] == "Succeeded":
        return ""
    said = []
    statuses = pod["status"].get("initContainerStatuses", []) + pod["status"].get(
        "containerStatuses", []
    )
    for each in statuses:
        for state in (each.get("state", {}), each.get("lastState", {})):
            for kind in ("waiting", "terminated"):
                reason = state.get(kind, {}).get("reason")
                if reason and reason not in ("PodInitializing", "Completed", "ContainerCreating"):
                    said.append(f"{each['name']}: {reason}")
    said += [
        f"{each['reason']}: {each.get('message', '')}"
        for each in pod["status"].get("conditions", [])
        if each["type"] == "PodScheduled" and each["status"] != "True"
    ]
    return "; ".join(dict.fromkeys(said))


def service_lines(service: Json, clusters: Iterable[Json]) -> list[str]:
    """What KubeRay says of the service and of its clusters."""
    status = service.get("status", {})
    conditions = [
        f"{each['type']}={each['status']} ({each.get('reason', '')})"
        for each in status.get("conditions", [])
    ]
    lines = [f"RayService {service['metadata']['name']}: {', '.join(conditions) or 'starting'}"]
    for role in ("activeServiceStatus", "pendingServiceStatus"):
        found = status.get(role, {})
        if not found.get("rayClusterName"):
            continue
        for name, application in found.get("applicationStatuses", {}).items():
            lines.append(
                f"  {role.removesuffix('ServiceStatus')} {found['rayClusterName']}: {name} "
                f"{application.get('status', '?')} {application.get('message', '')}".rstrip()
            )
    for cluster in clusters:
        workers = cluster.get("status", {})
        lines.append(
            f"  cluster {cluster['metadata']['name']}: {workers.get('readyWorkerReplicas', 0)} of "
            f"{workers.get('desiredWorkerReplicas', 0)} workers ready"
        )
    return lines


def shop_table(status: Json) -> Table:
    """/v1/status as a table."""
    table = Table(title="shop")
    table.add_column("what")
    table.add_column("value", justify="right")
    for name, value in status.items():
        for key, each in value.items() if isinstance(value, dict) else [("", value)]:
            table.add_row(f"{name}.{key}" if key else name, str(each))
    return table


def warnings(events: Iterable[Json]) -> list[str]:
    """The last warnings of the namespace, oldest first."""
    found = sorted(
        (each for each in events if each.get("type") == "Warning"),
        key=lambda each: each.get("lastTimestamp") or each.get("eventTime") or "",
    )
    return [
        f"{each.get('lastTimestamp') or each.get('eventTime')} {each['involvedObject']['kind']}/"
        f"{each['involvedObject']['name']}: {each['reason']}: {each.get('message', '').strip()}"
        for each in found[-_ERRORS:]
    ]


def asked(space: Namespace, release: str) -> Json:
    """/v1/status, asked from inside a worker; raises CommandError."""
    worker = next((pod for pod in space.pods("worker") if ready(pod)), None)
    if worker is None:
        raise CommandError("no worker is ready")
    name = worker["metadata"]["name"]
    secret: Any = json.loads(space.kubectl("get", "secret", f"{release}-storefront", "-o", "json"))
    key = b64decode(secret["data"]["key"]).decode()
    command = ["exec", "-i", name, "-c", "ray-worker", "--", "python", "-c", _ASK]
    found: Json = json.loads(space.kubectl(*command, given=key, timeout_s=30))
    return found


def _part(pod: Json) -> str:
    labels: dict[str, str] = pod["metadata"].get("labels", {})
    return labels.get("app.kubernetes.io/component", "?")


def _age(age: Any) -> str:
    minutes, seconds = divmod(int(age.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02d}m" if hours else f"{minutes}m{seconds:02d}s"


def main() -> int:
    """The exit status: 1 when something could not be read."""
    parser = argparse.ArgumentParser(prog="python -m helm.tools.status", description=__doc__)
    parser.add_argument("--namespace", default="vitrine")
    parser.add_argument("--release", default="vitrine", help="full name of the installation")
    given = parser.parse_args()
    # A pipe has no width: rows in one line each can be searched.
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 200)
    space = Namespace(given.namespace)
    try:
        pods = space.get("pods", "app.kubernetes.io/part-of=vitrine")
        service = json.loads(space.kubectl("get", "rayservice", given.release, "-o", "json"))
        for line in service_lines(service, space.get("rayclusters")):
            console.print(line, markup=False)
        console.print(parts(pods, datetime.now(UTC)))
        for line in warnings(space.get("events")):
            console.print(line, markup=False)
        console.print(shop_table(asked(space, given.release)))
    except CommandError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
