"""A worked example for each operation of answers: see serving/http/schemas/examples.py."""

from typing import Any

_RETURNS: dict[str, Any] = {
    "answer_id": "returns",
    "title": "How do I send something back?",
    "text": "Within 30 days, with the label that came with it.",
    "questions": ["Can I return shoes?"],
    "language": "en",
}

EXAMPLES: dict[str, dict[str, Any]] = {
    "rank_answers": {
        "body": {
            "question": "can I return shoes",
            "conversation": [{"role": "customer", "text": "They are too small."}],
            "locale": "en-GB", "limit": 3,
        },
        "answer": {
            "ranking_id": "2f0c6a7e5a0b4a3c9d1e8f7a6b5c4d3e", "route": "model", "reason": None,
            "model_version": "3", "hand_over": False, "hand_over_reason": None,
            "min_confidence": 0.5,
            "answers": [
                {
                    "answer_id": "returns", "title": _RETURNS["title"],
                    "text": _RETURNS["text"], "language": "en", "confidence": 0.93, "position": 1,
                }
            ],
        },
    },
    "list_answers": {
        "parameters": {"limit": 100},
        "answer": {"answers": [_RETURNS], "cursor": None},
    },
    "put_answers": {"body": {"answers": [_RETURNS]}, "answer": {"accepted": 1, "rejected": []}},
    "get_answer": {"parameters": {"answer_id": "returns"}, "answer": _RETURNS},
    "put_answer": {
        "parameters": {"answer_id": "returns"},
        "body": {name: value for name, value in _RETURNS.items() if name != "answer_id"},
        "answer": _RETURNS,
    },
    "delete_answer": {"parameters": {"answer_id": "returns"}},
}  # fmt: skip
