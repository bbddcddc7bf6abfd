"""The rankings that a shop has answered, as a table: a training row for each item shown.

`rankings.parquet` beside the tables of an exported data set. Joined with the events by `ranking_id`
and `item_id`, a row says what was shown, with which propensity, to whom it was assigned, and what
came of it.
"""

from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from features.arrays import FloatArray
from features.events.log import RankingRecord, every_ranking
from features.store.backends import open_event_log
from features.store.learnt import Learnt, everybody
from features.store.settings import StoreSettings

FILE = "rankings.parquet"
_WRITTEN = 1_000  # rankings at once
SCHEMA = pa.schema(
    [
        ("ranking_id", pa.string()),
        ("at", pa.float64()),  # unix seconds
        ("user_id", pa.string()),  # pseudonyms, null = none
        ("session_id", pa.string()),
        ("query", pa.string()),
        ("route", pa.string()),
        ("model_version", pa.string()),
        ("variant", pa.string()),  # the arms in one word, "default" = in no experiment
        ("hash_attribute", pa.string()),  # whom the arms were drawn by: user, session; null: none
        ("hash_value", pa.string()),
        ("placement", pa.string()),  # null: the request named none
        ("page_id", pa.string()),  # of the composed page that it was a shelf of
        ("item_id", pa.string()),
        ("position", pa.int32()),  # 1-based
        ("score", pa.float32()),
        ("propensity", pa.float32()),
        ("drafted_by", pa.string()),  # the arm whose pick it is, where two share the slate
    ]
)


def write_rankings(
    store: StoreSettings,
    path: Path,
    learnt: Learnt = everybody,
) -> int:
    """Write every ranking that the log still holds; returns how many these are.

    learnt: whether a user and a session may be learnt from; others' rankings are left out
    """
    log = open_event_log(store)
    n = 0
    try:
        with pq.ParquetWriter(path, SCHEMA) as writer:
            whole = (each for each in every_ranking(log) if learnt(each.user_id, each.session_id))
            while rankings := list(islice(whole, _WRITTEN)):
                n += len(rankings)
                writer.write_table(table_of(rankings))
    finally:
        log.close()
    return n


def table_of(rankings: list[RankingRecord]) -> pa.Table:
    """A row of SCHEMA for each item of each ranking, in the order shown."""
    sizes = [len(ranking.item_ids) for ranking in rankings]
    drawn = [ranking.exposures[0] if ranking.exposures else None for ranking in rankings]
    of_ranking = {
        "ranking_id": [ranking.ranking_id for ranking in rankings],
        "at": [ranking.at_s for ranking in rankings],
        "user_id": [ranking.user_id for ranking in rankings],
        "session_id": [ranking.session_id for ranking in rankings],
        "query": [ranking.query for ranking in rankings],
        "route": [ranking.route for ranking in rankings],
        "model_version": [ranking.model_version for ranking in rankings],
        "variant": [ranking.variant for ranking in rankings],
        "hash_attribute": [exposure and exposure.hash_attribute for exposure in drawn],
        "hash_value": [exposure and exposure.hash_value for exposure in drawn],
        "placement": [ranking.placement for ranking in rankings],
        "page_id": [ranking.page_id for ranking in rankings],
    }
    whole = pa.table(of_ranking, pa.schema([SCHEMA.field(name) for name in of_ranking]))
    rows = whole.take(pa.array(np.repeat(np.arange(len(rankings)), sizes)))
    positions = [np.arange(1, size + 1, dtype=np.int32) for size in sizes]
    of_item = {
        "item_id": [item_id for ranking in rankings for item_id in ranking.item_ids],
        "position": np.concatenate(positions) if positions else [],
        "score": _joined([ranking.scores for ranking in rankings], sizes),
        "propensity": _joined([ranking.propensities for ranking in rankings], sizes),
        "drafted_by": [arm for ranking in rankings for arm in _drafted_by(ranking)],
    }
    for name, values in of_item.items():
        rows = rows.append_column(SCHEMA.field(name), pa.array(values, SCHEMA.field(name).type))
    return rows


def _drafted_by(ranking: RankingRecord) -> list[str | None]:
    if ranking.teams is None:
        return [None] * len(ranking.item_ids)
    return [ranking.arms[team] if team >= 0 else None for team in ranking.teams.tolist()]


def _joined(parts: list[FloatArray], sizes: list[int]) -> pa.Array:
    """One array; a record of before may have no value for each item: then null."""
    whole = [
        part if len(part) == size else np.full(size, np.nan, np.float32)
        for part, size in zip(parts, sizes, strict=True)
    ]
    return pa.array(np.concatenate(whole) if whole else [], pa.float32(), from_pandas=True)
