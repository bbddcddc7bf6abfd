"""Imports point one way, and each third party has one place.

The layers stand in pyproject.toml (`[tool.importlinter]`). They refine docs/architecture.md in two
points: `remote` stands beside what only `endpoints` wires (refresh, recorder, item_vectors), and
`item_cache` stands below the pipeline's stages, since features, retrieval and rules read it.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TRAINING = ("serving/training/", "features/datasets/")

# Top-level name -> where it may be imported; a path that ends in "/" stands for the folder.
PLACES = {
    "ray": (
        "serving/app.py",
        "serving/ranking/remote.py",
        "serving/local/",
        "serving/cluster/ray_cluster.py",
    ),
    "feast": ("features/",),
    "fastapi": ("serving/http/",),
    "mcp": ("serving/http/assistant/door.py",),
    "mcp_types": ("serving/http/assistant/door.py",),
    "tritonclient": ("serving/models/connection.py", "serving/models/triton.py"),
    "grpc": ("serving/models/connection.py", "serving/models/triton.py"),
    "tantivy": ("serving/search/words/lexical.py", "serving/search/words/stop_words.py"),
    "usearch": ("serving/search/dense.py",),
    "tokenizers": ("serving/models/tokenizer.py", "serving/models/sentencepiece.py", *TRAINING),
    "redis": ("features/",),
    "nats": ("features/events/nats/",),
    "isal": ("features/events/ranking_codec.py",),
    "torch": ("serving/training/",),
    "transformers": ("serving/training/",),
    "lightgbm": ("serving/training/",),
    "onnx": ("serving/training/",),
    "onnxruntime": ("serving/training/", "serving/models/runtime/"),
    "triton_python_backend_utils": ("serving/models/runtime/",),
    # What decodes strangers' bytes, and what connects to strangers' hosts, is in one room.
    "PIL": ("serving/pictures/decoding.py",),
    # What reads strangers' pictures does so in a process of its own.
    "rapidocr": ("serving/pictures/text/child.py",),
    "cv2": ("serving/pictures/text/child.py",),
    "aiohttp": ("serving/pictures/",),
    "yarl": ("serving/pictures/",),
    "implicit": ("features/behavior/neighbors.py", *TRAINING),
    # Logistic regression and folds of a classifier; what it has learnt is served by NumPy alone.
    "sklearn": ("serving/training/fit/labels/", "serving/training/evaluate/"),
    # A connection to the address that was judged, under the host's name: requests has none.
    "urllib3": ("serving/shops/alerts/webhook.py",),
}


def sources() -> list[Path]:
    return sorted(path for top in ("serving", "features") for path in (ROOT / top).rglob("*.py"))


@cache
def tree(path: Path) -> ast.AST:
    return ast.parse(path.read_text())


@cache
def imports(path: Path) -> frozenset[str]:
    return frozenset(_imported(tree(path)))


def place(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _imported(module: ast.AST) -> Iterator[str]:
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module


def allowed(path: Path, places: tuple[str, ...]) -> bool:
    where = place(path)
    return any(where.startswith(each) if each.endswith("/") else where == each for each in places)


def test_the_layers_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    # A process of its own: import-linter switches off the loggers of the one it runs in.
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    checked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("library", sorted(PLACES))
def test_a_third_party_is_imported_only_in_its_place(library: str) -> None:
    strays = [
        place(path)
        for path in sources()
        if not allowed(path, PLACES[library])
        and any(name.split(".")[0] == library for name in imports(path))
    ]
    assert strays == []


def test_only_what_starts_processes_imports_the_models_code() -> None:
    strays = [
        place(path)
        for path in sources()
        if not allowed(
            path,
            ("serving/training/", "serving/models/runtime/", "serving/local/", "serving/cluster/"),
        )
        and any(name.startswith("serving.training") for name in imports(path))
    ]
    assert strays == []


def test_the_environment_is_read_only_where_processes_are_started() -> None:
    # The libraries of traces and metrics have variables of their own, and read them themselves.
    telemetry = ("features/telemetry/spans.py", "serving/telemetry/metrics.py")
    strays = [
        place(path)
        for path in sources()
        if not allowed(path, ("serving/local/", "serving/cluster/ray_cluster.py", *telemetry))
        and any(
            (isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv"))
            or (
                isinstance(node, ast.ImportFrom)
                and node.module == "os"
                and any(alias.name in ("environ", "getenv") for alias in node.names)
            )
            for node in ast.walk(tree(path))
        )
    ]
    assert strays == []


def test_no_module_of_serving_hides_its_annotations_from_the_frameworks_that_read_them() -> None:
    """Ray Serve and FastAPI inspect types at run time; strings in their place break both."""
    strays = [
        place(path) for path in (ROOT / "serving").glob("*.py") if "__future__" in imports(path)
    ]
    assert strays == []
