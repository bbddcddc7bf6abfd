"""What the local Ray node runs as its workers: Ray's own, with Serve changed before it is used."""

import runpy
import sys
from pathlib import Path

from ray._private import workers

if __name__ == "__main__":
    # This file's folder came first: its modules would hide others of the same name.
    sys.path[0] = str(Path(__file__).resolve().parents[3])
    import serving.local.node.lean_serve  # noqa: F401
    from serving.local.node.haproxy import without_its_own_pages

    without_its_own_pages()
    runpy.run_path(str(Path(workers.__path__[0]) / "default_worker.py"), run_name="__main__")
