"""Runs programs of somebody who uses the product, in environments of their own."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venv-clients" / "bin" / "python"
# Nobody but the stack is asked for anything.
_QUIET = {
    "HAYSTACK_TELEMETRY_ENABLED": "False",
    "HF_HUB_OFFLINE": "1",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
}
_LIMIT_S = 240.0  # with other work on the machine


def run(
    *command: str | Path, folder: Path = ROOT, environment: Mapping[str, str] | None = None
) -> str:
    """What it printed, errors too; fails with that unless it ended well.

    environment: beside this process's own.
    """
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env={**os.environ, **_QUIET, **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def run_python(*arguments: str | Path, environment: Mapping[str, str] | None = None) -> str:
    """`run` with the interpreter that has the clients (requirements/clients.txt)."""
    assert PYTHON.exists(), "the clients are not installed: make .venv-clients/.ready"
    return run(PYTHON, *arguments, environment=environment)
