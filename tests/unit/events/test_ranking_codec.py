"""A recorded ranking is read by releases older and newer than the one that wrote it."""

import json
import zlib
from dataclasses import replace
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from features.events import ranking_codec
from features.events.exposure import Exposure
from features.events.log import RankingRecord

RANKING = RankingRecord("r1", 5.0, "model", ("a", "b"), features=np.ones((2, 3), np.float16))


def rewritten(blob: bytes, more: npt.NDArray[np.float64], **changes: object) -> bytes:
    head, body = zlib.decompress(blob).split(b"\n", 1)
    lines = json.dumps({**json.loads(head), **changes}).encode(), body + more.tobytes()
    return zlib.compress(b"\n".join(lines))


def head_of(blob: bytes) -> dict[str, object]:
    found: dict[str, object] = json.loads(zlib.decompress(blob).split(b"\n", 1)[0])
    return found


def test_a_release_of_before_variants_reads_what_is_written_while_there_is_one() -> None:
    assert "variant" not in head_of(ranking_codec.pack(RANKING))
    assert ranking_codec.unpack(ranking_codec.pack(RANKING)).variant == "default"


def test_what_a_newer_release_wrote_besides_is_left_out() -> None:
    blob = ranking_codec.pack(RANKING)
    arrays = [*cast(list[Any], head_of(blob)["arrays"]), ["gains", "d", [1]]]
    found = ranking_codec.unpack(rewritten(blob, np.ones(1), colour="red", arrays=arrays))
    assert found.item_ids == ("a", "b")
    np.testing.assert_array_equal(found.features, RANKING.features)


def test_a_variant_comes_back() -> None:
    ranking = replace(RANKING, variant="b")
    assert ranking_codec.unpack(ranking_codec.pack(ranking)).variant == "b"


def test_exposures_come_back_and_stand_in_no_record_without_them() -> None:
    exposures = (
        Exposure("ranker", "new", "session", "ab12", 1),
        Exposure("rows", "a", "user", "c"),
    )
    blob = ranking_codec.pack(replace(RANKING, variant="ranker/new+rows/a", exposures=exposures))
    assert ranking_codec.unpack(blob).exposures == exposures
    assert ranking_codec.unpack(rewritten(blob, np.ones(0))).exposures == exposures
    assert "exposures" not in head_of(ranking_codec.pack(RANKING))
    assert ranking_codec.unpack(ranking_codec.pack(RANKING)).exposures == ()


def test_the_models_time_comes_back_and_stands_in_no_record_without_it() -> None:
    ranking = replace(RANKING, model_s=0.0123456)
    assert ranking_codec.unpack(ranking_codec.pack(ranking)).model_s == 0.012346
    assert "model_s" not in head_of(ranking_codec.pack(RANKING))
    assert ranking_codec.unpack(ranking_codec.pack(RANKING)).model_s is None


def test_what_a_newer_release_says_of_an_exposure_is_left_out() -> None:
    exposure = Exposure("ranker", "new", "user", "ab12")
    blob = ranking_codec.pack(replace(RANKING, exposures=(exposure,)))
    longer = rewritten(blob, np.ones(0), exposures=[["ranker", "new", "user", "ab12", 0, "more"]])
    assert ranking_codec.unpack(longer).exposures == (exposure,)


def test_the_teams_of_an_interleaved_ranking_come_back_and_are_not_written_without() -> None:
    ranking = replace(RANKING, teams=np.array([1, -1], np.int8), arms=("old", "new"))
    found = ranking_codec.unpack(ranking_codec.pack(ranking))
    assert found.teams is not None
    assert found.teams.tolist() == [1, -1]
    assert found.arms == ("old", "new")
    plain = ranking_codec.pack(RANKING)
    assert "teams" not in str(head_of(plain)["arrays"])
    assert "arms" not in head_of(plain)
    assert ranking_codec.unpack(plain).teams is None
    assert ranking_codec.unpack(plain).arms == ()
