"""`make serve` runs in an environment that has what requirements/serving.txt names, and no more."""

import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
_CODE = """
import sys
for name in sys.argv[1:]:
    sys.modules[name] = None  # as if it were not installed
import features.ingest.__main__, serving.local.__main__, serving.local.app_process
import serving.local.prepare, serving.local.models
"""


def locked(name: str) -> set[str]:
    lines = (ROOT / "requirements" / f"{name}.txt").read_text().splitlines()
    found = (re.match(r"([A-Za-z0-9._-]+)==", line) for line in lines)
    return {re.sub(r"[-_.]+", "-", each[1]).lower() for each in found if each}


def test_what_make_serve_imports_is_in_its_own_environment() -> None:
    there = locked("serving") | locked("bare-serving")
    more = {
        name
        for name, distributions in packages_distributions().items()
        if not {re.sub(r"[-_.]+", "-", each).lower() for each in distributions} & there
    }
    strange = sorted(
        name for name in more & {"onnxruntime", "onnx", "torch", "transformers", "lightgbm",
                                 "matplotlib", "implicit", "sklearn", "locust", "nats_server"}
    )  # fmt: skip
    assert "onnxruntime" in strange
    done = subprocess.run(
        [sys.executable, "-c", _CODE, *strange], cwd=ROOT, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2_000:]
