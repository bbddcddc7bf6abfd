"""The recurring process that reads the experiments and placements of the local stack."""

import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

from features.full import AWAY
from features.store.backends import open_controls
from features.store.settings import StoreSettings
from serving.local.processes import Child, Recurring, written
from serving.settings import Settings
from serving.shops.rules import Rules, read_rules
from serving.shops.steering.in_force import in_force

_EVERY_S = 300.0
_PLACEMENTS_EVERY_S = 1800.0


def readings_job(
    settings: Settings, folder: Path, run: Path, environment: Mapping[str, str]
) -> Recurring:
    """What reads them, while rules or API declare any that can be read."""
    store = written(run / "readings.json", settings.store.model_dump(mode="json"))
    command = [sys.executable, "-m", "serving.experiments.report", "publish"]
    command += ["--store", str(store), "--rules", str(settings.rules_path)]
    if settings.objective_path:
        command += ["--objective", str(settings.objective_path)]
    log = folder / "logs" / "readings.log"
    child = Child("readings", command, log, environment, niceness=19)
    rules = read_rules(settings.rules_path)
    return Recurring(child, _EVERY_S, _wanted(settings.store, rules))


def _wanted(store: StoreSettings, rules: Rules) -> Callable[[], bool]:
    """Experiments are read each time; placements alone seldom, for the log is walked for them."""
    next_s = time.monotonic() + _PLACEMENTS_EVERY_S

    def wanted() -> bool:
        nonlocal next_s
        if _any_draw(store, rules):
            return True
        if not rules.placements or time.monotonic() < next_s:
            return False
        next_s = time.monotonic() + _PLACEMENTS_EVERY_S
        return True

    return wanted


def _any_draw(store: StoreSettings, rules: Rules) -> bool:
    try:
        with closing(open_controls(store)) as controls:
            experiments = in_force(rules, controls).rules.experiments
    except AWAY:
        return False
    return any(each.draws for each in experiments)
