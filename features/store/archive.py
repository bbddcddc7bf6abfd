"""The archive of events and rankings: Parquet files, one a day, in a folder or in object storage.

The log keeps what is to be folded, and for a while what was; the archive keeps what models learn
from and experiments are read from, for as long as the shop wants. A day is a file, so what is added
to it writes it anew: for up to some ten million events a day.
"""

import threading
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np
import orjson
import pandas as pd
import pyarrow as pa
from pyarrow.fs import FileSystem, LocalFileSystem

from features.datasets.columns import conform
from features.datasets.event_rows import EVENT_COLUMNS, behavior_events, event_row
from features.events.event import BehaviorEvent
from features.events.log import RankingRecord
from features.events.ranking_codec import pack, unpack
from features.events.sharing import Named
from features.store.day_files import DayFiles
from features.store.erasing import in_turn

_RANKINGS = pa.schema(
    [
        ("ranking_id", pa.string()),
        ("user_id", pa.string()),  # pseudonyms, null = none
        ("session_id", pa.string()),
        ("record", pa.binary()),  # as the log holds it: features/events/ranking_codec.py
    ]
)


@dataclass(frozen=True, slots=True)
class Place:
    """Up to where a log was archived: a position, and when its entry was appended, unix seconds."""

    seq: int
    logged_s: float


class Archive:
    """The files under `url`: a folder, or what pyarrow takes for one, as "s3://bucket/shop"."""

    def __init__(self, url: str) -> None:
        self.lock = threading.Lock()  # around what is read of the log and written, and erasing
        files: FileSystem
        if "://" in url:
            files, root = FileSystem.from_uri(url)
        else:
            files, root = LocalFileSystem(), str(Path(url).resolve())
        self._events = DayFiles(files, root, "event_id", "at", float)
        self._rankings = DayFiles(files, f"{root}/rankings", "ranking_id", "record", _shown_s)

    def place(self) -> Place | None:
        """Where to go on with events; None when nothing was archived."""
        told = self._events.place()
        return None if told is None else Place(**orjson.loads(told))

    def add(self, events: Sequence[BehaviorEvent], place: Place) -> None:
        """Keep what was read of the log up to `place`. What is there already is not added again."""
        if events:
            rows = conform(pd.DataFrame([event_row(event) for event in events]), EVENT_COLUMNS)
            table = pa.Table.from_pandas(rows, preserve_index=False)
            self._events.add(place.logged_s, table.replace_schema_metadata(None))
        self._events.put_place(orjson.dumps({"seq": place.seq, "logged_s": place.logged_s}))

    def events(self) -> pd.DataFrame:
        """All of them, columns as in event_rows.py, in the order of the days."""
        tables = [batch.to_pandas() for batch in self._events.batches()]
        found = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()
        return conform(found, EVENT_COLUMNS)

    def each_event(self) -> Iterator[BehaviorEvent]:
        """All of them, in the order of the days, without holding all."""
        for batch in self._events.batches():
            yield from behavior_events(conform(batch.to_pandas(), EVENT_COLUMNS))

    def rankings_seq(self) -> int:
        """Up to where the log's rankings were archived, by their own count; 0: none was."""
        told = self._rankings.place()
        return 0 if told is None else int(orjson.loads(told)["seq"])

    def add_rankings(self, rankings: Sequence[RankingRecord], seq: int, now_s: float) -> None:
        """Keep what says something of them: those of experiments, and those left to chance.

        Their log was read up to `seq`. Scores and features, which are most of the bytes, are kept
        of what was left to chance alone.
        """
        days: dict[int, list[RankingRecord]] = {}
        for ranking in filter(None, map(_telling, rankings)):
            # A request may say that it is of another time, but not of one to come.
            days.setdefault(int(min(ranking.at_s, now_s) // 86_400), []).append(ranking)
        for day, of_day in days.items():
            columns = (
                [ranking.ranking_id for ranking in of_day],
                [ranking.user_id for ranking in of_day],
                [ranking.session_id for ranking in of_day],
                [pack(ranking) for ranking in of_day],
            )
            self._rankings.add(day * 86_400.0, pa.table(list(columns), schema=_RANKINGS))
        self._rankings.put_place(orjson.dumps({"seq": seq}))

    def each_ranking(self) -> Iterator[RankingRecord]:
        """All that are kept, in the order of the days."""
        for batch in self._rankings.batches():
            yield from (unpack(record) for record in batch.column("record").to_pylist())

    def erase(
        self,
        user_id: str,
        session_ids: Collection[str],
        since_s: float | None = None,
        named: Iterable[Named] = (),
    ) -> None:
        """Leave no row of the user, nor of a guest of the sessions that may be this one; safe to
        repeat.

        since_s: only events of this time and later, and rankings of its day and later
        named: whom the sessions named by what the log knew
        """
        with self.lock:
            both = self._events, self._rankings
            told = chain.from_iterable(each.keys() for each in both if session_ids)
            guests, own = in_turn(told, user_id, session_ids, named)
            for which in (guests, own) if session_ids else (own,):
                for each in both:
                    each.erase(which, since_s)

    def delete(self) -> None:
        """Leave nothing; safe to repeat."""
        self._events.delete()
        self._rankings.delete()

    def prune(self, before_s: float) -> None:
        """Drop the days that ended before."""
        self._events.prune(before_s)
        self._rankings.prune(before_s)


def _shown_s(record: bytes) -> float:
    return unpack(record).at_s


def _telling(ranking: RankingRecord) -> RankingRecord | None:
    """What is kept of it; None: nothing."""
    if (ranking.propensities < 1).any():
        return ranking
    if not ranking.exposures:
        return None
    nothing = np.zeros(0, np.float32)
    return replace(ranking, scores=nothing, features=np.zeros((0, 0), np.float16))
