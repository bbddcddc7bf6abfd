"""What is wrong, in the words of the wire."""

from pydantic import BaseModel, ValidationError

# What pydantic calls the kinds of which one may stand at a place; they are no fields of anybody's.
_ALTERNATIVES = ("Candidate", "constrained-str", "str")


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
    if chosen["loc"] and _alternative(chosen["loc"][-1]):
        # It is not of the first kind that may stand here: of the other, something may be wrong.
        place = chosen["loc"][:-1]
        others = (each for each in problems if each["loc"][: len(place)] == place)
        chosen = next((each for each in others if not each["type"].endswith("_type")), chosen)
    return sentence(chosen["loc"], chosen["msg"], branch)


def sentence(place: tuple[int | str, ...], message: str, branch: str = "") -> str:
    """`field.0.name: what is wrong`. A part of the place can be a name that the caller made up."""
    named = [part for part in place if part != branch and not _alternative(part)]
    where = ".".join(str(part)[:64] for part in named[:8])
    what = message.removeprefix("Value error, ")
    return f"{where}: {what}" if where else what


def _alternative(part: int | str) -> bool:
    return part in _ALTERNATIVES or str(part).startswith(("list[", "dict["))


# What it is, a code and a detail for example, and a header that comes with it.
PROBLEMS: dict[str, tuple[str, str, str, str | None]] = {
    "400": ("The body is not JSON (`malformed_json`), or not compressed as it says "
            "(`malformed_body`).", "malformed_json", "the body is not valid JSON", None),
    "401": ("No key, or an unknown one.", "unauthenticated",
            "send a known key as 'Authorization: Bearer <key>'", "www-authenticate"),
    "403": ("The key lacks the scope, or does not allow what a field asks for (`forbidden`); or "
            "its shop is paused (`shop_paused`).", "forbidden",
            "this key has no scope 'items'", None),
    "404": ("There is no such item (`unknown_item`), answer (`unknown_answer`), experiment "
            "(`unknown_experiment`), classifier (`unknown_classifier`), page (`unknown_page`), "
            "picture (`no_picture`), reading (`no_reading`), erasure "
            "(`unknown_receipt`), shop (`unknown_shop`), key "
            "(`unknown_key`) or path (`not_found`); or nobody looks at pictures (`pictures_off`).",
            "unknown_item", "item_id: the catalogue has no such item", None),
    "409": ("It cannot stand beside what is there; the detail names the field. Or the shop of an "
            "import was removed meanwhile.", "conflict",
            "key: 'spread' is declared by the rules, and is changed there", None),
    "413": ("The body is too large.", "body_too_large", "a body may have 1048576 bytes", None),
    "415": ("The body is compressed, or is a patch, of a kind that is not known.",
            "unsupported_media_type",
            "content-encoding: br is not understood, gzip and deflate are", "accept-encoding"),
    "422": ("A field cannot be used; the detail names it.", "invalid_request",
            "candidates.0.item_id: Field required", None),
    "429": ("The key is over its rate.", "rate_limited", "over 500 requests per second",
            "retry-after"),
    "503": ("More load than can be taken (`overloaded`), no room for what is told (`log_full`), "
            "a store that does not answer (`store_away`), a shop that is being opened "
            "(`shop_opening`), or what is asked for is down.",
            "overloaded", "overloaded", "retry-after"),
}  # fmt: skip
