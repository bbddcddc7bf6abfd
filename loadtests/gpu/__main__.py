"""Packs the check of a GPU and runs it here; without a GPU, a rehearsal of it on the CPU.

    python -m loadtests.gpu [--bundle B] [--folder build/gpu-check] [--pack-only]

The folder can be taken to another host and run there: docs/gpu.md.
"""

import argparse
import subprocess
import sys
from pathlib import Path

import torch

from loadtests.gpu.packing import PackError, pack
from serving.local.models import GROCERY_BUNDLE
from serving.training.publish.parity import ParityError

REHEARSAL = ("--device", "cpu", "--quick")


def main() -> int:
    """The exit status: that of the check, or of the rehearsal."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.gpu", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--bundle", type=Path, default=GROCERY_BUNDLE)
    parser.add_argument("--folder", type=Path, default=Path("build/gpu-check"))
    parser.add_argument("--pack-only", action="store_true", help="do not run it")
    options = parser.parse_args()
    print(f"packing {options.folder}: the CPU answers first, a minute or two", flush=True)
    try:
        size = pack(options.bundle, options.folder)
    except (PackError, ParityError, OSError) as error:
        print(f"not packed: {error}")
        return 1
    print(f"packed: {size / 2**20:.1f} MiB; elsewhere: python gpu_check.py (docs/gpu.md)")
    if options.pack_only:
        return 0
    has_gpu = torch.cuda.is_available()
    if not has_gpu:
        print(
            f"{_why_none()} What follows is a REHEARSAL on the CPU; its times say nothing.",
            flush=True,
        )
    command = [sys.executable, str(options.folder / "gpu_check.py")]
    return subprocess.run([*command, *(() if has_gpu else REHEARSAL)], check=False).returncode


def _why_none() -> str:
    if Path("/dev/nvidiactl").exists():
        return f"A GPU is here, but PyTorch {torch.__version__} does not use it."
    return "NO GPU is here: nothing of a GPU is measured."


if __name__ == "__main__":
    sys.exit(main())
