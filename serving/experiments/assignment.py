"""The assignment of a request: the arms it belongs to, and what these have it ranked by."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from features.behavior.matrix import Shopper
from features.events.exposure import Exposure, HashAttribute
from features.events.log import DEFAULT_VARIANT
from serving.experiments.draw import Asked, Draw, aimed_at, aims_at_shop
from serving.experiments.hashing import Line
from serving.shops.experiments import (
    HOLDOUT,
    INTERLEAVED,
    Arm,
    Experiment,
)
from serving.shops.rules import Rules
from serving.shops.steering.decision import Standing

_LOG = logging.getLogger("vitrine.experiments")
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
    def looks_reach(self) -> float:
        """The exposure below which looks lift an item, by the rules of any team; 0: by none."""
        own = self.rules.looks.reach
        return own if self.teams is None else max(own, *(t.rules.looks.reach for t in self.teams))

    @property
    def interleaved(self) -> str | None:
        """The key of the experiment whose arms the teams are."""
        found = (each.experiment for each in self.exposures if each.variant == INTERLEAVED)
        return next(found, None)

    @property
    def variant(self) -> str:
        """All arms in one word: "ranker/new", "ranker:new" of a promoted arm, or "default"."""
        if not self.promoted and not self.exposures:
            return DEFAULT_VARIANT
        labels = [f"{experiment}:{arm}" for experiment, arm in self.promoted]
        return "+".join(labels + [each.label for each in self.exposures])


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


class Assigner:
    """Draws the arms of one shop's requests, and keeps what was computed of the declarations."""

    def __init__(
        self,
        rules: Rules,
        shop: str,
        standing: Standing | None = None,
        ranker: str | None = None,
    ) -> None:
        """standing: what was decided; None: nothing; ranker: the version whom no arm gives one."""
        self._unassigned = Assignment(rules, model_version=ranker)
        standing = standing or Standing()
        aimed = [one for one in rules.experiments if aims_at_shop(one, shop)]
        self._draws = [Draw(experiment) for experiment in standing.drawing(aimed)]
        self._promoted = standing.promoted(aimed)
        held = rules.holdout
        self._holdout = (Line(held.seed), held.share) if held.share and self._draws else None
        self._changed: dict[tuple[object, ...], Rules] = {}  # by what is promoted, and arms' labels
        self._fitting: dict[tuple[object, ...], bool] = {}  # by what is promoted, and experiment
        self._left_out: set[str] = set()  # experiments, that each is told once

    def assign(self, unit: Unit | None, asked: Asked) -> Assignment:
        """The assignment of one request; `unit`: nobody is in no experiment."""
        usual = self._usual(asked) if self._promoted else self._unassigned
        if unit is None or not self._draws:
            return usual
        if self._holdout is not None:
            line, share = self._holdout
            if line.bucket(unit.value) < share:
                return replace(usual, exposures=(Exposure(HOLDOUT, HELD, *_of(unit)),))
        drawn = [
            (draw, arms)
            for draw in self._draws
            if (arms := draw.arms_of(unit.value, asked))
            and self._fits(usual, draw.experiment, draw.experiment.arms)
        ]
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
        usual = self._unassigned
        for experiment, arm in self._promoted:
            if aimed_at(experiment.targeting, asked) and self._fits(usual, experiment, [arm]):
                usual = Assignment(
                    self._rules_of(usual, {f"{experiment.key}/{arm.key}": arm}),
                    model_version=arm.model_version or usual.model_version,
                    promoted=(*usual.promoted, (experiment.key, arm.key)),
                )
        return usual

    def _fits(self, usual: Assignment, experiment: Experiment, arms: Sequence[Arm]) -> bool:
        """Whether all these arms can be ranked by upon `usual`; if not, nobody is in any of them.

        What is declared and decided fits together, unless two replicas were told at once or the
        rules have changed since.
        """
        fits = self._fitting.get(key := (usual.promoted, experiment.key))
        if fits is None:
            try:
                for arm in arms:
                    self._rules_of(usual, {f"{experiment.key}/{arm.key}": arm})
                fits = True
            except ValueError as error:
                fits = False
                if experiment.key not in self._left_out:
                    self._left_out.add(experiment.key)
                    _LOG.error("%s: nobody is in it, for its rules cannot be used upon what "
                               "stands: %s", experiment.key, error)  # fmt: skip
            self._fitting[key] = fits
        return fits

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


def _of(unit: Unit) -> tuple[HashAttribute, str]:
    return unit.attribute, unit.value
