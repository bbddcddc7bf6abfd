"""One replica's part in steering: it follows what was decided, tells what its arms did, judges."""

import logging
import random
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from features.controls.store import Controls
from serving.shops.experiments import Experiment
from serving.shops.rules import Rules
from serving.shops.steering import gate, policies
from serving.shops.steering.counts import Ranked, by_arm
from serving.shops.steering.decision import (
    DECISIONS,
    Action,
    By,
    Decision,
    DecisionError,
    Standing,
    fit,
)
from serving.shops.steering.tally import Tally
from serving.telemetry.metrics import EXPERIMENT_DECISIONS

_LOG = logging.getLogger("vitrine.experiments")
_FOLLOWED_S, _TOLD_S, _JUDGED_S = 0.5, 2.0, 5.0
_HOUR_MIN = 60


class Steering:
    """Of one shop's experiments. `standing` is replaced whole, and only when something changed."""

    def __init__(
        self, rules: Rules, controls: Controls, clock: Callable[[], float] = time.time
    ) -> None:
        self.standing = Standing()
        self.tally = Tally(lambda key: self.standing.epoch_ms(key), clock)
        self._rules = rules
        self._controls = controls
        self._clock = clock
        self._by_key = {experiment.key: experiment for experiment in rules.experiments}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="experiments", daemon=True)

    def start(self) -> None:
        """Read what stands, then follow it; raises when it cannot be read.

        A shop that declares no experiments has nothing to follow.
        """
        if self._by_key:
            self.follow()
            self._thread.start()

    def stop(self) -> None:
        """Tell what is left, and end."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    def follow(self) -> None:
        """Take over what was decided since the last time."""
        documents = self._controls.all(DECISIONS)
        decisions = {key: Decision.of(one) for key, one in documents.items() if key in self._by_key}
        gates = {key: one for key, one in self._by_key.items() if one.gate is not None}
        shown = self._controls.all(gate.GATES) if gates else {}
        passed = frozenset(key for key, one in gates.items() if gate.passed(one, shown.get(key)))
        standing = Standing(decisions, passed)
        if standing != self.standing:
            self.standing = standing

    def decide(self, key: str, action: Action, arm: str | None, why: str) -> Decision:
        """An administrator's decision, durable when it returns; the last one stands.

        Raises DecisionError, StoreFullError, and what a store raises that is away.
        """
        experiment = self._by_key[key]
        self.follow()
        fit(self._rules, self.standing, experiment, action, arm)
        decision = self._decision(experiment, action, arm, why, "admin")
        self._controls.put(DECISIONS, key, decision.document)
        self._decided(key, decision)
        return decision

    def tell(self) -> None:
        """Tell the others what was ranked here."""
        for key, counts in self.tally.tell(self._controls).items():
            experiment = self._by_key[key]
            if experiment.gate is not None:
                shown = gate.show(self._controls, experiment, experiment.gate, counts, self._at())
                if shown is not None and shown["passed_at"] is not None:
                    _LOG.warning("%s: its gate is passed", key)

    def judge(self) -> None:
        """Decide what the declared policies ask for. All replicas do: one is first."""
        documents = self._controls.all(DECISIONS)
        for experiment in self._by_key.values():
            wanted = policies.wanted(experiment, self.standing, self._controls, self._clock())
            if wanted is None:
                continue
            action, arm, why = wanted
            try:
                fit(self._rules, self.standing, experiment, action, arm)
            except DecisionError as error:
                _LOG.warning("%s: cannot %s: %s", experiment.key, action, error)
                continue
            decision = self._decision(experiment, action, arm, why, "policy")
            before = documents.get(experiment.key)
            # Judged by what stands in `documents`, unless somebody decided meanwhile.
            if self.standing.epoch_ms(experiment.key) != (before or {}).get("epoch_ms", 0):
                continue
            if self._controls.swap(DECISIONS, experiment.key, before, decision.document):
                self._decided(experiment.key, decision)

    def live(self, key: str) -> dict[str, Any]:
        """What all replicas counted of an experiment in the last minutes; blocks."""
        minute = int(self._clock() // 60)
        minutes = self._controls.read(key, minute - _HOUR_MIN + 1)
        return policies.live(self._by_key[key], minutes, minute)

    def shown(self, key: str) -> dict[str, Any] | None:
        """What a shadow has shown for its gate; None: nothing, or it has none. Blocks."""
        document = self._controls.all(gate.GATES).get(key)
        if document is None or self._by_key[key].gate is None:
            return None
        return gate.told(document)

    def _decision(
        self, experiment: Experiment, action: Action, arm: str | None, why: str, by: By
    ) -> Decision:
        before: Mapping[str, float] = {}
        if action is Action.PROMOTE:
            before = self._before(experiment)
        return Decision(action, arm, why, by, self._at(), int(self._clock() * 1_000), before)

    def _before(self, experiment: Experiment) -> Mapping[str, float]:
        """What control did in the last hour; with another arm promoted, what it did before that."""
        standing = self.standing.decisions.get(experiment.key)
        minute = int(self._clock() // 60)
        since = minute - _HOUR_MIN + 1
        epoch_ms = self.standing.epoch_ms(experiment.key)
        arms = by_arm(self._controls.read(experiment.key, since), since, epoch_ms)
        control = arms.get(experiment.arms[0].key, Ranked())
        if standing is not None and control.rankings == 0:
            return standing.before
        return control.counts

    def _decided(self, key: str, decision: Decision) -> None:
        EXPERIMENT_DECISIONS.labels(decision.action.value, decision.by).inc()
        _LOG.warning(
            "%s: %s by %s: %s", key, decision.action.value, decision.by, decision.why or "no reason"
        )
        self.follow()

    def _at(self) -> str:
        return datetime.fromtimestamp(self._clock(), UTC).isoformat(timespec="seconds")

    def _run(self) -> None:
        """Replicas begin at different times, so that they do not all judge at once."""
        now_s = time.monotonic()
        told_s, judged_s = now_s, now_s + random.uniform(0, _JUDGED_S)
        while not self._stop.wait(_FOLLOWED_S):
            now_s = time.monotonic()
            try:
                self.follow()
                if now_s - told_s >= _TOLD_S:
                    told_s = now_s
                    self.tell()
                if now_s - judged_s >= _JUDGED_S:
                    judged_s = now_s
                    self.judge()
            except Exception:
                # What was decided last goes on while the store is down.
                _LOG.exception("experiments are not followed; trying again")
        self.tally.tell(self._controls)
