"""Events outlive the log in the archive, and whoever is erased is erased there too."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from features.catalog.item import Item
from features.events.event import BehaviorEvent, EventType
from features.events.exposure import Exposure
from features.events.log import Erasure, EventLog, RankingRecord
from features.events.sqlite_log import SqliteEventLog
from features.ingest.export import collected
from features.ingest.keeping.archiving import Archiver
from features.ingest.keeping.erase import Eraser
from features.ingest.settings import IngestSettings
from features.ingest.status import CONSUMER
from features.store.archive import Archive
from features.store.backends import open_catalog
from features.store.kept import open_kept
from features.store.offline import OfflineStore
from features.store.settings import StoreSettings

DAY_S = 86_400.0
NOW_S = 1_700_000_000.0


class Shop:
    """A log on a clock of its own, and its archive in a folder."""

    def __init__(self, folder: Path) -> None:
        self.now_s = NOW_S
        self.folder = folder
        self.store = StoreSettings(state=folder, archive=str(folder / "archive"))
        self.archive = Archive(str(folder / "archive"))
        self.log: EventLog = SqliteEventLog(self.store.log_path, lambda: self.now_s)
        self.archiver = self.anew()

    def anew(self, keep_s: float = 400 * DAY_S) -> Archiver:
        settings = IngestSettings(store=self.store, archive_keep_s=keep_s)
        return Archiver(self.log, self.archive, settings, clock=lambda: self.now_s)

    def tell(self, *event_ids: str, user: str = "ann", folded: bool = True) -> None:
        self.log.append([event(event_id, user, self.now_s) for event_id in event_ids])
        if folded:
            self.log.commit(CONSUMER, self.log.last_seq())

    def forget_log(self) -> None:
        """As retention does."""
        while self.log.prune(self.now_s + 1):
            pass

    def rank(self, *ranking_ids: str, user: str = "ann", **more: float) -> None:
        self.log.append_rankings([ranking(each, user, self.now_s, **more) for each in ranking_ids])

    @property
    def ranked(self) -> list[str]:
        return [each.ranking_id for each in self.archive.each_ranking()]

    @property
    def archived(self) -> list[str]:
        return self.archive.events()["event_id"].tolist()


def event(event_id: str, user: str, at_s: float) -> BehaviorEvent:
    return BehaviorEvent(event_id, EventType.CLICK, at_s, user, f"s-{user}", "tea", value=1.5)


def ranking(
    ranking_id: str, user: str, at_s: float, exposed: float = 1, chance: float = 1
) -> RankingRecord:
    drawn = (Exposure("wider", "spread", "user", user),) if exposed else ()
    return RankingRecord(
        ranking_id, at_s, "model", ("tea", "milk"), user, f"s-{user}", exposures=drawn,
        scores=np.array([2, 1], np.float32), propensities=np.array([chance, 1], np.float32),
        features=np.ones((2, 3), np.float16),
    )  # fmt: skip


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    found = Shop(tmp_path)
    yield found
    found.log.close()


def test_what_the_log_has_forgotten_is_still_there_to_train_on(shop: Shop) -> None:
    shop.tell("a", "b")
    shop.archiver.catch_up()
    shop.forget_log()
    shop.tell("c")
    catalog = open_catalog(shop.store)
    catalog.upsert([Item("tea", "Tea")])
    catalog.close()
    found = collected(shop.store).events
    assert found["event_id"].tolist() == ["a", "b", "c"]
    assert found["user_id"].tolist() == ["ann"] * 3
    assert found["value"].tolist() == [1.5] * 3


def test_only_what_was_folded_is_archived_and_all_of_it_once(shop: Shop) -> None:
    shop.tell("a")
    shop.tell("b", folded=False)
    shop.archiver.catch_up()
    assert shop.archived == ["a"]
    shop.tell("c")
    for _ in range(2):
        shop.archiver.catch_up()
        shop.archiver = shop.anew()  # a process that was started again
    assert shop.archived == ["a", "b", "c"]


def test_a_crash_between_events_and_place_adds_nothing_twice(shop: Shop) -> None:
    shop.tell("a", "b")
    shop.archiver.catch_up()
    (shop.folder / "archive" / "place.json").unlink()
    shop.tell("c")
    shop.archiver.catch_up()
    assert shop.archived == ["a", "b", "c"]


def test_the_log_of_another_engine_is_archived_from_its_start(shop: Shop) -> None:
    shop.tell("a", "b", "c")
    shop.archiver.catch_up()
    shop.now_s += 10
    other = Shop(shop.folder / "other")
    other.now_s = shop.now_s
    other.tell("d", "e", "f", "g")
    moved = IngestSettings(store=shop.store)
    Archiver(other.log, shop.archive, moved, clock=lambda: shop.now_s).catch_up()
    assert shop.archived == ["a", "b", "c", "d", "e", "f", "g"]
    other.log.close()


def test_whoever_is_erased_is_gone_from_every_day_and_their_sessions_too(shop: Shop) -> None:
    for day in range(3):
        shop.now_s = NOW_S + day * DAY_S
        shop.tell(f"ann-{day}", user="ann")
        shop.tell(f"bob-{day}", user="bob")
        shop.log.append([BehaviorEvent(f"guest-{day}", EventType.CLICK, NOW_S, None, "s-ann")])
        shop.log.commit(CONSUMER, shop.log.last_seq())
    shop.archiver.catch_up()
    offline = OfflineStore(shop.folder / "offline")
    Eraser(offline, archive=shop.archive).erase("ann", ["s-ann"])
    assert shop.archived == ["bob-0", "bob-1", "bob-2"]
    told = b"".join(path.read_bytes() for path in (shop.folder / "archive").rglob("*.parquet"))
    assert b"ann" not in told


def test_what_another_shopper_did_in_the_same_session_stays_in_the_archive(shop: Shop) -> None:
    told = [("guest-1", None), ("bob-1", "bob"), ("guest-2", None), ("bob-2", "bob"),
            ("guest-3", None), ("ann-1", "ann"), ("guest-4", None)]  # fmt: skip
    for place, (name, user) in enumerate(told):
        at_s = shop.now_s = NOW_S + place * DAY_S / 2  # sessions go over midnight, too
        shop.log.append([BehaviorEvent(name, EventType.CLICK, at_s, user, "s")])
        shown = replace(ranking(f"r-{name}", "", at_s), user_id=user, session_id="s")
        shop.log.append_rankings([shown])
        shop.log.commit(CONSUMER, shop.log.last_seq())
    shop.archiver.catch_up()
    eraser = Eraser(OfflineStore(shop.folder / "offline"), archive=shop.archive)
    erasure = shop.log.read(shop.log.erase_user("ann") - 1, 1)[0][1]
    assert isinstance(erasure, Erasure)
    for _ in range(2):  # as after one that was not committed
        eraser.erase("ann", erasure.session_ids, named=erasure.named)
        assert shop.archived == ["guest-1", "bob-1", "guest-2", "bob-2"]
        assert shop.ranked == ["r-guest-1", "r-bob-1", "r-guest-2", "r-bob-2"]


def test_an_erasure_that_broke_off_leaves_what_an_unbroken_one_leaves_when_it_is_repeated(
    shop: Shop, tmp_path: Path
) -> None:
    told = ["bob", "", "bob", "", "ann", "", "ann", "", "bob", "", "ann", ""]
    for place, user in enumerate(told):
        at_s = shop.now_s = NOW_S + place * DAY_S
        shop.log.append([BehaviorEvent(f"{place}", EventType.CLICK, at_s, user or None, "s")])
        shown = replace(ranking(f"r{place}", "", at_s), user_id=user or None, session_id="s")
        shop.log.append_rankings([shown])
        shop.log.commit(CONSUMER, shop.log.last_seq())
        shop.archiver.catch_up()
    erasure = shop.log.read(shop.log.erase_user("ann") - 1, 1)[0][1]
    assert isinstance(erasure, Erasure)
    breaks, whole = 0, ["0", "1", "2", "8"]
    for day in [None, *sorted((tmp_path / "archive").rglob("*.parquet"))]:
        folder = tmp_path / "copy"
        shutil.copytree(tmp_path / "archive", folder)
        if day is not None:
            copied = folder / day.relative_to(tmp_path / "archive")
            in_the_way = copied.with_name(f".{copied.name}")
            in_the_way.mkdir()
            try:
                Archive(str(folder)).erase("ann", ["s"], named=erasure.named)
            except OSError:
                breaks += 1
            in_the_way.rmdir()
        archive = Archive(str(folder))
        archive.erase("ann", ["s"], named=erasure.named)
        assert archive.events()["event_id"].tolist() == whole, day
        assert [each.ranking_id for each in archive.each_ranking()] == [f"r{n}" for n in whole]
        shutil.rmtree(folder)
    assert breaks == 2 * 8


def test_a_guest_of_the_archive_goes_though_the_sign_in_is_not_in_it_yet(shop: Shop) -> None:
    for place, (name, user) in enumerate([("bob-1", "bob"), ("guest-1", None)]):
        at_s = shop.now_s = NOW_S + place
        shop.log.append([BehaviorEvent(name, EventType.CLICK, at_s, user, "s")])
        shop.log.commit(CONSUMER, shop.log.last_seq())
    shop.archiver.catch_up()  # and then Ann signs in, and is erased
    Eraser(OfflineStore(shop.folder / "offline"), archive=shop.archive).erase("ann", ["s"])
    assert shop.archived == ["bob-1"]


def test_days_are_kept_as_long_as_the_shop_says(shop: Shop) -> None:
    for day in range(4):
        shop.now_s = NOW_S + day * DAY_S
        shop.tell(f"day-{day}")
        shop.anew(keep_s=1.5 * DAY_S).catch_up()
    assert shop.archived == ["day-2", "day-3"]


def test_an_entry_that_was_erased_at_the_end_of_a_piece_stops_nothing(shop: Shop) -> None:
    shop.tell("a", user="ann")
    shop.tell("b", user="bob")
    shop.log.erase_user("bob")
    shop.tell("c", user="ann")
    shop.archiver.catch_up()
    assert shop.archived == ["a", "c"]


def test_rankings_of_experiments_and_those_left_to_chance_are_archived_once(shop: Shop) -> None:
    shop.tell("a")
    shop.rank("exposed", "exposed too")
    shop.rank("explored", exposed=0, chance=0.5)
    shop.rank("usual", exposed=0)
    for _ in range(2):
        shop.archiver.catch_up()
        shop.archiver = shop.anew()
    shop.rank("later")
    shop.archiver.catch_up()
    assert shop.ranked == ["exposed", "exposed too", "explored", "later"]


def test_a_crash_between_rankings_and_their_place_adds_none_twice(shop: Shop) -> None:
    shop.tell("a")
    shop.rank("r1", "r2")
    shop.archiver.catch_up()
    (shop.folder / "archive" / "rankings" / "place.json").unlink()
    shop.rank("r3")
    shop.archiver.catch_up()
    assert shop.ranked == ["r1", "r2", "r3"]


def test_what_was_left_to_chance_is_kept_with_what_the_ranker_saw(shop: Shop) -> None:
    shop.rank("explored", exposed=0, chance=0.5)
    shop.rank("exposed")
    shop.archiver.catch_up()
    explored, exposed = shop.archive.each_ranking()
    assert explored.scores.tolist() == [2, 1]
    assert explored.propensities.tolist() == [0.5, 1]
    assert explored.features.shape == (2, 3)
    assert exposed.item_ids == ("tea", "milk")
    assert exposed.exposures == (Exposure("wider", "spread", "user", "ann"),)
    assert exposed.features.size == exposed.scores.size == 0


def test_whoever_is_erased_is_gone_from_the_rankings_too(shop: Shop) -> None:
    for day in range(3):
        shop.now_s = NOW_S + day * DAY_S
        shop.rank(f"ann-{day}")
        shop.rank(f"bob-{day}", user="bob")
    shop.log.append_rankings([RankingRecord("guest", NOW_S, "model", ("tea",), None, "s-ann")])
    shop.archiver.catch_up()
    Eraser(OfflineStore(shop.folder / "offline"), archive=shop.archive).erase("ann", ["s-ann"])
    assert shop.ranked == ["bob-0", "bob-1", "bob-2"]


def test_days_of_rankings_are_kept_as_long_as_the_shop_says(shop: Shop) -> None:
    for day in range(4):
        shop.now_s = NOW_S + day * DAY_S
        shop.rank(f"day-{day}")
        shop.anew(keep_s=1.5 * DAY_S).catch_up()
    assert shop.ranked == ["day-2", "day-3"]


def test_a_ranking_that_says_it_is_of_a_time_to_come_is_of_today(shop: Shop) -> None:
    shop.log.append_rankings([ranking("r1", "ann", NOW_S + 900 * DAY_S)])
    shop.archiver.catch_up()
    shop.archive.prune(NOW_S + 2 * DAY_S)
    assert shop.ranked == []


def test_rankings_of_another_engines_log_are_archived_from_its_start(shop: Shop) -> None:
    shop.tell("a", "b")
    shop.rank("r1", "r2", "r3")
    shop.archiver.catch_up()
    shop.now_s += 10
    other = Shop(shop.folder / "other")
    other.now_s = shop.now_s
    other.tell("c", "d")
    other.rank("r4", "r5")
    moved = IngestSettings(store=shop.store)
    Archiver(other.log, shop.archive, moved, clock=lambda: shop.now_s).catch_up()
    assert shop.ranked == ["r1", "r2", "r3", "r4", "r5"]
    other.log.close()


def test_archive_and_log_are_read_as_one_each_entry_once_and_in_order(shop: Shop) -> None:
    shop.tell("a", "b")
    shop.rank("r1", "r2")
    shop.archiver.catch_up()
    shop.forget_log()
    shop.now_s += DAY_S
    shop.tell("c")
    shop.rank("r3")
    shop.archiver.catch_up()  # these stand in both
    shop.tell("d", folded=False)
    shop.rank("r4", exposed=0)
    with open_kept(shop.store) as kept:
        assert [each.event_id for each in kept.events()] == ["a", "b", "c", "d"]
        assert [each.ranking_id for each in kept.rankings()] == ["r1", "r2", "r3", "r4"]
    with open_kept(shop.store.model_copy(update={"archive": None})) as kept:
        assert [each.event_id for each in kept.events()] == ["c", "d"]
        assert [each.ranking_id for each in kept.rankings()] == ["r3", "r4"]
