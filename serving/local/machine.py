"""What the local stack needs of this machine, checked before anything is started."""

import contextlib
import fcntl
import os
import secrets
import socket
import tempfile
from dataclasses import dataclass
from pathlib import Path

import psutil

_MIN_MEMORY_BYTES = 3 * 1024**3
_TAKEN: list[int] = []  # file descriptors that hold the ports given to this process


class StackError(Exception):
    """The stack cannot start; the message is one line that says what to do."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where the HTTP side listens."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """The address to call from this machine."""
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host
        return f"http://{host}:{self.port}"


def check_machine(address: Address) -> None:
    """Raise StackError for what would fail later and less clearly."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address.host, address.port))
        except OSError as error:
            raise StackError(
                f"port {address.port} on {address.host} cannot be used ({error.strerror}): "
                "choose another with PORT="
            ) from None
    available = psutil.virtual_memory().available
    if available < _MIN_MEMORY_BYTES:
        raise StackError(
            f"{available / 1024**3:.1f} GiB of memory are available, "
            f"{_MIN_MEMORY_BYTES / 1024**3:.0f} GiB are needed"
        )


def free_port() -> int:
    """A port that is free now; not one of those that connections get, which might soon be taken."""
    return _free(range(10_000, 15_000), 1)


def free_window(size: int = 32) -> int:
    """The first of `size` neighbouring ports that are all free now, none of them a `free_port`."""
    return _free(range(15_000, 32_000), size)


def _free(ports: range, size: int) -> int:
    """Below the system's own range, which begins at 32,768 on Linux.

    They stay this process's until it ends: who starts a server binds its port seconds later, and
    meanwhile nobody who asks here gets the same, in this process or in another one of this user.
    """
    locks = Path(tempfile.gettempdir(), f"vitrine-ports-{os.getuid()}")
    locks.mkdir(mode=0o700, exist_ok=True)
    for _ in range(100):
        first = ports.start + size * secrets.randbelow(len(ports) // size)
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW  # the folder may be somebody else's
        lock = os.open(locks / str(first), flags, 0o600)
        with contextlib.ExitStack() as tried:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                for port in range(first, first + size):
                    tried.enter_context(socket.socket()).bind(("127.0.0.1", port))
            except OSError:
                os.close(lock)
                continue
            _TAKEN.append(lock)  # the system gives it back, also after -9
            return first
    raise StackError(f"no {size} neighbouring ports are free")
