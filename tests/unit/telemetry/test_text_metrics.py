"""What shops name becomes no label value without end."""

from serving.telemetry.text_metrics import LABELLED, MOST_LABELLED, OTHER, FirstPairs


def test_pairs_beyond_the_first_are_counted_together() -> None:
    pairs = FirstPairs(most=2)
    found = [pairs.of("reviews", f"label {shop}") for shop in range(100)]
    assert found == [("reviews", "label 0"), ("reviews", "label 1"), *[OTHER] * 98]
    assert pairs.of("reviews", "label 0") == ("reviews", "label 0")


def test_a_shop_that_names_many_takes_no_room_of_another() -> None:
    for number in range(MOST_LABELLED + 1):
        last = LABELLED["names many"].of("reviews", f"label {number}")
    assert last == OTHER
    assert LABELLED["names one"].of("reviews", "label") == ("reviews", "label")
