"""Candidates for a request, also with a sentence about what is wanted (`user_context`)."""

import asyncio
import time
from dataclasses import replace

from features.behavior.matrix import Shopper
from serving.ranking.request import Context, Source
from serving.ranking.sources import Sources
from serving.ranking.values import Candidates
from serving.search.filters import NO_FILTERS
from serving.search.understanding.wishes import Understood, Wanted, Wish
from serving.shops.rules import Boost, Match
from serving.shops.shop import Shop
from serving.telemetry.stages import Stages
from serving.types import Stage

_LIFT = 0.5  # spreads of the slate's scores that a leaning is worth, within the relevance guarantee


async def candidates_for(
    sources: Sources,
    shop: Shop,
    source: Source,
    context: Context,
    states: Shopper,
    stages: Stages,
) -> tuple[Candidates, Context]:
    """The candidates that meet what is required, and the context with what was understood.

    Without a sentence, all that the source has. Where nothing meets one, less is required, in the
    order of RELAXED_IN_TURN and while there is time; the context says so.
    """
    sentence = context.user_context
    if sentence is None:
        return await sources.candidates(shop, source, context, states, stages), context
    with stages.stage(Stage.RETRIEVE):
        # Milliseconds, and more where a catalogue's names are collected: others go on meanwhile.
        first = await asyncio.get_running_loop().run_in_executor(
            None, lambda: shop.retrieval.understood(sentence)
        )
    reading = first  # stays where less would not have helped, or the time is up
    for less in (first, *first.relaxations()):
        narrowed = _narrowed(source, less)
        candidates = await sources.candidates(shop, narrowed, context, states, stages)
        # Of a search, what earlier pages have shown was found as well.
        if len(candidates) or (candidates.found is not None and candidates.found.total):
            reading = less
            break
        if time.monotonic() >= context.deadline_s:
            break
    leanings = tuple(boost for wish in reading.leanings for boost in _boosts(wish))
    return candidates, replace(context, understood=reading, leanings=leanings)


def _narrowed(source: Source, reading: Understood) -> Source:
    required = reading.filters
    if required is None:
        return source
    return replace(source, filters=(source.filters or NO_FILTERS).within(required))


def _boosts(wish: Wish) -> list[Boost]:
    if wish.wanted is Wanted.BRAND:
        matches = [Match(brand=value) for value in wish.values]
    elif wish.name:
        matches = [Match(attributes={wish.name: list(wish.values)})]
    else:
        matches = [Match(category=value) for value in wish.values]
    return [Boost(match=match, lift=_LIFT, reason=wish.reason) for match in matches]
