"""The script for storefronts' pages, in a real browser on a page of another origin."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page
from playwright.sync_api import Request as PageRequest
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from features.events.event import BehaviorEvent, EventType
from serving.http.access.auth import ApiKey, Publishable, hash_key
from serving.http.access.auth import Scope as KeyScope
from tests.support.fakes import write_tokenizer
from tests.support.served import Served
from tests.support.service import Service

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("chromium")]

PAGE = """<!doctype html><meta charset="utf-8"><title>A shop</title>
<script src="{service}/vitrine.js"></script>
<ul>{items}</ul><a href="/elsewhere">elsewhere</a>
<script>vitrine.init({{url: "{service}", key: "{key}", {options}}})</script>"""
ITEM = """<li style="height: 200px; margin-bottom: {gap}px" data-vitrine-item="{item}"
 data-vitrine-ranking="r1" data-vitrine-position="{position}"><a href="/p/{item}">{item}</a></li>"""
OPTIONS = {"/": "consent: true", "/unasked": "", "/refused": "consent: false"}


class ShopPage(BaseHTTPRequestHandler):
    """A storefront of three items; the third one is far below."""

    service = ""

    def do_GET(self) -> None:
        path, _, key = self.path.partition("?")
        items = "".join(
            ITEM.format(item=item, position=position, gap=3000 if item == "oat" else 0)
            for position, item in enumerate(("milk", "oat", "bread"), start=1)
        )
        page = PAGE.format(
            service=self.service, items=items, key=key or "page", options=OPTIONS.get(path, "")
        )
        body = page.encode() if path in OPTIONS else b"<!doctype html><title>Elsewhere</title>"
        self.send_response(200)
        self.send_header("content-type", "text/html; charset=utf-8")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing to stderr."""


class Running:
    """The service on a port, and a storefront on another one, which is another origin."""

    def __init__(self, tokenizer: Path) -> None:
        self.service = Service(tokenizer, clock=time.time)
        self.asked: list[tuple[str, str]] = []  # method and content type of requests for events
        self._pages = ThreadingHTTPServer(("127.0.0.1", 0), ShopPage)
        self.shop_url = f"http://127.0.0.1:{self._pages.server_port}"
        self._served = Served(self._noting)
        self.service_url = ShopPage.service = self._served.url
        names = {"page": self.shop_url, "foreign": "https://other.example"}
        self.service.keys.replace([key_of(name, origin) for name, origin in names.items()])
        self._threads = [threading.Thread(target=self._pages.serve_forever)]
        self._threads[0].start()

    def start(self) -> None:
        """Let the service answer again."""
        self._served.start()

    async def _noting(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/v1/events":
            self.asked.append((scope["method"], Headers(scope=scope).get("content-type", "")))
        await self.service.app(scope, receive, send)

    def stop(self) -> None:
        """Nobody answers on the service's port any more."""
        self._served.stop()

    def close(self) -> None:
        self.stop()
        self._pages.shutdown()
        self._pages.server_close()
        self._threads[0].join()

    def events(self, kind: EventType) -> list[BehaviorEvent]:
        """What was taken."""
        return [event for event in list(self.service.log.events.values()) if event.type is kind]


def key_of(name: str, origin: str) -> ApiKey:
    terms = Publishable(origins=frozenset({origin}))
    scopes = frozenset({KeyScope.EVENTS})
    return ApiKey(name=name, sha256=hash_key(name), scopes=scopes, publishable=terms)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    started = Running(write_tokenizer(tmp_path / "tokenizer.json"))
    yield started
    started.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 800, "height": 600})
    context.set_default_timeout(15_000)
    yield context.new_page()
    context.close()


def posts(page: Page) -> list[PageRequest]:
    """The requests with events, from now on."""
    found: list[PageRequest] = []
    page.context.on(
        "request", lambda request: found.append(request) if "/v1/events" in request.url else None
    )
    return found


def pump(page: Page, ms: float = 100) -> None:
    """Let Playwright tell what has happened."""
    page.wait_for_timeout(ms)


def until(page: Page, condition: Any) -> None:
    deadline_s = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline_s, "it did not happen in time"
        pump(page)


def stored(page: Page) -> dict[str, str]:
    """All that the page has stored."""
    found: dict[str, str] = page.evaluate("({...sessionStorage, ...localStorage})")
    return found


def test_what_was_in_view_is_told_once_with_its_ranking_and_place(
    running: Running, page: Page
) -> None:
    page.goto(running.shop_url)
    until(page, lambda: len(running.events(EventType.IMPRESSION)) == 2)
    page.mouse.wheel(0, 4000)
    until(page, lambda: len(running.events(EventType.IMPRESSION)) == 3)
    page.mouse.wheel(0, -4000)
    pump(page, 2500)
    shown = {event.item_id: event for event in running.events(EventType.IMPRESSION)}
    assert len(running.events(EventType.IMPRESSION)) == 3
    places = {item_id: event.position for item_id, event in shown.items()}
    assert places == {"milk": 1, "oat": 2, "bread": 3}
    assert {event.ranking_id for event in shown.values()} == {"r1"}
    session = page.evaluate("vitrine.session()")
    assert {event.session_id for event in shown.values()} == {
        running.service.shop.pseudonyms.session(session)
    }
    assert {method for method, _ in running.asked} == {"POST"}, "no preflight is needed"


def test_what_the_shopper_hides_is_told_at_once(running: Running, page: Page) -> None:
    page.goto(running.shop_url)
    until(page, lambda: len(running.events(EventType.IMPRESSION)) == 2)
    page.evaluate("vitrine.hide('milk', {ranking_id: 'r1'}); vitrine.unhide('oat')")
    until(page, lambda: running.events(EventType.HIDE) and running.events(EventType.UNHIDE))
    (hidden,), (shown,) = running.events(EventType.HIDE), running.events(EventType.UNHIDE)
    assert (hidden.item_id, hidden.ranking_id, shown.item_id) == ("milk", "r1", "oat")
    assert hidden.session_id == shown.session_id is not None
    refused = page.evaluate("(() => { try { vitrine.hide() } catch (e) { return e.message } })()")
    assert refused == "vitrine.hide needs an item id"
    page.evaluate("vitrine.consent(false); vitrine.hide('bread')")
    pump(page, 1500)
    assert len(running.events(EventType.HIDE)) == 1


def test_what_passes_by_in_less_than_a_second_is_no_impression(
    running: Running, page: Page
) -> None:
    page.goto(running.shop_url)
    until(page, lambda: len(running.events(EventType.IMPRESSION)) == 2)
    page.evaluate(
        """async () => {
          scrollTo(0, 4000);
          await new Promise((done) => setTimeout(done, 300));
          scrollTo(0, 0);
        }"""
    )
    pump(page, 2500)
    assert {event.item_id for event in running.events(EventType.IMPRESSION)} == {"milk", "oat"}


def test_an_item_that_comes_later_is_seen_too(running: Running, page: Page) -> None:
    page.goto(running.shop_url)
    page.evaluate(
        """() => {
          const later = document.createElement("li");
          later.style.height = "50px";
          later.dataset.vitrineItem = "soap";
          document.querySelector("ul").prepend(later);
        }"""
    )
    until(page, lambda: "soap" in {e.item_id for e in running.events(EventType.IMPRESSION)})


def test_a_click_that_leaves_the_page_is_told(running: Running, page: Page) -> None:
    page.goto(running.shop_url)
    page.click("text=oat")
    until(page, lambda: running.events(EventType.CLICK))
    (click,) = running.events(EventType.CLICK)
    assert (click.item_id, click.position, click.ranking_id) == ("oat", 2, "r1")
    assert page.url.endswith("/p/oat")


def test_what_waits_when_the_page_is_left_goes_as_a_beacon(running: Running, page: Page) -> None:
    page.goto(running.shop_url)
    page.evaluate("vitrine.track('view', {item_id: 'bread'}); location.href = '/elsewhere'")
    until(page, lambda: running.events(EventType.VIEW))
    assert ("POST", "text/plain") in running.asked  # of a fetch it names the charset
    page.goto(f"{running.shop_url}/")
    assert "vitrine.events" not in stored(page)


@pytest.mark.parametrize("path", ["/unasked", "/refused"])
def test_without_consent_nothing_is_sent_and_nothing_stored(
    running: Running, page: Page, path: str
) -> None:
    page.goto(running.shop_url + path)
    page.evaluate("vitrine.track('view', {item_id: 'bread'})")
    pump(page, 3000)
    assert stored(page) == {}
    page.click("text=milk")
    pump(page, 1500)
    assert running.asked == []
    assert page.context.cookies() == []


def test_consent_begins_and_its_withdrawal_ends_and_forgets(running: Running, page: Page) -> None:
    page.goto(running.shop_url + "/unasked")
    page.evaluate("vitrine.track('view', {item_id: 'forgotten'}); vitrine.consent(true)")
    assert set(stored(page)) == {"vitrine.session"}
    until(page, lambda: len(running.events(EventType.IMPRESSION)) == 2)
    page.evaluate("vitrine.track('view', {item_id: 'milk'}); vitrine.consent(false)")
    assert stored(page) == {}
    assert page.evaluate("vitrine.session()") is None
    asked = len(running.asked)
    page.goto(running.shop_url + "/elsewhere")
    pump(page, 1500)
    assert len(running.asked) == asked
    assert running.events(EventType.VIEW) == []


def test_an_origin_that_the_key_does_not_list_is_refused(running: Running, page: Page) -> None:
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(f"{running.shop_url}/?foreign")
    until(page, lambda: any("this key is for pages of its own origins" in line for line in said))
    assert running.service.log.events == {}
    running.service.keys.replace([key_of("foreign", "https://other.example")])
    page.goto(f"{running.shop_url}/?foreign")  # now no key lists it: not even the answer is shown
    until(page, lambda: any("CORS policy" in line for line in said))
    assert running.service.log.events == {}


def test_what_could_not_be_sent_is_sent_again_and_counts_once(running: Running, page: Page) -> None:
    page.goto(running.shop_url)
    until(page, lambda: len(running.events(EventType.IMPRESSION)) == 2)
    asked = posts(page)
    running.stop()
    page.evaluate("vitrine.track('view', {item_id: 'bread'})")
    until(page, lambda: len(asked) >= 2)
    running.start()
    until(page, lambda: running.events(EventType.VIEW))
    ids = {json.loads(request.post_data or "")["events"][0]["event_id"] for request in asked}
    assert len(ids) == 1
    assert len(running.events(EventType.VIEW)) == 1


def test_what_a_page_could_not_send_the_next_page_sends(running: Running, page: Page) -> None:
    page.goto(running.shop_url)
    until(page, lambda: len(running.events(EventType.IMPRESSION)) == 2)
    asked = posts(page)
    running.stop()
    page.evaluate("vitrine.track('view', {item_id: 'bread'})")
    until(page, lambda: len(asked) >= 1)
    pump(page, 500)
    page.goto(running.shop_url + "/elsewhere")
    running.start()
    page.goto(running.shop_url)
    until(page, lambda: running.events(EventType.VIEW))
    assert "vitrine.events" not in stored(page)


def test_the_queue_is_bounded_and_the_script_has_one_global(running: Running, page: Page) -> None:
    page.goto(running.shop_url + "/elsewhere")
    before = set(page.evaluate("Object.getOwnPropertyNames(window)"))
    page.goto(running.shop_url)
    assert set(page.evaluate("Object.getOwnPropertyNames(window)")) - before == {"vitrine"}
    until(page, lambda: len(running.events(EventType.IMPRESSION)) == 2)
    page.evaluate("for (let n = 0; n < 700; n += 1) vitrine.track('view', {item_id: `i${n}`})")
    until(page, lambda: len(running.events(EventType.VIEW)) == 500)
    pump(page, 1500)
    kept = {event.item_id for event in running.events(EventType.VIEW)}
    assert kept == {f"i{n}" for n in range(200, 700)}


def test_a_page_may_post_with_headers_after_it_asked_and_read_nothing_else(
    running: Running, page: Page
) -> None:
    page.goto(running.shop_url + "/unasked")
    post = """async ([url, key]) => {
      const headers = {
        authorization: `Bearer ${key}`, "content-type": "application/json",
        traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
      };
      const event = {event_id: "e", type: "view", item_id: "milk", session_id: "s",
                     at: new Date().toISOString()};
      const body = JSON.stringify({events: [event]});
      try { return (await fetch(url, {method: "POST", headers, body})).status; }
      catch (error) { return error.name; }
    }"""
    assert page.evaluate(post, [f"{running.service_url}/v1/events", "page"]) == 202
    assert [method for method, _ in running.asked] == ["OPTIONS", "POST"]
    assert page.evaluate(post, [f"{running.service_url}/v1/rank", "page"]) == "TypeError"
    running.service.keys.replace([key_of("page", "https://other.example")])
    page.goto(running.shop_url.replace("127.0.0.1", "localhost") + "/unasked")
    assert page.evaluate(post, [f"{running.service_url}/v1/events", "page"]) == "TypeError"
    assert len(running.events(EventType.VIEW)) == 1
