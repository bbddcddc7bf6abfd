"""`make serve` refuses in one clear line, and leaves nothing behind."""

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from features.behavior.matrix import FEATURE_NAMES
from serving.local.machine import Address, StackError, check_machine, free_port
from serving.local.models import ROOT
from serving.local.prepare import write_secrets
from serving.local.processes import Restarts
from serving.local.state_folder import (
    LAYOUT,
    StateFolderError,
    folder_of,
    prepared,
    store_for,
)


def refusal(state: Path, *options: str) -> str:
    """What `python -m serving.local` says when it refuses; it must be one line."""
    done = subprocess.run(
        [sys.executable, "-m", "serving.local", "--state", str(state), *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2
    lines = [line for line in done.stdout.splitlines() if line.strip()]
    assert "Traceback" not in done.stdout + done.stderr
    return lines[-1]


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        said = refusal(tmp_path, "--port", str(port))
    assert f"port {port} on 127.0.0.1 cannot be used" in said
    assert not list(tmp_path.iterdir())


def test_a_key_that_pages_may_show_and_that_could_do_more_is_named(tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    key = {"name": "window", "sha256": "0" * 64, "scopes": ["events", "rank"],
           "publishable": {"origins": ["https://shop.example"]}}  # fmt: skip
    keys.write_text(json.dumps([key]))
    said = refusal(tmp_path / "state", "--keys", str(keys))
    assert f"the keys in {keys} cannot be used" in said
    assert "key 'window': a publishable key has the scope events, no other" in said
    assert "cannot be used: FileNotFoundError" in refusal(
        tmp_path / "state", "--keys", str(tmp_path / "nowhere.json")
    )
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_a_stop_while_preparing_leaves_nothing_running(
    tmp_path: Path, number: signal.Signals
) -> None:
    command = [sys.executable, "-m", "serving.local", "--data", "simulated"]
    command += ["--state", str(tmp_path), "--port", str(free_port())]
    # Under nohup SIGHUP is ignored, also by what is started; a shell passes it on as it is.
    disposition = signal.signal(number, signal.SIG_DFL)
    try:
        starting = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
    finally:
        signal.signal(number, disposition)
    with starting as process:
        assert process.stdout is not None
        assert "preparing" in process.stdout.readline()
        started = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(number)
        assert process.wait(timeout=30) == 0
    _, left = psutil.wait_procs(started, timeout=10)
    assert started
    assert not left
    assert prepared(folder_of(tmp_path, "simulated")) is None


def test_other_addresses_than_loopback_need_real_keys(tmp_path: Path) -> None:
    said = refusal(tmp_path, "--host", "0.0.0.0", "--port", str(free_port()))
    assert "KEYS=" in said
    assert not list(tmp_path.iterdir())


def test_a_missing_data_folder_is_named(tmp_path: Path) -> None:
    said = refusal(tmp_path, "--data", str(tmp_path / "nowhere"), "--port", str(free_port()))
    assert "nowhere: no such file or folder" in said


def test_a_broken_data_folder_names_the_file_and_the_column(tmp_path: Path) -> None:
    shop = tmp_path / "shop"
    shop.mkdir()
    (shop / "items.jsonl").write_text('{"item_id": "1", "name": "tea"}\n')
    (shop / "events.jsonl").write_text("")
    said = refusal(tmp_path / "state", "--data", str(shop), "--port", str(free_port()))
    assert "items.jsonl" in said
    assert "name" in said
    assert not (tmp_path / "state" / "shop").exists()


def test_a_folder_of_another_version_is_not_overwritten(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "grocery")
    folder.mkdir()
    (folder / "prepared.json").write_text(json.dumps({"layout": LAYOUT + 1}))
    (folder / "events.db").write_text("what shoppers did")
    assert "STATE=" in refusal(tmp_path, "--port", str(free_port()))
    assert (folder / "events.db").read_text() == "what shoppers did"
    with pytest.raises(StateFolderError):
        prepared(folder)


def test_a_source_of_any_name_has_its_own_folder_that_triton_can_read(tmp_path: Path) -> None:
    names = {folder_of(tmp_path, name).name for name in ("data/店", "data/书", "café", "caf", "x")}
    assert len(names) == 5
    assert all(name.isascii() for name in names)
    assert folder_of(tmp_path, "shops/my shop").name == "my-shop"
    assert "STATE=" in refusal(tmp_path / "é", "--port", str(free_port()))
    assert not list(tmp_path.iterdir())


def test_a_folder_that_was_never_finished_counts_as_not_prepared(tmp_path: Path) -> None:
    assert prepared(tmp_path) is None


def test_features_of_another_version_are_another_layout(tmp_path: Path) -> None:
    names = list(FEATURE_NAMES[1:])
    (tmp_path / "prepared.json").write_text(json.dumps({"layout": LAYOUT, "feature_names": names}))
    with pytest.raises(StateFolderError, match="another version"):
        prepared(tmp_path)


def test_too_little_memory_is_said_with_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    class Little:
        available = 2**30

    monkeypatch.setattr(psutil, "virtual_memory", Little)
    with pytest.raises(StackError, match=r"1\.0 GiB of memory are available, 3 GiB are needed"):
        check_machine(Address("127.0.0.1", free_port()))


def test_secrets_are_for_the_owner_only(tmp_path: Path) -> None:
    write_secrets(tmp_path)
    for name in ("keys.json", "pseudonym.key"):
        assert (tmp_path / name).stat().st_mode & 0o077 == 0
    assert "dev" not in [key["sha256"] for key in json.loads((tmp_path / "keys.json").read_text())]


def test_a_process_that_ends_at_once_is_restarted_later_and_later() -> None:
    restarts = Restarts()
    waits = []
    for _ in range(8):
        waits.append(restarts.plan())
        restarts.done()
    assert waits == sorted(waits)
    assert waits[0] < 2
    assert waits[-1] == 20


def test_the_currency_of_a_folder_is_that_of_its_file_or_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "prices.json").write_text('{"currency": "EUR", "rates": {"USD": 0.9}}')
    for redis in (None, "127.0.0.1:6379"):
        assert store_for(tmp_path, redis).prices.rate("USD") == 0.9
    (tmp_path / "prices.json").write_text('{"currency": "EUR", "rates": {"USD": 0}}')
    with pytest.raises(StateFolderError, match=r"prices\.json: rates\.USD"):
        store_for(tmp_path, None)
