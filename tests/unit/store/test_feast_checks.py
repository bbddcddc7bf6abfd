"""Feast's classes are imported as they are written."""

import subprocess
import sys

import pytest

# What typeguard compiles into a method names typeguard's functions.
SAY = (
    "import feast; "
    "print('check_argument_types_internal' in feast.FeatureView.__init__.__code__.co_names)"
)


@pytest.mark.parametrize(("first", "checked"), [("", "True"), ("import features; ", "False")])
def test_feast_checks_types_at_run_time_only_without_us(first: str, checked: str) -> None:
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", first + SAY],
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.split() == [checked]
