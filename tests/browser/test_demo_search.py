"""Search in the demo shop in a real browser, over the real stack, for goods that only this has."""

import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Locator, Route, expect

from loadtests.stack import RunningStack
from tests.browser.shop import order, search, shop
from tests.support.window import Window

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("chromium", "goods")]

FOUND = "#found .card"
N_LAMPS = 30
SHADES = "Zorbery > Shades"


@pytest.fixture(scope="module")
def goods(chromium: str, stack: RunningStack) -> Iterator[None]:
    """Lamps of two kinds, brands and thirty prices, and some goods of other languages."""
    lamps: list[dict[str, Any]] = [
        {
            "item_id": f"zorbelyx-{n}",
            "title": f"Zorbelyx lamp {n:02}",
            "brand": "Quaverly" if n % 3 else "Plimmer",
            "category": f"Zorbery > Lamps > {'Desk' if n % 2 else 'Floor'}",
            "price": float(n),
            "currency": "USD",
        }
        for n in range(1, N_LAMPS + 1)
    ]
    titles = ["Zürwöhle Schirm", "佐贝台灯"]
    others = [
        {"item_id": f"zorbery-{n}", "title": title, "category": SHADES}
        for n, title in enumerate(titles)
    ]
    answer = stack.client.put("/v1/items", json={"items": lamps + others})
    assert answer.json()["rejected"] == []
    try:
        deadline_s = time.monotonic() + 120
        while _total(stack) < N_LAMPS or not _suggested(stack, "佐贝")["suggestions"]:
            assert time.monotonic() < deadline_s, "the goods were not found within 120 s"
            time.sleep(0.2)
        yield
    finally:
        for item in lamps + others:
            stack.client.delete(f"/v1/items/{item['item_id']}")


def _total(stack: RunningStack) -> int:
    asked = {"query": "zorbelyx", "facets": ["brand"]}
    total: int = stack.client.post("/v1/search", json=asked).json()["total"]
    return total


def _suggested(stack: RunningStack, typed: str) -> dict[str, Any]:
    answer: dict[str, Any] = stack.client.get("/v1/suggest", params={"q": typed}).json()
    return answer


def typed(window: Window, text: str) -> Locator:
    """The suggestions for what is typed, once they are there."""
    window.page.focus("#query")
    window.page.keyboard.type(text, delay=20)
    options = window.page.get_by_role("listbox", name="Suggestions").get_by_role("option")
    expect(options.first).to_be_visible()
    return options


def found(window: Window, n: int) -> None:
    expect(window.page.locator("#found-count")).to_have_text(f"{n} products")


def chip(window: Window, facet: str) -> Locator:
    return window.page.locator(f'#facets [data-facet="{facet}"]')


def test_what_is_typed_is_completed_and_stands_out(window: Window, stack: RunningStack) -> None:
    shop(window)
    options = typed(window, "zorbel")
    told = [each["text"] for each in _suggested(stack, "zorbel")["suggestions"]]
    expect(options.locator(".text")).to_have_text(told)
    assert {text.lower() for text in options.locator("b").all_inner_texts()} == {"zorbel"}
    expect(options.filter(has_text="product").first).to_contain_text("Zorbelyx lamp")
    assert window.faults == []


@pytest.mark.parametrize(
    ("text", "bold"), [("zurwo", "Zürwö"), ("ZÜR", "Zür"), ("佐贝", "佐贝"), ("台灯", "台灯")]
)
def test_accents_and_writing_without_spaces_stand_out_too(
    window: Window, text: str, bold: str
) -> None:
    shop(window)
    expect(typed(window, text).locator("b").first).to_have_text(
        re.compile(f"^{bold}$", re.IGNORECASE)
    )


def test_the_arrows_choose_escape_closes_and_enter_searches(window: Window) -> None:
    shop(window)
    options = typed(window, "zorbelyx l")
    box, keys = window.page.get_by_role("combobox", name="Search the shop"), window.page.keyboard
    expect(box).to_have_attribute("aria-expanded", "true")
    keys.press("ArrowDown")
    expect(options.first).to_have_attribute("aria-selected", "true")
    active = box.get_attribute("aria-activedescendant")
    assert active == options.first.get_attribute("id")
    keys.press("ArrowUp")
    assert box.get_attribute("aria-activedescendant") is None
    keys.press("ArrowUp")
    expect(options.last).to_have_attribute("aria-selected", "true")
    keys.press("Escape")
    expect(box).to_have_attribute("aria-expanded", "false")
    expect(options).to_have_count(0)
    expect(box).to_have_value("zorbelyx l")
    expect(box).to_be_focused()
    keys.press("ArrowDown")
    expect(options.first).to_be_visible()
    chosen = options.first.locator(".text").inner_text()
    keys.press("ArrowDown")
    keys.press("Enter")
    expect(window.page.locator("#found h2")).to_have_text(f"Results for “{chosen}”")
    expect(box).to_have_value(chosen)
    expect(options).to_have_count(0)
    assert window.faults == []


def test_a_category_that_is_chosen_is_a_filter(window: Window) -> None:
    shop(window)
    typed(window, "zorbery").filter(has_text="category").first.click()
    found(window, N_LAMPS + 2)
    expect(chip(window, "category:Zorbery")).to_have_attribute("aria-pressed", "true")
    expect(window.page.locator("#query")).to_have_value("")
    assert all(item_id.startswith("zorbe") for item_id in order(window, FOUND))


def test_mistyped_words_are_told_as_the_service_read_them(
    window: Window, stack: RunningStack
) -> None:
    shop(window)
    typed(window, "zorbleyx")
    note = window.page.locator(".suggestions .note")
    expect(note).to_have_text(f"Suggestions for {_suggested(stack, 'zorbleyx')['corrected']}")
    window.page.fill("#query", "zorbelyx")
    expect(note).to_be_hidden()


def test_suggestions_that_come_late_do_not_cover_the_results(window: Window) -> None:
    held: list[Route] = []
    shop(window)
    window.page.route("**/v1/suggest**", lambda route: held.append(route))
    with window.page.expect_request("**/v1/suggest**"):
        window.page.focus("#query")
        window.page.keyboard.type("zorbelyx")
    window.page.keyboard.press("Enter")
    found(window, N_LAMPS)
    held[0].continue_()
    window.page.wait_for_timeout(800)
    expect(window.page.locator(".suggestions")).to_be_hidden()


def test_a_facet_narrows_to_what_it_counts_and_gives_back(window: Window) -> None:
    shop(window)
    search(window, "zorbelyx")
    found(window, N_LAMPS)
    plimmer, floor = chip(window, "brand:Plimmer"), chip(window, "category:Zorbery > Lamps > Floor")
    expect(plimmer.locator(".n")).to_have_text("10")
    expect(floor.locator(".n")).to_have_text("15")
    plimmer.click()
    found(window, 10)
    expect(plimmer).to_be_focused()
    expect(plimmer).to_have_attribute("aria-pressed", "true")
    expect(floor.locator(".n")).to_have_text("5")
    floor.click()
    found(window, 5)
    assert sorted(order(window, FOUND)) == sorted(f"zorbelyx-{n}" for n in range(6, 31, 6))
    floor.click()
    found(window, 10)
    plimmer.click()
    found(window, N_LAMPS)
    assert window.faults == []


def test_a_price_range_is_a_filter_and_can_be_taken_back(window: Window) -> None:
    shop(window)
    search(window, "zorbelyx")
    found(window, N_LAMPS)
    window.page.get_by_label("Lowest price").fill("28")
    window.page.keyboard.press("Enter")
    found(window, 3)
    assert set(order(window, FOUND)) == {"zorbelyx-28", "zorbelyx-29", "zorbelyx-30"}
    chip(window, "price:chosen").click()
    found(window, N_LAMPS)
    chip(window, "price:up").click()
    found(window, 15)


def test_more_brings_every_item_once_in_the_order_asked(window: Window) -> None:
    shop(window)
    search(window, "zorbelyx")
    found(window, N_LAMPS)
    window.page.select_option("#sort", "price_desc")
    expect(window.page.locator("#found-count")).to_contain_text("in this order")
    more = window.page.locator("#more")
    for n in (12, 24, 30):
        expect(window.page.locator(FOUND)).to_have_count(n)
        if n < N_LAMPS:
            more.click()
    expect(more).to_be_hidden()
    assert order(window, FOUND) == [f"zorbelyx-{n}" for n in range(N_LAMPS, 0, -1)]
    expect(window.page.locator(f"{FOUND} .place").last).to_have_text(re.compile("30$"))
    expect(window.page.locator(FOUND).nth(24).locator(".open")).to_be_focused()


def test_a_click_ranks_all_pages_that_are_shown_again(window: Window) -> None:
    shop(window)
    search(window, "zorbelyx")
    window.page.locator("#more").click()
    expect(window.page.locator(FOUND)).to_have_count(24)
    with window.page.expect_response("**/v1/search"):
        window.page.locator(FOUND).nth(15).locator(".open").click()
    expect(window.page.locator("#news .measured")).to_be_visible(timeout=5_000)
    window.page.wait_for_timeout(500)  # the answer is on the screen by now
    shown = order(window, FOUND)
    assert len(set(shown)) == len(shown) == 24
    assert window.faults == []


def test_nothing_found_says_so_and_leads_on(window: Window) -> None:
    shop(window)
    search(window, "xqzvkw jjqpx")
    none = window.page.locator("#nothing")
    expect(none).to_contain_text("Sorry, there is nothing for “xqzvkw jjqpx”.")
    expect(none.locator(".card").first).to_be_visible()
    expect(window.page.locator("#found > .cards .card")).to_have_count(0)
    none.get_by_role("button", name="Browse all products").click()
    expect(window.page.locator("#found h2")).to_have_text("All products")
    expect(window.page.locator("#found > .cards .card")).to_have_count(12)
    expect(none).to_be_hidden()
    assert window.faults == []


def test_filters_that_leave_nothing_can_be_removed(window: Window) -> None:
    shop(window)
    search(window, "zorbelyx")
    found(window, N_LAMPS)
    window.page.get_by_label("Lowest price").fill("5000")
    window.page.keyboard.press("Enter")
    none = window.page.locator("#nothing")
    expect(none).to_contain_text("passes these filters")
    none.get_by_role("button", name="Remove the filters").click()
    found(window, N_LAMPS)


def test_an_empty_query_browses(window: Window) -> None:
    shop(window)
    search(window, "")
    expect(window.page.locator("#found h2")).to_have_text("All products")
    expect(window.page.locator(FOUND)).to_have_count(12)
    expect(window.page.locator("#facets .chip").first).to_be_visible()
    window.page.locator("#found-close").click()
    expect(window.page.locator("#found")).to_be_hidden()
    assert window.faults == []


def test_why_an_item_is_found_is_told_in_words_and_without_numbers(window: Window) -> None:
    shop(window)
    search(window, "zorbelyx lamp")
    found(window, N_LAMPS)
    card = window.page.locator(FOUND).first
    expect(card.locator(".why > summary")).to_contain_text("matches “zorbelyx lamp” in the title")
    card.locator(".why > summary").click()
    told = card.locator(".why .lines li").all_inner_texts()
    assert len(told) <= 3
    assert not re.search(r"\d\.\d", " ".join(told))


def test_the_reasons_of_an_answer_are_shown_as_they_are(window: Window) -> None:
    def ruled(route: Route) -> None:
        if "without_history" in (route.request.post_data or ""):  # asked when a reason is opened
            route.fulfill(json={"items": []})
            return
        answer = route.fetch()
        body = answer.json()
        body["items"][0]["explanation"]["reasons"] = ["the shop puts it here: own brand first"]
        body["items"][1]["explanation"]["reasons"] = [
            "you bought it 4 times, the last time 12 days ago"
        ]
        route.fulfill(response=answer, json=body)

    window.page.route("**/v1/search", ruled)
    shop(window)
    search(window, "zorbelyx")
    cards = window.page.locator(FOUND)
    expect(cards.nth(0).locator(".why > summary")).to_contain_text("the shop puts it here: own")
    cards.nth(1).locator(".why > summary").click()
    expect(cards.nth(1).locator(".why .lines")).to_contain_text("you bought it 4 times")


def test_the_address_holds_the_search_and_opens_it(window: Window) -> None:
    shop(window, "reader")
    search(window, "zorbelyx lamp")
    found(window, N_LAMPS)
    address = window.page.evaluate("location.hash")
    window.page.goto("about:blank")
    window.open(f"/demo{address}")
    found(window, N_LAMPS)
    expect(window.page.locator("#shopper")).to_have_value("reader")
    expect(window.page.locator("#query")).to_have_value("zorbelyx lamp")
    window.page.locator("#found-close").click()
    assert window.page.evaluate("location.hash") == "#shopper=reader"


def test_a_link_within_the_page_leaves_the_shopper(window: Window) -> None:
    shop(window, "reader")
    window.page.locator(".skip").focus()
    window.page.keyboard.press("Enter")
    window.page.wait_for_function("location.hash === '#recommended'")
    expect(window.page.locator("#shopper")).to_have_value("reader")


@pytest.mark.parametrize("window_options", [{"viewport": {"width": 1280, "height": 800}}])
def test_in_a_low_window_products_come_first_until_a_filter_is_chosen(window: Window) -> None:
    shop(window)
    search(window, "zorbelyx lamp")
    found(window, N_LAMPS)
    expect(chip(window, "brand:Plimmer")).to_be_hidden()
    expect(window.page.locator("#found .card").first).to_be_in_viewport(ratio=1)
    window.page.locator("#facets summary").click()
    window.page.locator("#facets .chip").first.click()
    expect(window.page.locator('#facets .chip[aria-pressed="true"]').first).to_be_visible()
