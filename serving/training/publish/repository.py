"""Numbered versions of a model in a Triton repository, and which one is served.

A version is a folder that never changes, sealed with the digests of its files. Which one is served
stands in the model's config.pbtxt, which is replaced in one rename: the version's own configuration
and a `version_policy`. A running Triton (explicit control mode) is then told to load the model: it
loads the new version beside the old one, and unloads the old one when the new one answers.
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from serving.models.columns.about import About
from serving.models.contract import Limits
from serving.models.runtime.sealed import MANIFEST, BrokenVersionError, check_version
from serving.training.publish.configuration import configuration

Take = Callable[[Path, str, int, Sequence[str]], None]
KEPT_VERSIONS = 3
CONFIG = "config.pbtxt"
_LOAD_S = 120.0
_ASKED_S, _ASKED_AGAIN_S = 2.0, 0.5


class PublishError(Exception):
    """The version in use before still is; the message says why."""


@contextmanager
def repository_lock(repository: Path) -> Iterator[None]:
    """Wait until no other process changes the repository, and keep others out meanwhile."""
    repository.mkdir(parents=True, exist_ok=True)
    with (repository / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # the system releases it, also after -9
        yield


def versions(repository: Path, model: str) -> list[int]:
    """Numbers of the versions in the repository, oldest first."""
    folder = repository / model
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    return sorted(int(name) for name in names if name.isdigit())


def version_in_use(repository: Path, model: str) -> int | None:
    """The version that config.pbtxt names; None before the first was published."""
    path = repository / model / CONFIG
    policy = re.search(r"versions: \[ (\d+) \]", path.read_text()) if path.is_file() else None
    return int(policy[1]) if policy else None


def offered(repository: Path, model: str) -> list[int]:
    """Numbers of the versions that are served beside the one in use (candidates.py)."""
    names = [path.name.removeprefix(f"{model}-") for path in repository.glob(f"{model}-*")]
    return sorted(int(name) for name in names if name.isdigit())


@contextmanager
def staging(repository: Path, model: str) -> Iterator[Path]:
    """A folder beside the versions, so that the last step is a rename within one file system."""
    model_folder = repository / model
    model_folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".staging-", dir=model_folder) as name:
        yield Path(name)


def put_in_use(
    repository: Path,
    model: str,
    folder: Path,
    about: Mapping[str, Any],
    threads: int,
    reload_urls: Sequence[str],
    take: Take | None = None,
) -> int:
    """Seal `folder`, move it in as the next version, switch to it, drop the oldest.

    about: what the manifest says of the version; "precision" picks its configuration. take: what to
    do with it rather than `switch`.
    Returns the version's number. Raises PublishError, and then the version before stays in use.
    """
    before = version_in_use(repository, model)
    number = max(versions(repository, model), default=0) + 1
    limits = Limits.of(about["limits"]) if "limits" in about else None
    created = datetime.now(UTC).isoformat(timespec="seconds")
    told = About(str(number), created, about.get("importance")).parameters()
    (folder / CONFIG).write_text(
        configuration(model, about["precision"], threads, limits, about.get("profile"), told)
    )
    files = {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    manifest = {"model": model, "version": number, "created": created, **about, "files": files}
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2))
    target = repository / model / str(number)
    folder.rename(target)
    try:
        (take or switch)(repository, model, number, reload_urls)
    except PublishError:
        shutil.rmtree(target)
        raise
    wanted = {number, before, *offered(repository, model)}
    spare = [n for n in versions(repository, model) if n not in wanted]
    for old in spare[: len(spare) - (KEPT_VERSIONS - 2)] if before else []:
        shutil.rmtree(repository / model / str(old))
    return number


def rollback(repository: Path, model: str, reload_urls: Sequence[str] = ()) -> int:
    """Serve the version before the one in use; returns its number. Raises PublishError."""
    current = version_in_use(repository, model)
    older = [number for number in versions(repository, model) if current and number < current]
    if not older:
        raise PublishError(f"{model} has no version before {current} in {repository}")
    try:
        check_version(repository / model / str(older[-1]))
    except BrokenVersionError as error:
        raise PublishError(str(error)) from None
    switch(repository, model, older[-1], reload_urls)
    return older[-1]


def switch(repository: Path, model: str, number: int, reload_urls: Sequence[str]) -> None:
    """Take version `number` into use: configure it, and have every server load it.

    Raises PublishError when a server does not; then all go back to the version before.
    """
    path = repository / model / CONFIG
    before = path.read_text() if path.is_file() else None
    text = (repository / model / str(number) / CONFIG).read_text()
    _replace(path, f"{text}version_policy: {{ specific: {{ versions: [ {number} ] }} }}\n")
    try:
        for url in reload_urls:
            load(url, model, number)
    except PublishError:
        if before is None:
            path.unlink()
            raise
        _replace(path, before)
        for url in reload_urls:
            with suppress(PublishError):  # a server that is down reads config.pbtxt when it starts
                load(url, model, None)
        raise


def _replace(path: Path, text: str) -> None:
    part = path.with_suffix(".part")
    part.write_text(text)
    os.replace(part, path)


def load(url: str, model: str, number: int | None) -> None:
    """Have the Triton at `url` load the version that config.pbtxt names.

    `number`, unless None, must then be ready. Raises PublishError.
    """
    request = _order(url, model, "load")
    try:
        with urllib.request.urlopen(request, timeout=_LOAD_S):
            pass
        if number is not None:
            ready = f"{url.rstrip('/')}/v2/models/{model}/versions/{number}/ready"
            with urllib.request.urlopen(ready, timeout=_LOAD_S):
                pass
    except urllib.error.HTTPError as error:
        detail = error.read().decode(errors="replace").strip()
        raise PublishError(f"{url} could not load {model} {number}: {detail}") from None
    except OSError as error:
        raise PublishError(f"{url} did not answer: {error}") from None


def ready_within(url: str, wait_s: float) -> bool:
    """Whether the Triton at `url` becomes ready with what it was started for."""
    deadline_s = time.monotonic() + wait_s
    while True:
        try:
            with urllib.request.urlopen(f"{url.rstrip('/')}/v2/health/ready", timeout=_ASKED_S):
                return True
        except OSError:
            if time.monotonic() >= deadline_s:
                return False
        time.sleep(_ASKED_AGAIN_S)


def unload(url: str, model: str) -> None:
    """Have the Triton at `url` give a model up; raises PublishError."""
    try:
        with urllib.request.urlopen(_order(url, model, "unload"), timeout=_LOAD_S):
            pass
    except OSError as error:
        raise PublishError(f"{url} did not unload {model}: {error}") from None


def _order(url: str, model: str, order: str) -> urllib.request.Request:
    where = f"{url.rstrip('/')}/v2/repository/models/{model}/{order}"
    return urllib.request.Request(where, b"{}", method="POST")
