"""A way that fails is told with its reason, and the others go on."""

import json
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from loadtests.gpu.check.command import missing
from loadtests.gpu.check.latency import LATENCY
from loadtests.gpu.check.report import Clock, Report, table
from loadtests.gpu.check.sizing import knee, sized
from loadtests.gpu.check.variants import EAGER, GRAPH, OutOfTime, busy_ms, limited, prepared
from loadtests.gpu.packing import sizing_costs


def report_in(folder: Path, seconds: float = 100.0) -> Report:
    return Report(folder / "gpu.json", {"device": "none", "rehearsal": True}, Clock(seconds))


def broken() -> dict[str, Any]:
    raise RuntimeError("no kernel image\nis available")


def test_a_failing_way_is_told_with_its_reason_and_the_next_is_measured(tmp_path: Path) -> None:
    report = report_in(tmp_path)
    report.tried("tower", {"mode": GRAPH}, broken)
    report.tried("tower", {"mode": EAGER}, lambda: {"ms": 1.5})
    rows = json.loads((tmp_path / "gpu.json").read_text())["parts"]["tower"]
    assert rows == [
        {
            "mode": "graph",
            "status": "failed",
            "reason": "RuntimeError: no kernel image is available",
        },
        {"mode": "eager", "status": "measured", "ms": 1.5},
    ]
    assert "no kernel image is available" in table(rows)


def test_each_figure_is_on_disk_before_the_next_is_measured(tmp_path: Path) -> None:
    report = report_in(tmp_path)
    report.tried("tower", {"batch": 1}, lambda: {"ms": 1.0})

    def second() -> dict[str, Any]:
        stored = json.loads((tmp_path / "gpu.json").read_text())
        return {"before": len(stored["parts"]["tower"])}

    assert report.tried("tower", {"batch": 2}, second)["before"] == 1


def test_what_there_is_no_time_for_is_left_out_and_told(tmp_path: Path) -> None:
    row = report_in(tmp_path, seconds=0.0).tried("tower", {}, broken)
    assert row == {"status": "left out", "reason": "the time of this part was used up"}


def test_a_cuda_graph_without_a_gpu_is_left_out_not_failed(tmp_path: Path) -> None:
    inputs = [torch.zeros(1)]
    row = report_in(tmp_path).tried("tower", {}, lambda: prepared(GRAPH, torch.sin, inputs)())
    assert row == {"status": "left out", "reason": "CUDA graphs need a GPU of NVIDIA"}


def test_what_hangs_is_given_up_and_told(tmp_path: Path) -> None:
    def hanging() -> dict[str, Any]:
        with limited(0.01):
            while True:
                time.sleep(0.01)

    row = report_in(tmp_path).tried("compiled", {}, hanging)
    assert row["status"] == "failed"
    assert row["reason"].startswith("given up")


def test_a_limit_that_is_kept_says_nothing() -> None:
    with limited(60.0):
        pass
    with pytest.raises(OutOfTime), limited(0.0):
        time.sleep(1)


def test_a_plain_way_that_fails_is_no_pass_and_a_graph_that_fails_is(tmp_path: Path) -> None:
    report = report_in(tmp_path)
    report.tried("scorer", {"mode": EAGER}, lambda: {"ms": 1.0})
    report.tried("scorer", {"mode": GRAPH}, broken)
    assert missing(report, ["scorer"]) == []
    report.tried("scorer", {"mode": EAGER}, broken)
    assert "no kernel image" in missing(report, ["scorer"])[0]


def test_scores_that_differ_from_the_cpus_are_no_pass(tmp_path: Path) -> None:
    report = report_in(tmp_path)
    what = {"precision": "float32", "runs": "pytorch"}
    report.tried("scores", what, lambda: {"cpu_float32_mean_difference": 0.1})
    assert "differs from the CPU" in missing(report, ["scores"])[0]


def test_calls_are_counted_and_timed() -> None:
    called: list[int] = []
    row = busy_ms(lambda: called.append(1), torch.device("cpu"), 0.001)
    assert 0 < row["calls"] <= len(called)
    assert row["ms"] > 0


def test_the_knee_is_where_half_of_a_call_grows_with_the_batch() -> None:
    requests = np.array([1, 2, 4, 8, 16, 32, 64])
    found = knee(requests, 2.0 + 0.25 * requests)
    assert found["fixed_ms"] == pytest.approx(2.0)
    assert found["request_ms"] == pytest.approx(0.25)
    assert found["knee"] == pytest.approx(8.0)
    assert found["enough"] == 32


def test_a_gpu_as_fast_as_a_cpu_pod_replaces_one(tmp_path: Path) -> None:
    costs = sizing_costs()
    report = report_in(tmp_path)
    for k in (1, 2, 4):
        call_s = costs["batch_s"] + costs["row_s"] * costs["candidates"] * k
        row = {"requests": k, "ms": 1000 * (call_s - costs["hop_s"])}
        what = {"runs": "all", "precision": "float16", "mode": EAGER}
        report.tried(LATENCY, what, partial(dict, row))
    [found] = sized(report, costs)
    assert found["replaces_cpu_pods"] == pytest.approx(1.0)
    assert found["rankings_per_s"] == pytest.approx(found["cpu_pod_per_s"])
