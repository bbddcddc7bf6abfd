"""Publish versions into a Triton model repository, and roll back.

    python -m serving.training.publish ranker --repository R --bundle B [--item-texts T]
    python -m serving.training.publish encoder --repository R [--profile P] [--item-texts T]
    python -m serving.training.publish pictures --repository R [--reload URL]
    python -m serving.training.publish cross_encoder --repository R --bundle B [--reload URL]
    python -m serving.training.publish rollback --repository R [--reload URL]
    python -m serving.training.publish ranker --candidate --repository R --bundle B [--reload URL]
    python -m serving.training.publish offer|withdraw|promote --version N --repository R
    python -m serving.training.publish load --repository R --reload URL [--wait S]
    python -m serving.training.publish ensure --repository R --bundle B [--item-texts T] [--wait S]

`ensure` publishes what has no version yet: the first start of a model server. A candidate is served
beside the version in use, for experiments; `offer` does that with a version that is there already,
and `load` with all that are offered, after a server has started anew.
A `--reload` address whose name stands for several machines (a headless Service) means all of them.

repository.py describes how a version gets into use. Runs in the model server's environment: no
torch.
"""

import argparse
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from serving.models.contract import EncoderProfile
from serving.training.publish.candidates import (
    load_when_ready,
    offer,
    promote,
    withdraw,
)
from serving.training.publish.encoders import ENCODER, publish_encoder
from serving.training.publish.models import (
    CROSS_ENCODER,
    RANKER,
    ensure,
    publish_cross_encoder,
    publish_ranker,
)
from serving.training.publish.pictures.version import PICTURES, publish_pictures
from serving.training.publish.repository import PublishError, repository_lock, rollback


def addresses_of(url: str) -> list[str]:
    """`url` once for each address that its host's name stands for; raises PublishError."""
    parts = urlsplit(url)
    try:
        resolved = socket.getaddrinfo(parts.hostname, parts.port or 80, type=socket.SOCK_STREAM)
    except OSError as error:
        raise PublishError(f"{url}: {error.strerror}") from None
    addresses = dict.fromkeys(str(address[0]) for *_, address in resolved)
    hosts = [f"[{address}]" if ":" in address else address for address in addresses]
    return [urlunsplit(parts._replace(netloc=f"{host}:{parts.port or 80}")) for host in hosts]


_OF_CANDIDATES: dict[str, tuple[Callable[[Path, str, int, Sequence[str]], None], str]] = {
    "offer": (offer, "is served beside the version in use"),
    "withdraw": (withdraw, "is not served beside the version in use any more"),
    "promote": (promote, "is in use"),
}


def _said(model: str, command: str, number: int) -> str:
    return f"{model} {number} {_OF_CANDIDATES[command][1]}"


def _of_candidate(command: str) -> Callable[..., str]:
    def run(repository: Path, version: int, reload_urls: Sequence[str]) -> str:
        _OF_CANDIDATES[command][0](repository, RANKER, version, reload_urls)
        return _said(RANKER, command, version)

    return run


def _load(repository: Path, reload_urls: Sequence[str], wait: float) -> int:
    """The exit status. Changes nothing in the repository, and may not be able to."""
    problems = load_when_ready(repository, RANKER, reload_urls, wait)
    for problem in problems:
        print(f"a candidate is not served: {problem}", file=sys.stderr)
    return int(bool(problems))


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m serving.training.publish", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    commands = parser.add_subparsers(dest="command", required=True)
    models = (RANKER, ENCODER, CROSS_ENCODER, PICTURES)
    for name in (*models, "rollback", "load", "ensure", *_OF_CANDIDATES):
        command = commands.add_parser(name)
        command.add_argument("--repository", type=Path, required=True)
        command.add_argument(
            "--reload",
            action="append",
            default=[],
            metavar="URL",
            help="HTTP address of a running Triton; once for each replica",
        )
        if name in (RANKER, CROSS_ENCODER, "ensure"):
            command.add_argument("--bundle", type=Path, required=True)
        if name in (ENCODER, "ensure"):
            command.add_argument(
                "--profile",
                type=EncoderProfile,
                choices=list(EncoderProfile),
                default=EncoderProfile.ENGLISH,
                help="of the encoder: which network and tokenizer",
            )
        if name == RANKER:
            command.add_argument("--slates", type=Path, help="held-out slates, .npz")
            command.add_argument(
                "--candidate", action="store_true", help="serve it beside the version in use"
            )
        if name == "ensure":
            command.add_argument("--pictures", action="store_true", help="their encoder, too")
        if name in ("ensure", "load"):
            command.add_argument(
                "--wait", type=float, default=0.0, help="for --item-texts or the server, seconds"
            )
        if name in _OF_CANDIDATES:
            command.add_argument("--version", type=int, required=True, help="of the ranker")
        elif name == "rollback":
            command.add_argument("--model", choices=models, default=RANKER)
        elif name != "load":
            command.add_argument("--base", type=Path, help="default: the PyPI package's folder")
            if name not in (CROSS_ENCODER, PICTURES):
                command.add_argument("--item-texts", type=Path, help="JSON lines of strings")
            if name != PICTURES:
                command.add_argument("--precision", choices=("int8", "float16"), default="int8")
            command.add_argument("--threads", type=int, default=2)
    options = vars(parser.parse_args(arguments))
    name = options.pop("command")
    commands_by_name: dict[str, Callable[..., int | str | None]] = {
        RANKER: publish_ranker,
        ENCODER: publish_encoder,
        CROSS_ENCODER: publish_cross_encoder,
        PICTURES: publish_pictures,
        "rollback": rollback,
        "ensure": ensure,
        **{command: _of_candidate(command) for command in _OF_CANDIDATES},
    }
    try:
        options["reload_urls"] = [
            address for url in options.pop("reload") for address in addresses_of(url)
        ]
        if name == "load":
            return _load(**options)
        with repository_lock(options["repository"]):
            number = commands_by_name[name](**options)
    except PublishError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if number is None:
        return 0
    if isinstance(number, str) or options.get("candidate"):
        print(number if isinstance(number, str) else _said(name, "offer", number))
        return 0
    model = options.get("model", name)
    print(f"{model} {number} is in use in {options['repository']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
