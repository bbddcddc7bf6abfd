"""How much each family of columns counts: what the order loses when its values are dealt out anew.

Permutation importance (Breiman, 2001; Fisher et al., 2019) over held-out rankings, by NDCG@10: all
columns of a family change hands together, from row to row over all rankings, so that what they tell
of each other stays.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from serving.models.columns.families import FAMILIES, families_of
from serving.models.runtime.ranking import VersionRanker
from serving.training.publish.execution import CPU, Execution
from serving.training.quality import quality

_SEED, _TIMES = 3, 5


def family_importance(
    folder: Path, slates: Path, execution: Execution = CPU
) -> Mapping[str, float]:
    """NDCG@10 that the version in `folder` loses without each family, as a share of what it has.

    slates: as parity.slate_ndcgs has them. The mean of several deals; chance may make it negative.
    """
    with np.load(slates) as stored:
        batch = {name: stored[name] for name in stored.files}
    ranker = VersionRanker(folder, providers=execution.providers, batch=execution.batch)
    offsets = np.concatenate([[0], np.cumsum(batch["ROW_COUNTS"])]).astype(np.int64)
    columns = ranker.columns(batch)
    family = np.array(families_of(ranker.column_names))
    rng = np.random.default_rng(_SEED)

    def ndcg() -> float:
        scores = ranker.of_columns(columns)
        return float(np.nanmean(quality(scores, batch["LABELS"], offsets).ndcg))

    whole = ndcg()
    lost = {}
    for place, name in enumerate(FAMILIES):
        own = family == place
        kept = columns[:, own].copy()
        found = []
        for _ in range(_TIMES):
            columns[:, own] = kept[rng.permutation(len(kept))]
            found.append(whole - ndcg())
        columns[:, own] = kept
        lost[str(name)] = float(np.mean(found)) / max(whole, 1e-9)
    return lost
