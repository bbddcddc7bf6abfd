"""What every test has: the shared data beside the repository, and who may be left out."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from loadtests.stack import RunningStack, copied, prepare, run_stack
from serving.local.machine import free_port
from serving.local.traces.viewer import TraceViewer
from tests.support.trace_maker import TraceMaker

SHARED = Path(__file__).resolve().parents[2] / "shared"
_REASON = "needs ../shared"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--require-shared",
        action="store_true",
        help="fail, rather than skip, tests that need ../shared where it is missing",
    )
    parser.addoption(
        "--write-compat",
        action="store_true",
        help="write docs/compat.md from what the clients tell, rather than compare it",
    )
    for option, needs in (
        ("redis", "redis-server"),
        ("browser", "Chromium"),
        ("prometheus", "Prometheus"),
        ("node", "Node.js"),
    ):
        parser.addoption(
            f"--require-{option}",
            action="store_true",
            help=f"fail, rather than skip, tests that need {needs} where it is missing",
        )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if SHARED.is_dir():
        return
    needing = [item for item in items if item.get_closest_marker("shared")]
    if needing and config.getoption("--require-shared"):
        raise pytest.UsageError(f"{len(needing)} tests need {SHARED}, which is missing")
    for item in needing:
        item.add_marker(pytest.mark.skip(reason=_REASON))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = terminalreporter.stats.get("skipped", [])
    left_out = sum(_REASON in str(report.longrepr) for report in skipped)
    if left_out:
        terminalreporter.write_line(f"{left_out} tests left out: they need {SHARED}", yellow=True)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of shared data; only for tests that are marked `shared`."""
    return SHARED / "data"


@pytest.fixture(scope="session")
def collector() -> Iterator[TraceViewer]:
    """Takes the spans that the stack sends, over the wire."""
    viewer = TraceViewer()
    yield viewer
    viewer.close()


@pytest.fixture(scope="session")
def grocery(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state of the demonstration with 1,000 items, prepared once: stacks serve copies."""
    state = tmp_path_factory.mktemp("prepared")
    prepare(state, "grocery", 1_000)
    return state


@pytest.fixture(scope="session")
def stack(
    grocery: Path, tmp_path_factory: pytest.TempPathFactory, collector: TraceViewer
) -> Iterator[RunningStack]:
    """The real stack, started once for all tests that talk to it; see loadtests/stack.py.

    It traces what a caller samples, and else nothing: ratio 0.
    """
    state = tmp_path_factory.mktemp("stack")
    copied(grocery, state, "grocery")
    options = ["--traces", "otlp", "--traces-to", collector.otlp_url, "--traces-ratio", "0"]
    options.append("--assistant")
    yield from run_stack(state, free_port(), *options)


@pytest.fixture
def viewer() -> Iterator[TraceViewer]:
    """An empty viewer, for one test."""
    with TraceViewer() as found:
        yield found


@pytest.fixture
def maker(viewer: TraceViewer) -> Iterator[TraceMaker]:
    """Sends spans to `viewer`."""
    found = TraceMaker(viewer.otlp_url)
    yield found
    found.close()
