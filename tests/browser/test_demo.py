"""The demo shop and the API reference in a real browser, over the real stack."""

import json
import re
import time
import uuid
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Route, expect

from loadtests.stack import RunningStack
from tests.browser.shop import SHELF, order, search, shop
from tests.support.window import Window

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("chromium")]

PHONE = {"viewport": {"width": 360, "height": 780}, "is_mobile": True, "has_touch": True}


def click(window: Window, item_id: str) -> None:
    """Click a product and wait until the page says what came of it."""
    window.page.locator(f'{SHELF}[data-item-id="{item_id}"] .open').click()
    expect(window.page.locator("#news .measured")).to_be_visible(timeout=5_000)


def test_the_shelf_fills_from_this_server_alone(window: Window, stack: RunningStack) -> None:
    cards = shop(window, stack.sample["user_id"])
    titles = cards.locator(".open").all_inner_texts()
    assert all(titles)
    assert titles != order(window)
    expect(window.page.locator("#known")).to_contain_text("Interactions")
    window.page.wait_for_timeout(1500)  # impressions are told by now
    assert window.hosts == {urlsplit(stack.url).netloc}
    assert window.faults == []


def test_the_shelf_on_top_is_called_what_it_is_where_the_first_one_is_left_out(
    window: Window, stack: RunningStack
) -> None:
    def without(route: Route) -> None:
        answer = route.fetch()
        page = answer.json()
        page["shelves"] = [s for s in page["shelves"] if s["placement"] != "for_you"]
        route.fulfill(response=answer, json=page)

    title = window.page.locator("#recommended-title")
    shop(window, stack.sample["user_id"])
    expect(title).to_have_text("Recommended for you")
    window.page.route("**/v1/pages/home", without)
    window.page.reload()
    expect(title).to_have_text(re.compile("^(Because you|Popular in the shop)"))
    expect(window.page.locator(SHELF).first).to_be_visible()


@pytest.mark.parametrize("path", ["/demo", "/docs"])
def test_the_policy_lets_in_nothing_inline_and_nothing_foreign(window: Window, path: str) -> None:
    policy = window.open(path).headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy


def test_a_new_shopper_is_ranked_by_rules_and_the_page_says_so(window: Window) -> None:
    shop(window)
    before = window.page.input_value("#shopper")
    window.page.click("#new-shopper")
    expect(window.page.locator("#shopper")).not_to_have_value(before)
    expect(window.page.locator("#recommended .badge")).to_have_text("cold_start · new_shopper")
    assert window.faults == []


def test_a_click_changes_the_shelf_and_marks_what_moved(
    window: Window, stack: RunningStack
) -> None:
    shopper = f"viewer-{uuid.uuid4().hex}"
    shop(window, shopper)
    before = order(window)
    click(window, before[-1])
    after = order(window)
    assert after != before
    for place, item_id in enumerate(after):
        mark = window.page.locator(f'{SHELF}[data-item-id="{item_id}"] .moved').inner_text()
        assert _moved(mark) == (before.index(item_id) - place if item_id in before else "new")
    expect(window.page.locator("#news .measured")).to_have_text(re.compile(r"^[\d.]+ m?s$"))
    expect(window.page.locator("#known")).to_contain_text("click")
    known = stack.client.get(f"/v1/users/{shopper}/features").json()
    assert known["counts"]["click"] == 1
    assert known["recent_items"] == [before[-1]]
    assert window.faults == []


def test_what_was_in_view_is_told_with_its_ranking_and_place(window: Window) -> None:
    bodies: list[str] = []
    window.page.on(
        "request",
        lambda request: bodies.append(request.post_data or "") if "events" in request.url else None,
    )
    shop(window)
    window.page.wait_for_timeout(1500)
    told = "".join(bodies)
    assert '"type":"impression"' in told
    assert '"ranking_id":"' in told
    assert '"position":1,' in told or '"position":1}' in told


def test_a_card_in_the_cart_is_an_event_with_its_price(window: Window, stack: RunningStack) -> None:
    shopper = f"buyer-{uuid.uuid4().hex}"
    cards = shop(window, shopper)
    cards.nth(3).locator(".cart").click()
    expect(window.page.locator("#news .measured")).to_be_visible(timeout=5_000)
    counts = stack.client.get(f"/v1/users/{shopper}/features").json()["counts"]
    assert counts["add_to_cart"] == 1
    assert "click" not in counts


def test_the_keyboard_is_enough_and_the_focus_travels_with_the_card(window: Window) -> None:
    cards = shop(window)
    item_id = order(window)[5]
    cards.nth(5).locator(".open").focus()
    window.page.keyboard.press("Enter")
    expect(window.page.locator("#news .measured")).to_be_visible(timeout=5_000)
    focused = "document.activeElement.closest('.card')?.dataset.itemId"
    if item_id in order(window):
        assert window.page.evaluate(focused) == item_id
    window.page.keyboard.press("Tab")
    assert window.page.evaluate("document.activeElement.tagName") in ("BUTTON", "SUMMARY", "INPUT")


@pytest.mark.parametrize(
    "window_options", [{"viewport": {"width": 1280, "height": 900}, "reduced_motion": "reduce"}]
)
def test_nothing_travels_for_those_who_want_it_still(window: Window) -> None:
    shop(window)
    click(window, order(window)[-1])
    assert window.page.evaluate("document.getAnimations().length") == 0


def test_why_tells_parts_of_the_score_and_where_the_time_went(
    window: Window, stack: RunningStack
) -> None:
    cards = shop(window, stack.sample["user_id"])
    cards.first.locator(".why > summary").click()
    reasons = cards.first.locator(".why .lines li")
    expect(reasons).not_to_have_count(0)
    assert len(reasons.all()) <= 3
    expect(cards.first.locator(".why .parts")).to_be_hidden()
    cards.first.locator(".made summary").click()
    expect(cards.first.locator(".why .parts li").first).to_be_visible()
    window.page.locator("#recommended .timing summary").click()
    expect(window.page.locator("#recommended .legend")).to_contain_text("features")


def test_a_search_shows_ranked_results(window: Window, stack: RunningStack) -> None:
    shop(window)
    search(window, stack.sample["query"])
    expect(window.page.locator("#found .card")).not_to_have_count(0)
    expect(window.page.locator("#found h2")).to_contain_text(stack.sample["query"])
    assert window.faults == []


def test_a_hostile_title_is_text_and_runs_nothing(window: Window, stack: RunningStack) -> None:
    item_id = f"hostile-{uuid.uuid4().hex[:8]}"
    title = "<img src=x onerror=window.broken=1> <script>window.broken=1</script> marmalade"
    brand = f"<b>{item_id}</b>"
    hostile = {"item_id": item_id, "title": title, "brand": brand, "category": "</p><i>"}
    assert stack.client.put("/v1/items", json={"items": [hostile]}).status_code == 202
    # Whatever the ranker thinks of a new item, the search is narrowed to this one.
    narrow = {"query": "marmalade", "filters": {"brand": [brand]}}
    try:
        _until_found(stack, narrow)
        window.page.route("**/v1/search", lambda route: _narrowed(route, narrow))
        shop(window)
        search(window, "marmalade")
        card = window.page.locator(f'#found .card[data-item-id="{item_id}"]')
        expect(card.locator(".open")).to_have_text(title)
        expect(card.locator(".facts")).to_contain_text(brand)
        assert window.page.locator(".card img, .card script, .card b b, .card i").count() == 0
        assert window.page.evaluate("typeof window.broken") == "undefined"
        assert window.faults == []
    finally:
        stack.client.delete(f"/v1/items/{item_id}")


def test_a_wrong_key_is_told_in_words(window: Window) -> None:
    shop(window)
    window.page.fill("#key", "wrong")
    window.page.get_by_role("button", name="Show").click()
    problem = window.page.get_by_role("alert")
    expect(problem).to_contain_text("This API key is not known")
    window.page.fill("#key", "dev")
    window.page.get_by_role("button", name="Show").click()
    expect(window.page.locator(SHELF)).to_have_count(12)
    expect(problem).to_be_hidden()


@pytest.mark.parametrize("window_options", [PHONE])
def test_nothing_is_wider_than_a_phone(window: Window, stack: RunningStack) -> None:
    cards = shop(window, stack.sample["user_id"])
    cards.first.locator(".why > summary").click()
    search(window, stack.sample["query"])
    expect(window.page.locator("#found .card")).not_to_have_count(0)
    search(window, "")
    window.page.locator("#facets summary").click()
    window.page.locator("#query").focus()
    window.page.keyboard.press("ArrowDown")
    expect(window.page.locator(".suggestions")).to_be_visible()
    widths = "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    page, screen = window.page.evaluate(widths)
    assert page <= screen


def test_the_reference_works_without_the_internet(window: Window, stack: RunningStack) -> None:
    window.open("/docs")
    paths = stack.client.get("/openapi.json").json()["paths"]
    operations = sum(len(methods) for methods in paths.values())
    expect(window.page.locator(".opblock")).to_have_count(operations)
    assert window.hosts == {urlsplit(stack.url).netloc}
    assert window.faults == []


def test_the_reference_calls_the_api_with_the_key_that_was_entered(window: Window) -> None:
    window.open("/docs")
    page = window.page
    page.locator("button.authorize").first.click()
    key = page.locator(".auth-container", has_text="http, Bearer")
    key.locator("input").fill("dev")
    key.locator(".auth-btn-wrapper button.authorize").click()
    key.locator(".auth-btn-wrapper button.btn-done").click()
    status = page.locator(".opblock", has_text="/v1/status")
    status.locator(".opblock-summary-control").click()
    status.get_by_role("button", name="Try it out").click()
    status.get_by_role("button", name="Execute", exact=True).click()
    expect(status.locator(".live-responses-table .response-col_status").last).to_contain_text("200")
    assert window.faults == []


def _moved(mark: str) -> int | str:
    """`▲ 3` is 3, `▼ 2` is -2, nothing is 0; "new" stays."""
    arrow = re.match(r"([▲▼]) (\d+)", mark)
    if arrow is None:
        return mark.strip() or 0
    return int(arrow[2]) if arrow[1] == "▲" else -int(arrow[2])


def _narrowed(route: Route, fields: dict[str, Any]) -> None:
    """Let a request through with these fields changed."""
    route.continue_(post_data={**json.loads(route.request.post_data or "{}"), **fields})


def _until_found(stack: RunningStack, asked: dict[str, Any]) -> None:
    deadline_s = time.monotonic() + 60
    while not stack.client.post("/v1/search", json=asked).json()["items"]:
        assert time.monotonic() < deadline_s, "the item was not found within 60 s"
        time.sleep(0.1)
