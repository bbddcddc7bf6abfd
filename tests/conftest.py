"""What every test has: the shared data beside the repository, and who may be left out."""

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"
_REASON = "needs ../shared"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--require-shared",
        action="store_true",
        help="fail, rather than skip, tests that need ../shared where it is missing",
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
