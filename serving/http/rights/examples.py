"""Worked examples of preferences, by operationId."""

from typing import Any

from serving.http.schemas.examples import Example

_HIDDEN = {"items": [], "brands": ["Oatly"], "categories": []}
_NOTHING: dict[str, Any] = {
    "interests": [], "hidden": {"items": [], "brands": [], "categories": []},
}  # fmt: skip
_USUAL = {"personal": True, "profiling": True, "frozen": False, "chosen_at": None}
_KNOWN = {
    **_USUAL,
    "interests": [
        {
            "kind": "category", "name": "Grocery > Dairy", "share": 0.8, "times": 4.0,
            "last_at": "2026-09-21T14:12:20Z",
        },
        {
            "kind": "brand", "name": "Meadow", "share": 0.5, "times": 4.0,
            "last_at": "2026-09-21T14:12:20Z",
        },
    ],
    "hidden": _HIDDEN,
}  # fmt: skip
_CHOSEN = {
    "personal": False, "profiling": False, "frozen": False, "chosen_at": "2026-09-21T14:13:20Z",
}  # fmt: skip


def _example(name: str, of: str, answer: dict[str, Any], body: Any = None) -> Example:
    return Example(parameters={name: of}, answer=answer, body=body)


_RECEIPT = "6d0a3c1f9b7e4a52c8f0d1e2a3b4c5d6"
EXAMPLES: dict[str, Example] = {
    "erase_user": Example(
        parameters={"user_id": "ann"}, answer={"accepted": 1, "receipt": _RECEIPT}
    ),
    "get_erasure": Example(
        parameters={"receipt": _RECEIPT, "user_id": "ann"},
        answer={
            "receipt": _RECEIPT, "at": "2026-09-21T14:13:20Z", "of_user": True,
            "parts": [
                {
                    "what": "features online, choices", "done": True,
                    "due_at": "2026-09-21T14:14:20Z",
                },
                {
                    "what": "trained models, by the next retraining", "done": False,
                    "due_at": "2026-10-21T14:13:20Z",
                },
            ],
        },
    ),
    "list_accesses": Example(
        parameters={"day": "2026-09-21"},
        answer={
            "day": "2026-09-21",
            "entries": [
                {"at": "2026-09-21T14:13:20Z", "key": "storefront", "access": "exported"}
            ],
        },
    ),
    "export_user": Example(
        parameters={"user_id": "ann"},
        answer='{"kind":"event","cursor":"events:812","at":"2026-09-21T14:12:20Z",'
        '"type":"view","item_id":"milk"}\n',
    ),
    "get_user_preferences": _example("user_id", "ann", _KNOWN),
    "put_user_preferences": _example(
        "user_id", "ann", _KNOWN,
        {"hide": [{"brand": "Oatly"}], "forget": [{"category": "Grocery > Pet food"}]},
    ),
    "get_session_preferences": _example("session_id", "s1", {**_USUAL, **_NOTHING}),
    "put_session_preferences": _example(
        "session_id", "s1", {**_CHOSEN, **_NOTHING}, {"personal": False}
    ),
}  # fmt: skip
