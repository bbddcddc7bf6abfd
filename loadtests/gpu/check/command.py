"""Measures a GPU with what is packed beside this file; docs/gpu.md says how and what for.

    python gpu_check.py [--device cuda] [--out results] [--seconds 300]
    python gpu_check.py --parts scores latency      # those alone
    python gpu_check.py --device cpu --quick        # a rehearsal: its times say nothing

Needs PyTorch and NumPy. ONNX Runtime (onnxruntime-gpu) and matplotlib are used where they are
installed. Writes gpu.json, anew after each figure, tables.md and gpu.png.
"""

import argparse
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from loadtests.gpu.check import latency, scores, throughput
from loadtests.gpu.check.model.carried import Carried, read
from loadtests.gpu.check.plot import draw
from loadtests.gpu.check.report import FAILED, MEASURED, Clock, Report, line, table
from loadtests.gpu.check.sizing import ASSUMED, sized
from loadtests.gpu.check.variants import EAGER

FOLDER = Path(__file__).resolve().parents[3]
# Seconds of all, and shares of them; what starts a GPU and writes the report is not in them.
SECONDS, QUICK_SECONDS = 300.0, 240.0
SHARES = {
    scores.PART: 0.2,
    latency.TRANSFER: 0.06,
    latency.LATENCY: 0.2,
    throughput.TOWER: 0.26,
    throughput.SCORER: 0.1,
    throughput.COMPILE: 0.18,
}
QUICK_SLATES = 2
# Mean difference of scores, of float32 here and on the CPU that packed. The largest says nothing:
# where a match falls on a tree's threshold, the last bit decides between two leaves.
SAME = 1e-3


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when all that must be measured was, and float32 gives the CPU's scores; else 1."""
    parser = argparse.ArgumentParser(prog="gpu_check.py", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--folder", type=Path, default=FOLDER, help="what was packed")
    parser.add_argument("--device", choices=("cuda", "cpu"))
    parser.add_argument("--parts", nargs="+", choices=SHARES, default=list(SHARES))
    parser.add_argument("--quick", action="store_true", help="few sizes, a moment each")
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(arguments)
    device = torch.device(options.device or ("cuda" if torch.cuda.is_available() else "cpu"))
    if device.type == "cuda" and not torch.cuda.is_available():
        parser.error(f"PyTorch {torch.__version__} sees no GPU")
    out = options.out or options.folder / "results"
    clock = Clock(options.seconds or (QUICK_SECONDS if options.quick else SECONDS))
    carried = read(options.folder)
    if options.quick:
        carried = carried.first(QUICK_SLATES)
        torch.set_num_threads(1)  # a busy machine's threads would wait for each other
    about = {**_machine(device), "bundle": carried.about["bundle"], "quick": options.quick}
    report = Report(out / "gpu.json", about, clock)
    print(line(about), flush=True)
    _measure(carried, device, options.quick, report, clock, options.parts)
    report.content["sizing"] = sized(report, carried.about["costs"])
    report.content["assumed"] = ASSUMED
    report.content["seconds"] = clock.elapsed_s()
    missed = missing(report, options.parts)
    report.content["passed"] = not missed
    report.write()
    text = tables(report)
    (out / "tables.md").write_text(text)
    print(f"\n{text}\n{draw(report, out / 'gpu.png')}")
    for reason in missed:
        print(f"NOT PASSED: {reason}")
    what = "rehearsal" if about["rehearsal"] else "check"
    print(f"{what} {'not ' if missed else ''}passed in {clock.elapsed_s():.0f} s: {out}/gpu.json")
    return 1 if missed else 0


def _measure(
    carried: Carried,
    device: torch.device,
    quick: bool,
    report: Report,
    clock: Clock,
    chosen: Sequence[str],
) -> None:
    calls = latency.QUICK if quick else latency.FULL
    sizes = throughput.QUICK if quick else throughput.FULL
    parts = {
        scores.PART: lambda: scores.measure(carried, device, report, sizes.texts),
        latency.TRANSFER: lambda: latency.measure_transfer(carried, device, calls, report),
        latency.LATENCY: lambda: latency.measure_latency(carried, device, calls, report),
        throughput.TOWER: lambda: throughput.measure_tower(carried, device, sizes, report),
        throughput.SCORER: lambda: throughput.measure_scorer(carried, device, sizes, report),
        # Last: what a compiler breaks, nothing needs any more.
        throughput.COMPILE: lambda: throughput.measure_compiled(carried, device, sizes, report),
    }
    for name in chosen:
        clock.begin(SHARES[name])
        try:
            parts[name]()
        except Exception as error:  # one part must not end the others
            report.failed(name, {}, error)


def missing(report: Report, parts: Sequence[str]) -> list[str]:
    """What is wrong: a part without a figure, a plain way that failed, other scores than the CPU's.

    A CUDA graph, torch.compile or ONNX Runtime that fails is told in its row; nothing serves it.
    """
    wrong = []
    for part in parts:
        for row in report.rows(part, FAILED):
            if row.get("mode", EAGER) == EAGER and "onnxruntime" not in row.get("runs", ""):
                wrong.append(f"{part}: {line(row)}")
        if part != throughput.COMPILE and not report.rows(part, MEASURED):
            wrong.append(f"{part}: no figure")
    if scores.PART not in parts:
        return wrong
    exact = [
        row
        for row in report.rows(scores.PART)
        if (row["precision"], row["runs"]) == ("float32", "pytorch")
    ]
    if not exact or exact[0]["cpu_float32_mean_difference"] > SAME:
        wrong.append(
            f"float32 differs from the CPU by more than {SAME} in the mean, or was not measured"
        )
    return wrong


def tables(report: Report) -> str:
    """The report in Markdown."""
    about = report.content["about"]
    title = f"# {about['device']}\n\n{line(about)}\n"
    if about["rehearsal"]:
        title += "\n**A rehearsal on the CPU. Its times say nothing of a GPU.**\n"
    parts = [f"\n## {part}\n\n{table(report.rows(part, None))}" for part in report.content["parts"]]
    sizes = table(report.content["sizing"]) if report.content["sizing"] else "nothing to size\n"
    assumed = "".join(f"- {each}\n" for each in ASSUMED)
    return f"{title}\n## sizing\n\n{sizes}\nAssumed:\n\n{assumed}{''.join(parts)}"


def _machine(device: torch.device) -> dict[str, Any]:
    about: dict[str, Any] = {
        "device": "CPU",
        "rehearsal": device.type == "cpu",
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        about["device"] = properties.name
        about["gib"] = properties.total_memory / 2**30
        about["capability"] = f"{properties.major}.{properties.minor}"
        about["cuda"] = torch.version.cuda
    return about
