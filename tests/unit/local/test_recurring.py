"""A process that is run again and again stays behind the others, and never runs twice at a time."""

import os
import sys
from pathlib import Path

import pytest
import yaml

from features.events.sqlite_log import SqliteEventLog
from features.store.backends import open_controls
from features.store.settings import embedded_store
from serving.experiments.published import kept_readings
from serving.local.processes import Child, Recurring
from serving.local.readings import readings_job
from serving.local.state_folder import settings_for
from serving.shops.experiments import Experiment
from serving.shops.rules import Rules
from serving.shops.steering.steering import Steering
from tests.support.live_shop import wait_until

_NOTE = "import os, sys, time; print(os.nice(0)); time.sleep(float(sys.argv[1]))"


def recurring(folder: Path, every_s: float, lasts_s: float, niceness: int = 0) -> Recurring:
    command = [sys.executable, "-u", "-c", _NOTE, str(lasts_s)]
    return Recurring(Child("job", command, folder / "job.log", dict(os.environ), niceness), every_s)


def runs(job: Recurring) -> list[str]:
    return job.child.log.read_text().split() if job.child.log.exists() else []


def test_it_runs_at_once_and_then_not_before_it_is_due(tmp_path: Path) -> None:
    job = recurring(tmp_path, every_s=3_600, lasts_s=0)
    job.start_when_due()
    wait_until(lambda: not job.child.alive)
    job.start_when_due()
    assert not job.child.alive
    assert len(runs(job)) == 1


def test_it_runs_again_when_it_is_due(tmp_path: Path) -> None:
    job = recurring(tmp_path, every_s=0, lasts_s=0)
    for _ in range(2):
        job.start_when_due()
        wait_until(lambda: not job.child.alive)
    assert len(runs(job)) == 2


def test_a_run_that_takes_longer_is_let_finish(tmp_path: Path) -> None:
    job = recurring(tmp_path, every_s=0, lasts_s=60)
    try:
        job.start_when_due()
        wait_until(lambda: runs(job))
        process = job.child.process
        job.start_when_due()
        assert job.child.process is process
    finally:
        job.child.stop()
    assert not job.child.alive


def test_it_steps_back_behind_the_others(tmp_path: Path) -> None:
    job = recurring(tmp_path, every_s=0, lasts_s=0, niceness=5)
    job.start_when_due()
    wait_until(lambda: not job.child.alive)
    assert runs(job) == [str(min(os.nice(0) + 5, 19))]


WIDER = {"key": "wider", "status": "running", "arms": [{"key": "old"}, {"key": "new"}]}
RUNNING = yaml.safe_dump({"experiments": [WIDER]})


def job_of(folder: Path, rules: str) -> Recurring:
    """As the stack has it over a state folder with these rules."""
    (folder / "rules.yaml").write_text(rules)
    settings = settings_for(folder, folder / "tokenizer.json", 1, None)
    return readings_job(settings, folder, folder, dict(os.environ))


def test_experiments_that_run_are_read_beside_the_stack(tmp_path: Path) -> None:
    SqliteEventLog(tmp_path / "events.db").close()
    job = job_of(tmp_path, RUNNING)
    assert (job.child.niceness, job.every_s) == (19, 300)
    job.start_when_due()
    wait_until(lambda: not job.child.alive)
    controls = open_controls(embedded_store(tmp_path))
    kept = kept_readings(controls)
    controls.close()
    assert list(kept) == ["wider"], job.child.last_words(20)
    assert "Cannot be read: wider: " in kept["wider"]["verdict"]["sentence"]


@pytest.mark.parametrize("rules", ["", RUNNING.replace("running", "draft")])
def test_without_an_experiment_that_runs_nothing_is_started(tmp_path: Path, rules: str) -> None:
    job = job_of(tmp_path, rules)
    job.start_when_due()
    assert not job.child.log.exists()


def test_an_experiment_that_was_declared_by_api_is_read_too(tmp_path: Path) -> None:
    job = job_of(tmp_path, "")
    assert not job.wanted()
    controls = open_controls(embedded_store(tmp_path))
    Steering(Rules(), controls).declare(Experiment.model_validate(WIDER))
    controls.close()
    assert job.wanted()
