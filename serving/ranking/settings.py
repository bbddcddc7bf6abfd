"""How long a ranking may take, when the model answers, and what is refused."""

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from serving.section import Section


class PipelineSettings(Section):
    """When the model answers, and how long it may take."""

    default_budget_s: PositiveFloat = 0.5
    model_budget_s: PositiveFloat = Field(
        0.15,
        description="What one call to a model may take of the default budget: what a model that "
        "hangs costs a caller. A caller with more time than that gives in proportion.",
    )
    max_budget_s: PositiveFloat = 5.0
    rules_reserve_s: PositiveFloat = Field(
        0.02, description="Kept back from the budget so that rules can still answer in time."
    )
    features_budget_s: PositiveFloat = 0.1
    min_interactions: PositiveInt = Field(
        2, description="Interactions of user and session together from which the model is used."
    )

    cold_start: Literal["ingress", "deployment"] = Field(
        "ingress",
        description="Where new shoppers are scored by rules: in the ingress, or by the ColdStart "
        "deployment, over a hop (docs/adr/0018).",
    )
    ranker: Literal["ingress", "deployment"] = Field(
        "deployment",
        description="Where requests become batches for the model server: in each ingress replica, "
        "or in the Ranker deployment, over a hop, for all of them (docs/adr/0042).",
    )
    min_shortlist: PositiveInt = Field(
        50,
        description="When time is short the model ranks only the best by rules, but as many as "
        "this (docs/quality.md has what that costs).",
    )

    relevance_reach: Annotated[float, Field(ge=0, le=1)] = Field(
        0.1,
        description="How much less relevant to the query, of 1, an item may be than one that it "
        "stands before: what a shopper's history, boosts and diversity may do to a search.",
    )
    relevance_floor: Annotated[float, Field(ge=0, le=1)] | None = Field(
        None,
        description="A search returns nothing that is less relevant, and no_match when all is; "
        "null: as it was fitted with the encoder.",
    )

    def model_share_s(self, left_s: float) -> float:
        """What one call to a model may take of a caller's `left_s`."""
        patience = max(left_s / self.default_budget_s, 1.0)
        return min(left_s, self.model_budget_s * patience)


class AdmissionSettings(Section):
    """What is refused at once rather than queued."""

    max_ongoing_rankings: PositiveInt = Field(
        50, description="Of a replica: what it holds it must answer in time (docs/autoscaling.md)."
    )
    shadow_below: PositiveInt = Field(
        1,
        description="A shadow ranks a request again only while fewer rankings than this are under "
        "way in its replica: 1, while nobody waits.",
    )
    max_concurrent_rankings: PositiveInt = Field(
        6,
        description="Worked on at once; others wait for half of what their budget has left, then "
        "are refused.",
    )
    default_weight: PositiveFloat = Field(
        1.0, le=100, description="Of the default shop beside registered ones (docs/shops.md)."
    )
