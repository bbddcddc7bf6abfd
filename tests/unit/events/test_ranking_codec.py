"""A recorded ranking is read by releases older and newer than the one that wrote it."""

import json
import zlib

import numpy as np

from features.events import ranking_codec
from features.events.log import RankingRecord

RANKING = RankingRecord("r1", 5.0, "model", ("a", "b"), features=np.ones((2, 3), np.float16))


def rewritten(blob: bytes, **changes: object) -> bytes:
    head, body = zlib.decompress(blob).split(b"\n", 1)
    return zlib.compress(json.dumps({**json.loads(head), **changes}).encode() + b"\n" + body)


def head_of(blob: bytes) -> dict[str, object]:
    found: dict[str, object] = json.loads(zlib.decompress(blob).split(b"\n", 1)[0])
    return found


def test_a_release_of_before_variants_reads_what_is_written_while_there_is_one() -> None:
    assert "variant" not in head_of(ranking_codec.pack(RANKING))
    assert ranking_codec.unpack(ranking_codec.pack(RANKING)).variant == "default"


def test_what_a_newer_release_wrote_besides_is_left_out() -> None:
    found = ranking_codec.unpack(rewritten(ranking_codec.pack(RANKING), colour="red"))
    assert found.item_ids == ("a", "b")
    np.testing.assert_array_equal(found.features, RANKING.features)


def test_a_variant_comes_back() -> None:
    found = ranking_codec.unpack(rewritten(ranking_codec.pack(RANKING), variant="b"))
    assert found.variant == "b"
