"""Propensities of a page, counted: the product over its places is how likely it begins so."""

import math
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from serving.ranking.placements.composer import PageComposer
from serving.ranking.placements.page import PageAsked, ShelfShown
from serving.ranking.request import Context
from serving.shops.rules import Rules
from serving.telemetry.stages import Stages
from tests.support.fakes import NOW_S
from tests.support.service import Service

N = 2_000
DECLARED: dict[str, Any] = {
    "exploration": {
        "share": 0,
        "sampling": {"share": 0.5, "temperature": 1, "places": 4, "among": 3},
    },
    "placements": {
        "first": {},
        "second": {"candidates": {"strategy": "popular"}, "rules": {"diversity": {"max_same": 1}}},
    },
    "pages": {
        "home": {"shelves": [{"placement": "first", "size": 2}, {"placement": "second", "size": 2}]}
    },
}  # fmt: skip


@pytest.mark.slow
async def test_the_product_over_a_page_is_how_often_it_comes(tokenizer_path: Path) -> None:
    rules = Rules.model_validate(DECLARED)
    service = Service(tokenizer_path, rules=rules)
    composer = PageComposer(service.pipeline)
    context = Context("p", NOW_S, time.monotonic() + 100, service.shop.pseudonyms.user("ann"))
    asked = PageAsked("home", rules.pages["home"], context)
    shopper = await service.pipeline.shopper(service.shop, context, Stages())
    shelves = await composer.resolve(service.shop, asked, shopper, Stages())
    judged = await composer.judge(shelves)
    came: Counter[tuple[str, ...]] = Counter()
    told: dict[tuple[str, ...], float] = {}
    for _ in range(N):
        page = composer.order(service.shop, asked, judged)
        slates = [each.slate for each in page.shelves if isinstance(each, ShelfShown)]
        items = tuple(
            slate.candidates.item_ids[index] for slate in slates for index in slate.order.tolist()
        )
        chance = math.prod(float(np.prod(slate.propensity)) for slate in slates)
        assert told.setdefault(items, chance) == pytest.approx(chance, rel=1e-4)
        came[items] += 1
    assert len(came) > 20  # chance has much to say
    for items, chance in told.items():
        expected = N * chance
        if expected >= 20:
            assert abs(came[items] - expected) < 4.5 * math.sqrt(expected * (1 - chance)), items
    assert sum(told.values()) == pytest.approx(1, abs=0.1)  # all that came, and they nearly all did
