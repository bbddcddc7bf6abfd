"""Candidates that are ids in an object are read as their ids alone, and nothing else changes."""

import json
from typing import Any

import pytest
from fastapi import Request
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.errors import InvalidRequestError
from serving.http.bodies import read_body, with_bare_ids
from serving.http.schemas.rankings import Candidate, RankRequest
from serving.telemetry.stages import Stages

IDS = st.one_of(st.sampled_from(["milk", "tea", "", "x" * 128, "x" * 129, "茶", "\x00", '"']),
                st.text(max_size=3))  # fmt: skip
ODD = st.sampled_from(
    [None, 7, 7.5, True, "milk", [], {}, ["item_id"], {"item_id": "milk"}, 10**30]
)
PLAIN = st.builds(lambda item_id: {"item_id": item_id}, IDS)
CANDIDATE = st.one_of(
    PLAIN,
    IDS,
    ODD,
    st.builds(lambda item_id: {"item_id": item_id}, ODD),
    st.builds(lambda item_id, score: {"item_id": item_id, "retrieval_score": score}, IDS,
              st.one_of(st.floats(allow_nan=False), ODD)),
    st.builds(lambda item_id: {"item_id": item_id, "color": "red"}, IDS),
)  # fmt: skip
CANDIDATES = st.one_of(st.lists(PLAIN, max_size=4), st.lists(CANDIDATE, max_size=4), ODD)
BODIES = st.fixed_dictionaries(
    {"candidates": CANDIDATES},
    optional={
        "user_id": st.one_of(IDS, ODD),
        "query": st.one_of(st.text(max_size=3), ODD),
        "limit": st.one_of(st.sampled_from([0, 1, 1000, 1001, 1.0]), ODD),
        "context": st.sampled_from([{"at": "2026-01-01T00:00:00Z"}, {"at": "noon"}, {"hat": 1}, 7]),
        "filters": st.sampled_from([{"min_price": 10**30}, {"min_price": 1e308}, {"brand": []}]),
        "boosts": st.sampled_from([[{"match": {"brand": "b"}, "lift": 0.1}], [{"lift": 1}]]),
        "wrong": ODD,
    },
)
# What JSON can say and json.dumps does not.
WRITTEN = [
    b'{"candidates":[{"item_id":"milk"}],"candidates":[{"item_id":"tea"}]}',
    b'{"candidates":[{"item_id":7,"item_id":"tea"}]}',
    b'{"candidates":[{"item_id":"tea","item_id":7}]}',
    b'{"limit":0,"candidates":[{"item_id":"tea"}],"limit":1}',
    b'{"candidates":[{"item_id":"tea"}],"filters":{"min_price":1e999}}',
    b'{"candidates":[{"item_id":"tea"}],"filters":{"min_price":NaN}}',
    b'{"candidates":[{"item_id":"tea"}],"filters":{"min_price":-Infinity}}',
    b'{"candidates":[{"item_id":"tea"}],"limit":1e0}',
    b'{"candidates":[{"item_id":"tea"}],"limit":' + b"9" * 30 + b"}",
    b'{"candidates":[{"item_id":"tea"}],"budget_ms":-0}',
    b'{"candidates":[{"item_id":"\\ud800"}]}',
    b'{"candidates":[{"item_id":"\xff"}]}',
    b'\xef\xbb\xbf{"candidates":[{"item_id":"tea"}]}',
    b' {"candidates" : [ {"\\u0069tem_id" : "t\\u0065a"} ] } ',
    b'{"candidates":[{"item_id":"tea"}]} x',
    b'{"candidates":[{"item_id":"tea"}],"x":' + b"[" * 150 + b"]" * 150 + b"}",
    b'{"candidates":[{"item_id":"tea"}],"x":' + b"[" * 300 + b"]" * 300 + b"}",
    b'{"candidates":[{"item_id":"tea"}],"x":' + b"[" * 5000 + b"]" * 5000 + b"}",
]


async def said_of(body: bytes, **how: Any) -> Any:
    """What comes of a body: the request with each candidate's id and score, or the error."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    request = Request({"type": "http", "state": {"stages": Stages(0.0)}}, receive)
    try:
        found = await read_body(request, RankRequest, **how)
    except InvalidRequestError as error:
        return type(error), str(error)
    candidates = [
        (one.item_id, one.retrieval_score) if isinstance(one, Candidate) else (one, None)
        for one in found.candidates
    ]
    return candidates, found.model_dump(exclude={"candidates"}), found.model_fields_set


@settings(max_examples=300, deadline=None)
@given(asked=BODIES)
async def test_a_body_is_taken_or_refused_in_the_same_words_either_way(asked: Any) -> None:
    body = json.dumps(asked).encode()
    assert await said_of(body, shorten=with_bare_ids) == await said_of(body)


@pytest.mark.parametrize("body", WRITTEN, ids=lambda body: repr(body[:60]))
async def test_what_only_json_can_write_is_taken_the_same_either_way(body: bytes) -> None:
    assert await said_of(body, shorten=with_bare_ids) == await said_of(body)


def test_only_candidates_that_are_ids_alone_are_shortened() -> None:
    assert with_bare_ids(b'{"candidates":[{"item_id":"a"},{"item_id":"b"}],"limit":1}') == (
        b'{"candidates":["a","b"],"limit":1}'
    )
    for others in ('["a"]', '[{"item_id":"a","retrieval_score":1}]', '[{"item_id":"a"},"b"]', "7"):
        assert with_bare_ids(f'{{"candidates":{others}}}'.encode()) is None
