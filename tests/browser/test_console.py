"""The operator's console in a real browser, over the service in one process."""

import copy
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from playwright.sync_api import Browser, Locator, expect

from serving.experiments.published import keep_reading
from serving.http.schemas.example_experiment import READING
from serving.shops.experiments import Experiment
from serving.shops.rules import Rules
from serving.shops.steering.counts import Ranked, field
from tests.support.fakes import write_tokenizer
from tests.support.served import Served
from tests.support.service import Service
from tests.support.window import Window, open_window

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("chromium")]

PHONE = {"viewport": {"width": 360, "height": 780}, "is_mobile": True, "has_touch": True}
HOSTILE = "<img src=x onerror=window.broken=1><script>window.broken=1</script>"
DECLARED: dict[str, Any] = {
    "experiments": [
        {
            "key": "spread", "status": "running", "coverage": 0.2,
            "targeting": {"locales": ["en"], "requests": ["search"]},
            "arms": [{"key": "control"}, {"key": "wider", "rules": {"diversity": {"max_same": 2}}}],
        },
        {
            "key": "try-8", "kind": "shadow", "status": "running", "coverage": 0.2, "gate": {},
            "arms": [{"key": "new", "model_version": "8"}],
        },
        {"key": "later", "arms": [{"key": "a"}, {"key": "b"}]},
    ]
}  # fmt: skip


class Console:
    """A shop with these rules on a port."""

    def __init__(self, folder: Path, rules: dict[str, Any]) -> None:
        tokenizer = write_tokenizer(folder / "tokenizer.json")
        self.shop = Service(tokenizer, rules=Rules.model_validate(rules))
        self.shop.scorer.loaded = {"8"}
        self.served = Served(self.shop.app)

    def reading(self, **fields: Any) -> dict[str, Any]:
        """Publish one of `spread`."""
        reading = {**copy.deepcopy(READING), **fields}
        reading["arms"] = reading["arms"] and [
            {**arm, "by_day": days(28)} for arm in reading["arms"]
        ]
        keep_reading(self.shop.controls, "spread", reading)
        return reading

    def ranked(self, arm: str, rankings: float, fallbacks: float) -> None:
        """Count rankings of an arm of `spread`, as a replica tells them."""
        told = Ranked()
        told.rankings = told.asked = rankings
        told.fallbacks = fallbacks
        told.answered(0.012)
        counts = {field(0, arm, name): value for name, value in told.counts.items()}
        self.shop.controls.add("spread", int(time.time() // 60), counts)

    @property
    def decisions(self) -> dict[str, dict[str, Any]]:
        return self.shop.controls.all("decision")


def days(n: int) -> list[dict[str, float]]:
    """A band that narrows around 6 %."""
    widths = [0.25 / math.sqrt(day) for day in range(1, n + 1)]
    return [
        {"day": day, "lift": 0.06, "low": 0.06 - width, "high": 0.06 + width}
        for day, width in enumerate(widths, start=1)
    ]


@pytest.fixture
def rules() -> dict[str, Any]:
    """What the shop declares; parametrize to change it."""
    return DECLARED


@pytest.fixture
def console(tmp_path: Path, rules: dict[str, Any]) -> Iterator[Console]:
    started = Console(tmp_path, rules)
    yield started
    started.served.stop()


@pytest.fixture
def window(browser: Browser, console: Console, window_options: dict[str, Any]) -> Iterator[Window]:
    """A window on this shop; the stack is not needed."""
    with open_window(browser, console.served.url, window_options) as opened:
        yield opened


def enter(window: Window, key: str = "admin") -> None:
    window.open("/console")
    window.page.get_by_label("API key").fill(key)
    window.page.get_by_role("button", name="Show").click()


def card(window: Window, key: str = "spread") -> Locator:
    """An experiment that is shown."""
    found = window.page.get_by_role("article", name=key, exact=True)
    expect(found).to_be_visible()
    return found


def confirm(window: Window, button: str, why: str) -> None:
    """Say why in the dialog that is open, and go on."""
    dialog = window.page.get_by_role("dialog")
    dialog.get_by_label("Why").fill(why)
    dialog.get_by_role("button", name=button).click()
    expect(dialog).to_be_hidden()


def test_what_is_declared_and_what_it_does_are_shown(window: Window, console: Console) -> None:
    console.ranked("wider", 400, 8)
    enter(window)
    spread = card(window)
    expect(spread).to_contain_text("20 % of the shoppers, in searches, in en")
    expect(spread).to_contain_text("Not read yet")
    wider = spread.get_by_role("listitem").filter(has_text="wider")
    expect(wider).to_contain_text("rules: diversity")
    # An answer of 12 ms lies in the bucket that ends at 20.
    expect(wider.get_by_role("row").nth(1)).to_have_text("5 min4002.0 %20 ms")
    expect(card(window, "try-8")).to_contain_text("Gate: 0 of 1,000 requests compared.")
    expect(card(window, "later").get_by_role("button")).to_have_count(0)
    expect(window.page.locator("#versions")).to_contain_text("version 7 in use")
    expect(window.page.locator("#versions")).to_contain_text("version 8 loaded (try-8)")
    assert window.hosts == {urlsplit(window.url).netloc}
    assert window.faults == []


def test_what_was_declared_by_api_says_so(window: Window, console: Console) -> None:
    declared = {"key": "theirs", "arms": [{"key": "a"}, {"key": "b"}]}
    console.shop.shop.steering.declare(Experiment.model_validate(declared))
    enter(window)
    expect(card(window, "theirs")).to_contain_text("by API")
    expect(card(window)).not_to_contain_text("by API")
    assert window.faults == []


def test_a_reading_is_a_verdict_and_a_band_that_is_also_told_in_words(
    window: Window, console: Console
) -> None:
    console.reading()
    enter(window)
    spread = card(window)
    expect(spread.locator(".verdict")).to_have_text(READING["verdict"]["sentence"])
    band = spread.get_by_role("img")
    expect(band).to_have_attribute(
        "aria-label",
        "reward per shopper of wider against control: +6.1 %, from +2.3 % to +9.9 %, over 28 days",
    )
    assert len(band.locator(".area").evaluate("area => [...area.points]")) == 2 * 28
    expect(spread.get_by_role("list", name="Guard rails")).to_contain_text("returns per shopper")
    spread.get_by_text("All that was measured").click()
    by_day = spread.get_by_role("region", name="By day")
    expect(by_day.get_by_role("row")).to_have_count(29)
    expect(by_day.get_by_role("row").last).to_contain_text("+1.3 % to +11 %")
    assert window.faults == []


def test_interleaved_credit_is_told_with_its_range(window: Window, console: Console) -> None:
    found: dict[str, float] = {"shoppers": 412, "wins": 220, "losses": 150, "ties": 42}
    found |= {"share": 0.61, "low": 0.56, "high": 0.66, "p_value": 0.0001}
    console.reading(interleaving=found, arms=[])
    enter(window)
    expect(card(window)).to_contain_text(
        "61.0 % of the credit is the other arm's (56.0 % to 66.0 %)"
    )


def test_a_doubtful_sample_ratio_stands_before_the_verdict(
    window: Window, console: Console
) -> None:
    console.reading(sample_ratio={**READING["sample_ratio"], "state": "warning", "p_value": 0.004})
    enter(window)
    told = card(window).locator(".warning, .verdict")
    expect(told).to_have_count(2)
    expect(told.first).to_contain_text("20,412 in control, 20,377 in wider; p = 0.004")


def test_a_newer_reading_comes_by_itself_and_what_was_unfolded_stays(
    window: Window, console: Console
) -> None:
    console.reading()
    enter(window)
    spread = card(window)
    spread.get_by_text("All that was measured").click()
    more = spread.get_by_role("region", name="Metrics of wider")
    more.focus()
    newer = {"word": "open", "sentence": "Not decided: go on."}
    console.reading(verdict=newer, read_at="2026-09-21T14:30:00Z")
    expect(spread.locator(".verdict")).to_have_text("Not decided: go on.")
    expect(more).to_be_visible()
    expect(more).to_be_focused()


def test_a_stop_says_what_will_happen_asks_why_and_acts(window: Window, console: Console) -> None:
    enter(window)
    stop = card(window).get_by_role("button", name="Stop")
    stop.click()
    dialog = window.page.get_by_role("dialog", name="Stop “spread”?")
    expect(dialog).to_contain_text("Nobody is drawn any more")
    expect(dialog.get_by_label("Why")).to_be_focused()
    window.page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(stop).to_be_focused()
    assert console.decisions == {}
    stop.press("Enter")
    dialog.get_by_role("button", name="Stop it").click()
    expect(dialog).to_be_visible()  # no reason was given
    assert console.decisions == {}
    confirm(window, "Stop it", "the sale begins")
    expect(window.page.get_by_role("status")).to_contain_text("“spread” is stopped.")
    expect(card(window)).to_contain_text("Stopped by an administrator")
    expect(card(window)).to_contain_text("the sale begins")
    assert console.decisions["spread"]["action"] == "stop"
    assert console.decisions["spread"]["why"] == "the sale begins"
    assert window.page.evaluate("document.activeElement.id") == "e-spread"
    card(window).get_by_role("button", name="Resume").click()
    confirm(window, "Resume it", "it is over")
    expect(card(window).get_by_role("button", name="Stop")).to_be_visible()
    assert console.decisions["spread"]["action"] == "resume"
    assert window.faults == []


def test_an_arm_is_promoted_and_rolled_back(window: Window, console: Console) -> None:
    enter(window)
    card(window).get_by_role("button", name="Promote wider").click()
    dialog = window.page.get_by_role("dialog", name="Promote “wider”?")
    expect(dialog).to_contain_text("ranked by “wider” (rules: diversity)")
    confirm(window, "Promote wider", "it earns more")
    expect(card(window)).to_contain_text("promoted: wider")
    decided = console.decisions["spread"]
    assert (decided["action"], decided["arm"]) == ("promote", "wider")
    card(window).get_by_role("button", name="Roll back").click()
    confirm(window, "Roll back", "it does not")
    expect(card(window)).to_contain_text("it does not")
    assert console.decisions["spread"]["action"] == "stop"


def test_a_decision_that_is_refused_says_so_and_changes_nothing(
    window: Window, console: Console
) -> None:
    enter(window)
    card(window).get_by_role("button", name="Stop").click()
    console.shop.controls.error = ConnectionError("refused")
    dialog = window.page.get_by_role("dialog")
    dialog.get_by_label("Why").fill("now")
    dialog.get_by_role("button", name="Stop it").click()
    expect(dialog.get_by_role("alert")).to_contain_text("Nothing was changed")
    console.shop.controls.error = None
    assert console.decisions == {}


def test_a_service_that_is_gone_is_told_until_it_is_back(window: Window, console: Console) -> None:
    enter(window)
    card(window)
    console.served.stop()
    problem = window.page.locator("#problem")
    expect(problem).to_contain_text("The service cannot be reached")
    expect(card(window)).to_be_visible()  # as it was last
    console.served.start()
    expect(problem).to_be_hidden()


def test_a_wrong_key_is_told_and_kept_nowhere(window: Window) -> None:
    enter(window, "wrong")
    problem = window.page.get_by_role("alert")
    expect(problem).to_contain_text("This API key is not known")
    expect(window.page.get_by_label("API key")).to_be_focused()
    assert stored(window) == {}
    enter(window, "rank")
    expect(problem).to_contain_text("needs the scope admin")
    assert stored(window) == {}


def test_the_key_lasts_as_long_as_the_tab_and_is_in_no_address(window: Window) -> None:
    asked: list[str] = []
    window.page.on("request", lambda request: asked.append(request.url))
    enter(window)
    card(window)
    assert stored(window) == {"vitrine-console-key": "admin"}
    assert window.page.evaluate("Object.keys(localStorage)") == []
    window.page.reload()
    card(window)
    assert not any("admin" in url for url in asked)
    window.page.get_by_role("button", name="Forget").click()
    expect(window.page.get_by_role("article")).to_have_count(0)
    assert stored(window) == {}
    assert window.faults == []


@pytest.mark.parametrize("rules", [{"exploration": {"share": 0}}])
def test_without_an_experiment_the_page_says_how_to_declare_one(window: Window) -> None:
    enter(window)
    expect(window.page.get_by_role("heading", name="No experiment is declared")).to_be_visible()
    example = window.page.locator("pre").inner_text()
    assert Rules.model_validate(yaml.safe_load(example)).experiments[0].key == "wider"
    assert window.faults == []


def test_what_somebody_wrote_is_text_and_runs_nothing(window: Window, console: Console) -> None:
    reading = console.reading(experiment=HOSTILE)
    reading["verdict"]["sentence"] = f"Stop {HOSTILE}"
    keep_reading(console.shop.controls, "spread", reading)
    enter(window)
    expect(card(window).locator(".verdict")).to_have_text(f"Stop {HOSTILE}")
    card(window).get_by_role("button", name="Stop").click()
    confirm(window, "Stop it", HOSTILE)
    expect(card(window).locator(".decided")).to_contain_text(HOSTILE)
    assert window.page.locator("main img, main script").count() == 0
    assert window.page.evaluate("typeof window.broken") == "undefined"
    assert window.faults == []


def test_the_policy_lets_in_nothing_inline_and_nothing_foreign(window: Window) -> None:
    policy = window.open("/console").headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "require-trusted-types-for 'script'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy


@pytest.mark.parametrize("window_options", [PHONE])
def test_nothing_is_wider_than_a_phone(window: Window, console: Console) -> None:
    console.reading()
    console.ranked("wider", 12_345, 8)
    enter(window)
    card(window).get_by_text("All that was measured").click()
    card(window).get_by_role("button", name="Promote wider").click()
    widths = "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    page, screen = window.page.evaluate(widths)
    assert page <= screen


def stored(window: Window) -> dict[str, str]:
    """What the tab keeps."""
    found: dict[str, str] = window.page.evaluate("({...sessionStorage})")
    return found
