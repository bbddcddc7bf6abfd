"""What shops name becomes no label value without end."""

from serving.telemetry.text_metrics import OTHER, FirstPairs


def test_pairs_beyond_the_first_are_counted_together() -> None:
    pairs = FirstPairs(most=2)
    found = [pairs.of("reviews", f"label {shop}") for shop in range(100)]
    assert found == [("reviews", "label 0"), ("reviews", "label 1"), *[OTHER] * 98]
    assert pairs.of("reviews", "label 0") == ("reviews", "label 0")
