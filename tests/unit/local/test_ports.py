"""Ports that servers are given before they bind them."""

import subprocess
import sys
from itertools import pairwise

import pytest

from serving.local.machine import StackError, _free, free_port, free_window

N = 200
HOLDING = (
    "from serving.local.machine import free_port; import sys\n"
    f"print(*[free_port() for _ in range({N})], flush=True); sys.stdin.read()"
)


def test_no_port_is_given_twice_also_before_it_is_bound_and_to_another_process() -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDING], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    theirs = {int(port) for port in holder.stdout.readline().split()}
    ours = {free_port() for _ in range(N)}
    holder.communicate()
    assert len(theirs) == len(ours) == N
    assert not theirs & ours


def test_the_windows_of_two_stacks_do_not_overlap() -> None:
    firsts = sorted(free_window(32) for _ in range(50))
    assert all(second - first >= 32 for first, second in pairwise(firsts))


def test_the_port_of_a_process_that_ended_is_given_again() -> None:
    command = [sys.executable, "-c", HOLDING]
    ended = subprocess.run(command, input="", capture_output=True, text=True, check=True)
    port = int(ended.stdout.split()[0])
    assert _free(range(port, port + 1), 1) == port
    with pytest.raises(StackError, match="no 1 neighbouring ports"):
        _free(range(port, port + 1), 1)
