"""Less is required of candidates only while there is time for it."""

import time
from pathlib import Path

import numpy as np
import pytest

from features.behavior.matrix import Shopper
from serving.ranking.request import Context, Search, Source
from serving.ranking.sources import Sources
from serving.ranking.values import Candidates
from serving.ranking.wishes import candidates_for
from serving.search.filters import Filters
from serving.shops.shop import Shop
from serving.telemetry.stages import Stages
from tests.support.fakes import context
from tests.support.service import Service


class Nothing(Sources):
    """Has no candidates, and keeps by what they were asked for."""

    def __init__(self) -> None:
        self.asked: list[Filters | None] = []

    async def candidates(
        self, shop: Shop, source: Source, context: Context, states: Shopper, stages: Stages
    ) -> Candidates:
        self.asked.append(source.filters)
        return Candidates([], np.zeros(0, np.int64), np.zeros(0, np.float32))


@pytest.mark.parametrize(("left_s", "tried"), [(60.0, 4), (-1.0, 1)])
async def test_nothing_more_is_let_go_when_the_time_is_up(
    tokenizer_path: Path, left_s: float, tried: int
) -> None:
    sources, shop = Nothing(), Service(tokenizer_path).shop
    asked = context(
        query="milk",
        user_context="only dairy, only Meadow, under 1 euro",
        deadline_s=time.monotonic() + left_s,
    )
    found, told = await candidates_for(sources, shop, Search("milk"), asked, Shopper(), Stages())
    assert (len(found), len(sources.asked)) == (0, tried)
    assert told.understood is not None
    assert [wish.relaxed for wish in told.understood.wishes] == [False] * 3
