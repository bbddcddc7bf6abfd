"""A version beside the one in use, and an experiment that has shoppers ranked by it, under load."""

import hashlib
import json
import re
import secrets
import time
from collections.abc import Callable
from functools import partial

from helm.tools.kubernetes import ready, until
from loadtests.e2e.disruptions import lose
from loadtests.e2e.rollouts import copy_bundle
from loadtests.e2e.scenario import Result, watched
from loadtests.e2e.shop import Shop
from loadtests.e2e.traffic import Traffic

_KEY = "two-versions"  # of the experiment
_DRAWN_S = 45.0  # for shoppers to be drawn
_ASK = """
import json, sys, urllib.error, urllib.request
key, method, url, *body = sys.argv[1:]
headers = {"authorization": "Bearer " + key, "content-type": "application/json"}
data = body[0].encode() if body else None
request = urllib.request.Request(url, data, headers, method=method)
try:
    with urllib.request.urlopen(request, timeout=10) as answer:
        print(answer.status, answer.read().decode())
except urllib.error.HTTPError as error:
    print(error.code, error.read().decode())
"""


def experiment(shop: Shop, traffic: Traffic, result: Result) -> None:
    """Published as a candidate, it is there again after Triton's pod was lost; an experiment by API
    ranks by it; the job of the readings reads what came of it.
    """
    ask = _administrator(shop)
    copy_bundle(shop)
    said: list[str] = []
    watched(result, "a candidate is published", lambda: said.append(shop.run_job("candidate")), 0.9)
    result.facts["it said"] = said[0].splitlines()[-1]
    (pod,) = (each for each in shop.space.pods("model-server") if ready(each))
    watched(result, "its model server is lost", partial(lose, shop, pod))
    definition = {
        "key": _KEY, "status": "running",
        "arms": [{"key": "old"}, {"key": "new", "model_version": _version(said[0])}],
    }  # fmt: skip
    code, told = ask("PUT", f"/v1/experiments/{_KEY}", json.dumps(definition))
    result.expect(code == 200, f"PUT: {code} {told}")
    watched(result, "two versions rank", lambda: time.sleep(_DRAWN_S), by_the_model=0.9)
    result.facts["the readings' job"] = shop.run_job("readings").splitlines()[-1]
    until(
        lambda: ask("GET", f"/v1/experiments/{_KEY}/reading")[0] == 200, "the reading is told", 30
    )
    reading = json.loads(ask("GET", f"/v1/experiments/{_KEY}/reading")[1])
    drawn = {arm["arm"]: arm["shoppers"] for arm in (reading["sample_ratio"] or {})["arms"]}
    result.facts["shoppers by arm"] = drawn
    result.facts["verdict"] = reading["verdict"]["sentence"]
    result.expect(len(drawn) == 2 and min(drawn.values()) > 0, f"read: {drawn}")
    code, told = ask("DELETE", f"/v1/experiments/{_KEY}")
    result.expect(code == 204, f"DELETE: {code} {told}")


def _administrator(shop: Shop) -> Callable[..., tuple[int, str]]:
    """What asks the service with a key that may decide of experiments; the storefront's stays."""
    key = secrets.token_urlsafe(30)
    storefront = {"name": "storefront", "scopes": ["rank", "events", "items"], "rate_per_s": 1000}
    keys = [
        {**storefront, "sha256": _hash(shop.key())},
        {"name": "administrator", "scopes": ["admin"], "sha256": _hash(key)},
    ]
    shop.release.upgrade("--reuse-values", "--set-json", f"auth.keys={json.dumps(keys)}")

    def ask(method: str, path: str, *body: str) -> tuple[int, str]:
        command = ["python", "-c", _ASK, key, method, shop.url + path, *body]
        said = shop.callers.kubectl("exec", "caller", "--", *command)
        code, _, told = said.strip().partition(" ")
        return int(code), told

    until(lambda: ask("GET", "/v1/experiments")[0] == 200, "the key is known", 180)
    return ask


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def _version(said: str) -> str:
    """That the job published: "ranker 2 is ..."."""
    found = re.search(r"^ranker (\d+) ", said, re.MULTILINE)
    assert found, said
    return found[1]
