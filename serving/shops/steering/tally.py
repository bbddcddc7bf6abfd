"""What one replica's arms and shadows did since it was last told to the others."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping

from features.controls.store import Tallies
from serving.shops.steering.counts import Ranked, field
from serving.types import Reason, Route

_LOG = logging.getLogger("vitrine.experiments")
_OK = "ok"
COMPARED, FAILED, OVERLAP = "compared", "failed", "overlap"
_NOT_TRIED = frozenset({"busy", "not_by_model"})  # says nothing of the candidate


class Tally:
    """Counted in the request, told by a thread. epoch_ms: of an experiment's last decision."""

    def __init__(
        self, epoch_ms: Callable[[str], int] = lambda _: 0, clock: Callable[[], float] = time.time
    ) -> None:
        self._epoch_ms = epoch_ms
        self._clock = clock
        self._lock = threading.Lock()  # held for an addition only
        self._arms: dict[tuple[str, int, str], Ranked] = {}
        self._shadows: dict[str, dict[str, float]] = {}

    def ranked(
        self,
        arms: Iterable[tuple[str, str]],
        route: Route,
        reason: Reason | None,
        model_s: float | None,
    ) -> None:
        """Count a ranking for each of its (experiment, arm). model_s: of the model's answer."""
        with self._lock:
            for experiment, arm in arms:
                key = (experiment, self._epoch_ms(experiment), arm)
                counted = self._arms.get(key)
                if counted is None:
                    counted = self._arms[key] = Ranked()
                counted.rankings += 1
                if route is Route.COLD_START:
                    continue
                counted.asked += 1
                if route is Route.FALLBACK:
                    counted.fallbacks += 1
                elif reason is Reason.VERSION_NOT_LOADED:
                    counted.not_loaded += 1  # the time is another version's
                elif model_s is not None:
                    counted.answered(model_s)

    def compared(self, experiment: str, outcome: str, overlap: float = 0.0) -> None:
        """Count a request that a shadow drew. overlap: of the orders, of one that is ok."""
        with self._lock:
            counted = self._shadows.setdefault(experiment, {})
            for name, value in ((f"outcome:{outcome}", 1.0), (OVERLAP, overlap)):
                counted[name] = counted.get(name, 0.0) + value

    def tell(self, tallies: Tallies) -> dict[str, dict[str, float]]:
        """Add what was counted to `tallies`, and forget it; returns what is new of shadows.

        What a store that is down does not take is told the next time.
        """
        with self._lock:
            arms, self._arms = self._arms, {}
            shadows, self._shadows = self._shadows, {}
        untold: dict[str, dict[str, float]] = {}
        for (experiment, epoch_ms, arm), ranked in arms.items():
            named = {field(epoch_ms, arm, name): value for name, value in ranked.counts.items()}
            untold.setdefault(experiment, {}).update(named)
        for experiment, counts in shadows.items():
            named = {field(0, "", name): value for name, value in counts.items()}
            untold.setdefault(experiment, {}).update(named)
        minute = int(self._clock() // 60)
        try:
            for experiment in list(untold):
                tallies.add(experiment, minute, untold[experiment])
                del untold[experiment]
        except Exception:
            _LOG.exception("counts of experiments were not told; trying again")
            self._again(untold, arms, shadows)
        return {key: counts for key, counts in shadows.items() if key not in untold}

    def _again(
        self,
        untold: Mapping[str, object],
        arms: Mapping[tuple[str, int, str], Ranked],
        shadows: Mapping[str, Mapping[str, float]],
    ) -> None:
        with self._lock:
            for key, ranked in arms.items():
                if key[0] in untold:
                    self._arms.setdefault(key, Ranked()).add(ranked.counts)
            for experiment in shadows.keys() & untold:
                counted = self._shadows.setdefault(experiment, {})
                for name, value in shadows[experiment].items():
                    counted[name] = counted.get(name, 0.0) + value


def tried(counts: Mapping[str, float]) -> dict[str, float]:
    """Of a shadow's counts what its gate asks: compared, failed, overlap (their sum)."""
    outcomes = {name[8:]: n for name, n in counts.items() if name.startswith("outcome:")}
    failed = sum(n for name, n in outcomes.items() if name != _OK and name not in _NOT_TRIED)
    compared = outcomes.get(_OK, 0.0)
    return {COMPARED: compared, FAILED: failed, OVERLAP: counts.get(OVERLAP, 0.0)}
