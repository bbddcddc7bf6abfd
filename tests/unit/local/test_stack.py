"""A stack that is measured ends with whoever started it."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from helm.tools.paths import ROOT

NEVER_ANSWERS = """
import os, pathlib, time
pathlib.Path(os.environ["TOLD"]).write_text(str(os.getpid()))
time.sleep(600)
"""
STARTS_IT = """
import signal, sys
from pathlib import Path
from loadtests.stack import run_stack
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
checkout, told = map(Path, sys.argv[1:])
for _ in run_stack(checkout / "state", 1, root=checkout, environment={"TOLD": str(told)}):
    pass
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_start_that_is_interrupted_leaves_nothing_running(
    tmp_path: Path, number: signal.Signals
) -> None:
    package = tmp_path / "serving" / "local"
    package.mkdir(parents=True)
    (package / "__main__.py").write_text(NEVER_ANSWERS)
    told = tmp_path / "pid"
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTS_IT, str(tmp_path), str(told)],
        cwd=ROOT, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        while not (told.is_file() and told.read_text()):
            assert starter.poll() is None, "it did not start"
            time.sleep(0.05)
        stack = psutil.Process(int(told.read_text()))
        starter.send_signal(number)
        starter.wait(60)
    finally:
        starter.kill()
        starter.wait()
    _, left = psutil.wait_procs([stack], timeout=60)
    assert left == []
