"""A scenario: something done to an installed shop, with what was seen and which bars it has."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from loadtests.e2e.nodes import Timeline
from loadtests.e2e.shop import Shop
from loadtests.e2e.traffic import Phase, Span, Traffic

SETTLE_S = 10.0


@dataclass
class Result:
    """Of one scenario. Its spans become phases when the callers have told what they saw."""

    name: str
    facts: dict[str, Any] = field(default_factory=dict)
    spans: list[Span] = field(default_factory=list)
    phases: list[Phase] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)  # bars
    timeline: Timeline | None = None  # of nodes and replicas

    def expect(self, true: bool, said: str) -> None:
        """A bar."""
        if not true:
            self.missed.append(said)

    def count(self, traffic: Traffic, by_s: float) -> None:
        """Count what was told by the time `by_s`; in no span may anything fail."""
        while self.spans and self.spans[0].told_s <= by_s:
            span = self.spans.pop(0)
            phase = traffic.phase(span)
            self.phases.append(phase)
            held = not phase.failed if span.overload else phase.clean
            self.expect(held, f"{phase.name}: {dict(phase.failed + phase.rejected)}, "
                                     f"{phase.hanging} hanging")  # fmt: skip
            self.expect(
                phase.routes["model"] >= span.by_the_model * phase.sent,
                f"{phase.name}: the model ranked {phase.routes['model']} of {phase.sent}",
            )


Scenario = Callable[[Shop, Traffic, Result], None]


def watched(
    result: Result,
    name: str,
    change: Callable[[], object],
    by_the_model: float = 0.0,
    overload: bool = False,
) -> Span:
    """Make a change that is over when it returns, under load.

    by_the_model: the share of the rankings that it must have made all the same
    overload: more is asked for meanwhile than there is room for; then only failures count
    """
    began_s = time.time()
    change()
    span = Span(name, began_s, time.time() + SETTLE_S, by_the_model, overload)
    result.spans.append(span)
    time.sleep(SETTLE_S)
    return span
