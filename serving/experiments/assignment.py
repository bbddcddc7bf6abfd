"""The assignment of a request: the arms it belongs to, and what these have it ranked by."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from features.behavior.matrix import Shopper
from features.events.exposure import Exposure, HashAttribute
from features.events.log import DEFAULT_VARIANT
from serving.experiments.hashing import Line, Range, bucket_ranges, chosen
from serving.shops.experiments import (
    HOLDOUT,
    INTERLEAVED,
    Arm,
    Experiment,
    Kind,
    RequestKind,
    Targeting,
)
from serving.shops.rules import Rules
from serving.shops.steering.decision import Standing

HELD = "held"  # the only arm of the holdout that is told: everyone else passes


@dataclass(frozen=True, slots=True)
class Team:
    """One of two arms that share a slate. model_version: None: the version in use."""

    arm: str
    rules: Rules
    model_version: str | None = None


@dataclass(frozen=True, slots=True)
class Assignment:
    """Chosen before scoring; it stands in the slate, the record, the metrics and the response.

    model_version: of the ranker; None: the version in use. promoted: (experiment, arm) of arms
    that all are ranked by: nobody was drawn, so these are no exposures. teams: the arms of an
    interleaved experiment, control first; `rules` and `model_version` are then those of one.
    """

    rules: Rules
    exposures: tuple[Exposure, ...] = ()
    model_version: str | None = None
    promoted: tuple[tuple[str, str], ...] = ()
    teams: tuple[Team, Team] | None = None

    def led_by(self, team: Team) -> "Assignment":
        """As the request is ranked by one of the teams alone."""
        return replace(self, rules=team.rules, model_version=team.model_version)

    @property
    def interleaved(self) -> str | None:
        """The key of the experiment whose arms the teams are."""
        found = (each.experiment for each in self.exposures if each.variant == INTERLEAVED)
        return next(found, None)

    @property
    def variant(self) -> str:
        """All arms in one word: "ranker/new", "ranker:new" of a promoted arm, or "default"."""
        labels = [f"{experiment}:{arm}" for experiment, arm in self.promoted]
        return "+".join(labels + [each.label for each in self.exposures]) or DEFAULT_VARIANT


@dataclass(frozen=True, slots=True)
class Unit:
    """Whom an arm is drawn for, by pseudonym."""

    attribute: HashAttribute
    value: str


def unit_of(user_id: str | None, session_id: str | None, shopper: Shopper | None) -> Unit | None:
    """Who stays in an arm: the user, or as long as nothing is known of a user, the session.

    A user who began as a session is drawn by that session for good (docs/adr/0034). None: nobody
    is named, or the store did not answer (`shopper` is None) and cannot say who a user began as.
    """
    if user_id is None:
        return None if session_id is None else Unit("session", session_id)
    if shopper is None:
        return None
    if shopper.user is None and session_id is not None:
        return Unit("session", session_id)
    if shopper.user is not None and shopper.user.origin:
        return Unit("session", shopper.user.origin)
    return Unit("user", user_id)


@dataclass(frozen=True, slots=True)
class Asked:
    """What targeting asks of a request. kind: rank, search or recommend; known: to the model."""

    kind: RequestKind
    locale: str | None = None
    page: str | None = None
    known: bool = False


class Assigner:
    """Draws the arms of one shop's requests, and keeps what was computed of the declarations."""

    def __init__(self, rules: Rules, shop: str, standing: Standing | None = None) -> None:
        """standing: what was decided; None: nothing."""
        self.rules = rules
        self.standing = standing = standing or Standing()
        aimed = [one for one in rules.experiments if aims_at_shop(one, shop)]
        self._draws = [Draw(experiment) for experiment in standing.drawing(aimed)]
        self._promoted = standing.promoted(aimed)
        held = rules.holdout
        self._holdout = (Line(held.seed), held.share) if held.share and self._draws else None
        self._changed: dict[tuple[object, ...], Rules] = {}  # by what is promoted, and arms' labels

    def assign(self, unit: Unit | None, asked: Asked) -> Assignment:
        """The assignment of one request; `unit`: nobody is in no experiment."""
        usual = self._usual(asked) if self._promoted else Assignment(self.rules)
        if unit is None or not self._draws:
            return usual
        if self._holdout is not None:
            line, share = self._holdout
            if line.bucket(unit.value) < share:
                return replace(usual, exposures=(Exposure(HOLDOUT, HELD, *_of(unit)),))
        drawn = [(draw, arms) for draw in self._draws if (arms := draw.arms_of(unit.value, asked))]
        if not drawn:
            return usual
        exposures = tuple(
            Exposure(
                draw.experiment.key,
                arms[0].key if len(arms) == 1 else INTERLEAVED,
                *_of(unit),
                bucket_version=draw.experiment.bucket_version,
            )
            for draw, arms in drawn
        )
        met = zip(exposures, drawn, strict=True)
        seen = {exposure.label: arms[0] for exposure, (_, arms) in met if len(arms) == 1}
        versions = [arm.model_version for arm in seen.values() if arm.model_version is not None]
        alone = Assignment(
            self._rules_of(usual, seen),
            exposures,
            versions[0] if versions else usual.model_version,
            usual.promoted,
        )
        for draw, arms in drawn:
            if len(arms) > 1:  # of one experiment at most: check_together
                first, second = (
                    Team(
                        arm.key,
                        self._rules_of(usual, {**seen, f"{draw.experiment.key}/{arm.key}": arm}),
                        arm.model_version or alone.model_version,
                    )
                    for arm in arms
                )
                return replace(alone, teams=(first, second)).led_by(first)
        return alone

    def _usual(self, asked: Asked) -> Assignment:
        """As those are ranked whom nothing drew: by the shop's rules and what was promoted."""
        arms = {
            (experiment.key, arm.key): arm
            for experiment, arm in self._promoted
            if aimed_at(experiment.targeting, asked)
        }
        versions = [arm.model_version for arm in arms.values() if arm.model_version is not None]
        named = Assignment(self.rules, (), versions[-1] if versions else None, tuple(arms))
        by_label = {f"{key}:{arm_key}": arm for (key, arm_key), arm in arms.items()}
        return replace(named, rules=self._rules_of(Assignment(self.rules), by_label))

    def _rules_of(self, usual: Assignment, arms: Mapping[str, Arm]) -> Rules:
        """The rules of `usual` as arms change them, by label; no two change the same section."""
        changing = {label: arm for label, arm in arms.items() if arm.rules}
        if not changing:
            return usual.rules
        found = self._changed.get(key := (usual.promoted, *changing))
        if found is None:
            found = usual.rules
            for arm in changing.values():
                found = found.changed(arm.rules)
            self._changed[key] = found
        return found


class Draw:
    """One running experiment: who is in it, and in which arm, or in both."""

    def __init__(self, experiment: Experiment) -> None:
        self.experiment = experiment
        self._arms: list[tuple[Arm, ...]] = [(arm,) for arm in experiment.arms]
        weights = experiment.weights
        if experiment.kind is Kind.INTERLEAVE:
            self._arms, weights = [tuple(experiment.arms)], [1.0]
        self._ranges = bucket_ranges(weights, experiment.coverage)
        self._line = Line(experiment.seed_of(experiment.bucket_version))
        self._older = [
            Line(experiment.seed_of(version)) for version in range(experiment.min_bucket_version)
        ]
        named = experiment.namespace
        self._namespace: tuple[Line, Range] | None = (
            (Line(f"__{named.id}"), named.range) if named else None
        )

    def arms_of(self, value: str, asked: Asked) -> tuple[Arm, ...]:
        """The arm of whom `value` stands for, both of an interleave; (): not in the experiment."""
        if not aimed_at(self.experiment.targeting, asked):
            return ()
        if self._namespace is not None:
            line, within = self._namespace
            if chosen([within], line.bucket(value)) is None:
                return ()
        if any(chosen(self._ranges, line.bucket(value)) is not None for line in self._older):
            return ()
        place = chosen(self._ranges, self._line.bucket(value))
        return () if place is None else self._arms[place]


class ShadowDraw:
    """A running shadow: which requests a candidate version ranks as well."""

    def __init__(self, experiment: Experiment) -> None:
        self.experiment = experiment
        (arm,) = experiment.arms
        assert arm.model_version is not None
        self.model_version = arm.model_version
        self._line = Line(experiment.seed_of(0))

    def takes(self, ranking_id: str, asked: Asked) -> bool:
        """Whether it is this request's turn."""
        if not aimed_at(self.experiment.targeting, asked):
            return False
        return self._line.bucket(ranking_id) < self.experiment.coverage


def shadows_of(rules: Rules, shop: str, standing: Standing | None = None) -> list[ShadowDraw]:
    """The running shadows of a shop."""
    aimed = [one for one in rules.experiments if aims_at_shop(one, shop)]
    return [ShadowDraw(experiment) for experiment in (standing or Standing()).shadowing(aimed)]


def aims_at_shop(experiment: Experiment, shop: str) -> bool:
    """Whether the shop is meant."""
    return not experiment.targeting.shops or shop in experiment.targeting.shops


def aimed_at(targeting: Targeting, asked: Asked) -> bool:
    """Whether the request is meant."""
    if targeting.requests and asked.kind not in targeting.requests:
        return False
    if targeting.pages and asked.page not in targeting.pages:
        return False
    if targeting.shoppers and (targeting.shoppers == "known") is not asked.known:
        return False
    return not targeting.locales or _speaks(asked.locale, targeting.locales)


def _speaks(locale: str | None, wanted: list[str]) -> bool:
    """BCP 47 by its beginning (RFC 4647, basic filtering); an underscore is welcome."""
    given = (locale or "").replace("_", "-").lower()
    ranges = [one.replace("_", "-").lower() for one in wanted]
    return any(given == one or given.startswith(f"{one}-") for one in ranges)


def _of(unit: Unit) -> tuple[HashAttribute, str]:
    return unit.attribute, unit.value
