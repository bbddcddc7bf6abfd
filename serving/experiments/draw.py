"""Who is in a running experiment, and in which arm; whose requests a shadow ranks as well."""

from dataclasses import dataclass

from serving.experiments.hashing import Line, Range, bucket_ranges, chosen
from serving.shops.experiments import Arm, Experiment, Kind, RequestKind, Targeting
from serving.shops.rules import Rules
from serving.shops.steering.decision import Standing


@dataclass(frozen=True, slots=True)
class Asked:
    """What targeting asks of a request. kind: rank, search or recommend; known: to the model."""

    kind: RequestKind
    locale: str | None = None
    page: str | None = None
    placement: str | None = None
    known: bool = False


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
    if targeting.placements and asked.placement not in targeting.placements:
        return False
    if targeting.shoppers and (targeting.shoppers == "known") is not asked.known:
        return False
    return not targeting.locales or _speaks(asked.locale, targeting.locales)


def _speaks(locale: str | None, wanted: list[str]) -> bool:
    """BCP 47 by its beginning (RFC 4647, basic filtering); an underscore is welcome."""
    given = (locale or "").replace("_", "-").lower()
    ranges = [one.replace("_", "-").lower() for one in wanted]
    return any(given == one or given.startswith(f"{one}-") for one in ranges)
