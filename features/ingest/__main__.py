"""Ingest as a process, of all shops of an installation."""

import argparse
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path

from prometheus_client import start_http_server
from pydantic import ValidationError

from features.ingest.fleet import Fleet
from features.ingest.keeping.archiving import Archiver
from features.ingest.keeping.trim import Trimmer
from features.ingest.leader import lead
from features.ingest.loop import Ingest
from features.ingest.opened import opened
from features.ingest.settings import IngestSettings
from features.store.archive import Archive
from features.store.backends import open_controls, open_event_log, open_lease, open_log_space
from features.telemetry.logs import log_json
from features.telemetry.spans import start_tracing


@contextmanager
def open_ingest(settings: IngestSettings) -> Iterator[Ingest]:
    """An Ingest over the stores of `settings`, with its lease; closed at the end.

    Raises BlockingIOError when another one runs on the files of its state folder. On Redis it must
    acquire the lease before it writes.
    """
    store = settings.store
    with closing(open_lease(store)) as lease:
        archive = Archive(store.archive) if store.archive else None
        archiving = (
            Archiver(open_event_log(store), archive, settings, lease) if archive else nullcontext()
        )
        with opened(settings, lease, archive) as ingest, archiving:
            yield ingest


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m features.ingest", description=__doc__)
    parser.add_argument("--settings", type=Path, help="IngestSettings as JSON; default: built in")
    parser.add_argument(
        "--metrics-port", type=int, help="Where /metrics answers, once the stores are open"
    )
    given = parser.parse_args(arguments)
    path = given.settings
    log_json("ingest")
    try:
        text = path.read_text() if path else "{}"
        settings = IngestSettings.model_validate_json(text)
    except (OSError, ValidationError) as error:
        print(f"{path}: {error}", file=sys.stderr)
        return 2
    start_tracing()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    store = settings.store
    try:
        with (
            open_ingest(settings) as ingest,
            Trimmer(open_log_space(store), settings.trim_every_s, ingest.lease),
            Fleet(settings, open_controls(store), ingest.lease),
        ):
            if given.metrics_port:
                # Only now: who is answered here may end the ingest that leads.
                start_http_server(given.metrics_port)
            lead(ingest, stop)
    except BlockingIOError:
        print(f"{settings.store.state}: another ingest runs on this folder", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
