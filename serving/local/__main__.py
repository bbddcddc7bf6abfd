"""`make serve`: prepare once, start everything, print what to paste, stop on Ctrl-C."""

import argparse
import contextlib
import ipaddress
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from pydantic import ValidationError
from rich.console import Console

from features.objective import ObjectiveError, read_objective
from serving.http.access.auth import read_keys, what_is_wrong
from serving.local.greeting import greeting
from serving.local.machine import Address, StackError, check_machine
from serving.local.models import (
    TRITON_PYTHON,
    UPLOADS,
    PublishingError,
    pictures_of,
    tokenizer_path,
)
from serving.local.stack import Layout, Stack
from serving.local.state_folder import (
    DEV_KEY,
    Encoder,
    Prepared,
    StateFolderError,
    alerts_of,
    folder_of,
    objective_of,
    prepared,
)
from serving.local.traces.console import TracePrinter
from serving.local.traces.viewer import TraceViewer
from serving.local.tracing import DEFAULT_URL, Tracing, read_ratio, read_url
from serving.models.contract import EncoderProfile
from serving.shops.alerts.webhook import WebhookError, check_webhook
from serving.shops.rules import RulesError, read_rules


class NotPreparedError(Exception):
    """The preparing process has said why."""


def main() -> int:
    """The exit status: 0 after a stop that was asked for, 2 for anything that prevents serving."""
    console = Console(highlight=False, soft_wrap=True)
    arguments = _arguments(console)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _interrupt)
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # nohup ignores it, to go on
        signal.signal(signal.SIGHUP, _interrupt)  # the terminal was closed
    try:
        return _serve(arguments, console)
    except (
        StackError, StateFolderError, RulesError, WebhookError, ObjectiveError, PublishingError,
    ) as error:  # fmt: skip
        console.print(f"cannot serve: {error}", style="bold red", markup=False)
        return 2
    except NotPreparedError:
        return 2
    except KeyboardInterrupt:
        return 0


def _serve(arguments: argparse.Namespace, console: Console) -> int:
    address = Address(arguments.host, arguments.port)
    if arguments.keys is None and not _is_loopback(arguments.host):
        raise StackError(
            f"{arguments.host} is reachable from outside and the development key is not a secret: "
            "give real keys with KEYS=/path/to/keys.json (docs/access.md)"
        )
    if arguments.keys is not None:
        _check_keys(arguments.keys)
    check_machine(address)
    folder = folder_of(arguments.state, arguments.data)
    ready = prepared(folder) or _prepare(arguments, folder)
    if arguments.encoder not in (None, ready.encoder):
        raise StateFolderError(
            f"{folder} was prepared with the {ready.encoder} encoder: serve it without ENCODER=, "
            "or choose another place with STATE="
        )
    pictures = pictures_of(
        arguments.pictures, folder, arguments.triton_python, console, arguments.picture_text
    )
    rules = read_rules(folder / "rules.yaml")
    check_webhook(rules.alerts.webhook, alerts_of(folder))
    read_objective(objective_of(folder))
    with _traces(arguments, console) as (tracing, traces_at):
        # A copy of the whole environment: child processes start with what this one was given.
        stack = Stack(
            folder,
            address,
            arguments.keys,
            arguments.triton_python,
            tokenizer_path(),
            dict(os.environ),
            console,
            tracing,
            Layout(
                arguments.triton_port,
                arguments.triton_via,
                arguments.redis,
                arguments.nats,
                arguments.replicas,
                arguments.assistant,
            ),
            Encoder(ready.encoder, tokenizer_path(ready.encoder), ready.language),
            pictures,
        )
        stack.start(ready)
        try:
            key = DEV_KEY if arguments.keys is None else "YOUR-KEY"
            plain = not console.encoding.startswith("utf")
            console.print(greeting(address.url, ready.sample, key, plain), markup=False)
            if traces_at:
                console.print(f"traces: {traces_at}\n", markup=False)
            stack.watch()
        finally:
            # A second Ctrl-C must not leave processes behind.
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            with contextlib.suppress(OSError):  # the terminal may be gone
                console.print("stopping")
            stack.stop()
            with contextlib.suppress(OSError):
                console.print("stopped")
    return 0


@contextlib.contextmanager
def _traces(
    arguments: argparse.Namespace, console: Console
) -> Iterator[tuple[Tracing, str | None]]:
    """Where spans go, and where they can be seen; what takes them lives as long as the block."""
    share = arguments.traces_ratio
    match arguments.traces:
        case "view":
            with TraceViewer() as viewer:
                yield Tracing(viewer.otlp_url, share), viewer.url
        case "console":
            with TraceViewer() as viewer, TracePrinter(viewer.store, console):
                yield Tracing(viewer.otlp_url, share), None
        case "otlp":
            yield Tracing(arguments.traces_to, share), None
        case _:
            yield Tracing(), None


def _check_keys(path: Path) -> None:
    """Raises StackError for a file of keys that no replica could read."""
    try:
        read_keys(path)
    except (OSError, ValidationError) as error:
        raise StackError(f"the keys in {path} cannot be used: {what_is_wrong(error)}") from None


def _prepare(arguments: argparse.Namespace, folder: Path) -> Prepared:
    """Prepare in a process of its own: it takes a gigabyte that serving has no use for."""
    command = [sys.executable, "-m", "serving.local.prepare", "--data", arguments.data]
    command += ["--folder", str(folder), "--datasets", str(arguments.state / "datasets")]
    command += ["--items", str(arguments.items), "--triton-python", str(arguments.triton_python)]
    if arguments.encoder:
        command += ["--encoder", arguments.encoder]
    if arguments.redis:
        command += ["--redis", arguments.redis]
    done = subprocess.run(command, check=False)
    ready = prepared(folder)
    if done.returncode != 0 or ready is None:
        raise NotPreparedError
    return ready


class _Parser(argparse.ArgumentParser):
    def __init__(self, console: Console) -> None:
        super().__init__(prog="make serve", description=__doc__)
        self._console = console

    def error(self, message: str) -> NoReturn:
        """Refuse in one line, like every other refusal."""
        self._console.print(f"cannot serve: {message}", style="bold red", markup=False)
        sys.exit(2)


def _arguments(console: Console) -> argparse.Namespace:
    parser = _Parser(console)
    parser.add_argument("--data", default="grocery", help="grocery, simulated or a folder")
    parser.add_argument("--state", type=Path, default=Path(".vitrine"))
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--keys", type=Path, help="JSON file of API keys")
    parser.add_argument("--items", type=int, default=10_000, help="size of the grocery catalogue")
    parser.add_argument(
        "--encoder",
        type=EncoderProfile,
        choices=list(EncoderProfile),
        help="default: by the language of the titles, when the data are prepared",
    )
    parser.add_argument(
        "--pictures",
        metavar="HOSTS",
        help=f"look at pictures, and fetch image_url from these hosts; {UPLOADS}: from none",
    )
    parser.add_argument("--picture-text", action="store_true", help="read what stands on them")
    parser.add_argument(
        "--traces",
        choices=("none", "console", "view", "otlp"),
        default="none",
        help="print traces, show them on a page, or send them to a collector",
    )
    parser.add_argument(
        "--traces-to",
        type=read_url,
        default=DEFAULT_URL,
        help="a collector, OTLP over HTTP; for otlp",
    )
    parser.add_argument("--traces-ratio", type=read_ratio, default=1.0, help="of requests traced")
    parser.add_argument("--assistant", action="store_true", help="answer MCP at /mcp")
    parser.add_argument("--redis", help="host:port: stores there instead of in files")
    parser.add_argument("--nats", help="URL: the log there instead of in that Redis")
    parser.add_argument(
        "--replicas", type=int, default=1, help="of ingress; above 1 of Ranker, too"
    )
    parser.add_argument("--triton-port", type=int, help="gRPC port of the model server")
    parser.add_argument("--triton-via", type=int, help="port of a proxy before it")
    parser.add_argument("--triton-python", type=Path, default=TRITON_PYTHON)
    return parser.parse_args()


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
