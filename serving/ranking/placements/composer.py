"""Composes a page: one turn, one read of the shopper, as few calls to the model as can be.

An item stands on the highest shelf that ranks it high enough, and on no other. A shelf is ordered
among what the shelves above have left, so its propensities are given these shelves: the product
over the places of a page, shelf after shelf, is how likely the page begins so (docs/adr/0048).
"""

import asyncio
import logging
import uuid
from dataclasses import replace

from serving.ranking.pipeline import RankingPipeline
from serving.ranking.placements.page import (
    ComposedPage,
    Omission,
    PageAsked,
    ShelfOmitted,
    ShelfShown,
)
from serving.ranking.placements.union import alike, united, without
from serving.ranking.values import Judged, Resolved, ShopperState
from serving.shops.placements.page import Shelf
from serving.shops.shop import Shop
from serving.telemetry.metrics import SHELVES
from serving.telemetry.stages import Stages
from serving.types import Route, Stage

_LOG = logging.getLogger("vitrine.pages")


class PageComposer:
    """Ranks all shelves of a page. A shelf that fails leaves the others as they are."""

    def __init__(self, pipeline: RankingPipeline) -> None:
        self._pipeline = pipeline

    async def compose(self, shop: Shop, asked: PageAsked, stages: Stages) -> ComposedPage:
        """The page, never later than its deadline; raises OverloadedError."""
        async with self._pipeline.turn(shop, asked.context, stages):
            shopper = await self._pipeline.shopper(shop, asked.context, stages)
            resolved = await self.resolve(shop, asked, shopper, stages)
            with stages.stage(Stage.SCORE):
                judged = await self.judge(resolved)
            for one in judged:
                if isinstance(one, Judged):
                    stages.batch_of(one.resolved.stages)
            with stages.stage(Stage.SLATE):
                page = self.order(shop, asked, judged)
            return await self._explained(page) if asked.context.explain else page

    async def _explained(self, page: ComposedPage) -> ComposedPage:
        async def told(shelf: ShelfShown | ShelfOmitted) -> ShelfShown | ShelfOmitted:
            if isinstance(shelf, ShelfOmitted):
                return shelf
            return replace(shelf, slate=await self._pipeline.explained(shelf.judged, shelf.slate))

        return replace(page, shelves=tuple(await asyncio.gather(*map(told, page.shelves))))

    async def resolve(
        self, shop: Shop, asked: PageAsked, shopper: ShopperState, stages: Stages
    ) -> list[Resolved | Omission]:
        """The candidates of each shelf, one shelf after the other."""
        found: list[Resolved | Omission] = []
        told: set[str] = set()  # items that a shelf is like
        for number, shelf in enumerate(asked.page.shelves):
            if number and self._pipeline.left_s(asked.context) <= 0:
                found.append(Omission.DEADLINE)
                continue
            try:
                resolved = await self._shelf(shop, asked, shelf, shopper, stages, told)
            except Exception:
                _LOG.exception("the shelf %s of %s has no candidates", shelf.placement, asked.name)
                resolved = Omission.FAILED
            if isinstance(resolved, Resolved) and resolved.because is not None:
                told.add(resolved.because.item_id)
            found.append(resolved)
        return found

    async def _shelf(
        self,
        shop: Shop,
        asked: PageAsked,
        shelf: Shelf,
        shopper: ShopperState,
        stages: Stages,
        told: set[str],
    ) -> Resolved | Omission:
        source = asked.source(shop.rules.placements[shelf.placement])
        if source is None:
            return Omission.NOT_ASKED
        context = replace(
            asked.context,
            ranking_id=uuid.uuid4().hex,
            query=getattr(source, "query", None),
            limit=shelf.size,
            placement=shelf.placement,
            page_id=asked.context.ranking_id,
        )
        resolved = await self._pipeline.resolve(shop, source, context, shopper, stages, told)
        # Its own, from here on: shelves are scored at the same time.
        return replace(resolved, stages=Stages())

    async def judge(self, shelves: list[Resolved | Omission]) -> list[Judged | Omission]:
        """Scores of each; what waits for the model at once shares a call."""
        judged: list[Judged | Omission] = [
            shelf if isinstance(shelf, Omission) else Omission.FAILED for shelf in shelves
        ]

        async def judge(numbers: list[int]) -> None:
            together = [shelf for n in numbers if isinstance(shelf := shelves[n], Resolved)]
            try:
                for number, one in zip(numbers, await self._together(together), strict=True):
                    judged[number] = one
            except Exception:
                names = [shelf.context.placement for shelf in together]
                _LOG.exception("shelves were not scored: %s", names)

        await asyncio.gather(*(judge(numbers) for numbers in self._groups(shelves)))
        return judged

    def _groups(self, shelves: list[Resolved | Omission]) -> list[list[int]]:
        """The numbers of shelves, those together that the model can score as one."""
        numbered = [(n, each) for n, each in enumerate(shelves) if isinstance(each, Resolved)]
        shared = [
            (number, shelf)
            for number, shelf in numbered
            if shelf.assignment.teams is None and self._pipeline.way(shelf)[0] is Route.MODEL
        ]
        alone = {number for number, _ in numbered} - {number for number, _ in shared}
        return [*alike(shared), *([number] for number in sorted(alone))]

    async def _together(self, shelves: list[Resolved]) -> list[Judged]:
        if len(shelves) == 1:
            return [await self._pipeline.judge(shelves[0])]
        union = united(shelves)
        judged = await self._pipeline.judge(union.whole)
        if judged.route is Route.MODEL:
            return list(union.apart(judged, shelves))
        # Each by the rules of its own placement.
        return [self._pipeline.by_rules(shelf, judged.route, judged.reason) for shelf in shelves]

    def order(self, shop: Shop, asked: PageAsked, judged: list[Judged | Omission]) -> ComposedPage:
        """The shelves from the top, each of what is left."""
        shown: set[str] = set()
        shelves: list[ShelfShown | ShelfOmitted] = []
        for shelf, one in zip(asked.page.shelves, judged, strict=True):
            answer = self._shelf_of(shelf, one, shown)
            if isinstance(answer, ShelfShown):
                slate = answer.slate
                shown.update(slate.candidates.item_ids[index] for index in slate.order.tolist())
            outcome = "shown" if isinstance(answer, ShelfShown) else answer.why
            SHELVES.labels(shop.name, asked.name, shelf.placement, outcome).inc()
            shelves.append(answer)
        return ComposedPage(asked.context.ranking_id, tuple(shelves))

    def _shelf_of(
        self, shelf: Shelf, judged: Judged | Omission, shown: set[str]
    ) -> ShelfShown | ShelfOmitted:
        if isinstance(judged, Omission):
            return ShelfOmitted(shelf, judged)
        left = without(judged, shown)
        # How many these are is not left to chance, so it takes nothing from the propensities.
        if len(left.resolved.candidates) < shelf.at_least:
            return ShelfOmitted(shelf, Omission.EMPTY)
        try:
            slate = self._pipeline.slate(left)
            self._pipeline.told(left.resolved, slate)
        except Exception:
            _LOG.exception("the shelf %s was not ordered", shelf.placement)
            return ShelfOmitted(shelf, Omission.FAILED)
        return ShelfShown(shelf, slate, left)
