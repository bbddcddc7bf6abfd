"""The real tritonserver for tests: started as on one machine, on ports that are free."""

import os
from pathlib import Path
from typing import Any

from serving.local.machine import free_port
from serving.local.model_server import ModelServer
from serving.local.models import TRITON_PYTHON


def model_server(repository: Path, folder: Path, **options: Any) -> ModelServer:
    """Not started yet; `options` replace what it is given."""
    grpc_port, http_port, metrics_port = free_port(), free_port(), free_port()
    given: dict[str, Any] = {
        "repository": repository,
        "state": folder,
        "triton_python": TRITON_PYTHON,
        "grpc_port": grpc_port,
        "http_port": http_port,
        "metrics_port": metrics_port,
        "log": folder / "triton.log",
        "environment": dict(os.environ),
    }
    return ModelServer(**{**given, **options})
