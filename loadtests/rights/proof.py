"""What is asked for many shoppers, and what may be found of it: nothing of any of them."""

import itertools
import random
import re
import sqlite3
import time
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import httpx
import orjson

from loadtests.stack import RunningStack
from serving.shops.pseudonyms import Pseudonyms

_PATIENCE_S = 60.0
_POST = 500  # events
_READS = re.compile(rb"^vitrine_feature_read_seconds_count\S* (\S+)$", re.MULTILINE)
# Of an answer, what each has of its own.
_OWN = re.compile(rb'"(ranking_id|page_id)":"[0-9a-f]+"')
# `/similar` takes no time to rank at, and popularity fades by the second, so its scores change from
# one request to the next, whoever asks. All else is compared to the byte.
_FADING = re.compile(rb'"score":[-+.0-9e]+')


def prove(stack: RunningStack, n_shoppers: int, seed: int) -> dict[str, Any]:
    """What was asked and found, as JSON; `failures` says what should not be so."""
    client, rng = stack.client, random.Random(seed)
    names = [(f"shopper-{n}-{seed}", f"visit-{n}-{seed}") for n in range(n_shoppers)]
    items = [each["item_id"] for each in client.get("/v1/items?limit=200").json()["items"]]
    _tell(client, names, items, rng)
    asked = _asked(items, stack.sample["query"])
    at = {"context": {"at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}}
    failures: list[str] = []
    personal = {
        path: len({_answer(client, path, {**body, **at}, name) for name in names[:20]})
        for path, body in asked.items()
    }
    if max(personal.values()) < 2:
        failures.append("personal answers do not differ either")
    time.sleep(1.0)  # the personal ones are in the log by then
    log, reads = _ranked(stack.folder), _reads(client)
    answers = {
        path: _differing(client, path, {**body, **at, "personalize": False}, names)
        for path, body in asked.items()
    }
    failures += [
        f"{path}: {differing} differ by the shopper"
        for path, (differing, _) in answers.items()
        if differing
    ]
    time.sleep(1.0)
    more_reads, after = _reads(client) - reads, _ranked(stack.folder)
    if more_reads:
        failures.append(f"{more_reads:.0f} reads of the online store")
    kept = {name: after[name] - log[name] for name in log}
    if kept["named"]:
        failures.append(f"{kept['named']} rankings in the log name a shopper")
    if not kept["rankings"]:
        failures.append("no ranking was kept: the log proves nothing")
    spelt = _spelt(stack.folder, names)
    if spelt:
        failures.append(f"{spelt} names of shoppers in the logs")
    chosen_ms = _in_force_ms(client, names[0][0])
    if chosen_ms > 1_000:
        failures.append(f"a choice was in force after {chosen_ms:.0f} ms")
    return {
        "shoppers": n_shoppers,
        "answers": len(names) * len(asked),
        "differing_by_shopper": {path: differing for path, (differing, _) in answers.items()},
        "times_that_the_shop_changed": {path: changed for path, (_, changed) in answers.items()},
        "different_answers_of_20_personal": personal,
        "online_store_reads": more_reads,
        "rankings_kept": kept["rankings"],
        "rankings_kept_with_a_shopper": kept["named"],
        "names_in_the_logs": spelt,
        "choice_in_force_ms": round(chosen_ms, 1),
        "failures": failures,
    }


def _asked(items: list[str], query: str) -> dict[str, dict[str, Any]]:
    return {
        "/v1/rank": {"candidates": items[:20]},
        "/v1/search": {"query": query, "facets": ["brand", "category"]},
        "/v1/recommend": {"limit": 20},
        "/v1/recommend/brands": {},
        "/v1/recommend/categories": {},
        "/v1/pages/home": {},
        f"/v1/items/{items[0]}/similar": {},
    }


def _tell(
    client: httpx.Client, names: Iterable[tuple[str, str]], items: list[str], rng: random.Random
) -> None:
    events = [
        {
            "event_id": uuid.UUID(int=rng.getrandbits(128)).hex, "type": kind,
            "user_id": user, "session_id": session, "item_id": rng.choice(items),
        }
        for user, session in names
        for kind in ("view", "add_to_cart", "purchase")
    ]  # fmt: skip
    for start in range(0, len(events), _POST):
        told = client.post("/v1/events", json={"events": events[start : start + _POST]}).json()
        assert told["rejected"] == [], told
    _until(lambda: client.get("/v1/status").json()["events_waiting"] == 0)
    time.sleep(2.0)  # replicas take the items' counters over


def _answer(client: httpx.Client, path: str, body: dict[str, Any], name: tuple[str, str]) -> bytes:
    """An answer to a shopper, without what each answer has of its own."""
    who = {"user_id": name[0], "session_id": name[1]}
    if path.endswith("/similar"):
        flag = {"personalize": "false"} if body.get("personalize") is False else {}
        answer = client.get(path, params={**who, **flag})
        assert answer.status_code == 200, answer.text
        assert _FADING.search(answer.content), "scores are written otherwise"
        return _FADING.sub(b"", _OWN.sub(b"", answer.content))
    answer = client.post(path, json={**body, **who, "budget_ms": 5_000})
    assert answer.status_code == 200, answer.text
    return _OWN.sub(b"", answer.content)


def _differing(
    client: httpx.Client, path: str, body: dict[str, Any], names: list[tuple[str, str]]
) -> tuple[int, int]:
    """How many shoppers were answered otherwise than the one before, and how often the shop changed
    meanwhile, as popularity does: then the one before is answered otherwise now, too."""
    differing = changed = 0
    before = _answer(client, path, body, names[0])
    for earlier, name in itertools.pairwise(names):
        answer = _answer(client, path, body, name)
        if answer != before and _answer(client, path, body, earlier) == answer:
            changed += 1
        elif answer != before:
            differing += 1
        before = answer
    return differing, changed


def _reads(client: httpx.Client) -> float:
    found = _READS.findall(client.get("/metrics").content)
    assert found, "the metric of reads is not there"
    return sum(float(each) for each in found)


def _ranked(folder: Path) -> dict[str, int]:
    """Rankings in the log, and those that name somebody."""
    (path,) = folder.rglob("events.db")
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
        rankings, named = connection.execute(
            "SELECT count(*), coalesce(sum(user_id IS NOT NULL OR session_id IS NOT NULL), 0) "
            "FROM rankings"
        ).fetchone()
    return {"rankings": rankings, "named": named}


def _spelt(folder: Path, names: list[tuple[str, str]]) -> int:
    """How many ids and pseudonyms stand in the logs."""
    (key,) = folder.rglob("pseudonym.key")
    pseudonyms = Pseudonyms.from_file(key)
    words = {word for user, session in names for word in (user, session)}
    for user, session in names:
        words |= {str(name) for name in pseudonyms.both(user, session)}
    logs = list(folder.rglob("*.log"))
    assert logs, "there are no logs"
    text = b"\n".join(path.read_bytes() for path in logs).decode(errors="replace")
    return sum(word in text for word in words)


def _in_force_ms(client: httpx.Client, user_id: str) -> float:
    """From the choice, until twenty rankings one after the other are everybody's."""
    started_s = time.perf_counter()
    put = client.put(f"/v1/users/{user_id}/preferences", json={"personal": False})
    assert put.status_code == 200, put.text
    in_force_s, in_a_row = time.perf_counter(), 0
    while in_a_row < 20:
        asked = client.post("/v1/recommend", json={"user_id": user_id, "limit": 3})
        if orjson.loads(asked.content).get("personal") is False:
            in_a_row += 1
        else:
            in_force_s, in_a_row = time.perf_counter(), 0
    return 1_000 * (in_force_s - started_s)


def _until(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + _PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline_s, "it did not happen in time"
        time.sleep(0.1)
