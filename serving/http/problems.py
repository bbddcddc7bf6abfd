"""What is wrong, in the words of the wire."""

from pydantic import BaseModel, ValidationError


class Problem(BaseModel):
    """RFC 9457 problem document."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str


def first_problem(error: ValidationError, branch: str = "") -> str:
    """The first problem with the name of its field; of a union, only within `branch`."""
    problems = error.errors(include_input=False, include_url=False, include_context=False)
    chosen = next((problem for problem in problems if branch in problem["loc"]), problems[0])
    return sentence(chosen["loc"], chosen["msg"], branch)


def sentence(place: tuple[int | str, ...], message: str, branch: str = "") -> str:
    """`field.0.name: what is wrong`. A part of the place can be a name that the caller made up."""
    where = ".".join(str(part)[:64] for part in place[:8] if part != branch)
    what = message.removeprefix("Value error, ")
    return f"{where}: {what}" if where else what
