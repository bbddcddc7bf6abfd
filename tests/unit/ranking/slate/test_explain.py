"""An explanation on the wire is the whole explanation."""

from dataclasses import asdict

from serving.ranking.slate.explain import Explanation
from serving.ranking.values import Because
from serving.types import Cause


def test_every_field_of_an_explanation_is_told() -> None:
    explanation = Explanation(
        True,
        0.5,
        0.9,
        {"title": 1.0},
        {"query": 1.0},
        {"item_log_price": 0.1},
        ["a rule"],
        Because("milk", "Whole milk", Cause.BOUGHT),
        "new",
    )
    assert explanation.as_dict() == asdict(explanation)
