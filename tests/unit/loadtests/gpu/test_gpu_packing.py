"""What is packed is small, whole, and runs where nothing of ours is."""

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from loadtests.gpu.packing import LIMIT, PackError, pack
from tests.support.tiny_bundle import write_bundle

CARRIER = 64 * 2**20  # bytes that what takes it along may take


def modules(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


def test_the_folder_is_well_below_what_can_be_carried(packed: Path) -> None:
    size = sum(path.stat().st_size for path in packed.rglob("*") if path.is_file())
    assert size <= LIMIT < CARRIER


def test_packed_code_imports_nothing_of_ours_that_is_not_packed(packed: Path) -> None:
    # typeguard: only where it is found (features/feast_checks.py).
    allowed = {"torch", "numpy", "onnxruntime", "matplotlib", "typeguard"}
    allowed |= sys.stdlib_module_names
    for path in modules(packed):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0, path
                names = [str(node.module)]
            for name in names:
                here = packed / name.replace(".", "/")
                is_packed = here.with_suffix(".py").is_file() or (here / "__init__.py").is_file()
                assert is_packed or name.split(".")[0] in allowed, f"{path}: {name}"


def test_only_torch_and_numpy_are_imported_before_it_is_known_what_is_there(packed: Path) -> None:
    for path in modules(packed):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                text = ast.unparse(node)
                assert "onnxruntime" not in text, path
                assert "matplotlib" not in text, path


def test_the_copied_folder_rehearses_by_itself(packed: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(packed, tmp_path / "elsewhere"))
    command = [sys.executable, str(folder / "gpu_check.py"), "--device", "cpu", "--quick"]
    command += ["--parts", "scores", "transfer", "latency", "scorer"]
    done = subprocess.run(
        command, cwd=tmp_path, env={"PATH": ""}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "rehearsal passed" in done.stdout
    report = json.loads((folder / "results" / "gpu.json").read_text())
    assert report["about"]["rehearsal"]
    assert report["passed"]
    graphs = [row for row in report["parts"]["scorer"] if row["mode"] == "graph"]
    assert {(row["status"], row["reason"]) for row in graphs} == {
        ("left out", "CUDA graphs need a GPU of NVIDIA")
    }
    assert (folder / "results" / "tables.md").read_text().startswith("# CPU")


def test_a_bundle_without_held_out_slates_is_refused_by_name(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "bundle")
    with pytest.raises(PackError, match=r"held_out\.npz"):
        pack(bundle, tmp_path / "out")
