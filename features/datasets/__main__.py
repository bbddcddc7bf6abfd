"""Check a data set and say what is in it: python -m features.datasets SOURCE."""

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

from features.datasets.format import Dataset, DatasetError
from features.datasets.registry import load


def main(arguments: list[str]) -> int:
    """0 and a summary on stdout, or 2 and one line on stderr that says what is wrong."""
    parser = argparse.ArgumentParser(prog="python -m features.datasets", description=__doc__)
    parser.add_argument("source", help='"grocery", "simulated", a file or a folder')
    parser.add_argument("--cache", type=Path, default=Path(".vitrine/datasets"))
    parser.add_argument("--n-items", type=int, default=10_000)
    options = parser.parse_args(arguments)
    try:
        dataset = load(options.source, options.cache, options.n_items)
    except DatasetError as error:
        print(error, file=sys.stderr)
        return 2
    print("\n".join(summary(dataset)))
    return 0


def summary(dataset: Dataset) -> list[str]:
    """A few lines: name, counts by type, time span, and what is worth a second look."""
    items, events = dataset.items, dataset.events
    lines = [f"{dataset.info.name}{' (simulated)' if dataset.info.simulated else ''}"]
    without_price, sold_out = int(items["price"].isna().sum()), int((~items["available"]).sum())
    noted = f"{without_price:,} without price" + (f", {sold_out:,} sold out" if sold_out else "")
    lines.append(f"{'items':<12}{len(items):>10,}  {noted}")
    if events.empty:
        lines.append(f"{'events':<12}{0:>10,}")
    lines += [f"{kind:<12}{count:>10,}" for kind, count in events["type"].value_counts().items()]
    if not events.empty:
        first, last = (
            datetime.fromtimestamp(float(at), UTC).isoformat(timespec="minutes")
            for at in (events["at"].iloc[0], events["at"].iloc[-1])
        )
        lines.append(f"from {first} to {last}")
        named = events.loc[events["item_id"] != "", "item_id"]
        strangers = int((~named.isin(items["item_id"])).sum())
        if strangers:
            lines.append(f"{strangers:,} events name an item that is not in the catalogue")
    if dataset.queries is not None:
        judged = dataset.queries
        lines.append(
            f"{'queries':<12}{judged['query_id'].nunique():>10,}  {len(judged):,} judgments"
        )
    return lines


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
