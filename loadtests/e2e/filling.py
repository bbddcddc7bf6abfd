"""The log under load: Redis fills up; the log moves to NATS, whose server is killed."""

import json
import time
from functools import partial

from helm.tools.kubernetes import until
from loadtests.e2e.disruptions import head_stays
from loadtests.e2e.scenario import Result, watched
from loadtests.e2e.shop import Shop
from loadtests.e2e.traffic import Traffic

FULL_S = 600.0
_SEEN_S = 5.0  # until every ingress has looked again how full it is
_ORDER = (
    (0.92, "view", False),
    (0.92, "purchase", True),
    (0.97, "add_to_cart", False),
    (0.97, "purchase", True),
)
_PIECE = (1 << 20) - 64  # a little more, and the server takes a quarter more for it
_FILL = (
    "for i = 1, ARGV[1] do redis.call('SETRANGE', 'filler:' .. ARGV[2] .. ':' .. i, "
    f"{_PIECE - 1}, 'x') end"
)
_EMPTY = "for _, key in ipairs(redis.call('KEYS', 'filler:*')) do redis.call('DEL', key) end"
_POST = """
import json, os, sys, urllib.error, urllib.request
body = json.dumps({"events": [json.loads(sys.argv[2])]}).encode()
headers = {"authorization": "Bearer " + os.environ["VITRINE_KEY"]}
headers["content-type"] = "application/json"
request = urllib.request.Request(sys.argv[1], body, headers)
try:
    with urllib.request.urlopen(request, timeout=10) as answer:
        print(json.dumps([answer.status, json.load(answer), ""]))
except urllib.error.HTTPError as error:
    print(json.dumps([error.code, json.load(error), error.headers.get("retry-after", "")]))
"""
# How many events, told by their ids, are in the log, and whether ingest has folded all of them.
_ARRIVED = """
import json, sys
from pathlib import Path
from features.ingest.loop import CONSUMER
from features.ingest.settings import IngestSettings
from features.store.backends import open_event_log
settings = IngestSettings.model_validate_json(Path("/etc/vitrine/ingest.json").read_bytes())
log = open_event_log(settings.store)
ids, last = [], 0
while entries := log.read(last, 1000):
    ids += [getattr(entry, "event_id", "") for _, entry in entries]
    last = entries[-1][0]
told = [event_id for event_id in ids if event_id.startswith(sys.argv[1])]
print(json.dumps([len(told), len(set(told)), log.offset(CONSUMER) >= last]))
log.close()
"""
_IN_NATS = {
    "nats.enabled": "true", "nats.eventsMaxBytes": "256Mi", "nats.rankingsMaxBytes": "256Mi",
    "nats.bundled.size": "1Gi",
}  # fmt: skip
_POSTS = 40


def redis_full(shop: Shop, traffic: Traffic, result: Result) -> None:
    """With other people's data, to the brim for ten minutes; then it is taken away."""

    def change() -> None:
        for share, kind, accepted in _ORDER:
            # The log gives way meanwhile, the more the longer it is.
            stays = f"{share:.0%} full, and stays so"
            until(partial(_is_full, shop, share), stays, 180, _SEEN_S)
            took, said = _post(shop, kind)
            name = f"{kind} at {share:.0%}"
            result.facts[name] = said
            result.expect(took == accepted, f"{name}: {said}")
        until_s = time.time() + FULL_S
        while time.time() < until_s:
            _fill(shop, 1.0)
            time.sleep(3)
        _redis(shop, "EVAL", _EMPTY, "0")
        until(lambda: _post(shop, "view")[0], "events are taken again", 60)
        shop.wait_settled()

    with head_stays(shop, result):
        watched(result, f"Redis full for {FULL_S / 60:.0f} minutes", change, by_the_model=0.9)


def log_in_nats(shop: Shop, traffic: Traffic, result: Result) -> None:
    """The log moves to NATS; its server is killed at once while events come. None that was accepted
    is lost, and none is there twice.
    """
    options = [part for name, value in _IN_NATS.items() for part in ("--set", f"{name}={value}")]
    before = shop.active()

    def move() -> None:
        shop.release.upgrade("--reuse-values", *options)
        shop.wait_upgraded(before)

    watched(result, "the log moves to NATS", move, by_the_model=0.8)
    accepted: list[str] = []
    refused: list[str] = []

    def lose() -> None:
        for number in range(_POSTS):
            if number == _POSTS // 3:
                shop.space.kubectl("delete", "pod", "vitrine-nats-0", "--grace-period=0", "--force")
            event_id = f"kept-{number}"
            while not (told := _post(shop, "view", event_id))[0]:
                refused.append(told[1])  # as a storefront does: the same event again
            accepted.append(event_id)
        shop.wait_settled()

    watched(result, "NATS is killed", lose, by_the_model=0.9)
    (ingest, *_) = shop.space.pods("ingest")
    command = ["python", "-c", _ARRIVED, "kept-"]
    told = shop.space.kubectl("exec", ingest["metadata"]["name"], "--", *command)
    stored, different, folded = json.loads(told.splitlines()[-1])
    result.facts["events accepted, stored, refused meanwhile"] = (
        f"{len(accepted)}, {stored}, {len(refused)}"
    )
    result.expect(different == len(accepted), f"{len(accepted) - different} events are lost")
    result.expect(stored == different, f"{stored - different} events are there twice")
    result.expect(folded, "ingest has not folded them all")


def _is_full(shop: Shop, share: float) -> bool:
    """Whether nothing had to be added since it was last filled to that share."""
    return _fill(shop, share) == 0


def _fill(shop: Shop, share: float) -> int:
    """To so much of what it may hold, if there is less; returns how many pieces that took."""
    added = 0
    for _ in range(3):
        told = _redis(shop, "INFO", "memory").splitlines()
        info = dict(line.split(":", 1) for line in told if ":" in line)
        wanted = share * int(info["maxmemory"]) - int(info["used_memory"])
        if (pieces := int(wanted / _PIECE)) > 0:
            _redis(shop, "EVAL", _FILL, "0", str(pieces), str(time.time()))
            added += pieces
        time.sleep(1)
    return added


def _redis(shop: Shop, *command: str) -> str:
    script = 'REDISCLI_AUTH=$(cat /etc/vitrine/redis/password) valkey-cli "$@"'
    return shop.space.kubectl("exec", "vitrine-redis-0", "--", "sh", "-c", script, "sh", *command)


def _post(shop: Shop, kind: str, event_id: str = "") -> tuple[bool, str]:
    """One event, from a caller's pod: whether it is stored, and what was said."""
    event_id = event_id or f"full-{time.time()}"
    event = {"event_id": event_id, "type": kind, "user_id": "full", "item_id": "one"}
    command = ["python", "-c", _POST, f"{shop.url}/v1/events", json.dumps(event)]
    told = shop.callers.kubectl("exec", "caller", "--", *command)
    status, answer, retry_after = json.loads(told)
    if status == 202 and answer["accepted"] + answer["duplicates"] == 1:
        return True, "accepted"
    refused = [each["code"] for each in answer.get("rejected", [])] or [answer.get("code")]
    return False, f"{status} {refused[0]}" + f", Retry-After {retry_after}" * bool(retry_after)
