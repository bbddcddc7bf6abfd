"""Versions of the ranker that are served beside the one in use, for experiments and shadows.

A candidate is a model of its own, `ranker-8`, in the same repository and the same server: its
folder holds a link to the version's and the version's own configuration under that name. What is in
use is not touched. The model server forgets candidates when it starts anew: `load_offered`, which
needs no more than to read the repository.
"""

import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from serving.models.contract import candidate_model
from serving.models.runtime.sealed import BrokenVersionError, check_version
from serving.training.publish.repository import (
    CONFIG,
    PublishError,
    load,
    offered,
    ready_within,
    switch,
    unload,
    version_in_use,
)


def offer(repository: Path, model: str, number: int, reload_urls: Sequence[str]) -> None:
    """Serve version `number` beside the one in use, on every server.

    Raises PublishError, and then it is served by none.
    """
    version = repository / model / str(number)
    if version_in_use(repository, model) is None:
        raise PublishError(f"{model} has no version in use, beside which {number} could be served")
    try:
        check_version(version)
    except BrokenVersionError as error:
        raise PublishError(str(error)) from None
    name = candidate_model(model, str(number))
    folder = repository / name
    shutil.rmtree(folder, ignore_errors=True)  # of an attempt that was interrupted
    folder.mkdir()
    (folder / str(number)).symlink_to(os.path.join("..", model, str(number)))
    text = (version / CONFIG).read_text()
    (folder / CONFIG).write_text(text.replace(f'name: "{model}"', f'name: "{name}"', 1))
    try:
        for url in reload_urls:
            load(url, name, number)
    except PublishError:
        withdraw(repository, model, number, reload_urls)
        raise


def withdraw(repository: Path, model: str, number: int, reload_urls: Sequence[str] = ()) -> None:
    """End `offer`; arms that name the version are then ranked by the one in use, and say so.

    Raises PublishError when no such version is offered.
    """
    if number not in offered(repository, model):
        raise PublishError(f"{model} {number} is not served beside another version")
    name = candidate_model(model, str(number))
    for url in reload_urls:
        with suppress(PublishError):  # a server that is down has forgotten it
            unload(url, name)
    shutil.rmtree(repository / name)


def promote(repository: Path, model: str, number: int, reload_urls: Sequence[str] = ()) -> None:
    """Take an offered version into use; raises PublishError, and then nothing has changed."""
    if number not in offered(repository, model):
        raise PublishError(f"{model} {number} is not served beside another version")
    switch(repository, model, number, reload_urls)
    withdraw(repository, model, number, reload_urls)


def load_offered(repository: Path, model: str, reload_urls: Sequence[str]) -> list[str]:
    """Have servers that started anew load what is offered; returns what went wrong, one line each.

    A candidate that cannot be loaded must not keep a server from its work.
    """
    problems = []
    for number in offered(repository, model):
        for url in reload_urls:
            try:
                load(url, candidate_model(model, str(number)), number)
            except PublishError as error:
                problems.append(str(error))
    return problems


def load_when_ready(
    repository: Path, model: str, reload_urls: Sequence[str], wait_s: float
) -> list[str]:
    """`load_offered` once the servers are ready for what is in use; what went wrong.

    wait_s: for each, at most
    """
    slow = [url for url in reload_urls if not ready_within(url, wait_s)]
    ready = [url for url in reload_urls if url not in slow]
    return [f"{url} was not ready within {wait_s:.0f} s" for url in slow] + load_offered(
        repository, model, ready
    )
