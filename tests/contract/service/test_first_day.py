"""The first day of a shop: a catalogue, in any script, and not one event."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from loadtests.stack import RunningStack, run_stack
from serving.local.machine import free_port

TEAS = ["西湖龙井绿茶", "普洱熟茶饼", "茉莉花茶", "乌龙茶礼盒", "无线蓝牙耳机", "智能手表"]


@pytest.fixture(scope="module")
def first_day(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    folder: Path = tmp_path_factory.mktemp("first") / "店"
    folder.mkdir()
    items: list[dict[str, Any]] = [
        {"item_id": f"茶-{number}", "title": title, "attributes": {"原产地": "中国"}}
        for number, title in enumerate(TEAS)
    ]
    items[-1]["available"] = False
    (folder / "items.jsonl").write_text(
        "".join(json.dumps(item, ensure_ascii=False) + "\n" for item in items)
    )
    state = tmp_path_factory.mktemp("first_state")
    yield from run_stack(state, free_port(), "--data", str(folder))


def test_the_greeting_s_own_lines_work_when_they_are_pasted(first_day: RunningStack) -> None:
    lines = [line for line in first_day.greeting.splitlines() if line.startswith("  curl")]
    assert len(lines) == 3
    answers = [
        json.loads(subprocess.run(["bash", "-c", line], capture_output=True, check=True).stdout)
        for line in lines
    ]
    ranked, taken, found = answers
    assert {each["item_id"] for each in ranked["items"]} == {f"茶-{n}" for n in range(5)}
    assert taken == {"accepted": 1, "duplicates": 0, "rejected": []}
    assert found["items"][0]["item_id"] == "茶-0"


def test_of_ray_and_serve_only_what_is_asked_runs(first_day: RunningStack) -> None:
    commands = [" ".join(process.cmdline()) for process in first_day.processes()]
    titles = [line.split(".")[0].strip() for line in commands if line.startswith("ray::")]
    assert sorted(titles) == [
        "ray::HAProxyManager",
        "ray::ServeController",
        "ray::ServeReplica:vitrine:Ingress",
    ]
    helpers = ("ray/dashboard/", "monitor.py", "runtime_env/agent")
    assert not [line for line in commands if any(helper in line for helper in helpers)]


def test_haproxy_listens_where_the_storefront_asks_and_nowhere_else(
    first_day: RunningStack,
) -> None:
    """Serve would let it show its state to whoever asks, on two ports of all interfaces."""
    (haproxy,) = (each for each in first_day.processes() if each.name().startswith("haproxy"))
    listening = {each.laddr for each in haproxy.net_connections("tcp") if each.status == "LISTEN"}
    assert {f"http://{address.ip}:{address.port}" for address in listening} == {first_day.url}


def test_a_new_shop_recommends_what_can_be_had(first_day: RunningStack) -> None:
    body: dict[str, Any] = {"user_id": "nobody-yet", "limit": 10}
    answer = first_day.client.post("/v1/recommend", json=body)
    assert answer.status_code == 200
    assert answer.json()["route"] == "cold_start"
    assert {each["item_id"] for each in answer.json()["items"]} == {f"茶-{n}" for n in range(5)}


def test_ray_lets_nobody_in_who_has_not_the_token_of_the_stack(first_day: RunningStack) -> None:
    """Its ports listen on all interfaces, and whoever is in can run code."""
    gcs = next(each for each in first_day.processes() if each.name().startswith("gcs_server"))
    ports = {each.laddr.port for each in gcs.net_connections("tcp") if each.status == "LISTEN"}
    assert ports
    come = (
        "import sys; from ray._raylet import GcsClient; "
        "GcsClient(address=sys.argv[1]).internal_kv_keys(b'', b'serve', timeout=10)"
    )
    anybody = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    for port in ports:
        tried = subprocess.run(
            [sys.executable, "-c", come, f"127.0.0.1:{port}"],
            env=anybody, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert tried.returncode != 0
        assert "Unauthenticated" in tried.stderr, tried.stderr
