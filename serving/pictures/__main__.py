"""The worker that looks at pictures, as a process: `python -m serving.pictures --settings F`."""

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

from prometheus_client import start_http_server
from pydantic import ValidationError

from features.pictures.pictures import Pictures
from features.store.backends import open_controls
from features.telemetry.logs import log_json
from serving.pictures.encoder import TritonPictures
from serving.pictures.fetching import Fetcher
from serving.pictures.settings import WorkerSettings
from serving.pictures.shops import ShopWorkers, Worker
from serving.pictures.text.reader import ProcessReader, can_read
from serving.pictures.text.worker import TextWorker
from serving.pictures.worker import CatalogFeed, PictureWorker


async def _work(settings: WorkerSettings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    pictures, fetch = settings.pictures, settings.pictures.fetch
    encoder = TritonPictures(settings.model, pictures.model)
    text = pictures.text
    reader = None if text is None else ProcessReader(text)
    with (
        closing(open_controls(settings.store)) as controls,
        ThreadPoolExecutor(1, thread_name_prefix="decode") as decoding,
    ):
        async with Fetcher(fetch, pictures.max_bytes) as fetcher:

            def workers(shop: str, stored: Pictures, catalog: CatalogFeed) -> list[Worker]:
                looks: list[Worker] = [
                    PictureWorker(stored, catalog, fetcher, encoder, pictures, decoding, shop)
                ]
                if reader is None or text is None:
                    return looks
                reads = TextWorker(stored, fetcher, reader, pictures, text, decoding, shop)
                return [*looks, reads]

            await ShopWorkers(settings.store, controls, workers).run(stop)
            await encoder.close()
            if reader is not None:
                await reader.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m serving.pictures", description=__doc__)
    parser.add_argument("--settings", type=Path, required=True, help="WorkerSettings as JSON")
    parser.add_argument("--metrics-port", type=int, help="Where /metrics answers")
    given = parser.parse_args(arguments)
    log_json("pictures")
    try:
        settings = WorkerSettings.model_validate_json(given.settings.read_bytes())
    except (OSError, ValidationError) as error:
        print(f"{given.settings}: {error}", file=sys.stderr)
        return 2
    if settings.pictures.text is not None and not can_read():
        print("pictures.text: rapidocr is not installed (docs/pictures.md)", file=sys.stderr)
        return 2
    if given.metrics_port:
        start_http_server(given.metrics_port)
    asyncio.run(_work(settings))
    return 0


if __name__ == "__main__":
    sys.exit(main())
