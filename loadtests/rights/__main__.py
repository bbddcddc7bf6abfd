"""Answers that are not personal are the same for a thousand shoppers, and nobody is read for them.

    python -m loadtests.rights [--shoppers 1000]

Starts a stack, tells it what each shopper did, and asks every kind of ranking for each with
`personalize: false`. Counts reads of the online store, shoppers in the log of rankings, and their
names in the logs. Prints what was found, writes build/reports/rights.json, and ends with 1 when
anything differs or is kept, or when personal answers do not differ: then this would prove nothing.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console

from loadtests.rights.proof import prove
from loadtests.stack import fresh_state, run_stack
from serving.local.machine import free_port

DATA = "grocery"


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.rights", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--shoppers", type=int, default=1_000)
    parser.add_argument("--items", type=int, default=1_000, help="that the shop sells")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("build/reports/rights.json"))
    given = parser.parse_args()
    report: dict[str, Any] = {}
    for stack in run_stack(fresh_state(DATA, given.items), free_port()):
        report = prove(stack, given.shoppers, given.seed)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(report, indent=1) + "\n")
    Console(width=None if sys.stdout.isatty() else 120).print_json(data=report)
    return 0 if report["failures"] == [] else 1


if __name__ == "__main__":
    sys.exit(main())
