"""A replica as it is really wired, without Ray and Triton: what it starts, it ends."""

import json
import threading
import time
from pathlib import Path

from features.events.event import BehaviorEvent, EventType
from features.store.backends import open_controls, open_event_log
from features.store.feature_store import apply, open_store
from features.store.settings import StoreSettings
from serving.shops.registry.definition import ShopDefinition
from serving.shops.registry.registry import Registry
from serving.wiring import endpoints
from tests.support.fakes import FakeRanker
from tests.support.service import settings_of

# They look at the key file and at the model server, keep nothing open, and end with the process.
LEFT = {"keys", "limits"}


def test_at_its_end_a_replica_ends_the_threads_of_all_shops(
    tmp_path: Path, tokenizer_path: Path
) -> None:
    store = StoreSettings(state=tmp_path)
    apply(open_store(store), store)
    log, controls = open_event_log(store), open_controls(store)
    log.append([BehaviorEvent("e", EventType.VIEW, time.time(), "u", "s", "i")])
    Registry(controls).put("outlet", ShopDefinition())
    (tmp_path / "rules.yaml").write_text("{}")
    (tmp_path / "keys.json").write_text(json.dumps([]))
    (tmp_path / "pseudonym.key").write_bytes(b"k" * 32)
    retrieval = {name: tmp_path / f"{name}.npz" for name in ("vectors_path", "neighbors_path")}
    settings = settings_of(
        tokenizer_path,
        access={
            "keys_path": tmp_path / "keys.json",
            "pseudonym_key_path": tmp_path / "pseudonym.key",
        },
        store=store.model_dump(),
        retrieval=retrieval,
        rules_path=tmp_path / "rules.yaml",
    )
    before = set(threading.enumerate())
    replica = endpoints(settings, FakeRanker(), None)
    names = {thread.name for thread in set(threading.enumerate()) - before}
    assert {"recorder", "choices", "shops", "shops-refresh", "floors"} <= names
    assert len(replica.shops.all()) == 2
    replica.close()
    left = {thread.name for thread in set(threading.enumerate()) - before}
    assert left <= LEFT
    log.close()
    controls.close()
