"""Where traces are to go: what `make serve` takes, and what its processes are told."""

import subprocess
import sys
from argparse import ArgumentTypeError
from pathlib import Path

import pytest

from serving.local.tracing import Tracing, read_ratio, read_url


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("--traces-ratio", "1.5", "a share from 0 to 1 is needed, not '1.5'"),
        ("--traces-to", "localhost:4318", "an address like http://127.0.0.1:4318/v1/traces"),
        ("--traces", "sometimes", "invalid choice: 'sometimes'"),
    ],
)
def test_make_serve_refuses_in_one_line_before_anything_starts(
    tmp_path: Path, option: str, value: str, says: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "serving.local", "--state", str(tmp_path), option, value],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2
    assert done.stderr == ""
    (line,) = done.stdout.splitlines()
    assert line.startswith(f"cannot serve: argument {option}: ")
    assert says in line
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("text", ["-0.1", "1.01", "nan", "inf", "half", ""])
def test_a_share_is_a_number_from_0_to_1(text: str) -> None:
    with pytest.raises(ArgumentTypeError):
        read_ratio(text)


@pytest.mark.parametrize(
    "text", ["", "collector:4318", "ftp://collector/", "http://", "http://a:99999", "http://[a"]
)
def test_a_collector_has_a_whole_address(text: str) -> None:
    with pytest.raises(ArgumentTypeError):
        read_url(text)


@pytest.mark.parametrize("share", ["0", "0.05", "1"])
def test_every_process_is_told_the_collector_and_the_share(share: str) -> None:
    environment = Tracing(
        read_url("http://collector:4318/v1/traces"), read_ratio(share)
    ).environment("a")
    assert environment["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] == "http://collector:4318/v1/traces"
    assert float(environment["RAY_SERVE_TRACING_SAMPLING_RATIO"]) == float(share)
    assert Tracing().environment("a") == {}
