"""`make serve`: prepare once, start everything, print what to paste, stop on Ctrl-C."""

import argparse
import ipaddress
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from rich.console import Console

from serving.local.models import TRITON_PYTHON, PublishingError, tokenizer_path
from serving.local.stack import Address, Stack, StackError, check_machine
from serving.local.state_folder import DEV_KEY, Prepared, StateFolderError, folder_of, prepared
from serving.rules import RulesError, read_rules


class NotPreparedError(Exception):
    """The preparing process has said why."""


def main() -> int:
    """The exit status: 0 after a stop that was asked for, 2 for anything that prevents serving."""
    arguments = _arguments()
    console = Console(highlight=False, soft_wrap=True)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _interrupt)
    try:
        return _serve(arguments, console)
    except (StackError, StateFolderError, RulesError, PublishingError) as error:
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
    check_machine(address)
    folder = folder_of(arguments.state, arguments.data)
    ready = prepared(folder) or _prepare(arguments, folder)
    read_rules(folder / "rules.yaml")
    # Written as it stands: child processes get the environment that we were given.
    stack = Stack(
        folder,
        address,
        arguments.keys,
        arguments.triton_python,
        tokenizer_path(),
        dict(os.environ),
        console,
    )
    stack.start(ready)
    try:
        console.print(_greeting(address, ready, arguments.keys is None), markup=False)
        stack.watch()
    finally:
        # A second Ctrl-C must not leave processes behind.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        console.print("stopping")
        stack.stop()
        console.print("stopped")
    return 0


def _prepare(arguments: argparse.Namespace, folder: Path) -> Prepared:
    """Prepare in a process of its own: it takes a gigabyte that serving has no use for."""
    command = [sys.executable, "-m", "serving.local.prepare", "--data", arguments.data]
    command += ["--folder", str(folder), "--datasets", str(arguments.state / "datasets")]
    command += ["--items", str(arguments.items), "--triton-python", str(arguments.triton_python)]
    done = subprocess.run(command, check=False)
    ready = prepared(folder)
    if done.returncode != 0 or ready is None:
        raise NotPreparedError
    return ready


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make serve", description=__doc__)
    parser.add_argument("--data", default="grocery", help="grocery, simulated or a folder")
    parser.add_argument("--state", type=Path, default=Path(".vitrine"))
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--keys", type=Path, help="JSON file of API keys")
    parser.add_argument("--items", type=int, default=10_000, help="size of the grocery catalogue")
    parser.add_argument("--triton-python", type=Path, default=TRITON_PYTHON)
    return parser.parse_args()


def _greeting(address: Address, ready: Prepared, has_dev_key: bool) -> str:
    """The address and three lines to paste."""
    url, sample = address.url, ready.sample
    key = DEV_KEY if has_dev_key else "YOUR-KEY"
    head = f"curl -s {url}%s -H 'Authorization: Bearer {key}' -d "
    rank = {
        "user_id": sample.user_id,
        "candidates": [{"item_id": item_id} for item_id in sample.item_ids],
    }
    click = (
        '"{\\"events\\":[{\\"event_id\\":\\"$RANDOM$RANDOM\\",\\"type\\":\\"click\\",'
        f'\\"user_id\\":\\"{sample.user_id}\\",\\"item_id\\":\\"{sample.item_ids[-1]}\\",'
        '\\"at\\":\\"$(date -u +%FT%TZ)\\"}]}"'
    )
    search = {"query": sample.query, "user_id": sample.user_id, "limit": 5}
    return "\n".join(
        (
            f"\nVitrine answers at {url}  (Ctrl-C stops)",
            f"a shop to click in: {url}/demo#shopper={sample.user_id}   the API: {url}/docs\n",
            "rank these items for a shopper:",
            f"  {head % '/v1/rank'}'{json.dumps(rank)}'\n",
            "the shopper clicks the last of them (then rank again, and see it move):",
            f"  {head % '/v1/events'}{click}\n",
            "search:",
            f"  {head % '/v1/search'}'{json.dumps(search)}'\n",
        )
    )


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
