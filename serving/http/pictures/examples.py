"""Examples of pictures for the OpenAPI document."""

from serving.http.schemas.examples import Example

_RED = (  # a PNG of one pixel
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"
)
_PICTURE = {
    "state": "ready", "origin": "bytes", "problem": None, "tries": 1,
    "reading": {"state": "read", "text": "Whole milk\n1 litre", "problem": None},
}  # fmt: skip
EXAMPLES: dict[str, Example] = {
    "put_image": Example(
        parameters={"item_id": "milk"},
        body={"image": _RED},
        answer={**_PICTURE, "state": "waiting", "tries": 0},
    ),
    "get_image": Example(parameters={"item_id": "milk"}, answer=_PICTURE),
    "delete_image": Example(parameters={"item_id": "milk"}),
}
