"""The Ray node of one machine, without Ray's helpers for clusters.

Those are five processes of Python, 300 MiB, which the start would wait for: the autoscaler's
monitor, the log monitor, the dashboard (there even when it is switched off) and two agents, one for
the dashboard and Ray's metrics, one for environments that are made at run time. `ray.init` cannot
leave them out; the pieces of Ray that it is made of can.
"""

from pathlib import Path
from typing import Any

from ray._private import services
from ray._private.node import Node
from ray._private.parameter import RayParams
from ray._raylet import (  # type: ignore[attr-defined]
    DASHBOARD_AGENT_LISTEN_PORT_NAME,
    METRICS_AGENT_PORT_NAME,
    METRICS_EXPORT_PORT_NAME,
    RUNTIME_ENV_AGENT_PORT_NAME,
    persist_port,
)

_OBJECT_STORE_BYTES = 80 * 1024 * 1024  # the smallest Ray takes; replies do not pass through it
_WORKER = Path(__file__).with_name("ray_worker.py")
_AGENT_PORTS = (
    DASHBOARD_AGENT_LISTEN_PORT_NAME,
    METRICS_AGENT_PORT_NAME,
    METRICS_EXPORT_PORT_NAME,
    RUNTIME_ENV_AGENT_PORT_NAME,
)
_AGENT_OPTIONS = ("--dashboard_agent_command=", "--runtime_env_agent_command=")


class LocalNode(Node):
    """A head node of GCS, raylet and workers; `address` is for `ray.init`."""

    def __init__(self, folder: Path, num_cpus: int) -> None:
        """folder: of its session, a short path; num_cpus: what Ray counts when it places actors."""
        super().__init__(
            RayParams(
                num_cpus=num_cpus,
                include_dashboard=False,
                include_log_monitor=False,  # type: ignore[arg-type]
                no_monitor=True,
                object_store_memory=_OBJECT_STORE_BYTES,
                temp_dir=str(folder),
                worker_path=str(_WORKER),
            ),
            head=True,
            shutdown_at_exit=True,
            spawn_reaper=True,
        )

    def start_api_server(self, **_: Any) -> None:
        """No dashboard."""
        self._webui_url = ""

    def start_raylet(self, *args: Any, **options: Any) -> None:
        """A raylet that takes its agents for ones without ports, as Ray's smallest installation.

        It insists on agents, and ends with them.
        """
        for name in _AGENT_PORTS:
            persist_port(self._session_dir, self.node_id, name, -1)
        start = services.start_ray_process

        def start_alone(command: list[str], *args: Any, **options: Any) -> Any:
            kept = [each for each in command if not each.startswith(_AGENT_OPTIONS)]
            idle = [f"{option}sleep infinity" for option in _AGENT_OPTIONS]
            return start([*kept, *idle], *args, **options)

        services.start_ray_process = start_alone
        try:
            super().start_raylet(*args, **options)
        finally:
            services.start_ray_process = start
