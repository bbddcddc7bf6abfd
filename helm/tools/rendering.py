"""Runs the real Helm."""

import subprocess

from helm.tools.binaries import binary


class RefusedError(Exception):
    """Helm renders nothing; the message is what it says."""


def helm(*arguments: str) -> str:
    """What Helm prints; raises RefusedError."""
    done = subprocess.run(
        [str(binary("helm")), *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise RefusedError(done.stderr)
    return done.stdout
