"""values.yaml and its schema: closed, complete, and no value that nothing reads."""

import copy
import random
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import jsonschema_rs
import pytest

from helm.tools.rendering import RefusedError
from helm.values.schema import TARGET, rendered, schema
from tests.support.chart.kube_schemas import CRDS, custom, errors
from tests.support.chart.rendering import (
    PROFILES,
    Json,
    defaults,
    documents,
    merged,
    profile,
    render_text,
)

Path = tuple[str, ...]
SEED = 20261124
N_MUTATIONS = 200


def test_the_schema_is_what_the_generator_writes() -> None:
    assert TARGET.read_text() == rendered(), "out of date: python -m helm.values.schema"


def test_every_object_of_the_schema_is_closed() -> None:
    whole = schema()
    for name, definition in {"the root": whole, **whole["$defs"]}.items():
        if definition.get("type") == "object":
            assert definition["additionalProperties"] is False, name


def test_every_key_of_values_is_in_the_schema_and_every_key_of_the_schema_in_values() -> None:
    valid().validate(defaults())
    whole, found = schema(), defaults()
    assert set(whole["properties"]) - {"global"} == set(found)


@pytest.mark.parametrize(
    ("place", "key"),
    [
        ((), "servng"),
        (("redis",), "exteranl"),
        (("serving", "workers"), "minReplica"),
        (("serving", "workers", "resources", "limits"), "memroy"),
        (("serving", "settings"), "piepline"),
        (("serving", "settings", "pipeline"), "defualt_budget_s"),
        (("serving", "settings", "deployments", "ranker"), "max_replcas"),
        (("ingest", "settings"), "batch_event"),
        (("rules", "cold_start", "weights"), "popularty"),
        (("modelServer", "gpu"), "enable"),
        (("networkPolicy",), "enbled"),
        (("images", "serving"), "tags"),
    ],
)
def test_a_typo_in_values_is_refused_by_name(place: Path, key: str) -> None:
    values: Json = {key: 1}
    for step in reversed(place):
        values = {step: values}
    with pytest.raises(RefusedError, match=key):
        render_text(values)


@pytest.mark.parametrize(
    "path",
    [
        ("store",), ("rules_path",), ("access", "keys_path"), ("access", "pseudonym_key_path"),
        ("model", "grpc_address"), ("model", "tokenizer_path"), ("model", "encoder_profile"),
        ("model", "encoder_tokenizer_path"), ("retrieval", "vectors_path"), ("logs", "folder"),
    ],
)  # fmt: skip
def test_where_things_lie_is_the_charts_to_say(path: Path) -> None:
    values: Any = "/somewhere"
    for step in reversed(("serving", "settings", *path)):
        values = {step: values}
    with pytest.raises(RefusedError, match=path[-1]):
        render_text(values)


@pytest.mark.parametrize("odd", ["7", "true", "null", "1e3"])
def test_a_name_that_reads_like_something_else_stays_a_name(odd: str) -> None:
    # Every text that may be such a name; one that starts with a letter may name everything.
    values = merged(merged(defaults(), EVERYTHING), profile("external"))
    for path in [path for path, value in leaves(values) if isinstance(value, str)]:
        other = replaced(values, path, odd)
        if path == ("serving", "head", "resources", "limits", "memory"):
            continue  # seven bytes are an amount, and refused as too little
        values = other if valid().is_valid(other) else values
    assert values["auth"]["existingSecret"] == values["ingress"]["host"] == odd
    for document in documents(render_text(values, "--namespace", odd)):
        if CRDS.is_dir() or not custom(document):
            assert errors(document) == [], document["metadata"]["name"]


# Every value is read

# With everything on, and with everything of one's own: some values mean something in one only.
EVERYTHING: Json = {
    "demo": {"data": "grocery"},
    "training": {"enabled": True, "data": "/shared/data", "answers": {"enabled": True}},
    "ingress": {"enabled": True, "className": "nginx", "tlsSecret": "tls"},
    "httpRoute": {
        "enabled": True,
        "gateway": {"name": "public", "namespace": "gateways", "sectionName": "https"},
    },
    "monitoring": {
        "podMonitors": {"enabled": True},
        "alerts": {"enabled": True},
        "dashboards": {"enabled": True},
    },
    "tracing": {"enabled": True},
    "loadtest": {"enabled": True},
    "modelServer": {"gpu": {"enabled": True}, "autoscaling": {"kind": "keda"}},
    "pictures": {"enabled": True, "settings": {"fetch": {"hosts": ["cdn.example.com"]}}},
}
SURROUNDINGS: dict[str, Json] = {
    "everything": EVERYTHING,
    "own": merged(EVERYTHING, profile("external")),
    "fixed": {
        "modelServer": {"autoscaling": {"kind": "none"}},
        "pictures": {"enabled": True, "settings": {"text": {}}},
    },
    "steps": {
        "serving": {
            "upgrade": {
                "strategy": "NewClusterWithIncrementalUpgrade",
                "incremental": {"gatewayClassName": "istio"},
            }
        }
    },
}
CANDIDATES: tuple[Any, ...] = (
    "changed", 7, 0.3, "7m", "7Mi", "7mb", "7s", "http://changed:7/v1", "7 7 7 7 7", "7",
    "sha256:" + "7" * 64, "vendor.com/gpu", "Always", "NoSchedule", "None", "float16", "hpa",
    "multilingual", "USD",
    "none", "1h", "brand", {"changed": "changed"}, ["changed"],
    ["ReadWriteMany"], [{"key": "changed", "operator": "Exists"}],
    [{"ipBlock": {"cidr": "10.0.0.0/8"}}], {"batch_events": 7}, {"max_bytes": 7}, [7],
    [{"name": "changed", "sha256": "7" * 64, "scopes": ["rank"]}],
    [{"match": {"brand": "changed"}, "lift": 1, "reason": "changed"}],
    [{"match": {"brand": "changed"}, "reason": "changed"}],
    [{"item_id": "changed", "position": 1, "reason": "changed"}],
)  # fmt: skip


def leaves(node: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every value that is not an object with keys of its own."""
    if isinstance(node, dict) and node:
        for key, value in node.items():
            yield from leaves(value, (*path, key))
    else:
        yield path, node


def replaced(values: Json, path: Path, value: Any) -> Json:
    """A copy with another value at `path`."""
    whole = copy.deepcopy(values)
    node = whole
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = value
    return whole


def at(values: Json, path: Path) -> Any:
    """The value at `path`."""
    node: Any = values
    for step in path:
        node = node[step]
    return node


_BY_CHANCE = re.compile(r"^  (key|keys\.json|password|pseudonym\.key): .*$", re.MULTILINE)


def comparable(values: Json) -> str:
    """What is rendered, without what is made by chance each time."""
    return _BY_CHANCE.sub("", render_text(values))


def reads(path: Path) -> bool:
    """Whether some rendering differs, or is refused, when the value at `path` is another one."""
    for name, given in SURROUNDINGS.items():
        values = merged(defaults(), given)
        other = plausible(values, path, CANDIDATES)
        try:
            if comparable(other) != baseline(name):
                return True
        except RefusedError:
            return True
    return False


def plausible(values: Json, path: Path, candidates: Sequence[Any]) -> Json:
    """The values with the first other value at `path` that the schema allows there."""
    now = at(values, path)
    for candidate in (not now,) if isinstance(now, bool) else candidates:
        other = replaced(values, path, candidate)
        if candidate != now and valid().is_valid(other):
            return other
    return values


@cache
def valid() -> jsonschema_rs.Validator:
    """The schema."""
    return jsonschema_rs.validator_for(schema())


@cache
def baseline(name: str) -> str:
    """A surrounding as it is."""
    return comparable(merged(defaults(), SURROUNDINGS[name]))


def test_every_value_is_read_by_a_template() -> None:
    paths = [path for path, _ in leaves(defaults())]
    assert len(paths) > 150
    with ThreadPoolExecutor(2) as threads:
        unread = [
            path for path, read in zip(paths, threads.map(reads, paths), strict=True) if not read
        ]
    assert [".".join(path) for path in unread] == []


# Mutations

ODD: tuple[Any, ...] = (
    "", " ", "a b", "Ünïcode", "{{ .Values }}", "a: b", "- x", "'", '"', "\n", "x" * 300, "../..",
    "$(id)", "0", "-1", "1e9", "true", "null", -1, 0, 1, 10**9, 0.5, -0.5, True, False, [], {},
    [""], [1], {"a": 1}, ["a", {"b": []}], None,
)  # fmt: skip


def nodes(node: Any, path: Path = ()) -> Iterator[Path]:
    """The path of every key, of objects as well."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield (*path, key)
            yield from nodes(value, (*path, key))


def mutation(chance: random.Random, values: Json) -> tuple[Json, str]:
    """Values with one thing changed, and the key of it."""
    path = chance.choice(list(nodes(values)))
    kind = chance.choice(("typo", "odd", "odd", "swapped", "extra", "plausible", "plausible"))
    if kind == "plausible":
        path = chance.choice([each for each, _ in leaves(values)])
        return plausible(values, path, chance.sample(CANDIDATES, len(CANDIDATES))), path[-1]
    if kind == "typo":
        key = path[-1]
        place = chance.randrange(len(key))
        wrong = key[:place] + chance.choice("aeiouxz_") + key[place + 1 :]
        whole = replaced(values, path, at(values, path))
        holder = at(whole, path[:-1]) if path[:-1] else whole
        holder[wrong] = holder.pop(key)
        return whole, wrong
    if kind == "extra":
        return replaced(values, (*path[:-1], "unknown"), 1), "unknown"
    if kind == "swapped":
        other = chance.choice(list(nodes(values)))
        return replaced(values, path, copy.deepcopy(at(values, other))), path[-1]
    return replaced(values, path, chance.choice(ODD)), path[-1]


def problem(number: int) -> str | None:
    """What is wrong with how a mutation is taken; None: it is refused by name, or fine."""
    chance = random.Random(SEED + number)
    values, key = mutation(chance, merged(defaults(), profile(chance.choice(PROFILES))))
    try:
        text = render_text(values)
    except RefusedError as error:
        # Of several, the message names each.
        return None if named(str(error), key) else f"{key}: {error}"
    wrong = [each for document in text.split("\n---\n") for each in wrong_in(document)]
    return f"{key}: {wrong}" if wrong else None


def named(message: str, key: str) -> bool:
    """Whether Helm's message names the key, and comes of the schema or a check of ours."""
    ours = "specifications of the schema" in message or "execution error at" in message
    return ours and key in message.replace("~1", "/")  # a JSON pointer


@cache
def wrong_in(text: str) -> tuple[str, ...]:
    """Errors of a manifest; most are the same in every rendering."""
    found = [each for each in documents(text) if CRDS.is_dir() or not custom(each)]
    return tuple(f"{each['kind']}: {wrong}" for each in found for wrong in errors(each))


def test_mutated_values_are_refused_by_name_or_render_what_kubernetes_takes() -> None:
    with ThreadPoolExecutor(2) as threads:
        wrong = [each for each in threads.map(problem, range(N_MUTATIONS)) if each]
    assert wrong == []


def test_enough_mutations_are_refused_and_enough_are_taken() -> None:
    taken = 0
    for number in range(N_MUTATIONS):
        chance = random.Random(SEED + number)
        values, _ = mutation(chance, merged(defaults(), profile(chance.choice(PROFILES))))
        taken += valid().is_valid(values)
    assert 0.2 * N_MUTATIONS < taken < 0.6 * N_MUTATIONS
