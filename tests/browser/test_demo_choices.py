"""What a shopper sees and decides in the demo shop, in a real browser, over the real stack."""

import json
import re
import uuid
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from loadtests.stack import RunningStack
from tests.browser.shop import SHELF, order, search, shop
from tests.support.window import Window

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("chromium")]

CHINESE = re.compile("[\u4e00-\u9fff]")


def card(window: Window, item_id: str) -> Locator:
    return window.page.locator(f'{SHELF}[data-item-id="{item_id}"]')


def newcomer(window: Window) -> str:
    """A shopper whom the demo has made, on its page."""
    shop(window)
    expect(window.page.locator("#choices .personal")).to_be_visible()
    return str(window.page.input_value("#shopper"))


def preferences(stack: RunningStack, user: str) -> dict[str, Any]:
    found: dict[str, Any] = stack.client.get(f"/v1/users/{user}/preferences").json()
    return found


def counts(stack: RunningStack, user: str) -> dict[str, int]:
    """What is known that a shopper did; what was seen comes by itself."""
    known = stack.client.get(f"/v1/users/{user}/features").json()
    return known.get("counts") or {}


def news(window: Window) -> Locator:
    return window.page.locator("#news")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_each_card_says_why_it_is_there_in_the_language_of_the_page(
    window: Window, stack: RunningStack, language: str
) -> None:
    user = stack.sample["user_id"]
    window.open(f"/demo#shopper={user}&lang={language}")
    cards = window.page.locator(SHELF)
    expect(cards).to_have_count(12)
    assert window.page.evaluate("document.documentElement.lang") == language
    told = 0
    for one in cards.all():
        reasons = one.locator(".why .lines li").all_text_contents()
        assert len(reasons) <= 3
        told += len(reasons)
        for reason in reasons:
            assert bool(CHINESE.search(re.sub("“.*?”", "", reason))) == (language == "zh"), reason
    assert told >= 12
    assert window.faults == []


def test_another_language_keeps_the_shopper_and_the_search(
    window: Window, stack: RunningStack
) -> None:
    user = newcomer(window)
    search(window, stack.sample["query"])
    expect(window.page.locator("#found .card").first).to_be_visible()
    window.page.select_option("#language", "zh")
    expect(window.page.locator("#found-title")).to_contain_text("的结果")
    assert window.page.input_value("#shopper") == user
    expect(window.page.locator(SHELF)).to_have_count(12)
    shown = window.page.locator("header, #recommended .shelf-head, #choices").all_inner_texts()
    assert CHINESE.search(" ".join(shown))
    for english in ("Show", "New shopper", "Search", "Personal", "history", "Forget"):
        assert english not in " ".join(shown)


def test_what_is_not_for_me_is_gone_until_it_may_be_shown_again(
    window: Window, stack: RunningStack
) -> None:
    user = newcomer(window)
    unwanted = order(window)[2]
    title = card(window, unwanted).locator(".open").inner_text()
    card(window, unwanted).locator(".not summary").click()
    card(window, unwanted).get_by_role("button", name="This product").click()
    expect(card(window, unwanted)).to_have_count(0)
    expect(news(window)).to_contain_text(f"“{title}” is not for you")
    listed = window.page.locator("#choices .unwanted li")
    expect(listed).to_contain_text(title)
    assert preferences(stack, user)["hidden"]["items"] == [unwanted]
    listed.get_by_role("button").click()
    expect(listed).to_have_count(0)
    assert preferences(stack, user)["hidden"]["items"] == []
    assert window.faults == []


@pytest.mark.parametrize("kind", ["brand", "category"])
def test_a_whole_brand_or_category_can_be_not_for_me(
    window: Window, stack: RunningStack, kind: str
) -> None:
    user = newcomer(window)
    first = window.page.locator(SHELF).first
    first.locator(".not summary").click()
    buttons = first.locator(".unwanted-body button")
    name = buttons.nth(1 if kind == "brand" else 2).inner_text().removeprefix("All of ")
    buttons.nth(1 if kind == "brand" else 2).click()
    expect(news(window)).to_contain_text(f"“{name}” is not for you")
    facts = window.page.locator(f"{SHELF} .facts").all_inner_texts()
    assert facts
    place = 0 if kind == "brand" else -1
    assert name not in [each.split(" · ")[place] for each in facts]
    hidden = preferences(stack, user)["hidden"]
    (found,) = hidden["brands"] if kind == "brand" else hidden["categories"]
    assert found.split(" > ")[-1] == name


def test_an_interest_is_told_in_words_and_can_be_forgotten(
    window: Window, stack: RunningStack
) -> None:
    user = newcomer(window)
    card(window, order(window)[0]).locator(".cart").click()
    expect(news(window).locator(".measured")).to_be_visible()
    rows = window.page.locator("#choices .interests li")
    expect(rows.first).to_contain_text(re.compile(r"\d+ % · 1 time · \d+ s ago"))
    before = preferences(stack, user)["interests"]
    name = str(rows.first.get_attribute("title"))
    rows.first.get_by_role("button").click()
    expect(news(window)).to_contain_text("is forgotten")
    expect(window.page.locator(f'#choices .interests li[title="{name}"]')).to_have_count(0)
    after = {each["name"] for each in preferences(stack, user)["interests"]}
    assert after < {each["name"] for each in before}
    assert name not in after
    assert window.faults == []


def test_the_last_hour_is_forgotten_whole(window: Window, stack: RunningStack) -> None:
    user = newcomer(window)
    card(window, order(window)[0]).locator(".open").click()
    expect(news(window).locator(".measured")).to_be_visible()
    expect(window.page.locator("#known-body")).to_contain_text("click")
    window.page.get_by_role("button", name="Forget the last hour").click()
    expect(news(window)).to_contain_text("The last hour is forgotten")
    expect(window.page.locator("#choices")).to_contain_text("Nothing yet")
    assert "click" not in counts(stack, user)


def test_answers_that_are_not_personal_are_everybodys_and_nothing_is_learnt(
    window: Window, stack: RunningStack
) -> None:
    user = newcomer(window)
    window.page.get_by_role("switch", name="Personal answers").uncheck()
    badge = window.page.locator("#recommended .badge")
    expect(badge).to_have_text("cold_start · not_personal")
    told = preferences(stack, user)
    assert (told["personal"], told["profiling"]) == (False, False)
    card(window, order(window)[1]).locator(".open").click()
    expect(news(window)).to_contain_text("Nothing is kept of it")
    expect(window.page.get_by_role("button", name="Forget the last hour")).to_be_disabled()
    window.page.get_by_role("switch", name="Personal answers").check()
    expect(badge).to_have_text("cold_start · new_shopper")
    assert "click" not in counts(stack, user)
    assert window.faults == []


def test_the_page_shows_itself_as_to_somebody_whom_the_shop_does_not_know(
    window: Window, stack: RunningStack
) -> None:
    shop(window, stack.sample["user_id"])
    personal = order(window)
    window.page.get_by_role("button", name="Without your history").click()
    expect(window.page.locator("#recommended .badge")).to_have_text("cold_start · not_personal")
    assert order(window) != personal
    expect(window.page.locator(f"{SHELF} .moved:not(:empty)").first).to_be_visible()
    assert preferences(stack, stack.sample["user_id"])["personal"] is True
    card(window, order(window)[0]).locator(".open").click()
    expect(news(window)).to_contain_text("The shop has kept it")
    with window.page.expect_download():  # what was on the page before the event still answers
        window.page.get_by_role("button", name="Get a copy").click()
    window.page.get_by_role("button", name="With your history", exact=True).click()
    expect(window.page.locator("#recommended .badge")).not_to_contain_text("not_personal")


def test_why_tells_where_a_product_would_stand_without_the_history(
    window: Window, stack: RunningStack
) -> None:
    cards = shop(window, stack.sample["user_id"])
    cards.first.locator(".why > summary").click()
    words = re.compile(r"^without your history it would be \d+(st|nd|rd|th)$")
    expect(cards.first.locator(".why .stranger")).to_have_text(words)


def test_a_copy_is_a_file_that_says_it_is_whole(
    window: Window, stack: RunningStack, tmp_path: Path
) -> None:
    newcomer(window)
    item_id = order(window)[3]
    card(window, item_id).locator(".open").click()
    expect(news(window).locator(".measured")).to_be_visible()
    with window.page.expect_download() as started:
        window.page.get_by_role("button", name="Get a copy").click()
    started.value.save_as(tmp_path / "copy.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "copy.jsonl").read_text().splitlines()]
    assert [line["item_id"] for line in lines if line.get("type") == "click"] == [item_id]
    assert lines[-1] == {"kind": "end", "left_out": []}
    assert window.faults == []


def test_of_another_shops_shopper_nothing_is_told_or_offered(
    window: Window, stack: RunningStack
) -> None:
    user = f"customer-{uuid.uuid4().hex}"
    shop(window, user)
    choices = window.page.locator("#choices")
    expect(choices).to_contain_text("Only the shop's own server")
    expect(choices.get_by_role("button")).to_have_count(0)
    expect(choices.get_by_role("switch")).to_have_count(0)
    for path in ("preferences", "export"):
        answer = stack.client.get(f"/demo/shoppers/{user}/{path}")
        assert (answer.status_code, answer.json()["code"]) == (403, "not_the_demos")
    assert window.faults == []
