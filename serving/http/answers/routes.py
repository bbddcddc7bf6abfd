"""The collection of answers, kept up to date; and questions, answered from it."""

import time
import uuid
from base64 import b64decode, urlsafe_b64encode
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query, Request, Response
from pydantic import ValidationError
from pydantic_core import to_json

from serving.errors import ConflictError, InvalidRequestError, UnknownAnswerError
from serving.http.access.auth import Keyring, Scope
from serving.http.answers.schemas import (
    AnswerFields,
    AnswerIn,
    AnswerOut,
    AnswerPage,
    AnswerPageQuery,
    AnswerPut,
    AnswersPut,
    AnswersRequest,
    AnswersResponse,
    QuestionRequest,
    QuestionResponse,
)
from serving.http.bodies import json_response, read_body, stages_of
from serving.http.dependencies import PathId, Scoped
from serving.http.direct import caller_of, direct
from serving.http.openapi import gives, takes
from serving.http.problems import first_problem
from serving.ranking.settings import PipelineSettings
from serving.ranking.texts.answers import AnswerRanking, Question, Ranked
from serving.search.answers.answer import Answer
from serving.shops.answers.answers import MAX_ANSWERS
from serving.shops.shop import Shops
from serving.telemetry.stages import Stages

_FULL = f"a shop has {MAX_ANSWERS} answers at most"


class AnswerRoutes:
    """The endpoints of answers."""

    def __init__(self, ranking: AnswerRanking, shops: Shops, settings: PipelineSettings) -> None:
        self._ranking = ranking
        self._shops = shops
        self._settings = settings

    def add_to(self, app: FastAPI, keys: Keyring) -> None:
        """Register them; a question needs a key of the scope `rank`, all else one of `items`."""
        items = Depends(Scoped(keys, Scope.ITEMS))
        rank = Scoped(keys, Scope.RANK)

        @direct(
            app, "/v1/answers/rank", rank, openapi_extra=takes(QuestionRequest, QuestionResponse)
        )
        async def rank_answers(request: Request) -> Response:
            """Find the shop's answers to a customer's question, or say that a human is to answer.

            `x-vitrine-route` in the answer is `fallback` where words alone judged.
            """
            body, stages = await read_body(request, QuestionRequest), stages_of(request)
            question = self._question(body, stages)
            shop = self._shops.of(caller_of(request).shop)
            ranked = await self._ranking.rank(shop, question, stages)
            headers = {"x-vitrine-route": ranked.route.value}
            return json_response(_ranked(ranked, body.explain), headers=headers)

        @app.get("/v1/answers", openapi_extra=gives(AnswerPage))
        async def list_answers(
            query: Annotated[AnswerPageQuery, Query()], caller: Annotated[Any, items]
        ) -> Response:
            """All answers by id, a page at a time."""
            found = await self._shops.of(caller.shop).answers.all()
            after = _after(query.cursor)
            ids = [answer_id for answer_id in sorted(found) if answer_id > after]
            page, more = ids[: query.limit], len(ids) > query.limit
            cursor = urlsafe_b64encode(page[-1].encode()).decode() if more else None
            return json_response({"answers": [_shown(found[each]) for each in page],
                                  "cursor": cursor})  # fmt: skip

        @app.put(
            "/v1/answers", status_code=202, openapi_extra=takes(AnswersPut, AnswersResponse, 202)
        )
        async def put_answers(request: Request, caller: Annotated[Any, items]) -> Response:
            """Add or replace answers; what an entry leaves out is empty."""
            body = await read_body(request, AnswersRequest)
            given, rejected = _judged(body.answers)
            refused = set(await self._shops.of(caller.shop).answers.put(dict(given.values())))
            for index, (answer_id, _) in given.items():
                if answer_id in refused:
                    rejected[index] = ("too_many_answers", f"answer_id: {_FULL}")
            told = [
                {"index": index, "code": code, "detail": detail}
                for index, (code, detail) in sorted(rejected.items())
            ]
            return json_response({"accepted": len(body.answers) - len(told), "rejected": told}, 202)

        @app.get("/v1/answers/{answer_id:id}", openapi_extra=gives(AnswerOut))
        async def get_answer(answer_id: PathId, caller: Annotated[Any, items]) -> Response:
            """One answer, as it was last written."""
            found = await self._shops.of(caller.shop).answers.all()
            if answer_id not in found:
                raise UnknownAnswerError("answer_id: the shop has no such answer")
            return json_response(_shown(found[answer_id]))

        @app.put("/v1/answers/{answer_id:id}", openapi_extra=takes(AnswerPut, AnswerOut))
        async def put_answer(
            request: Request, answer_id: PathId, caller: Annotated[Any, items]
        ) -> Response:
            """Add or replace one answer; what is left out is empty.

            It is kept when this answers, and all replicas answer by it within a second.
            """
            body = await read_body(request, AnswerPut)
            if body.answer_id not in (None, answer_id):
                raise InvalidRequestError("answer_id: not that of the path")
            answer = _answer(answer_id, body)
            if await self._shops.of(caller.shop).answers.put({answer_id: answer}):
                raise ConflictError(f"answer_id: {_FULL}")
            return json_response(_shown(answer))

        @app.delete("/v1/answers/{answer_id:id}", status_code=204)
        async def delete_answer(answer_id: PathId, caller: Annotated[Any, items]) -> Response:
            """Never give this answer again."""
            await self._shops.of(caller.shop).answers.delete(answer_id)
            return Response(status_code=204)

    def _question(self, body: QuestionRequest, stages: Stages) -> Question:
        limits = self._settings
        budget_s = (body.budget_ms or 1000 * limits.default_budget_s) / 1000
        said = [turn.text.strip() for turn in body.conversation if turn.role == "customer"]
        return Question(
            ranking_id=uuid.uuid4().hex,
            text=body.question.strip(),
            # The wait before this process is of the budget, too.
            deadline_s=time.monotonic() - stages.waited_s + min(budget_s, limits.max_budget_s),
            earlier=tuple(text for text in said if text),
            language=(body.locale or "").replace("_", "-").partition("-")[0].lower() or None,
            limit=body.limit,
            least=body.min_confidence,
        )


def _judged(
    entries: list[Any],
) -> tuple[dict[int, tuple[str, Answer]], dict[int, tuple[str, str]]]:
    """The good ones with their ids, and (code, detail) of the others, by their places."""
    good: dict[int, tuple[str, Answer]] = {}
    bad: dict[int, tuple[str, str]] = {}
    for index, entry in enumerate(entries):
        try:
            fields = AnswerIn.model_validate_json(to_json(entry))
            good[index] = (fields.answer_id, _answer(fields.answer_id, fields))
        except ValidationError as error:
            bad[index] = ("invalid_answer", first_problem(error))
    return good, bad


def _answer(answer_id: str, fields: AnswerFields) -> Answer:
    return Answer(
        answer_id, fields.title, fields.text, tuple(fields.questions), fields.language or ""
    )


def _shown(answer: Answer) -> dict[str, Any]:
    """The body of an AnswerOut."""
    return answer.document | {"language": answer.language or None}


def _ranked(ranked: Ranked, explain: bool) -> dict[str, Any]:
    """The body of a QuestionResponse."""
    answers = []
    for position, match in enumerate(ranked.answers, start=1):
        told: dict[str, Any] = {
            "answer_id": match.answer.answer_id,
            "title": match.answer.title,
            "text": match.answer.text,
            "language": match.answer.language or None,
            "confidence": match.confidence,
            "position": position,
        }
        if explain:
            told["explanation"] = {
                "piece": match.piece,
                "score": match.score,
                "inputs": match.inputs,
                "with_conversation": match.with_conversation,
            }
        answers.append(told)
    return {
        "ranking_id": ranked.question.ranking_id,
        "route": ranked.route.value,
        "reason": ranked.reason.value if ranked.reason else None,
        "model_version": ranked.model_version,
        "hand_over": ranked.hand_over is not None,
        "hand_over_reason": ranked.hand_over.value if ranked.hand_over else None,
        "min_confidence": ranked.least,
        "answers": answers,
    }


def _after(cursor: str | None) -> str:
    try:
        return b64decode((cursor or "").encode(), b"-_", validate=True).decode()
    except ValueError:
        raise InvalidRequestError("cursor: not one that an answer gave") from None
