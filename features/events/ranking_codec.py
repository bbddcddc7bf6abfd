"""A ranking's arrays as one compressed blob."""

import json
from dataclasses import astuple, fields
from typing import Any

import numpy as np
import numpy.typing as npt
from isal import isal_zlib

from features.events.exposure import Exposure
from features.events.log import DEFAULT_VARIANT, RankingRecord

_FIELDS = frozenset(field.name for field in fields(RankingRecord))
_EXPOSURE = len(fields(Exposure))  # a newer release may say more of one, behind
_KINDS = "ef"  # of features: float16, float32


def pack(ranking: RankingRecord) -> bytes:
    """The whole record: a JSON head, then its arrays, zlib-compressed."""
    head: dict[str, Any] = {
        "ranking_id": ranking.ranking_id,
        "at_s": ranking.at_s,
        "route": ranking.route,
        "item_ids": ranking.item_ids,
        "user_id": ranking.user_id,
        "session_id": ranking.session_id,
        "query": ranking.query,
        "model_version": ranking.model_version,
        "arrays": [(name, array.dtype.char, array.shape) for name, array in _arrays(ranking)],
    }
    if ranking.variant != DEFAULT_VARIANT:
        head["variant"] = ranking.variant  # a release of before there were variants reads the rest
    if ranking.exposures:
        head["exposures"] = [astuple(exposure) for exposure in ranking.exposures]
    if ranking.arms:
        head["arms"] = ranking.arms
    if ranking.model_s is not None:
        head["model_s"] = round(ranking.model_s, 6)
    if ranking.placement is not None:
        head["placement"] = ranking.placement
    if ranking.page_id is not None:
        head["page_id"] = ranking.page_id
    body = b"".join(np.ascontiguousarray(array).tobytes() for _, array in _arrays(ranking))
    # zlib's format and size at a quarter of its time; higher levels gain little on floats.
    return isal_zlib.compress(json.dumps(head).encode() + b"\n" + body, 1)


def unpack(blob: bytes) -> RankingRecord:
    """The record that `pack` was given; what a newer release wrote besides is left out."""
    head_bytes, body = isal_zlib.decompress(blob).split(b"\n", 1)
    head = json.loads(head_bytes)
    arrays: dict[str, Any] = {}
    start = 0
    for name, kind, shape in head.pop("arrays"):
        array = np.frombuffer(body, np.dtype(kind), count=int(np.prod(shape)), offset=start)
        arrays[name] = array.reshape(shape)
        start += array.nbytes
    known = {name: value for name, value in (head | arrays).items() if name in _FIELDS}
    exposures = tuple(Exposure(*values[:_EXPOSURE]) for values in known.get("exposures", ()))
    lists = {name: tuple(known.get(name, ())) for name in ("item_ids", "arms")}
    return RankingRecord(**{**known, **lists, "exposures": exposures})


def _arrays(ranking: RankingRecord) -> list[tuple[str, npt.NDArray[Any]]]:
    features = ranking.features
    if features.dtype.char not in _KINDS:
        raise TypeError(f"features of a ranking are float16 or float32, not {features.dtype}")
    arrays: list[tuple[str, npt.NDArray[Any]]] = [
        ("scores", ranking.scores.astype(np.float32, copy=False)),
        ("propensities", ranking.propensities.astype(np.float32, copy=False)),
        ("features", features),
    ]
    if ranking.teams is not None:
        arrays.append(("teams", ranking.teams.astype(np.int8, copy=False)))
    return arrays
