"""Clients that two generators make of the document call every endpoint and get what it says."""

import json
import re
import shutil
import sys
from pathlib import Path

import pytest

from loadtests.stack import RunningStack
from serving.local.state_folder import DEV_KEY
from tests.clients.running import PYTHON, ROOT, run, run_python

pytestmark = pytest.mark.timeout(300)  # a minute each with other work on the machine

PROGRAMS = ROOT / "tests" / "clients"
_NEEDS_NODE = "needs Node.js 18 and npm (apt-get install nodejs npm)"


@pytest.fixture(scope="module")
def document(stack: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The running stack's, as a file."""
    file = tmp_path_factory.mktemp("document") / "openapi.json"
    file.write_text(stack.client.get("/openapi.json").text)
    return file


@pytest.fixture
def npm(pytestconfig: pytest.Config) -> str:
    """Its path. Asked for before the stack, which need not start in vain."""
    program = shutil.which("npm") if shutil.which("node") else None
    if program is None:
        if pytestconfig.getoption("--require-node"):
            pytest.fail(_NEEDS_NODE)
        pytest.skip(_NEEDS_NODE)
    return program


def test_a_python_client_of_the_document_calls_every_endpoint(
    stack: RunningStack, document: Path, tmp_path: Path
) -> None:
    program = PROGRAMS / "python" / "shop.py"
    run_python(
        *(PYTHON.with_name("openapi-python-client"), "generate", "--fail-on-warning"),
        *("--path", document, "--meta", "none", "--output-path", tmp_path / "vitrine_client"),
        *("--config", program.with_name("generator.yaml")),
    )
    run(
        *(sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "--config-file="),
        *("--cache-dir", tmp_path, "--python-executable", PYTHON, program),
        environment={"MYPYPATH": str(tmp_path)},
    )
    found = {"PYTHONPATH": str(tmp_path)}
    printed = run_python(program, stack.url, DEV_KEY, document, environment=found)
    assert called(printed, document) == operations(document)


def test_a_typescript_client_of_the_document_calls_every_endpoint(
    npm: str, stack: RunningStack, document: Path, tmp_path: Path
) -> None:
    for file in (document, *(PROGRAMS / "typescript").glob("*.*")):
        if file.is_file():
            shutil.copy(file, tmp_path)
    run(npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts", folder=tmp_path)
    generated = run(npm, "run", "--silent", "generate", folder=tmp_path)
    assert not re.search("warn|error|⚠", generated, re.IGNORECASE), generated
    run(npm, "run", "--silent", "build", folder=tmp_path)
    printed = run("node", "built/shop.js", stack.url, DEV_KEY, folder=tmp_path)
    assert called(printed, document) == operations(document)


def operations(document: Path) -> set[tuple[str, str]]:
    paths = json.loads(document.read_text())["paths"]
    return {(method.upper(), path) for path, methods in paths.items() for method in methods}


def called(printed: str, document: Path) -> set[tuple[str, str]]:
    """The operations of the requests that a program printed."""
    patterns = {
        (method, path): re.compile(re.sub(r"\{\w+\}", "[^/]+", path))
        for method, path in operations(document)
    }
    found = set()
    for method, path in map(str.split, printed.splitlines()):
        fitting = [
            operation
            for operation, pattern in patterns.items()
            if operation[0] == method and pattern.fullmatch(path)
        ]
        found.add(min(fitting, key=lambda operation: operation[1].count("{")))
    return found
