"""The worked examples of an experiment: as it is declared, told and read."""

from typing import Any


def _metric(name: str, means: tuple[float, float], band: tuple[float, float], **more: Any) -> Any:
    lift = round(means[1] / means[0] - 1, 4)
    told = {
        "metric": name, "segment": "all", "shoppers": [20_412, 20_377],
        "control": means[0], "treatment": means[1], "lift": lift, "low": band[0], "high": band[1],
        "p_value": 0.004, "adjusted_p": None, "saved": 0.31, "finding": "better",
    }  # fmt: skip
    return {**told, **more}


_OPEN = {"p_value": 1.0, "finding": "open"}
_SENTENCE = (
    "Promote wider: its reward per shopper is better than control's, +6.1% (between +2.3% and "
    "+9.9%); no guard rail is broken."
)
_VERDICT = {"word": "better", "sentence": _SENTENCE}

READING: dict[str, Any] = {
    "experiment": "spread", "bucket_version": 0, "control": "control",
    "read_at": "2026-09-21T14:15:00Z", "took_s": 4.2, "verdict": _VERDICT,
    "sample_ratio": {
        "state": "ok", "p_value": 1.0,
        "arms": [
            {"arm": "control", "shoppers": 20_412, "expected": 0.5},
            {"arm": "wider", "shoppers": 20_377, "expected": 0.5},
        ],
    },
    "in_two_arms": 3,
    "arms": [
        {
            "arm": "wider",
            "deciding": _metric("reward per shopper", (2.12, 2.25), (0.023, 0.099)),
            "others": [
                _metric("conversion rate", (0.081, 0.083), (-0.02, 0.07), **_OPEN, adjusted_p=1.0)
            ],
            "guard_rails": [
                {
                    "reading": _metric("returns per shopper", (0.04, 0.04), (-0.06, 0.07), **_OPEN),
                    "bound": 0.1, "state": "kept",
                }
            ],
            "by_day": [
                {"day": 1, "lift": 0.031, "low": -0.21, "high": 0.28},
                {"day": 2, "lift": 0.061, "low": 0.023, "high": 0.099},
            ],
            "lasting": {
                "first_days": 7, "shoppers": [9_870, 9_912],
                "change": -0.012, "low": -0.071, "high": 0.051, "finding": "open",
            },
            "verdict": _VERDICT,
        }
    ],
    "interleaving": None, "alpha": 0.05, "looks": "daily",
}  # fmt: skip


def _ranked(rankings: int, fallbacks: int, mean: float) -> dict[str, Any]:
    time = {"mean": mean, "p50": round(0.9 * mean, 1), "p99": round(2.5 * mean, 1)}
    return {
        "rankings": rankings, "fallbacks": fallbacks, "version_not_loaded": 0, "model_ms": time,
    }  # fmt: skip


DECLARED: dict[str, Any] = {
    "key": "wider", "coverage": 0.2,
    "arms": [{"key": "control"}, {"key": "wider", "rules": {"diversity": {"max_same": 2}}}],
}  # fmt: skip
EXPERIMENT: dict[str, Any] = {
    "key": "spread", "kind": "ab", "status": "running", "seed": "spread", "coverage": 0.2,
    "bucket_version": 0, "min_bucket_version": 0,
    "arms": [
        {"key": "control", "weight": 0.5, "share": 0.1, "model_version": None, "rules": {}},
        {
            "key": "wider", "weight": 0.5, "share": 0.1, "model_version": None,
            "rules": {"diversity": {"max_same": 2}},
        },
    ],
    "targeting": {
        "locales": [], "pages": [], "requests": [], "shoppers": None, "shops": [],
        "placements": [],
    },
    "namespace": None,
    "guard": {"fallback": 0.05, "model_time": 1.5, "not_loaded": 0.1, "after": 200},
    "promote": None, "gate": None, "after": None, "by_api": None, "active": False,
    "decision": {
        "action": "stop", "arm": None, "why": "the sale begins", "by": "admin",
        "at": "2026-11-27T08:00:00+00:00", "version": None,
    },
    "shown": None,
    "live": {
        "last_5_minutes": {"arms": {}, "promoted": {}, "shadow": None},
        "last_60_minutes": {
            "arms": {"control": _ranked(812, 3, 11.2), "wider": _ranked(795, 2, 11.4)},
            "promoted": {}, "shadow": None,
        },
    },
    "read_at": "2026-11-27T07:45:00Z",
}  # fmt: skip
PUT: dict[str, Any] = {
    **EXPERIMENT, "key": "wider", "seed": "wider", "status": "draft", "decision": None,
    "read_at": None, "live": None,
    "by_api": {"by": "admin", "at": "2026-11-27T07:30:00+00:00"},
}  # fmt: skip
