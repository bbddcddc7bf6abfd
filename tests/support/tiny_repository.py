"""A model repository of tiny bundles."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from serving.training.publish.repository import (
    put_in_use,
    staging,
    version_in_use,
)


def publish_again(repository: Path, reload_urls: Sequence[str] = ()) -> int:
    """The files of the version in use as the next version."""
    folder = repository / "ranker" / str(version_in_use(repository, "ranker"))
    with staging(repository, "ranker") as scratch:
        copy = Path(shutil.copytree(folder, scratch / "version"))
        about = json.loads((copy / "manifest.json").read_text())
        for name in ("manifest.json", "config.pbtxt"):
            (copy / name).unlink()
        kept = {key: about[key] for key in ("data", "features", "metrics", "precision", "parity")}
        return put_in_use(repository, "ranker", copy, kept, 2, reload_urls)
