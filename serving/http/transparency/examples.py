"""A worked example of the transparency document; see serving/http/schemas/examples.py."""

from serving.http.schemas.examples import Example

EXAMPLES: dict[str, Example] = {
    "transparency": Example(
        answer={
            "title": "How we order what we show", "language": "en", "model_version": "3",
            "published": "2026-11-28T09:00:00+00:00", "as_of": "2026-11-30T10:00:00+00:00",
            "sponsored_rules": 0,
            "families": [
                {"family": "bought_before", "name": "what you bought before", "share": 78,
                 "ndcg_lost": 0.31},
            ],
            "sentences": [
                "What counts most is what you bought before: about 78 % of what decides the order.",
                "None of the shop's rules is paid for.",
            ],
        },
    ),
}  # fmt: skip
