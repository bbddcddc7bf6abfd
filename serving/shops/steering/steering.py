"""One replica's part in steering: it follows what was decided, tells what its arms did, judges."""

import logging
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from features.controls.shops import DEFAULT_SHOP
from features.controls.store import Controls
from serving.background import Background
from serving.errors import RankingError
from serving.shops.experiments import CANDIDATE, Experiment, Kind
from serving.shops.rules import Rules
from serving.shops.steering import gate, policies
from serving.shops.steering.counts import LIVE, Ranked, by_arm
from serving.shops.steering.decision import (
    DECISIONS,
    Action,
    By,
    Decision,
    DecisionError,
    Standing,
    fit,
)
from serving.shops.steering.declared import Declarations
from serving.shops.steering.tally import Tally
from serving.telemetry.metrics import EXPERIMENT_DECISIONS

_LOG = logging.getLogger("vitrine.experiments")
_FOLLOWED_S, _TOLD_S, _JUDGED_S = 0.5, 2.0, 5.0
_HOUR_MIN = 60


class Steering:
    """Of one shop's experiments. What stands is replaced whole, and only when it has changed."""

    def __init__(
        self,
        rules: Rules,
        controls: Controls,
        clock: Callable[[], float] = time.time,
        offered: Callable[[], Sequence[str]] = tuple,
        shop: str = DEFAULT_SHOP,
    ) -> None:
        """offered: asks the model server which versions it has beside the one in use, oldest first;
        raises when it does not answer.
        """
        self._declared = Declarations(rules, controls, offered)
        self.in_force = self._declared.current
        self.standing = Standing()
        self.tally = Tally(lambda key: self.standing.epoch_ms(key), clock)
        self._controls, self._shop = controls, shop
        for action in Action:
            for by in ("admin", "policy"):
                EXPERIMENT_DECISIONS.labels(shop, action.value, by)  # an increase needs one before
        self._clock = clock
        self._offered = offered
        self._by_key = {each.key: each for each in rules.experiments}
        self._taking = threading.Lock()  # around what is read and then stands
        self._told_s = time.monotonic()
        # Replicas begin at different times, so that they do not all judge at once.
        self._judged_s = self._told_s + random.uniform(0, _JUDGED_S)
        self._thread = Background(
            "experiments", self.turn, _FOLLOWED_S, _LOG, "experiments are not followed",
            first_s=_FOLLOWED_S,
        )  # fmt: skip

    @property
    def rules(self) -> Rules:
        """The shop's, with the experiments that were declared by API; replaced as `standing` is."""
        return self.in_force.rules

    def start(self) -> None:
        """Read what stands, then follow it; raises when it cannot be read."""
        self.follow()
        self._thread.start()

    def stop(self) -> None:
        """Tell what is left, and end."""
        running = self._thread.running
        self._thread.stop()
        if running:
            self.tally.tell(self._controls)

    def follow(self) -> None:
        """Take over what was declared and decided since the last time."""
        with self._taking:
            self._take(self.standing.candidate)

    def _take(self, candidate: str | None) -> None:
        # Read first: a decision ends after the experiment that it is of.
        documents = self._controls.all(DECISIONS)
        in_force = self._declared.follow()
        if in_force is not self.in_force:
            self.in_force = in_force
            self._by_key = {each.key: each for each in in_force.rules.experiments}
        decisions = {key: Decision.of(one) for key, one in documents.items() if key in self._by_key}
        gates = {key: one for key, one in self._by_key.items() if one.gate is not None}
        shown = self._controls.all(gate.GATES) if gates else {}
        since = {key: entry.epoch_ms for key, entry in in_force.entries.items()}
        standing = Standing(decisions, candidate=candidate, since_ms=since)
        passed = {
            key for key, one in gates.items()
            if gate.passed(standing.version_of(one), shown.get(key))
        }  # fmt: skip
        standing = replace(standing, passed=frozenset(passed))
        if standing != self.standing:
            self.standing = standing

    def look(self) -> None:
        """Ask which candidates there are; while the model server does not answer, as before."""
        if not any(one.arms[0].model_version == CANDIDATE for one in self._by_key.values()):
            return
        try:
            offered = self._offered()
        except RankingError as error:
            _LOG.debug("candidates were not asked for: %s", error.code)
            return
        newest = offered[-1] if offered else None
        if newest != self.standing.candidate:
            _LOG.info("the newest candidate is %s", newest)
            with self._taking:
                self._take(newest)

    def declare(self, experiment: Experiment) -> None:
        """Put an administrator's experiment beside the rules: see Declarations.put."""
        self._declared.put(experiment, "admin", self._at(), self._now_ms())
        _LOG.warning("%s: declared by admin, %s", experiment.key, experiment.status.value)
        self.follow()

    def end(self, key: str) -> None:
        """Take one away that was declared so: see Declarations.delete."""
        self._declared.delete(key)
        _LOG.warning("%s: deleted by admin", key)
        self.follow()

    def decide(self, key: str, action: Action, arm: str | None, why: str) -> Decision:
        """An administrator's decision, durable when it returns; the last one stands.

        Raises KeyError for what is not declared, DecisionError, StoreFullError, and what a store
        raises that is away.
        """
        self.follow()
        experiment = self._by_key[key]
        fit(self.rules, self.standing, experiment, action, arm)
        decision = self._decision(experiment, action, arm, why, "admin")
        self._controls.put(DECISIONS, key, decision.document)
        self._decided(key, decision)
        return decision

    def tell(self) -> None:
        """Tell the others what was ranked here."""
        for key, counts in self.tally.tell(self._controls).items():
            experiment = self._by_key.get(key)
            if experiment is None or experiment.gate is None:
                continue
            version = self.standing.version_of(experiment)
            if version is not None:
                shown = gate.show(self._controls, key, version, experiment.gate, counts, self._at())
                if shown is not None and shown["passed_at"] is not None:
                    _LOG.warning("%s: its gate is passed", key)

    def judge(self) -> None:
        """Decide what the declared policies ask for. All replicas do: one is first."""
        documents = self._controls.all(DECISIONS)
        for experiment in self.rules.experiments:
            wanted = policies.wanted(experiment, self.rules.experiments, self.standing,
                                     self._controls, self._clock())  # fmt: skip
            if wanted is None:
                continue
            action, arm, why = wanted
            try:
                fit(self.rules, self.standing, experiment, action, arm)
            except DecisionError as error:
                _LOG.warning("%s: cannot %s: %s", experiment.key, action, error)
                continue
            decision = self._decision(experiment, action, arm, why, "policy")
            before = documents.get(experiment.key)
            # Judged by what stands in `documents`, unless somebody decided meanwhile.
            if self.standing.decided_ms(experiment.key) != (before or {}).get("epoch_ms", 0):
                continue
            if self._controls.swap(DECISIONS, experiment.key, before, decision.document):
                self._decided(experiment.key, decision)

    def live(self, experiment: Experiment) -> dict[str, Any]:
        """What all replicas counted of an experiment in the last minutes; blocks."""
        minute = int(self._clock() // 60)
        minutes = self._controls.read(experiment.key, minute - _HOUR_MIN + 1)
        return policies.live(experiment, minutes, minute)

    def shown(self, experiment: Experiment) -> dict[str, Any] | None:
        """What a shadow has shown for its gate; None: nothing, or it has none. Blocks."""
        document = self._controls.all(gate.GATES).get(experiment.key)
        if document is None or experiment.gate is None:
            return None
        return gate.told(document)

    def _decision(
        self, experiment: Experiment, action: Action, arm: str | None, why: str, by: By
    ) -> Decision:
        before: Mapping[str, float] = {}
        version = None
        if action is Action.PROMOTE:
            before = self._before(experiment)
            if experiment.kind is Kind.SHADOW:
                version = self.standing.version_of(experiment)
        return Decision(action, arm, why, by, self._at(), self._now_ms(), before, version)

    def _before(self, experiment: Experiment) -> Mapping[str, float]:
        """What control did in the last hour; with another arm promoted, what it did before that."""
        standing = self.standing.decisions.get(experiment.key)
        minute = int(self._clock() // 60)
        since = minute - _HOUR_MIN + 1
        epoch_ms = self.standing.epoch_ms(experiment.key)
        arms = by_arm(self._controls.read(experiment.key, since), since, epoch_ms)
        shadow = experiment.kind is Kind.SHADOW
        control = arms.get(LIVE if shadow else experiment.arms[0].key, Ranked())
        if standing is not None and control.rankings == 0:
            return standing.before
        return control.counts

    def _decided(self, key: str, decision: Decision) -> None:
        EXPERIMENT_DECISIONS.labels(self._shop, decision.action.value, decision.by).inc()
        # What somebody wrote as the reason is not ours to tell a log.
        why = f": {decision.why}" if decision.by == "policy" else ""
        _LOG.warning("%s: %s by %s%s", key, decision.action.value, decision.by, why)
        self.follow()

    def _now_ms(self) -> int:
        return int(self._clock() * 1_000)

    def _at(self) -> str:
        return datetime.fromtimestamp(self._clock(), UTC).isoformat(timespec="seconds")

    def turn(self) -> None:
        """Do what is due of following, telling and judging."""
        now_s = time.monotonic()
        self.follow()
        if now_s - self._told_s >= _TOLD_S:
            self._told_s = now_s
            self.tell()
        if now_s - self._judged_s >= _JUDGED_S:
            self._judged_s = now_s
            self.look()
            self.judge()
