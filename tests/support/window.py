"""A page that notes everything that goes wrong on it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Page, Request, Response


@dataclass
class Window:
    """A page, what went wrong on it, and whom it called."""

    page: Page
    url: str
    faults: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)

    def watch(self) -> None:
        """Note errors on the console, failed requests and refusals from now on."""
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        self.page.on("request", lambda request: self.hosts.add(urlsplit(request.url).netloc))
        self.page.on("requestfailed", self._failed)
        self.page.on("response", self._answered)

    def open(self, path: str) -> Response:
        """Go to a page of the stack."""
        answer = self.page.goto(self.url + path)
        assert answer is not None
        return answer

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.faults.append(f"console: {message.text}")

    def _failed(self, request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # the page gave it up, as it may
            self.faults.append(f"failed: {request.url} {request.failure}")

    def _answered(self, response: Response) -> None:
        if response.status >= 400:
            self.faults.append(f"{response.status}: {response.url}")


@contextmanager
def open_window(browser: Browser, url: str, options: dict[str, Any]) -> Iterator[Window]:
    """A watched window in a context of its own, while the block runs."""
    context = browser.new_context(**options)
    context.set_default_timeout(15_000)
    window = Window(context.new_page(), url)
    window.watch()
    yield window
    context.close()
