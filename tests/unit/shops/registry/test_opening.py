"""A shop is opened over stores of its own, is kept up to date, and gives everything back."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from features.catalog.item import Item
from features.controls.shops import Registered, ShopStatus
from features.events.event import BehaviorEvent, EventType
from features.store.settings import StoreSettings
from serving.errors import ShopOpeningError
from serving.models.contract import PICTURE_ENCODER
from serving.models.settings import ModelSettings
from serving.models.tokenizer import Tokenizer
from serving.search.answers.answer import Answer
from serving.search.settings import RetrievalSettings
from serving.shops.alerts.settings import AlertSettings
from serving.shops.pseudonyms import Pseudonyms
from serving.shops.registry.opening import Opener, OpenShop
from serving.shops.registry.rounds import Rounds
from tests.support.fakes import NOW_S, FakeVectors
from tests.support.live_shop import wait_until
from tests.support.pictures import colour_vector, png, shown_pictures


@pytest.fixture
def opener(tmp_path: Path, tokenizer_path: Path) -> Opener:
    words = Tokenizer(tokenizer_path)
    return Opener(
        StoreSettings(state=tmp_path),
        ModelSettings(tokenizer_path=tokenizer_path),
        RetrievalSettings(
            vectors_path=tmp_path / "vectors.npz", neighbors_path=tmp_path / "neighbors.npz"
        ),
        Pseudonyms(b"0123456789abcdef"),
        AlertSettings(),
        0.05,
        words,
        FakeVectors(words),
    )


def entry(name: str, **definition: object) -> Registered:
    return Registered(name, f"{name}-1", ShopStatus.ACTIVE, 0, definition, {})


@pytest.fixture
def two(opener: Opener) -> Iterator[tuple[OpenShop, OpenShop]]:
    """Shops that are followed by one set of threads."""
    one = opener.registered(entry("one", prices={"currency": "EUR"}))
    other = opener.registered(entry("other", rules={"diversity": {"max_same": 1}}))
    rounds = Rounds(0.05)
    for opened in (one, other):
        opened.load()
    rounds.take({"one": one, "other": other})
    rounds.start()
    yield one, other
    rounds.stop()
    for opened in (one, other):
        opened.close()


def milk(_: Item | None) -> Item:
    return Item("milk", "Whole milk", category="Dairy", price=1.0)


async def test_what_one_shop_is_told_reaches_that_shop_alone(
    two: tuple[OpenShop, OpenShop],
) -> None:
    one, other = (opened.shop for opened in two)
    await one.upkeep.edit([("milk", milk)])
    wait_until(lambda: "milk" in one.items.table.row_of)
    wait_until(lambda: one.retrieval.n_awaited == 0)
    event = BehaviorEvent("e1", EventType.CLICK, NOW_S, user_id="ann", item_id="milk")
    assert (await one.intake.append([event])).accepted == 1
    assert (await other.intake.append([event])).accepted == 1  # no duplicate of another shop's
    assert one.log.last_seq() == other.log.last_seq() == 1
    assert await other.upkeep.get("milk") is None
    assert len(other.items.table) == 0
    assert other.shoppers.read_shopper("ann", None).user is None


def test_rules_and_prices_are_those_of_the_definition(two: tuple[OpenShop, OpenShop]) -> None:
    one, other = (opened.shop for opened in two)
    assert (one.items.table.prices.currency, other.items.table.prices.currency) == ("EUR", "")
    assert (one.rules.diversity.max_same, other.rules.diversity.max_same) == (3, 1)


def test_a_shop_that_is_opened_again_has_what_it_had(opener: Opener) -> None:
    first = opener.registered(entry("one"))
    first.load()
    first.shop.controls.put("kind", "key", {"a": 1})
    first.close()
    again = opener.registered(entry("one"))
    again.load()
    assert again.shop.controls.all("kind") == {"key": {"a": 1}}
    again.close()


async def test_a_shop_that_is_opened_again_has_its_answers_at_once(opener: Opener) -> None:
    first = opener.registered(entry("one"))
    first.load()
    assert await first.shop.answers.put({"a1": Answer("a1", "How do I return?", "By post.")}) == []
    first.close()
    again = opener.registered(entry("one"))
    again.load()
    assert len(again.shop.answers.judge.collection.answers) == 1
    assert again.shop.answers.judge.collection.has_vectors
    again.close()


async def test_a_removed_shop_takes_nothing_any_more(opener: Opener) -> None:
    opened = opener.registered(entry("one"))
    opened.load()
    opened.refuse()
    event = BehaviorEvent("e1", EventType.CLICK, NOW_S, user_id="ann", item_id="milk")
    for late in (opened.shop.intake.append([event]), opened.shop.upkeep.edit([("milk", milk)])):
        with pytest.raises(ShopOpeningError):
            await late
    opened.close()


def test_each_shop_has_pictures_of_its_own(opener: Opener, tmp_path: Path) -> None:
    with_pictures = replace(opener, pictures=lambda store: shown_pictures(store.state))
    opened = [with_pictures.registered(entry(name)) for name in ("one", "other")]
    rounds = Rounds(0.05)
    rounds.take({each.shop.name: each for each in opened})
    rounds.start()
    for each in opened:
        each.shop.items.table.upsert([Item("milk", "Milk")])
    one, other = (each.shop for each in opened)
    assert one.pictures is not None
    assert one.retrieval.pictures is not None
    assert other.retrieval.pictures is not None
    one.pictures.stored.put("milk", png((255, 0, 0)), NOW_S)
    (row,) = one.pictures.stored.claim(NOW_S, 1)
    pixels = np.full((4, 4, 3), 255, np.uint8)
    one.pictures.stored.done(row, colour_vector(pixels).astype(np.float16), PICTURE_ENCODER)
    milk_row, index = np.array([0]), one.retrieval.pictures
    wait_until(lambda: bool(index.known(milk_row)[0].all()))
    assert not other.retrieval.pictures.known(milk_row)[0].any()
    rounds.stop()
    for each in opened:
        each.close()


def test_a_shop_that_is_closed_leaves_no_thread_behind(opener: Opener) -> None:
    before = set(threading.enumerate())
    with_pictures = replace(opener, pictures=lambda store: shown_pictures(store.state))
    opened = with_pictures.registered(entry("one"))
    opened.start()
    names = {thread.name for thread in set(threading.enumerate()) - before}
    assert {"pictures", "answers", "experiments"} <= names
    opened.close()
    wait_until(lambda: not set(threading.enumerate()) - before)


def test_files_of_a_removed_shop_are_left_to_ingest(opener: Opener) -> None:
    opened = opener.registered(entry("one"))
    opened.close()
    opened.forget()
    assert opened.store.log_path.is_file()
