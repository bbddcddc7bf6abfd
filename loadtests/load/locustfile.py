"""The load test as Locust runs it: `make load`, its web UI, or a master with workers.

    locust -f loadtests/load/locustfile.py --host http://127.0.0.1:8000 --shop shop.json

One Locust user a process sends that process's share of the schedule; each request has a greenlet of
its own, so none waits for another. docs/load.md is the reference.
"""

# Locust's hooks have no annotations.
# mypy: disallow-untyped-decorators=False, disallow-untyped-calls=False

import time
from pathlib import Path
from typing import Any

import gevent  # type: ignore[import-untyped]
import orjson
from gevent.pool import Group  # type: ignore[import-untyped]
from locust import FastHttpUser, LoadTestShape, events, task
from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner

from loadtests.load import report
from loadtests.load.gates import Limits
from loadtests.load.ledger import OK, Entry, Ledger
from loadtests.load.run import Run
from loadtests.load.schedule import SHAPES, pace
from loadtests.load.shop import Draws, Shop
from loadtests.load.visits import Crowd, judge, seeded

TIMEOUT_S = 10.0
GRACE_S = TIMEOUT_S + 5  # after the last request is due; workers report every three seconds

LEDGER = Ledger()
_RUN: Run | None = None


@events.init_command_line_parser.add_listener
def add_options(parser: Any) -> None:
    """What a run asks; all of it can be changed in the web UI, too."""
    parser.add_argument(
        "--shop", default="build/reports/shop.json", help="as loadtests.load.shop writes"
    )
    parser.add_argument("--key", default="dev", is_secret=True, env_var="VITRINE_KEY")
    parser.add_argument("--shape", default="steady", choices=SHAPES)
    parser.add_argument("--rate", type=float, default=20.0, help="requests per second")
    parser.add_argument("--seconds", type=float, default=60.0, help="length of the judged part")
    parser.add_argument("--step-seconds", type=float, default=0.0, help="of capacity; 0: no search")
    parser.add_argument("--step-factor", type=float, default=1.25)
    parser.add_argument("--p99-ms", type=float, default=500.0)
    parser.add_argument("--fallback-share", type=float, default=0.01)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", default="build/reports")
    parser.add_argument("--conditions", default="", help="a line for the report: where it ran")
    # Set by the master when it starts: among how many workers the schedule is shared.
    parser.add_argument("--streams", type=int, default=1, include_in_web_ui=False)


def run_of(options: Any) -> Run:
    """The run that the options ask for."""
    return Run.planned(
        shape=options.shape,
        rate=options.rate,
        seconds=options.seconds,
        step_seconds=options.step_seconds,
        step_factor=options.step_factor,
        seed=options.seed,
        limits=Limits(p99_ms=options.p99_ms, fallback_share=options.fallback_share),
    )


@events.test_start.add_listener
def start(environment: Environment, **_: Any) -> None:
    """A new run: nothing of the one before may count."""
    global _RUN
    LEDGER.take()
    options: Any = environment.parsed_options
    if isinstance(environment.runner, MasterRunner):
        options.streams = environment.runner.worker_count
    _RUN = run_of(options)


@events.report_to_master.add_listener
def send_entries(client_id: str, data: dict[str, Any]) -> None:
    """A worker hands over what happened since its last report."""
    data["entries"] = LEDGER.take()


@events.worker_report.add_listener
def receive_entries(client_id: str, data: dict[str, Any]) -> None:
    """The master writes it down."""
    LEDGER.add(data.get("entries", []))


@events.test_stop.add_listener
def finish(environment: Environment, **_: Any) -> None:
    """Judge, report, and set the exit status."""
    global _RUN
    if _RUN is None or isinstance(environment.runner, WorkerRunner):
        return
    options: Any = environment.parsed_options
    outcome = _RUN.outcome(LEDGER.table())
    report.publish(outcome, Path(options.out), environment.host or "", options.conditions)
    environment.process_exit_code = 1 if outcome.broken else 0
    _RUN = None  # the next one, from the web UI, would be over before it begins


class UntilDone(LoadTestShape):
    """One user a worker until the schedule is over or capacity has been found."""

    def tick(self) -> tuple[int, float] | None:
        """Users and spawn rate, None at the end."""
        streams = getattr(self.runner, "worker_count", 1)
        if _RUN is not None and _RUN.over(self.get_run_time(), LEDGER, GRACE_S):
            return None
        return streams, float(streams)


class Shoppers(FastHttpUser):
    """All shoppers of this process."""

    concurrency = 4096  # connections; a limit here would close the loop
    connection_timeout = TIMEOUT_S
    network_timeout = TIMEOUT_S

    def on_start(self) -> None:
        """Draw nothing late: the shop is read before the clock starts."""
        options = self.environment.parsed_options
        runner = self.environment.runner
        self._index = runner.worker_index % options.streams if options.streams > 1 else 0
        draws = Draws(
            Shop.read(Path(options.shop)),
            seeded(options.seed, self._index),
            cold=options.shape == "cold_cache",
        )
        self._crowd = Crowd(draws)
        self._headers = {
            "authorization": f"Bearer {options.key}",
            "content-type": "application/json",
        }
        self._under_way = Group()

    @task
    def follow_schedule(self) -> None:
        """Send this worker's share of the schedule, then wait to be stopped."""
        streams = self.environment.parsed_options.streams
        due = run_of(self.environment.parsed_options).arrivals[self._index :: streams]
        self._started_s = time.perf_counter()
        pace(
            due.tolist(),
            self._now_s,
            gevent.sleep,
            lambda due_s: self._under_way.spawn(self._send, due_s),
        )
        self._under_way.join()
        gevent.sleep(2 * GRACE_S)

    def _now_s(self) -> float:
        return time.perf_counter() - self._started_s

    def _send(self, due_s: float) -> None:
        sent_s = self._now_s()
        visit, call = self._crowd.next()
        with self.client.request(
            "GET" if call.body is None else "POST",
            call.path,
            data=None if call.body is None else orjson.dumps(call.body).decode(),
            headers=self._headers,
            name=call.endpoint,
            catch_response=True,
        ) as response:
            answered_s = self._now_s()
            outcome, route, slate = judge(call, response.status_code, response.content)
            # Locust's own tables count from the due second, too.
            response.request_meta["response_time"] = 1000 * (answered_s - due_s)
            if outcome == OK:
                response.success()
            else:
                response.failure(outcome)
        LEDGER.add([Entry(due_s, sent_s, answered_s, call.endpoint, outcome, route)])
        if outcome == OK:
            self._crowd.answered(visit, slate)
        else:
            visit.close()  # a shopper who gets an error leaves
