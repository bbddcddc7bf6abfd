"""What an installation runs besides the serving graph: set-up, metrics of a node."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from rich.console import Console

from features.ingest.settings import IngestSettings
from features.store.backends import open_catalog
from features.store.settings import StoreSettings
from serving.cluster.setup import set_up
from serving.local.machine import free_port
from serving.local.models import ROOT
from serving.settings import Settings

QUIET = Console(quiet=True)


def shop(folder: Path) -> Path:
    """A data set of three items and what two shoppers bought of them."""
    folder.mkdir()
    items = [{"item_id": name, "title": f"{name} of the house"} for name in ("oat", "rye", "jam")]
    events = [
        {"type": "purchase", "at": 1.7e9 + n, "user_id": user, "session_id": user, "item_id": item}
        for n, (user, item) in enumerate([("ann", "oat"), ("ann", "rye"), ("bob", "oat")])
    ]
    for name, rows in (("items", items), ("events", events)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def settings_in(folder: Path) -> Settings:
    folder.mkdir()
    (folder / "pseudonym.key").write_text("5" * 64)
    return Settings.model_validate(
        {
            "access": {"keys_path": folder / "k", "pseudonym_key_path": folder / "pseudonym.key"},
            "model": {"tokenizer_path": folder / "tokenizer.json"},
            "store": {"state": folder / "state", "registry": str(folder / "registry.db")},
            "retrieval": {
                "vectors_path": folder / "vectors.npz",
                "neighbors_path": folder / "neighbors.npz",
            },
            "rules_path": folder / "rules.yaml",
        }
    )


@contextmanager
def process(*command: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """`python -m ...`, ended by SIGTERM with status 0."""
    started = subprocess.Popen(
        [sys.executable, "-m", *command], cwd=ROOT, env={**os.environ, **environment}
    )
    try:
        yield started
        started.send_signal(signal.SIGTERM)
        assert started.wait(20) == 0
    finally:
        started.kill()
        started.wait()


def scraped(port: int) -> str:
    """/metrics, as soon as it answers."""
    deadline_s = time.monotonic() + 60
    while True:
        try:
            return httpx.get(f"http://127.0.0.1:{port}/metrics").text
        except httpx.TransportError:
            if time.monotonic() > deadline_s:
                raise
            time.sleep(0.1)


def test_set_up_fills_a_demonstration_once_and_lets_the_others_start(tmp_path: Path) -> None:
    settings, shared = settings_in(tmp_path / "etc"), tmp_path / "shared"
    data = str(shop(tmp_path / "shop"))
    registry = Path(settings.store.registry_path)
    assert not registry.exists()
    set_up(settings, shared, data, 100, QUIET)
    assert registry.is_file(), "the others wait for it"
    texts = [json.loads(line) for line in (shared / "item_texts.jsonl").read_text().splitlines()]
    assert texts == ["oat of the house", "rye of the house", "jam of the house"]
    assert settings.retrieval.neighbors_path.is_file()
    catalog = open_catalog(settings.store)
    catalog.delete("jam")
    set_up(settings, shared, data, 100, QUIET)  # an upgrade of the chart runs it again
    assert {item.item_id for item in catalog.all()} == {"oat", "rye"}
    catalog.close()


def test_set_up_takes_a_catalogue_without_any_event(tmp_path: Path) -> None:
    settings, shared = settings_in(tmp_path / "etc"), tmp_path / "shared"
    data = shop(tmp_path / "shop")
    (data / "events.jsonl").unlink()
    set_up(settings, shared, str(data), 100, QUIET)
    with np.load(settings.retrieval.neighbors_path) as tables:
        assert len(tables["item_ids"]) == 3
    assert len(open_catalog(settings.store)) == 3


def test_set_up_of_a_shop_of_one_s_own_leaves_an_empty_catalogue(tmp_path: Path) -> None:
    settings, shared = settings_in(tmp_path / "etc"), tmp_path / "shared"
    set_up(settings, shared, None, 100, QUIET)
    assert (shared / "item_texts.jsonl").read_text() == ""
    assert len(open_catalog(settings.store)) == 0
    assert Path(settings.store.registry_path).is_file()


def test_a_node_s_metrics_are_told_without_a_replica(tmp_path: Path) -> None:
    port = free_port()
    folder: Any = {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    count = (
        "from serving.telemetry.metrics import EVENTS; EVENTS.labels('default', 'accepted').inc(3)"
    )
    subprocess.run(
        [sys.executable, "-c", count], cwd=ROOT, env={**os.environ, **folder}, check=True
    )
    with process(
        "serving.telemetry.node_metrics", "--port", str(port), "--host", "127.0.0.1", **folder
    ):
        told = scraped(port)
    assert 'vitrine_events_total{outcome="accepted",shop="default"} 3.0' in told
    assert "python_info" not in told


def test_ingest_tells_its_metrics_when_it_is_alone(tmp_path: Path) -> None:
    settings = settings_in(tmp_path / "etc")
    set_up(settings, tmp_path / "shared", None, 100, QUIET)
    path, port = tmp_path / "ingest.json", free_port()
    store = StoreSettings.model_validate(settings.store.model_dump())
    path.write_text(IngestSettings(store=store).model_dump_json())
    with process("features.ingest", "--settings", str(path), "--metrics-port", str(port)):
        assert "vitrine_event_lag_seconds_bucket" in scraped(port)
