"""What shops name becomes no label value without end."""

from prometheus_client import CollectorRegistry, Counter, generate_latest

from serving.telemetry.text_metrics import FirstPairs


def test_pairs_beyond_the_first_are_counted_together() -> None:
    registry = CollectorRegistry()
    pairs = FirstPairs(Counter("texts", "", ("classifier", "label"), registry=registry), most=2)
    for shop in range(100):
        pairs.count("reviews", f"label {shop}", 1)
    pairs.count("reviews", "label 0", 3)
    told = generate_latest(registry).decode().splitlines()
    assert [line for line in told if line.startswith("texts_total")] == [
        'texts_total{classifier="reviews",label="label 0"} 4.0',
        'texts_total{classifier="reviews",label="label 1"} 1.0',
        'texts_total{classifier="other",label="other"} 98.0',
    ]
