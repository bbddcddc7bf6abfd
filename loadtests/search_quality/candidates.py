"""Candidates for `POST /v1/rank`: a judged slate of each query, the same for every ranker."""

import random
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from features.arrays import FloatArray
from loadtests.search_quality.baselines import best
from loadtests.search_quality.cases import RELEVANT_GAIN, Case

# Where only what answers is judged, the others of a slate are drawn.
N_RELEVANT, N_ALIKE, N_DRAWN = 20, 20, 60
MAX_CANDIDATES = 1_000


def slates(
    cases: Sequence[Case], item_ids: Sequence[str], by_words: FloatArray, seed: int
) -> list[tuple[Case, tuple[str, ...]]]:
    """Of each case that something answers: the case cut to its candidates, and these, shuffled.

    Judged items alone where some were judged not to answer. Else a part of those that answer,
    those that share most words with the query and do not, and evenly drawn ones. `by_words`:
    scores (n_cases, n_items).
    """
    known = set(item_ids)
    made = []
    for place, case in enumerate(cases):
        rng = random.Random(f"{seed} {case.query}")
        judged = [item for item in case.gains if item in known]
        if not any(case.gains[item] >= RELEVANT_GAIN for item in judged):
            continue
        if all(case.gains[item] >= RELEVANT_GAIN for item in judged):
            answering = rng.sample(judged, min(N_RELEVANT, len(judged)))
            rows = best(by_words[place : place + 1], N_ALIKE + len(case.gains))[0]
            alike = [item_ids[row] for row in rows if item_ids[row] not in case.gains][:N_ALIKE]
            taken = {*case.gains, *alike}
            drawn = rng.sample(range(len(item_ids)), min(len(item_ids), N_DRAWN + len(taken)))
            others = [item_ids[row] for row in drawn if item_ids[row] not in taken][:N_DRAWN]
            judged = [*answering, *alike, *others]
        rng.shuffle(judged)
        judged = judged[:MAX_CANDIDATES]
        gains = {item: case.gains.get(item, 0.0) for item in judged}
        made.append((replace(case, gains=gains), tuple(judged)))
    return made


def ordered(scores: FloatArray, rows: Sequence[int]) -> list[int]:
    """`rows` by one query's `scores` (n_items,), best first; ties in the order given."""
    order = np.argsort(-scores[list(rows)], kind="stable")
    return [rows[place] for place in order.tolist()]
