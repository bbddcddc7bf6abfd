"""What the local stack needs of this machine, checked before anything is started."""

import contextlib
import secrets
import socket
from dataclasses import dataclass

import psutil

_MIN_MEMORY_BYTES = 3 * 1024**3


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
    """The first of `size` neighbouring ports that are all free now, none of them a `free_port`.

    Chosen by chance, so that two stacks that start at once hardly ever choose the same.
    """
    return _free(range(15_000, 32_000), size)


def _free(ports: range, size: int) -> int:
    """Below the system's own range, which begins at 32,768 on Linux."""
    for _ in range(100):
        first = ports.start + size * secrets.randbelow(len(ports) // size)
        try:
            with contextlib.ExitStack() as held:
                for port in range(first, first + size):
                    held.enter_context(socket.socket()).bind(("127.0.0.1", port))
            return first
        except OSError:
            continue
    raise StackError(f"no {size} neighbouring ports are free")
