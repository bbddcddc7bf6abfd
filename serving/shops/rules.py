"""The merchandiser's rules: one YAML file, validated whole before the service starts."""

from collections.abc import Mapping
from datetime import datetime
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field, StringConstraints, ValidationError, model_validator

from features.objective import Objective
from features.yaml_file import problems, read_yaml
from serving.shops.alerts.declared import LabelAlerts
from serving.shops.experiments import Experiment, Holdout, model_versions
from serving.shops.exploration import Exploration, Floors, Looks
from serving.shops.placements.page import Pages, check_pages
from serving.shops.placements.placement import Placements, Version
from serving.shops.rights.promises import Promises
from serving.shops.rule import Rule, overlaid
from serving.shops.together import check_aims, check_arms, check_together


class RulesError(Exception):
    """The rules file cannot be used; the message names the place in it."""


Phrase = Annotated[str, StringConstraints(min_length=1, max_length=64)]


class Weights(Rule):
    """How much each signal counts for shoppers of whom too little is known.

    Every signal is standardised within the slate, so weights compare; 0 switches one off.
    """

    popularity: float = 1.0
    popularity_in_category: float = 0.5
    trend: float = 0.3
    newness: float = 0.2
    query_match: float = 3.0
    session_intent: float = 1.5
    similar_shoppers: float = 1.5
    taste: float = 1.0
    bought_before: float = 1.0
    retrieval: float = 1.0

    @property
    def by_signal(self) -> dict[str, float]:
        """The weight of each signal of cold_start.py, by its name."""
        return dict(self)


class ColdStartRules(Rule):
    """Scoring without the model."""

    weights: Weights = Weights()
    popularity_window: Literal["1h", "1d", "7d", "30d", "120d"] = "7d"
    newness_days: float = Field(30.0, gt=0)


class Match(Rule):
    """Which items a rule means; all given conditions must hold."""

    item_id: str | None = None
    category: str | None = Field(None, description="A category path or a prefix of one.")
    brand: str | None = None
    attributes: dict[str, Annotated[list[str], Field(min_length=1)]] = Field(
        {}, description="For each name, values any of which will do."
    )
    query_contains: str | None = Field(None, description="Only for queries with these words.")

    @model_validator(mode="after")
    def _some_item(self) -> "Match":
        if self.item_id is None and not (self.category or self.brand or self.attributes):
            raise ValueError("a match needs item_id, category, brand or attributes")
        return self


class Timed(Rule):
    """A rule with a reason and, if wanted, a time."""

    reason: str
    starts_at: AwareDatetime | None = None
    ends_at: AwareDatetime | None = None

    @model_validator(mode="after")
    def _some_time(self) -> "Timed":
        if self.starts_at and self.ends_at and self.ends_at <= self.starts_at:
            raise ValueError("ends_at must be after starts_at")
        return self

    def overlaps(self, other: "Timed") -> bool:
        """Whether both hold at some moment."""
        return all(
            first.ends_at is None or second.starts_at is None or second.starts_at < first.ends_at
            for first, second in ((self, other), (other, self))
        )

    def active(self, now: datetime) -> bool:
        """Whether the rule holds at `now` (aware)."""
        started = self.starts_at is None or self.starts_at <= now
        return started and (self.ends_at is None or now < self.ends_at)


class Boost(Timed):
    """Lifts (or, negative, lowers) items by this many standard deviations of the slate's scores."""

    match: Match
    lift: float = Field(ge=-10, le=10)
    sponsored: bool = Field(False, description="Paid for: told of every item that it lifts.")


class Bury(Timed):
    """Puts items behind all others; only a pin brings one up again."""

    match: Match


class Pin(Timed):
    """Puts one item at one place, when it is among the candidates."""

    item_id: str
    position: int = Field(ge=1, le=100)
    query_contains: str | None = None


class Diversity(Rule):
    """At most `max_same` of one kind among any `window` neighbours near the top."""

    by: Literal["category", "brand"] = "category"
    max_same: int = Field(3, ge=1)
    window: int = Field(5, ge=2)
    depth: int = Field(20, ge=0, description="Places from the top that are spread; 0: off.")


class Fatigue(Rule):
    """What was shown often and led to nothing steps back, where nothing was searched for."""

    after: float = Field(3.0, ge=1, description="Impressions that may lead to nothing.")
    half_life_h: float = Field(72.0, gt=0, description="In which it recovers when it is not shown.")
    strength: float = Field(
        0.0, ge=0, le=10, description="Spreads of the slate's scores, at most; 0: off."
    )


class OneWay(Rule):
    """Whoever asks for the one also means the others; who asks for those does not mean it."""

    asked: Phrase
    means: list[Phrase] = Field(min_length=1)


class Rules(Rule):
    """The whole file. synonyms: groups of phrases that mean the same."""

    synonyms: list[Annotated[list[Phrase], Field(min_length=2)]] = []
    one_way: list[OneWay] = []
    cold_start: ColdStartRules = ColdStartRules()
    boosts: list[Boost] = []
    buries: list[Bury] = []
    pins: list[Pin] = []
    diversity: Diversity = Diversity()
    floors: Floors = ()
    fatigue: Fatigue = Fatigue()
    looks: Looks = Looks()
    rights: Promises = Promises()
    exploration: Exploration = Exploration()
    experiments: list[Experiment] = []
    holdout: Holdout = Holdout()
    placements: Placements = {}
    pages: Pages = {}
    alerts: LabelAlerts = LabelAlerts()
    ranker: Version | None = Field(
        None, description="Version of the ranker that ranks for this shop; null: the one in use."
    )
    objective: Objective | None = Field(
        None, description="Where worth differs from objective.yaml; it counts in reports."
    )

    @model_validator(mode="after")
    def _one_item_a_place(self) -> "Rules":
        for pin, other in combinations(self.pins, 2):
            same = pin.position == other.position and pin.query_contains == other.query_contains
            if same and pin.overlaps(other):
                raise ValueError(f"two pins want position {pin.position} at the same time")
        return self

    @model_validator(mode="after")
    def _sound_experiments(self) -> "Rules":
        check_together(self.experiments, self.changed)
        return self

    @model_validator(mode="after")
    def _sound_placements(self) -> "Rules":
        for key, placement in self.placements.items():
            try:
                placed = self.changed(placement.rules)
            except ValueError as error:
                raise ValueError(f"placements.{key}.rules.{error}") from None
            for place, experiment in enumerate(self.experiments if placement.rules else ()):
                try:
                    check_arms(experiment, placed.changed)
                except ValueError as error:
                    raise ValueError(f"experiments.{place}.{error}, at {key!r}") from None
        for place, experiment in enumerate(self.experiments):
            try:
                check_aims(experiment, self.placements)
            except ValueError as error:
                raise ValueError(f"experiments.{place}.{error}") from None
        check_pages(self.pages, self.placements)
        return self

    def placed(self, key: str) -> "Rules":
        """The rules of one placement: of a section what it names, and else the shop's."""
        return self.changed(self.placements[key].rules)

    @property
    def ranker_versions(self) -> list[str]:
        """The versions of the ranker that are named, also by running experiments, placements."""
        rankers = (self.ranker, *(each.ranker for each in self.placements.values()))
        named = {version for version in rankers if version}
        return sorted(named.union(model_versions(self.experiments)), key=int)

    def changed(self, sections: Mapping[str, Any]) -> "Rules":
        """These rules with some sections changed: of a section what is named, of a list all.

        Raises ValueError, whose message begins with the place in `sections`.
        """
        if fixed := set(_OF_THE_SHOP) & set(sections):
            raise ValueError(f"{min(fixed)}: is the shop's, and nothing else can change it")
        own = self.model_dump(exclude=set(_OF_THE_SHOP), exclude_unset=True)
        try:
            changed = Rules.model_validate(overlaid(own, sections))
        except ValidationError as error:
            raise ValueError(problems(error)) from None
        return changed.model_copy(update={name: getattr(self, name) for name in _OF_THE_SHOP})


# Built into the indexes when the service starts, what decides which rules these are, or of no
# ranking.
_OF_THE_SHOP = (
    "synonyms", "one_way", "experiments", "holdout", "placements", "pages", "alerts", "ranker",
    "objective", "rights",
)  # fmt: skip


def read_rules(path: Path) -> Rules:
    """Read and check a rules file; raises RulesError with one line a problem."""
    return read_yaml(path, Rules, RulesError)
