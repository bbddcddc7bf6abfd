"""The event log in NATS: who reaches it, with what, and what its servers are told."""

import json
import subprocess
from base64 import b64decode
from pathlib import Path

import pytest

from features.ingest.settings import IngestSettings
from features.store.settings import StoreSettings
from helm.tools.rendering import RefusedError
from loadtests.chaos.nats_process import BINARY
from serving.settings import Settings
from tests.support.chart.rendering import Json, containers, one, profile, render


def stores(found: list[Json]) -> list[StoreSettings]:
    """The store as each of those who use it reads it."""
    files = one(found, "ConfigMap", "vitrine-settings")["data"]
    return [
        Settings.model_validate_json(files["settings.json"]).store,
        IngestSettings.model_validate_json(files["ingest.json"]).store,
        StoreSettings.model_validate_json(files["store.json"]),
    ]


def test_without_a_word_the_log_is_in_redis_and_there_is_no_nats(default: list[Json]) -> None:
    assert [store.nats for store in stores(default)] == [None] * 3
    assert not [each for each in default if each["metadata"]["name"].startswith("vitrine-nats")]


def test_with_three_servers_each_part_asks_for_three_copies() -> None:
    for store in stores(render(profile("nats"))):
        assert store.nats is not None
        assert store.nats.replicas == 3
        assert store.nats.servers == ["nats://vitrine-nats:4222"]
        assert (store.nats.events_max_bytes, store.nats.rankings_max_bytes) == (1 << 30, 2 << 30)


def test_a_nats_of_ones_own_is_reached_as_told() -> None:
    external = {
        "servers": ["tls://a.example.com:4333", "tls://b.example.com:4334"],
        "replicas": 3, "username": "shop", "caSecret": "nats-ca",
    }  # fmt: skip
    given = {"bundled": {"enabled": False}, "external": external, "auth": {"existingSecret": "pw"}}
    found = render({"nats": {"enabled": True, **given}})
    for store in stores(found):
        assert store.nats is not None
        assert (store.nats.servers, store.nats.username) == (external["servers"], "shop")
        assert store.nats.tls_ca_file == Path("/etc/vitrine/nats/ca.crt")
    egress = one(found, "NetworkPolicy", "vitrine-ingest")["spec"]["egress"]
    ports = {port["port"] for rule in egress for port in rule.get("ports", []) if "to" not in rule}
    assert {4333, 4334} <= ports


@pytest.mark.parametrize(
    ("nats", "said"),
    [
        ({"bundled": {"size": "3Gi"}}, r"nats\.bundled\.size: 3Gi is too little"),
        ({"bundled": {"replicas": 2}}, "replicas"),
        ({"bundled": {"enabled": False}}, r"nats\.(auth\.existingSecret|external\.servers)"),
        ({"external": {"servers": ["http://nats:4222"]}}, "servers"),
    ],
    ids=str,
)
def test_what_could_not_work_is_refused_by_name(nats: Json, said: str) -> None:
    with pytest.raises(RefusedError, match=said):
        render({"nats": {"enabled": True, **nats}})


def test_a_bound_of_the_log_in_redis_is_refused_with_nats() -> None:
    with pytest.raises(RefusedError, match=r"redis\.logMaxBytes"):
        render({"nats": {"enabled": True}, "redis": {"logMaxBytes": 10**9}})


@pytest.mark.parametrize("replicas", [1, 3])
@pytest.mark.parametrize("auth", [True, False])
def test_nats_takes_the_configuration_that_it_is_given(
    tmp_path: Path, replicas: int, auth: bool
) -> None:
    values = {"enabled": True, "bundled": {"replicas": replicas}, "auth": {"enabled": auth}}
    found = render({"nats": values})
    for folder in ("etc/nats", "etc/vitrine/nats", "tmp"):
        (tmp_path / folder).mkdir(parents=True)
    config = one(found, "ConfigMap", "vitrine-nats")["data"]["nats.conf"]
    (tmp_path / "etc/nats/nats.conf").write_text(config)
    password = "s3cret"
    if auth:
        made = one(found, "Secret", "vitrine-nats")["data"]["password"]
        password = b64decode(made).decode()
        (tmp_path / "etc/vitrine/nats/password").write_text(password)
    (server,) = containers(one(found, "StatefulSet", "vitrine-nats")["spec"]["template"])
    script = server["command"][-1].replace("/tmp/", f"{tmp_path}/tmp/")
    script = script.replace("/etc/", f"{tmp_path}/etc/")
    script = script.replace("exec nats-server", f"exec {BINARY} -t")
    done = subprocess.run(
        ["sh", "-ec", script], env={"POD_NAME": "vitrine-nats-0", "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "is valid" in done.stderr + done.stdout, done.stderr
    access = (tmp_path / "tmp/access.conf").read_text()
    assert (password in access) == auth
    peers = [line for line in access.splitlines() if "nats-route://" in line]
    assert len(peers) == (replicas if replicas > 1 else 0)
    assert password not in json.dumps(server)
