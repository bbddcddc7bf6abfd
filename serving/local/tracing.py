"""Where the local stack's spans go, as the environment of its processes."""

import contextlib
from argparse import ArgumentTypeError
from dataclasses import dataclass
from urllib.parse import urlsplit

DEFAULT_URL = "http://127.0.0.1:4318/v1/traces"


def read_ratio(text: str) -> float:
    """A share from 0 to 1; raises ArgumentTypeError."""
    with contextlib.suppress(ValueError):
        if 0 <= (share := float(text)) <= 1:
            return share
    raise ArgumentTypeError(f"a share from 0 to 1 is needed, not {text!r}")


def read_url(text: str) -> str:
    """An address of a collector, complete; raises ArgumentTypeError."""
    with contextlib.suppress(ValueError):
        parts = urlsplit(text)
        # urlsplit raises for a port out of range only when the port is read.
        if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0:
            return text
    raise ArgumentTypeError(f"an address like {DEFAULT_URL} is needed, not {text!r}")


@dataclass(frozen=True, slots=True)
class Tracing:
    """A collector (OTLP over HTTP), and which share of requests is traced from the start.

    url None: nothing is traced.
    """

    url: str | None = None
    ratio: float = 1.0

    def environment(self, service: str) -> dict[str, str]:
        """What a process that is called `service` needs in its environment."""
        if self.url is None:
            return {}
        return {
            "OTEL_TRACES_EXPORTER": "otlp",
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": self.url,
            "OTEL_SERVICE_NAME": service,
            # Serve's own tracing; it must be there before the Ray node starts.
            "RAY_SERVE_TRACING_EXPORTER_IMPORT_PATH": "features.telemetry.spans:span_processors",
            "RAY_SERVE_TRACING_SAMPLING_RATIO": str(self.ratio),
        }
