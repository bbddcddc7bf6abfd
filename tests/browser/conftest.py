"""A real Chromium, and a window of it for each test."""

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from loadtests.stack import RunningStack
from tests.support.window import Window, open_window

_PROGRAMS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
_REASON = "needs Chromium (apt-get install chromium)"
_ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

expect.set_options(timeout=15_000)


@pytest.fixture(scope="session")
def chromium(pytestconfig: pytest.Config) -> str:
    """Its path. Asked for before the stack, which need not start in vain."""
    program = next(filter(None, map(shutil.which, _PROGRAMS)), None)
    if program is None:
        if pytestconfig.getoption("--require-browser", default=False):
            pytest.fail(_REASON)
        pytest.skip(_REASON)
    return program


# Not for the session: Playwright's event loop would stand in the way of asynchronous tests.
@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=_ARGUMENTS)
        yield started
        started.close()


@pytest.fixture
def window_options() -> dict[str, Any]:
    """Options of the browser context; parametrize to change them."""
    return {"viewport": {"width": 1280, "height": 1000}}


@pytest.fixture
def window(
    browser: Browser, stack: RunningStack, window_options: dict[str, Any]
) -> Iterator[Window]:
    with open_window(browser, stack.url, window_options) as opened:
        yield opened
