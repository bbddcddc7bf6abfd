"""A scenario: something done to an installed shop, with what was seen and which bars it has."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from loadtests.e2e.shop import Shop, now
from loadtests.e2e.traffic import Phase, Traffic

SETTLE_S = 20.0


@dataclass
class Result:
    """Of one scenario."""

    name: str
    facts: dict[str, Any] = field(default_factory=dict)
    phases: list[Phase] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)  # bars

    def expect(self, true: bool, said: str) -> None:
        """A bar."""
        if not true:
            self.missed.append(said)


Scenario = Callable[[Shop, Traffic, Result], None]


def watched(
    shop: Shop, traffic: Traffic, result: Result, name: str, change: Callable[[], object]
) -> Phase:
    """Make a change that is over when it returns, under load; nothing may fail."""
    began_s = now()
    change()
    time.sleep(SETTLE_S)
    phase = traffic.phase(name, began_s)
    result.phases.append(phase)
    result.expect(phase.clean, f"{name}: {dict(phase.failed + phase.rejected)}, "
                               f"{phase.hanging} hanging")  # fmt: skip
    return phase
