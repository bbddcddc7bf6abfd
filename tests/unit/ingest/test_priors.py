"""What a shop shares with its group: counts of categories that many shoppers have touched."""

import time
from contextlib import closing
from pathlib import Path

import pytest

from features.catalog.item import Item
from features.controls.priors import PRIORS
from features.controls.shops import SHOPS, Registered, ShopStatus
from features.events.event import BehaviorEvent, EventType
from features.ingest import neighbor_job
from features.ingest.export import collected
from features.ingest.priors import A_SHOPPER, FLOOR, category_counts
from features.store.backends import open_catalog, open_controls, open_event_log
from features.store.settings import StoreSettings
from features.store.shops import shop_store

NOW_S = time.time()
ITEMS = [
    Item("boot", "Boot", category="Shoes>Boots "),
    Item("wellie", "Wellington", category="SHOES > boots"),
    Item("sandal", "Sandal", category="Shoes > Sandals"),
    Item("hat", "Hat", category="Hats"),
    Item("thing", "Thing"),
]


def bought(
    item_id: str, shoppers: int, times: int = 1, who: str = "u", days_ago: float = 1.0
) -> list[BehaviorEvent]:
    return [
        BehaviorEvent(
            f"{item_id}-{who}{shopper}-{number}-{days_ago}",
            EventType.PURCHASE,
            NOW_S - days_ago * 86_400,
            user_id=f"{who}{shopper}",
            item_id=item_id,
        )
        for shopper in range(shoppers)
        for number in range(times)
    ]


class Installation:
    """Registered shops with a log and a catalogue each."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.store = StoreSettings(state=state / "state")

    def add(
        self, name: str, events: list[BehaviorEvent], **definition: object
    ) -> tuple[Registered, StoreSettings]:
        shop = Registered(name, f"{name}-1", ShopStatus.ACTIVE, 0, definition, {})
        with closing(open_controls(self.store)) as controls:
            controls.put(SHOPS, name, shop.document)
        return shop, filled(shop_store(self.store, shop), events)

    def job(self, monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, list[float]]]:
        """Run it; what is kept then, by space."""
        path = self.state / "store.json"
        path.write_text(self.store.model_dump_json())
        out = self.state / "neighbors.npz"
        monkeypatch.setattr("sys.argv", ["job", "--store", str(path), "--out", str(out)])
        assert neighbor_job.main() == 0
        with closing(open_controls(self.store)) as controls:
            kept = controls.all(PRIORS)
        assert all(set(document) == {"at_ms", "categories"} for document in kept.values())
        return {space: document["categories"] for space, document in kept.items()}


def filled(store: StoreSettings, events: list[BehaviorEvent]) -> StoreSettings:
    with closing(open_catalog(store)) as catalog, closing(open_event_log(store)) as log:
        catalog.upsert(ITEMS)
        log.append(events)
    return store


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    found = Installation(tmp_path)
    filled(found.store, bought("boot", FLOOR))
    return found


def counts(state: Path, events: list[BehaviorEvent]) -> dict[str, tuple[float, int]]:
    dataset = collected(filled(StoreSettings(state=state), events))
    return dict(category_counts(dataset.items, dataset.events, NOW_S))


def test_a_category_is_counted_with_all_above_it_however_it_is_written(tmp_path: Path) -> None:
    found = counts(tmp_path, [*bought("boot", 15), *bought("wellie", 15, who="w")])
    assert found == {"shoes": (30.0, 3), "shoes > boots": (30.0, 2)}


def test_a_category_that_too_few_shoppers_have_touched_is_not_shared(tmp_path: Path) -> None:
    few = bought("sandal", FLOOR - 1, times=4)
    found = counts(tmp_path, [*bought("hat", FLOOR), *few])
    assert set(found) == {"hats"}
    (one_more,) = bought("sandal", 1, who="other")
    found = counts(tmp_path / "more", [*bought("hat", FLOOR), *few, one_more])
    assert set(found) == {"hats", "shoes", "shoes > sandals"}


def test_sessions_without_a_shopper_are_no_shoppers(tmp_path: Path) -> None:
    events = [
        BehaviorEvent(f"e{n}", EventType.CLICK, NOW_S - 60, session_id=f"s{n}", item_id="hat")
        for n in range(3 * FLOOR)
    ]
    assert counts(tmp_path, events) == {}


def test_one_shopper_is_never_the_whole_count(tmp_path: Path) -> None:
    found = counts(tmp_path, [*bought("hat", FLOOR), *bought("hat", 1, times=500, who="x")])
    assert found["hats"] == (FLOOR + A_SHOPPER, 1)


def test_what_is_long_past_counts_no_more(tmp_path: Path) -> None:
    assert counts(tmp_path, bought("hat", 2 * FLOOR, days_ago=121.0)) == {}


def test_the_job_keeps_what_shops_share_and_nothing_of_others(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = bought("hat", FLOOR)
    installation.add("giver", many, group="g", shares_priors=True)
    installation.add("silent", many, group="g")
    assert installation.job(monkeypatch) == {"giver-1": {"hats": [20.0, 1]}}
    installation.add("giver", [], group="g", shares_priors=False)
    assert installation.job(monkeypatch) == {}, "what was shared is deleted with the consent"


def test_whom_an_erasure_takes_below_the_floor_is_shared_no_more(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, store = installation.add("giver", bought("hat", FLOOR), group="g", shares_priors=True)
    assert installation.job(monkeypatch)["giver-1"]
    with closing(open_event_log(store)) as log:
        log.erase_user("u0")
    assert installation.job(monkeypatch)["giver-1"] == {}
