"""A shop moves here: its history is sent to the running stack, and nothing of it is lost."""

import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.catalog.counters import DAY_S
from features.datasets.format import Dataset
from features.datasets.registry import load
from loadtests.event_import import differences
from loadtests.stack import RunningStack
from tests.support.live_shop import wait_until

N = 12_000  # events: more than two requests
AGES_S = (500 * DAY_S, 120 * DAY_S)  # of the older and of the younger half
WRONG = 6_999  # the row of an event that no shop can have


class History:
    """Purchases of shoppers that the stack has not seen, as a folder, and what is sent of it."""

    def __init__(self, stack: RunningStack, folder: Path) -> None:
        demo = load("grocery", stack.folder.parent / "datasets", 1_000)
        events = demo.events.iloc[:N].copy()
        for name in ("event_id", "user_id", "session_id"):
            events[name] = "moved-" + events[name]
        halves = np.repeat(AGES_S, N // 2)
        starts_s = events["at"].to_numpy()[np.repeat((0, N // 2), N // 2)]
        events["at"] = np.floor(time.time()) - halves + events["at"] - starts_s
        good = events.drop(index=WRONG).reset_index(drop=True)
        self.dataset: Dataset = replace(demo, events=good)
        events.loc[WRONG, "position"] = 20_000
        self.folder, self.stack, self.state = folder / "shop", stack, folder
        self.folder.mkdir()
        events.to_json(self.folder / "events.jsonl", orient="records", lines=True)
        demo.items.to_parquet(self.folder / "items.parquet")

    def command(self) -> list[str]:
        command = [sys.executable, "-m", "features.datasets.importing", str(self.folder)]
        return [*command, "--url", self.stack.url, "--state", str(self.state)]

    def sent(self) -> int:
        return sum(
            json.loads(path.read_bytes())["sent"] for path in self.state.glob("imports/*.json")
        )

    def send(self) -> tuple[int, str, dict[str, int]]:
        """The exit status, what was printed, and the table at its end."""
        done = subprocess.run(self.command(), capture_output=True, text=True, check=False)
        cells = [line.strip("│ ").split("│") for line in done.stdout.splitlines() if "│" in line]
        table = {row[0].strip(): int(row[1].strip().replace(",", "")) for row in cells}
        return done.returncode, done.stdout, table


@pytest.fixture(scope="module")
def history(stack: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> History:
    return History(stack, tmp_path_factory.mktemp("history"))


@pytest.fixture(scope="module")
def told(history: History) -> tuple[int, str, dict[str, int]]:
    """What the second start of an import says whose first was killed on the way."""
    first = subprocess.Popen(history.command(), stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: history.sent() > 0)
    finally:
        first.kill()
        first.wait()
    assert 0 < history.sent() < N
    return history.send()


def test_an_import_that_was_killed_goes_on_and_counts_each_event_once(
    told: tuple[int, str, dict[str, int]],
) -> None:
    status, printed, table = told
    assert "going on behind" in printed
    # What had come before the kill and was not written down is sent again, and there already.
    once = table["accepted"] + table.get("duplicates", 0)
    assert (table["sent"], once, table["rejected: invalid_event"]) == (N, N - 1, 1)
    assert status == 1  # something was rejected


def test_a_rejected_event_is_told_with_its_file_and_line(
    history: History, told: tuple[int, str, dict[str, int]]
) -> None:
    path = history.folder / "events.jsonl"
    assert f"{path}: line {WRONG + 1}: invalid_event: position: " in told[1]


def test_the_states_are_those_of_a_replay_to_the_bit(
    history: History, told: tuple[int, str, dict[str, int]]
) -> None:
    found = differences(history.stack.folder, history.dataset)
    assert found["users"] > 100
    assert found["different users"] == 0


def test_who_bought_long_ago_is_known(
    history: History, told: tuple[int, str, dict[str, int]]
) -> None:
    users = history.dataset.events["user_id"]
    for user_id in {users.iloc[0], users.iloc[-1]}:
        answer = history.stack.client.get(f"/v1/users/{user_id}/features")
        assert answer.json()["counts"]["purchase"] == (users == user_id).sum()


def test_sending_it_all_again_changes_nothing(
    history: History, told: tuple[int, str, dict[str, int]]
) -> None:
    _, _, table = history.send()
    assert table["duplicates"] == N - 1
    assert "accepted" not in table or table["accepted"] == 0
    assert differences(history.stack.folder, history.dataset)["different users"] == 0


def test_a_key_that_may_not_ends_it_with_one_line(history: History) -> None:
    command: list[Any] = [*history.command(), "--key", "nobody"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "cannot import: " in done.stdout
    assert "401" in done.stdout
