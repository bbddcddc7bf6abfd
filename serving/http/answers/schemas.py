"""Questions and answers on the wire. docs/answers.md is the reference."""

from typing import Annotated, Any, Literal

from pydantic import Field, FiniteFloat, StringConstraints

from serving.http.schemas.events import Rejected
from serving.http.schemas.wire import Id, Text, Wire
from serving.types import HandOver, Reason, Route

Line = Annotated[str, StringConstraints(min_length=1, max_length=512)]
Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}$")]


class AnswerFields(Wire):
    """What an answer says."""

    title: Line = Field(description="The question that it answers, or the heading of an article.")
    text: Text = Field("", description="Of a long one the first 2,000 characters or so are found.")
    questions: Annotated[list[Line], Field(max_length=50)] = Field(
        [], description="Other ways in which customers ask this."
    )
    language: Language | None = Field(None, description="ISO 639-1, of all of these.")


class AnswerIn(AnswerFields):
    """A whole answer; what is left out is empty."""

    answer_id: Id


class AnswerPut(AnswerFields):
    """The answer of the path."""

    answer_id: Id | None = Field(None, description="If given, that of the path.")


class AnswersRequest(Wire):
    """A list of answers; a bad one is rejected alone."""

    answers: Annotated[list[Any], Field(min_length=1, max_length=500)]


class AnswersPut(Wire):
    """Answers to add or to replace; the documented form of the request."""

    answers: Annotated[list[AnswerIn], Field(min_length=1, max_length=500)]


class AnswersResponse(Wire):
    """What was accepted is durable when this is sent."""

    accepted: int
    rejected: list[Rejected]


class AnswerOut(Wire):
    """An answer as it was last written; it can be sent back with PUT."""

    answer_id: str
    title: str
    text: str
    questions: list[str]
    language: str | None


class AnswerPage(Wire):
    """Answers by id."""

    answers: list[AnswerOut]
    cursor: str | None = Field(description="For the next page; null at the end.")


class AnswerPageQuery(Wire):
    """The query string of `GET /v1/answers`."""

    cursor: Annotated[str, StringConstraints(max_length=1024)] | None = Field(
        None, description="Of the page before."
    )
    # A query string has only strings.
    limit: Annotated[int, Field(ge=1, le=500, strict=False)] = 100


class Turn(Wire):
    """Something that was said before the question."""

    role: Literal["customer", "assistant"] = Field(description="assistant: whoever answers.")
    text: Text


class QuestionRequest(Wire):
    """Rank the shop's answers for this question."""

    question: Annotated[str, StringConstraints(max_length=2048)] = Field(
        description="Of a long one the encoder reads the first 64 pieces of words."
    )
    conversation: Annotated[list[Turn], Field(max_length=100)] = Field(
        [],
        description="What was said before, oldest first. The last two things that the customer "
        "said are read with the question.",
    )
    locale: Annotated[str, StringConstraints(max_length=35)] | None = Field(
        None, description='Answers in its language only, where there are some: "de-AT".'
    )
    limit: Annotated[int, Field(ge=1, le=50)] = 5
    min_confidence: Annotated[FiniteFloat, Field(ge=0, le=1)] | None = Field(
        None, description="Below it a human is to answer; null: as the model in use was trained."
    )
    budget_ms: Annotated[int, Field(ge=1, le=5000)] | None = None
    explain: bool = False


class AnswerExplanation(Wire):
    """Why an answer stands where it does. piece: of the answer, that matched; score: a logit,
    before calibration; inputs: of the model, by name."""

    piece: str
    score: float
    inputs: dict[str, float]
    with_conversation: bool = Field(description="Whether what was said before made it fit.")


class RankedAnswer(Wire):
    """One answer. confidence: how likely it is the one that is wanted."""

    answer_id: str
    title: str
    text: str
    language: str | None
    confidence: float
    position: int
    explanation: AnswerExplanation | None = None


class QuestionResponse(Wire):
    """The likeliest answers, best first. With `hand_over`, none is to be given."""

    ranking_id: str = Field(description="To be named by the events that tell what became of it.")
    route: Route = Field(description="model, or fallback: by words.")
    reason: Reason | None = Field(description="Why it was a fallback.")
    model_version: str
    hand_over: bool = Field(description="Whether a human is to answer.")
    hand_over_reason: HandOver | None
    min_confidence: float = Field(description="That was asked for.")
    answers: list[RankedAnswer]


# For the document at /openapi.json.
MODELS = (AnswerPut, AnswersPut, AnswersResponse, AnswerOut, AnswerPage, QuestionRequest,
          QuestionResponse)  # fmt: skip
