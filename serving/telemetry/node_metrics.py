"""The metrics of a node without asking a replica, a sidecar.

    python -m serving.telemetry.node_metrics

On a cluster a request to /metrics is answered by any node's ingress; a scrape wants each node's.
It must see the processes of the node (shareProcessNamespace): figures of those that are gone are
left out (docs/adr/0013).
"""

import argparse
import signal
import threading

from prometheus_client import start_http_server

from serving.telemetry.metrics import node_registry


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(
        prog="python -m serving.telemetry.node_metrics", description=__doc__
    )
    parser.add_argument("--port", type=int, default=9464)
    parser.add_argument("--host", default="0.0.0.0", help="scraped from other machines")
    given = parser.parse_args()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    server, thread = start_http_server(given.port, given.host, node_registry())
    stop.wait()
    server.shutdown()
    thread.join()


if __name__ == "__main__":
    main()
