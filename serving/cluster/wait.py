"""Wait for the set-up job: `python -m serving.cluster.wait`, an init container."""

import argparse
import sys
import time
from pathlib import Path

from serving.settings import Settings

WAIT_S = 600.0


def registered(registry: str) -> bool:
    """Whether the feature registry is there; one in an object store is taken to be."""
    return "://" in registry or Path(registry).is_file()


def main() -> int:
    """0 as soon as the features are registered, 1 after WAIT_S."""
    parser = argparse.ArgumentParser(prog="python -m serving.cluster.wait", description=__doc__)
    parser.add_argument("--settings", type=Path, required=True, help="Settings as JSON")
    parser.add_argument("--seconds", type=float, default=WAIT_S)
    given = parser.parse_args()
    registry = Settings.model_validate_json(given.settings.read_bytes()).store.registry_path
    deadline_s = time.monotonic() + given.seconds
    while not registered(registry):
        if time.monotonic() > deadline_s:
            print(
                f"no feature registry at {registry} after {given.seconds:.0f} s: "
                "did the set-up job end well?",
                file=sys.stderr,
            )
            return 1
        time.sleep(0.5)
    return 0


if __name__ == "__main__":
    sys.exit(main())
