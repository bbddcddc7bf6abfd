"""Whether a version's folder is what was published.

A published version carries a copy of this module; it needs nothing but Python, so that whoever
starts a model server may ask, too.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

MANIFEST = "manifest.json"


class BrokenVersionError(RuntimeError):
    """A version folder that is not what was published."""


def check_version(folder: Path) -> dict[str, Any]:
    """The manifest of `folder`; raises BrokenVersionError unless every file is as published."""
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text())
        expected = dict(manifest["files"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BrokenVersionError(f"{folder}: no usable {MANIFEST}: {error!r}") from None
    found = {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        # The server's own interpreter writes __pycache__/model.*.pyc before this runs.
        if not path.is_dir() and path.parent != folder / "__pycache__"
    } - {MANIFEST}
    for name in sorted(found ^ set(expected)):
        what = "missing" if name in expected else "not part of the version"
        raise BrokenVersionError(f"{folder}: {name} is {what}")
    for name, digest in expected.items():
        if hashlib.sha256((folder / name).read_bytes()).hexdigest() != digest:
            raise BrokenVersionError(f"{folder}: {name} was changed after publishing")
    return manifest
