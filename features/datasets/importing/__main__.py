"""Move a shop here: send the events of DATA to a running stack, and wait until they are features.

    python -m features.datasets.importing my-shop --url http://127.0.0.1:8000 --key KEY

Started again after it was killed, it goes on where it was.
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from rich.console import Console
from rich.table import Table

from features.datasets.format import Dataset, DatasetError, require_events
from features.datasets.importing.checkpoint import Checkpoint
from features.datasets.importing.lines import event_lines, item_lines, place_of
from features.datasets.importing.shop import Shop, ShopError, Taken
from features.datasets.registry import load
from features.telemetry.progress import StepProgress, waiting

EVENTS, ITEMS = "/v1/events/import", "/v1/items/import"
_CHUNK = {EVENTS: 5_000, ITEMS: 1_000}  # lines a request
_SHOWN = 20  # rejected lines told
_LOOK_S = 0.25


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when all was accepted and is folded, 1 when lines were rejected, 2 when it could not."""
    options = _options(arguments)
    console = Console(highlight=False, soft_wrap=True)
    shop = Shop(options.url, options.key, options.patience)
    try:
        with waiting(console, "reading the data"):
            dataset = load(options.source, options.cache, options.n_items)
            require_events(dataset, "there is no history to import")
        if options.items:
            rejected = send_items(shop, dataset, console)
            if rejected:
                return 1
        checkpoint = Checkpoint.of(options.state / "imports", options.url, dataset.events)
        send_events(shop, dataset, checkpoint, console)
        wait_until_folded(shop, options.patience, console)
    except (DatasetError, ShopError) as error:
        console.print(f"cannot import: {error}", style="bold red", markup=False)
        return 2
    checkpoint.done()
    console.print(table_of(checkpoint))
    return int(any(name.startswith("rejected") for name in checkpoint.counts))


def send_events(shop: Shop, dataset: Dataset, checkpoint: Checkpoint, console: Console) -> None:
    """Send what the checkpoint does not hold."""
    events, shown = dataset.events, 0
    if checkpoint.sent:
        console.print(f"going on behind {checkpoint.sent:,} events that were sent before")
    with StepProgress(console, transient=True) as progress:
        # The rate is that of this run.
        task = progress.add_task("events", total=len(events) - checkpoint.sent)
        for lines in _chunks(event_lines(events.iloc[checkpoint.sent :]), _CHUNK[EVENTS]):
            taken = shop.send(EVENTS, lines)
            for number, (code, detail) in islice(taken.where.items(), _SHOWN - shown):
                place = place_of(dataset, str(events["event_id"].iloc[checkpoint.sent + number]))
                console.print(f"{place}: {code}: {detail}", markup=False)
                shown += 1
            checkpoint.keep(len(lines), _counts(taken))
            progress.advance(task, len(lines))


def send_items(shop: Shop, dataset: Dataset, console: Console) -> int:
    """Send the catalogue; returns how many items were rejected, each of them told."""
    rejected = 0
    with StepProgress(console, transient=True) as progress:
        task = progress.add_task("items", total=len(dataset.items))
        chunks = _chunks(item_lines(dataset.items), _CHUNK[ITEMS])
        starts = range(0, len(dataset.items), _CHUNK[ITEMS])
        for start, lines in zip(starts, chunks, strict=True):
            taken = shop.send(ITEMS, lines)
            for number, (code, detail) in taken.where.items():
                item_id = dataset.items["item_id"].iloc[start + number]
                console.print(f"item {item_id!r}: {code}: {detail}", markup=False)
            rejected += taken.rejected.total()
            progress.advance(task, len(lines))
    return rejected


def wait_until_folded(shop: Shop, patience_s: float, console: Console) -> None:
    """Return when ingest has folded what is in the log now; raises ShopError when it stands."""
    with waiting(console, "waiting until all is folded"):
        last = shop.send(EVENTS, ()).logged
        folded, moved_s = -1, time.monotonic()
        while (now := shop.send(EVENTS, ()).folded) < last:
            stood_s = time.monotonic() - moved_s
            if now != folded:
                folded, moved_s = now, time.monotonic()
            elif stood_s > patience_s:
                raise ShopError(
                    f"{last - now:,} events are in the log and wait: ingest has stood at position "
                    f"{now:,} for {stood_s:.0f} s"
                )
            time.sleep(_LOOK_S)


def table_of(checkpoint: Checkpoint) -> Table:
    """What became of the events."""
    table = Table("events", "")
    table.columns[1].justify = "right"
    for name, count in {"sent": checkpoint.sent, **checkpoint.counts}.items():
        table.add_row(name, f"{count:,}")
    return table


def _counts(taken: Taken) -> Counter[str]:
    rejected = {f"rejected: {code}": count for code, count in taken.rejected.items()}
    return Counter({"accepted": taken.accepted, "duplicates": taken.duplicates, **rejected})


def _chunks(lines: Iterator[bytes], size: int) -> Iterator[list[bytes]]:
    while chunk := list(islice(lines, size)):
        yield chunk


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make import", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("source", help="what `make serve` reads: a folder, a file, a name")
    parser.add_argument("--url", default="http://127.0.0.1:8000", help="of the running stack")
    parser.add_argument("--key", default="dev", help="a secret key of scope events")
    parser.add_argument("--items", action="store_true", help="items first; the key needs `items`")
    parser.add_argument("--cache", type=Path, default=Path(".vitrine/datasets"))
    parser.add_argument("--state", type=Path, default=Path(".vitrine"), help="of checkpoints")
    parser.add_argument("--n-items", type=int, default=10_000, help="size of the grocery catalogue")
    parser.add_argument(
        "--patience", type=float, default=300.0, help="seconds that the stack may be away"
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
