"""`make privacy`: what the ranker's scores give away, by attacks on them.

Was a basket trained on (membership inference)? What has a shopper bought (reconstruction of the
history)? Prints tables, writes build/reports/privacy-<data set>.json and .png.
"""

import argparse
import sys
from pathlib import Path

from rich.console import Console

from features.datasets.format import DatasetError
from features.datasets.registry import load
from features.telemetry.progress import StepProgress, waiting
from loadtests.privacy.membership import membership
from loadtests.privacy.reconstruction import reconstruction
from loadtests.privacy.report import show, show_leading, write
from serving.training.fit.bundle import Bundle


def main(arguments: list[str] | None = None) -> int:
    """Exit status 2 when the data set or the bundle cannot be used."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", default="grocery", help="grocery, or a folder of purchases")
    parser.add_argument("--bundle", type=Path, default=Path("serving/training/bundles/grocery"))
    parser.add_argument("--out", type=Path, default=Path("build/reports"))
    parser.add_argument("--cache", type=Path, default=Path("build/data"))
    parser.add_argument("--cases", type=int, default=2_000)
    parser.add_argument("--shoppers", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(arguments)
    console = Console(width=None if sys.stdout.isatty() else 130)
    try:
        with waiting(console, f"reading {given.data}"):
            dataset, bundle = load(given.data, given.cache), Bundle(given.bundle)
        with StepProgress(console) as progress:
            inside = membership(dataset, bundle, given.cases, given.seed, progress)
            owned, leading = reconstruction(dataset, bundle, given.shoppers, given.seed, progress)
    except (DatasetError, ValueError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 2
    attacks = {"trained on this basket": inside, "bought this item": owned}
    for title, some in attacks.items():
        show(title, some, console)
    show_leading(leading, console)
    print(write(given.out, dataset.info.name, attacks, leading))
    return 0


if __name__ == "__main__":
    sys.exit(main())
