"""The trace viewer in a real browser, with spans that came over the wire."""

import re
import secrets
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, TraceFlags
from playwright.sync_api import Browser, Locator, expect

from serving.local.traces.viewer import TraceViewer
from tests.support.trace_maker import TraceMaker
from tests.support.window import Window, open_window

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("chromium")]


@pytest.fixture
def window(
    browser: Browser, viewer: TraceViewer, window_options: dict[str, Any]
) -> Iterator[Window]:
    """A window on the viewer; the stack is not needed."""
    with open_window(browser, viewer.url, window_options) as opened:
        yield opened


def listed(window: Window) -> Locator:
    return window.page.locator("#list a:visible")


def choose(window: Window, name: str) -> None:
    listed(window).filter(has_text=name).first.click()
    expect(window.page.locator("main h2")).to_have_text(name)


def row(window: Window, name: str) -> Locator:
    """The line of a span in the waterfall."""
    exact = re.compile(f"^{re.escape(name)}$")
    text = window.page.locator(".text").filter(has_text=exact)
    return window.page.locator("button.row", has=text)


def of_bar(window: Window, name: str) -> tuple[float, float]:
    """Left edge and width of a span's bar, as shares of the time line."""
    line = row(window, name).locator(".time").bounding_box()
    bar = row(window, name).locator(".bar").bounding_box()
    assert line is not None
    assert bar is not None
    return (bar["x"] - line["x"]) / line["width"], bar["width"] / line["width"]


def trace_id(span: Span) -> str:
    return f"{span.get_span_context().trace_id:032x}"


def test_a_trace_is_a_waterfall_to_scale(window: Window, maker: TraceMaker) -> None:
    maker.ranking()
    window.open("/")
    choose(window, "POST /v1/rank")
    expect(window.page.locator("button.row")).to_have_count(12)
    left, width = of_bar(window, "ranking.model")
    assert left == pytest.approx(6.4 / 18.7, abs=0.01)
    assert width == pytest.approx(10.1 / 18.7, abs=0.01)
    expect(row(window, "ranking.model").locator(".ms")).to_have_text("10.1 ms")
    indents = [
        row(window, name).locator(".dot").bounding_box()
        for name in ("POST /v1/rank", "ranking.score", "ranking.model", "ranker")
    ]
    edges = [box["x"] for box in indents if box]
    assert edges == sorted(set(edges))
    colors = {
        row(window, name).locator(".bar").evaluate("bar => getComputedStyle(bar).backgroundColor")
        for name in ("POST /v1/rank", "ranking.model", "ranker")
    }
    assert len(colors) == 2
    assert window.hosts == {urlsplit(window.url).netloc}
    assert window.faults == []


def test_what_comes_after_the_answer_has_a_scale_of_its_own(
    window: Window, maker: TraceMaker
) -> None:
    maker.ranking()
    window.open("/")
    choose(window, "POST /v1/rank")
    expect(row(window, "ranking.record").locator(".after")).to_contain_text("162 ms after the end")
    window.page.get_by_role("button", name="Everything").click()
    left, _ = of_bar(window, "ranking.record")
    assert left == pytest.approx(180.3 / 184.3, abs=0.01)


def test_a_click_on_a_span_shows_its_attributes_and_a_link_leads_to_its_mate(
    window: Window, maker: TraceMaker
) -> None:
    leader = maker.ranking()
    gone = SpanContext(secrets.randbits(128), secrets.randbits(64), is_remote=True)
    follower = maker.ranking([leader.get_span_context(), gone], at_ms=40)
    window.open(f"/#{trace_id(follower)}")
    row(window, "ranking.model").click()
    more = window.page.locator(".more")
    expect(more).to_contain_text("batch.requests")
    expect(more.locator("li", has_text="is not kept")).to_contain_text(f"{gone.trace_id:032x}")
    more.get_by_role("link", name="ranking.model of POST /v1/rank").click()
    expect(window.page.locator("main code").first).to_have_text(trace_id(leader))
    expect(row(window, "ranking.model")).to_be_focused()
    expect(row(window, "ranker")).to_be_visible()
    window.page.go_back()
    expect(window.page.locator("main code").first).to_have_text(trace_id(follower))
    assert window.faults == []


def test_new_spans_come_by_themselves_and_what_was_chosen_and_unfolded_stays(
    window: Window, maker: TraceMaker
) -> None:
    root = maker.span("POST /v1/rank", None, 0, 20)
    window.open("/")
    choose(window, "POST /v1/rank")
    row(window, "POST /v1/rank").click()
    maker.span("ranking.score", root, 2, 9)
    maker.event(at_ms=100)
    expect(row(window, "ranking.score")).to_be_visible()
    expect(listed(window)).to_have_count(2)
    expect(listed(window).first).to_contain_text("POST /v1/events")
    expect(window.page.locator("main h2")).to_have_text("POST /v1/rank")
    expect(window.page.locator("#list [aria-current]")).to_contain_text("2 spans")
    expect(row(window, "POST /v1/rank")).to_have_attribute("aria-expanded", "true")
    expect(row(window, "POST /v1/rank")).to_be_focused()


def test_a_span_whose_parent_is_elsewhere_stands_at_the_top_and_says_so(
    window: Window, maker: TraceMaker
) -> None:
    flags = TraceFlags(TraceFlags.SAMPLED)
    storefront = SpanContext(secrets.randbits(128), secrets.randbits(64), True, flags)
    server = maker.span("POST /v1/search", NonRecordingSpan(storefront), 0, 9)
    maker.span("ranking.retrieve", server, 1, 4)
    window.open(f"/#{storefront.trace_id:032x}")
    expect(row(window, "POST /v1/search")).to_contain_text("parent not here")
    expect(row(window, "ranking.retrieve")).not_to_contain_text("parent not here")
    row(window, "POST /v1/search").click()
    expect(window.page.locator(".more")).to_contain_text(f"{storefront.span_id:016x}")


def test_the_list_is_narrowed_by_name_error_and_duration(window: Window, maker: TraceMaker) -> None:
    maker.ranking()
    maker.event()
    maker.span("POST /v1/search", None, 50, 300, failed=True)
    window.open("/")
    expect(listed(window)).to_have_count(3)
    window.page.fill("#text", "INGEST")
    expect(listed(window)).to_have_count(1)
    expect(listed(window)).to_contain_text("POST /v1/events")
    expect(window.page.locator("#count")).to_have_text("1 of 3 traces")
    window.page.fill("#text", "")
    window.page.check("#errors")
    expect(listed(window)).to_have_count(1)
    expect(listed(window)).to_contain_text("error")
    window.page.uncheck("#errors")
    window.page.fill("#least", "10")
    expect(listed(window)).to_have_count(2)


def test_a_hostile_name_is_text_and_runs_nothing(window: Window, maker: TraceMaker) -> None:
    name = "<img src=x onerror=window.broken=1>"
    maker.span(name, None, 0, 5, {"outcome": f"<b>{name}</b>"})
    window.open("/")
    choose(window, name)
    row(window, name).click()
    expect(window.page.locator(".more")).to_contain_text(f"<b>{name}</b>")
    assert window.page.locator("img, b").count() == 0
    assert window.page.evaluate("typeof window.broken") == "undefined"
    assert window.faults == []


def test_the_page_says_when_the_viewer_has_gone(window: Window, viewer: TraceViewer) -> None:
    window.open("/")
    expect(window.page.locator("main")).to_contain_text("No traces yet")
    viewer.close()
    expect(window.page.locator("#problem")).to_contain_text("No answer")
