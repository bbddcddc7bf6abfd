"""An explanation on the wire is the whole explanation."""

from dataclasses import asdict

from serving.ranking.explaining.told import Because, Told, WithoutHistory
from serving.ranking.slate.explain import Explanation
from serving.types import Cause


def test_every_field_of_an_explanation_is_told() -> None:
    explanation = Explanation(
        known_item=True,
        text_match=0.5,
        relevance=0.8,
        match={"title": 1.0},
        parts={"network": 1.0},
        features={"item_age_days": 2.0},
        rules=["boost +0.5: ours"],
        because=Because("milk", "Whole milk", Cause.BOUGHT),
        drafted_by="treatment",
        user_context=["under 3 dollars"],
        told=Told(("new",), 0.5, {"price": 0.5}, WithoutHistory(14, "14th")),
    )
    whole = asdict(explanation)
    told = whole.pop("told")
    assert explanation.as_dict() == {**whole, **told, "reasons": ["new"]}
