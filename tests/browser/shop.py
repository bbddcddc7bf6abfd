"""Steps in the demo shop that its tests have in common."""

from playwright.sync_api import Locator, expect

from tests.support.window import Window

SHELF = "#recommended .card"


def shop(window: Window, shopper: str | None = None) -> Locator:
    """The cards of the recommended shelf, once they are there."""
    window.open(f"/demo#shopper={shopper}" if shopper else "/demo")
    cards = window.page.locator(SHELF)
    expect(cards).to_have_count(12)
    return cards


def order(window: Window, shelf: str = SHELF) -> list[str]:
    """Item ids in the order of a shelf."""
    found: list[str] = window.page.locator(shelf).evaluate_all(
        "cards => cards.map(card => card.dataset.itemId)"
    )
    return found


def search(window: Window, query: str) -> None:
    """Type a query and press Enter."""
    window.page.fill("#query", query)
    window.page.press("#query", "Enter")
