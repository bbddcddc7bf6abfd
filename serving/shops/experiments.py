"""Experiments as they are declared, in the file of the rules or by API (docs/experiments.md).

Who gets which arm is decided in serving/experiments/assignment.py.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, model_validator

from serving.shops.rule import Rule
from serving.shops.steering.policy import Gate, Guard, Promotion, check

Key = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.-]{0,47}$")]
Ascii = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,64}$")]
RequestKind = Literal["rank", "search", "recommend"]
Share = Annotated[float, Field(ge=0, le=1)]
CANDIDATE = "candidate"  # the newest version that is served beside the one in use
HOLDOUT = "holdout"  # the experiment that those stand in who are kept out of all others
INTERLEAVED = "interleaved"  # the variant of those who have both arms in one slate
# What an interleaved arm may change: what its own picks are scored by. The slate that the picks go
# into is one: its pins, buries and diversity are nobody's, and nothing is explored in it.
INTERLEAVABLE = ("cold_start", "boosts", "fatigue", "looks")
_RESERVED = frozenset({HOLDOUT, "default"})
_ALMOST = 1e-6  # weights are written with few digits: .333 + .333 + .334


class Status(StrEnum):
    """Whether an experiment draws."""

    DRAFT = "draft"
    RUNNING = "running"
    STOPPED = "stopped"


class Kind(StrEnum):
    """Who sees what the arms answer: each shopper one of them, all both, or the metrics alone."""

    AB = "ab"
    INTERLEAVE = "interleave"
    SHADOW = "shadow"


class Arm(Rule):
    """One of the ways in which requests are answered. Without anything: as the shop's rules say."""

    key: Key
    weight: float | None = Field(None, ge=0, description="Of all arms 1 together; none: equal.")
    model_version: Annotated[str, StringConstraints(pattern=r"^([0-9]{1,9}|candidate)$")] | None = (
        Field(
            None,
            description="Of the ranker; null: the version in use. candidate, of a shadow: the "
            "newest that is served beside it.",
        )
    )
    rules: dict[str, Any] = Field(
        {}, description="Sections of the rules that differ; what is not named stays as it is."
    )

    @property
    def changes(self) -> frozenset[str]:
        """What it changes, by name."""
        return frozenset(self.rules) | ({"model_version"} if self.model_version else set())

    def ranks_as(self, other: "Arm") -> bool:
        """Whether both would answer alike."""
        return (self.model_version, self.rules) == (other.model_version, other.rules)


class Targeting(Rule):
    """Whose requests are meant; all that is given must hold, nothing given means everyone's."""

    locales: list[Ascii] = Field([], description='"en" means "en-GB", too.')
    pages: list[Annotated[str, StringConstraints(min_length=1, max_length=64)]] = Field(
        [], description="As `context.page` of the request."
    )
    placements: list[Key] = Field([], description="As `placement` of the request.")
    requests: list[RequestKind] = []
    shoppers: Literal["known", "new"] | None = Field(
        None, description="known: enough for the model, `pipeline.min_interactions`."
    )
    shops: list[Ascii] = []


class Namespace(Rule):
    """A line that several experiments share out, so that nobody is in two of them."""

    id: Ascii
    range: tuple[Share, Share] = Field(description="From, and up to but without.")

    @model_validator(mode="after")
    def _some(self) -> "Namespace":
        if self.range[0] >= self.range[1]:
            raise ValueError("range must end after its start")
        return self


class Holdout(Rule):
    """Shoppers who are kept out of all experiments, to see what these earn together."""

    share: float = Field(0.0, ge=0, le=0.5)
    seed: Ascii = HOLDOUT


class Experiment(Rule):
    """One question: which of the arms earns more. Interleave: which of two shoppers prefer; the
    first is control. Shadow: how a version would have ranked."""

    key: Key
    kind: Kind = Kind.AB
    status: Status = Status.DRAFT
    seed: Ascii | None = Field(None, description="Of the draw; null: the key.")
    arms: list[Arm] = Field(min_length=1, max_length=16)
    coverage: Share = Field(1.0, description="Share of the shoppers (shadow: of the requests).")
    targeting: Targeting = Targeting()
    namespace: Namespace | None = None
    bucket_version: int = Field(0, ge=0, le=100, description="Raise it to draw anew.")
    min_bucket_version: int = Field(
        0, ge=0, le=100, description="Who was drawn by an older bucket_version is left out."
    )
    # Made, so that the schema has no object as a default beside null, which generators refuse.
    guard: Guard | None = Field(
        default_factory=Guard,
        description="When it is stopped by itself; left out: by a guard's defaults; null: never.",
    )
    promote: Promotion | None = Field(None, description="When it is promoted by itself.")
    gate: Gate | None = Field(None, description="What a shadow must show, for `after`.")
    after: Key | None = Field(None, description="Draws nobody until this shadow's gate is passed.")

    @property
    def weights(self) -> list[float]:
        """Of the arms, 1 together."""
        return [1 / len(self.arms) if arm.weight is None else arm.weight for arm in self.arms]

    @property
    def running(self) -> bool:
        """Whether it draws."""
        return self.status is Status.RUNNING

    @property
    def draws(self) -> bool:
        """Whether shoppers are in it now."""
        return self.kind is not Kind.SHADOW and self.running

    @property
    def changes(self) -> frozenset[str]:
        """What its arms change, by name. An interleaved slate is not explored."""
        own = frozenset({"exploration"} if self.kind is Kind.INTERLEAVE else ())
        return own.union(*(arm.changes for arm in self.arms))

    def seed_of(self, bucket_version: int) -> str:
        """Of the draw: the spec's own for version 0."""
        seed = self.seed or self.key
        return f"{seed}:{bucket_version}" if bucket_version else seed

    @model_validator(mode="after")
    def _sound(self) -> "Experiment":
        keys = [arm.key for arm in self.arms]
        if self.key in _RESERVED:
            raise ValueError(f"key: {self.key!r} has a meaning of its own")
        if len(set(keys)) < len(keys):
            raise ValueError("arms: two have one key")
        if INTERLEAVED in keys:
            raise ValueError(f"arms: {INTERLEAVED!r} has a meaning of its own")
        given = [arm.weight for arm in self.arms if arm.weight is not None]
        if given and (len(given) < len(keys) or abs(sum(given) - 1) > _ALMOST):
            raise ValueError("arms: give every weight or none; together they are 1")
        if self.min_bucket_version > self.bucket_version:
            raise ValueError("min_bucket_version: is above bucket_version, so nobody could be in")
        check(self.kind is Kind.SHADOW, self.gate, self.promote, self.after)
        if self.kind is not Kind.SHADOW and CANDIDATE in [arm.model_version for arm in self.arms]:
            raise ValueError("arms: shoppers are in versions that stay; candidate is a shadow's")
        if self.kind is Kind.SHADOW:
            self._check_shadow()
        elif self.kind is Kind.INTERLEAVE:
            self._check_interleave()
        elif len(keys) < 2:
            raise ValueError("arms: a comparison needs two or more")
        return self

    def _check_interleave(self) -> None:
        if len(self.arms) != 2:
            raise ValueError(f"arms: an interleave has two, not {len(self.arms)}")
        for number, arm in enumerate(self.arms):
            if arm.weight is not None:
                raise ValueError(f"arms.{number}.weight: interleaved arms share each slate evenly")
            if other := sorted(set(arm.rules) - set(INTERLEAVABLE)):
                raise ValueError(
                    f"arms.{number}.rules.{other[0]}: cannot differ between interleaved arms, "
                    f"which share one slate; these can: {', '.join(INTERLEAVABLE)}"
                )
        if self.promote is not None:
            raise ValueError("promote: what shoppers prefer may earn no more; an A/B promotes")
        if self.arms[0].ranks_as(self.arms[1]):
            raise ValueError("arms: the two are alike, in model_version and in rules")

    def _check_shadow(self) -> None:
        if len(self.arms) > 1 or self.arms[0].model_version is None or self.arms[0].rules:
            raise ValueError("arms: a shadow has one, with a model_version and without rules")
        if self.namespace or self.targeting.shoppers or self.bucket_version:
            raise ValueError(
                "a shadow draws requests, not shoppers: it has no namespace, bucket_version or "
                "targeting.shoppers"
            )


def model_versions(experiments: Sequence[Experiment]) -> list[str]:
    """The versions of the ranker that arms of running experiments name, oldest first."""
    arms = [arm for experiment in experiments if experiment.running for arm in experiment.arms]
    named = {arm.model_version for arm in arms if arm.model_version}
    return sorted(named - {CANDIDATE}, key=int)
