"""The worked example of a reading."""

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
    "experiment": "spread", "control": "control", "read_at": "2026-09-21T14:15:00Z",
    "took_s": 4.2, "verdict": _VERDICT,
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
