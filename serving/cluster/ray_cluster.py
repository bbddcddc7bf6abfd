"""Ray as a node that leaves asks it: Serve's REST API, and GCS (serving/cluster/leave.py)."""

import json
import os
import socket
import time
import urllib.request
from collections.abc import Collection, Mapping
from typing import Any

_LEAVING = "vitrine-leaving:"
_HEAD_S = 3.0


class RayCluster:
    """The cluster that this container's variables name, by KubeRay's names for them.

    Raises OSError when its head is gone.
    """

    def __init__(self) -> None:
        # Ray's client waits a minute for a head that is gone, as with a cluster that is removed.
        host, _, port = os.environ["RAY_ADDRESS"].rpartition(":")
        socket.create_connection((host, int(port)), _HEAD_S).close()
        # Here: a second of a processor, which nothing else in this module needs.
        from ray._raylet import GcsClient  # type: ignore[attr-defined]  # made by Cython

        self._url = f"http://{os.environ['FQ_RAY_IP']}:8265/api/serve/applications/"
        self._gcs = GcsClient(address=os.environ["RAY_ADDRESS"])
        own = os.environ["VITRINE_POD_IP"]
        self.node_id = next(
            node_id.hex()
            for node_id, node in self._gcs.get_all_node_info().items()
            if node.node_manager_address == own and node.state == 0
        )

    def leaving(self) -> Collection[str]:
        """See leave.Cluster."""
        keys = self._gcs.internal_kv_keys(_LEAVING.encode(), None)
        return [key.decode().removeprefix(_LEAVING) for key in keys]

    def mark_leaving(self) -> None:
        """See leave.Cluster."""
        self._gcs.internal_kv_put(f"{_LEAVING}{self.node_id}".encode(), b"", True, None)

    def status(self) -> Mapping[str, Any]:
        """See leave.Cluster."""
        found: Mapping[str, Any] = json.loads(self._ask("GET"))
        return found

    def deploy(self, config: Mapping[str, Any]) -> None:
        """See leave.Cluster."""
        self._ask("PUT", json.dumps(config).encode())

    def drain(self, deadline_s: float) -> None:
        """See leave.Cluster."""
        from ray.core.generated import autoscaler_pb2

        reasons: Any = autoscaler_pb2
        reason = reasons.DrainNodeReason.Value("DRAIN_NODE_REASON_PREEMPTION")
        deadline_ms = int((time.time() + deadline_s) * 1e3)
        accepted, why = self._gcs.drain_node(self.node_id, reason, "the pod ends", deadline_ms)
        if not accepted:
            raise OSError(why)

    def _ask(self, method: str, body: bytes | None = None) -> bytes:
        headers = {"content-type": "application/json"}
        if token := os.environ.get("RAY_AUTH_TOKEN"):
            headers["authorization"] = f"Bearer {token}"
        request = urllib.request.Request(self._url, body, headers, method=method)
        with urllib.request.urlopen(request, timeout=20) as answer:
            found: bytes = answer.read()
        return found
