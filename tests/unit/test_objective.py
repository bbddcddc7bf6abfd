"""What a shop wants, declared once: what each event is worth, and to which labels it leads."""

from pathlib import Path
from typing import Any

import pytest

from features.events.event import BehaviorEvent, EventType
from features.objective import Objective, ObjectiveError, label, read_objective

SHIPPED = Path(__file__).resolve().parents[2] / "serving" / "local" / "objective.yaml"
DAY_S = 86_400.0
VALUED = Objective.model_validate(
    {
        "purchase": 0.1,
        "purchase_by": "value",
        "returned": -0.2,
        "long_view": {"weight": 0.5, "at_least_s": 20},
        "hide": -1,
        "horizon_days": 7,
        "discount": 0.9,
    }
)


def event(kind: EventType, days: float = 0.0, **fields: Any) -> BehaviorEvent:
    return BehaviorEvent("e", kind, 1_000.0 + days * DAY_S, item_id="milk", **fields)


@pytest.mark.parametrize(
    ("objective", "told", "worth"),
    [
        (Objective(), event(EventType.CLICK), 1),
        (Objective(), event(EventType.ADD_TO_CART, 300), 3),
        (Objective(), event(EventType.PURCHASE, value=80.0), 5),
        (Objective(), event(EventType.RETURN), 0),
        (Objective(), event(EventType.HIDE), 0),
        (Objective(), event(EventType.DWELL, dwell_ms=90_000), 0),
        (Objective(), event(EventType.IMPRESSION), 0),
        (Objective(), event(EventType.CLICK, -1), 1),
        (VALUED, event(EventType.PURCHASE, value=80.0), 8),
        (VALUED, event(EventType.PURCHASE), 0),
        (VALUED, event(EventType.RETURN, value=80.0), -16),
        (VALUED, event(EventType.HIDE), -1),
        (VALUED, event(EventType.DWELL, dwell_ms=20_000), 0.5),
        (VALUED, event(EventType.DWELL, dwell_ms=19_999), 0),
        (VALUED, event(EventType.DWELL), 0),
        (VALUED, event(EventType.CLICK, 2), 0.81),
        (VALUED, event(EventType.CLICK, 7.01), 0),
    ],
)
def test_an_event_is_worth_what_is_declared(
    objective: Objective, told: BehaviorEvent, worth: float
) -> None:
    assert objective.reward(told, 1_000.0) == pytest.approx(worth)


def test_a_label_is_the_best_of_its_events_less_what_was_taken_back() -> None:
    assert label([]) == 0
    assert label([1, 3, 5]) == 5
    assert label([1, 5, -2]) == 3
    assert label([1, -2]) == 0


def test_the_shipped_file_is_the_defaults_and_these_are_the_weights_of_before() -> None:
    assert read_objective(SHIPPED) == read_objective(None) == Objective()
    assert Objective().label_weights == {"click": 1.0, "add_to_cart": 3.0, "purchase": 5.0}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("clicks: 1", "clicks: Extra inputs"),
        ("hide: 1", "hide: Input should be less"),
        ("long_view: {weight: -1}", "long_view.weight"),
        ("purchase_by: margin", "purchase_by"),
        ("discount: 0", "discount"),
        ("click: .nan", "click"),
        ("a: [", "not valid YAML"),
    ],
)
def test_a_mistake_is_named_by_its_key(tmp_path: Path, text: str, named: str) -> None:
    path = tmp_path / "objective.yaml"
    path.write_text(text)
    with pytest.raises(ObjectiveError, match=r"objective\.yaml") as caught:
        read_objective(path)
    assert named in str(caught.value)
