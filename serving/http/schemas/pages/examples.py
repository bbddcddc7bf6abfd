"""What the rules of the examples declare, what is sent, and what is answered."""

from typing import Any

PLACEMENTS: dict[str, Any] = {
    "for_you": {"candidates": {"strategy": "for_you"}},
    "because": {"candidates": {"strategy": "because"}},
    "popular": {
        "candidates": {"strategy": "popular", "filters": {"exclude_bought": True}},
        "rules": {"exploration": {"share": 0}},
        "kpi": {
            "name": "sales a visit", "events": ["purchase", "return"], "count": "value",
            "per": "shopper", "within_hours": 168,
        },
    },
}  # fmt: skip
PAGES: dict[str, Any] = {
    "home": {
        "shelves": [
            {"placement": "for_you", "title": "home.for_you", "size": 1},
            {"placement": "because", "title": "home.because", "size": 1},
            {"placement": "popular", "title": "home.popular", "size": 1, "at_least": 1},
        ]
    }
}
ASKED: dict[str, Any] = {"user_id": "ann", "session_id": "s1", "context": {"device": "phone"}}


def _shelf(placement: str, item_id: str, ranking_id: str, **more: Any) -> dict[str, Any]:
    item = {
        "item_id": item_id, "score": 0.72, "relevance": None, "position": 1, "propensity": 1.0,
    }  # fmt: skip
    return {
        "placement": placement, "title": f"home.{placement}", "ranking_id": ranking_id,
        "route": "model", "reason": None, "model_version": "3", "items": [item], **more,
    }  # fmt: skip


ANSWER: dict[str, Any] = {
    "page_id": "5d0e2f0c6a7e5a0b4a3c9d1e8f7a6b5c",
    "shelves": [
        _shelf("for_you", "bread", "2f0c6a7e5a0b4a3c9d1e8f7a6b5c4d3e"),
        _shelf(
            "because", "oat", "6a7e5a0b4a3c9d1e8f7a6b5c4d3e2f0c",
            because={"item_id": "milk", "title": "Whole milk", "kind": "bought"},
        ),
    ],
    "left_out": [{"placement": "popular", "why": "empty"}],
}  # fmt: skip
READING: dict[str, Any] = {
    "read_at": "2026-11-27T07:45:00Z", "since": "2026-10-28T07:45:00Z", "rankings": 4120,
    "shoppers": 988, "impressions": 31007, "counted": 5120.4, "value": 5.18, "reward": 0.31,
    "still_open": 212,
}  # fmt: skip
TOLD: dict[str, Any] = {
    "placements": [
        {
            "placement": "popular",
            "candidates": PLACEMENTS["popular"]["candidates"],
            "rules": PLACEMENTS["popular"]["rules"],
            "ranker": None,
            "objective": None,
            "kpi": PLACEMENTS["popular"]["kpi"],
            "pages": ["home"],
            "reading": READING,
        }
    ],
    "pages": [
        {
            "page": "home",
            "shelves": [{"at_least": 1, **shelf} for shelf in PAGES["home"]["shelves"]],
        }
    ],
}
