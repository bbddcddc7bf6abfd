"""What the chart hands to the code is what the code takes; Ray's environment is the proven one."""

import json
import tomllib
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest
import yaml
from ray.serve._private.deploy_utils import get_app_code_version
from ray.serve.schema import ServeApplicationSchema

from features.ingest.settings import IngestSettings
from features.objective import Objective, read_objective
from features.store.settings import StoreSettings
from helm.tools.paths import CHART, ROOT
from helm.tools.rendering import RefusedError
from serving.local.ray_environment import ray_environment
from serving.local.tritonserver import Installation, server_command
from serving.pictures.settings import TextSettings, WorkerSettings
from serving.settings import ReplicaSettings, Settings
from serving.shops.rules import Rules
from tests.support.chart.rendering import (
    PROFILES,
    Json,
    containers,
    defaults,
    every_pod,
    one,
    profile,
    render,
    settings_of,
)

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
# Of a machine that runs several stacks: a pod has its ports and files to itself. On a cluster
# KubeRay hands out the token, Serve's own proxy stays, and the controller looks often, for upgrades
# wait for it. How many threads are best there was not measured.
MACHINE = (
    "RAY_AUTH_", "RAY_SERVE_CONTROLLER_CALLBACK_IMPORT_PATH", "RAY_SERVE_CONTROL_LOOP_INTERVAL_S",
    "RAY_SERVE_DIRECT_INGRESS_", "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC",
    "RAY_SERVE_HAPROXY_SOCKET_PATH", "RAY_SERVE_HAPROXY_SERVER_STATE_",
    "RAY_SERVE_HAPROXY_METRICS_PORT", "RAY_SERVE_HAPROXY_STATS_PORT",
    "RAY_SERVE_HAPROXY_NBTHREAD",
)  # fmt: skip


def ray_groups(found: list[Json]) -> list[Json]:
    """The pods of head and workers."""
    cluster = one(found, "RayService")["spec"]["rayClusterConfig"]
    return [cluster["headGroupSpec"]["template"], cluster["workerGroupSpecs"][0]["template"]]


def environment(container: Json) -> dict[str, Any]:
    """Its variables that have a value."""
    return {each["name"]: each["value"] for each in container["env"] if "value" in each}


@pytest.mark.parametrize("name", PROFILES)
def test_the_application_and_the_jobs_get_the_same_settings_and_they_are_valid(name: str) -> None:
    found = render(profile(name))
    files = one(found, "ConfigMap", "vitrine-settings")["data"]
    settings = Settings.model_validate(settings_of(found))
    assert Settings.model_validate_json(files["settings.json"]) == settings
    assert IngestSettings.model_validate_json(files["ingest.json"]).store == settings.store
    assert StoreSettings.model_validate_json(files["store.json"]) == settings.store
    rules = yaml.safe_load(one(found, "ConfigMap", "vitrine-rules")["data"]["rules.yaml"])
    Rules.model_validate(rules)


def test_the_default_rules_are_those_of_the_local_stack() -> None:
    rules = yaml.safe_load(one(render({}), "ConfigMap", "vitrine-rules")["data"]["rules.yaml"])
    local = yaml.safe_load((ROOT / "serving" / "local" / "rules.yaml").read_text())
    assert Rules.model_validate(rules) == Rules.model_validate(local)


def test_the_default_objective_is_the_code_s_and_the_local_stack_s() -> None:
    given = yaml.safe_load(one(render({}), "ConfigMap", "vitrine-rules")["data"]["objective.yaml"])
    local = read_objective(ROOT / "serving" / "local" / "objective.yaml")
    assert Objective.model_validate(given) == local == Objective()


def test_what_a_user_sets_is_laid_over_what_the_chart_sets() -> None:
    values = {
        "demo": {"data": "grocery"},
        "serving": {
            "settings": {
                "pages": False,
                "model": {"encoder": "encoder-zh"},
                "pipeline": {"default_budget_s": 0.3},
                "access": {"max_body_bytes": 2_000_000},
            }
        },
        "ingest": {"settings": {"batch_events": 500}},
    }
    found = render(values)
    settings = Settings.model_validate(settings_of(found))
    assert not settings.pages
    assert settings.model.encoder == "encoder-zh"
    assert settings.model.grpc_address == "vitrine-model-server:8001"
    assert settings.pipeline.default_budget_s == 0.3
    assert settings.access.max_body_bytes == 2_000_000
    files = one(found, "ConfigMap", "vitrine-settings")["data"]
    assert IngestSettings.model_validate_json(files["ingest.json"]).batch_events == 500


def test_the_demo_shop_is_served_with_demo_data_only() -> None:
    assert not settings_of(render({}))["pages"]
    assert settings_of(render({"demo": {"data": "grocery"}}))["pages"]


def test_an_external_redis_is_reached_as_told_by_all_who_use_it() -> None:
    found = render(profile("external"))
    redis = Settings.model_validate(settings_of(found)).store.redis
    assert (redis.host, redis.port, redis.username) == ("redis.example.com", 6380, "vitrine")
    assert redis.tls
    assert redis.tls_ca_file == Path("/etc/vitrine/redis/ca.crt")
    options = one(found, "RayService")["spec"]["rayClusterConfig"]["gcsFaultToleranceOptions"]
    assert options["redisAddress"] == "rediss://redis.example.com:6380"
    assert options["redisUsername"] == {"value": "vitrine"}
    for pod in ray_groups(found):
        variables = environment(pod["spec"]["containers"][0])
        assert variables["RAY_REDIS_CA_CERT"] == "/etc/vitrine/redis/ca.crt"


def test_the_state_of_ray_s_head_has_a_store_of_its_own_whoever_holds_the_log() -> None:
    outside = {"bundled": {"enabled": False}, "external": {"host": "redis.example.com"}}
    for redis in ({}, {**outside, "auth": {"existingSecret": "mine"}}):
        found = render({"redis": redis})
        cluster = one(found, "RayService")["spec"]["rayClusterConfig"]
        options = cluster["gcsFaultToleranceOptions"]
        address = one(found, "Service", "vitrine-head-redis")["metadata"]["name"]
        assert options["redisAddress"] == f"redis://{address}:6379"
        secret = options["redisPassword"]["valueFrom"]["secretKeyRef"]["name"]
        (server,) = (
            volume
            for volume in one(found, "StatefulSet", address)["spec"]["template"]["spec"]["volumes"]
            if volume["name"] == "configuration"
        )
        assert server["projected"]["sources"][0]["secret"]["name"] == secret
    settings = Settings.model_validate(settings_of(render({})))
    assert settings.store.redis.host == "vitrine-redis"


def test_the_log_s_bound_is_the_server_s_own_unless_one_is_given() -> None:
    def bounds(values: Json) -> tuple[int | None, int | None]:
        found = render(values)
        files = one(found, "ConfigMap", "vitrine-settings")["data"]
        ingest = IngestSettings.model_validate_json(files["ingest.json"])
        store = Settings.model_validate(settings_of(found)).store
        return store.log_max_bytes, ingest.store.log_max_bytes

    assert bounds({}) == (None, None)
    assert bounds({"redis": {"logMaxBytes": 20_000_000_000}}) == (20_000_000_000,) * 2


def test_the_archive_is_reached_by_those_who_write_or_read_it_and_its_keys_by_nobody_else() -> None:
    given = {"url": "s3://bucket/shop", "existingSecret": "s3-keys", "port": 9000}
    arms = [{"key": "a"}, {"key": "b", "rules": {"diversity": {"max_same": 2}}}]
    rules = {"experiments": [{"key": "wider", "status": "running", "arms": arms}]}
    found = render({"archive": given, "training": {"enabled": True}, "rules": rules})
    files = one(found, "ConfigMap", "vitrine-settings")["data"]
    for name in ("store.json", "ingest.json", "settings.json"):
        assert "s3://bucket/shop" in files[name]
    users = {
        pod["metadata"]["labels"]["app.kubernetes.io/component"]
        for _, pod in every_pod(found)
        for each in containers(pod)
        if {"secretRef": {"name": "s3-keys"}} in each.get("envFrom", [])
    }
    assert users == {"ingest", "training", "neighbors", "readings"}
    for name in ("vitrine-ingest", "vitrine-training", "vitrine-jobs"):
        egress = one(found, "NetworkPolicy", name)["spec"]["egress"]
        assert {"ports": [{"port": 9000}]} in egress, name
    with pytest.raises(RefusedError, match="url"):
        render({"archive": {"url": "s3://key:secret@bucket/shop"}})


def test_webhooks_get_their_secret_and_a_way_out_only_where_a_host_is_named() -> None:
    egress = one(render({}), "NetworkPolicy", "vitrine-worker")["spec"]["egress"]
    assert {"ports": [{"port": 443}]} not in egress
    given = {"hosts": ["hooks.example.com"], "existingSecret": "hook", "port": 8443}
    found = render({"webhooks": given})
    egress = one(found, "NetworkPolicy", "vitrine-worker")["spec"]["egress"]
    assert {"ports": [{"port": 8443}]} in egress
    settings = json.loads(one(found, "ConfigMap", "vitrine-settings")["data"]["settings.json"])
    assert settings["alerts"] == {
        "hosts": ["hooks.example.com"], "private_addresses": False,
        "secret_path": "/etc/vitrine/webhook/webhook.secret",
    }  # fmt: skip
    with pytest.raises(RefusedError, match="hosts"):
        render({"webhooks": {"hosts": ["https://hooks.example.com"]}})


@pytest.mark.parametrize("name", PROFILES)
def test_every_file_that_the_settings_name_is_mounted_where_it_is_read(name: str) -> None:
    found = render(profile(name))
    settings = Settings.model_validate(settings_of(found))
    head, worker = (files_in(pod) for pod in ray_groups(found))
    assert settings.objective_path is not None
    needed = {settings.access.keys_path, settings.access.pseudonym_key_path, settings.rules_path}
    needed.add(settings.objective_path)
    if settings.store.redis.password_file:
        needed.add(settings.store.redis.password_file)
    if settings.store.redis.tls_ca_file:
        needed.add(settings.store.redis.tls_ca_file)
    nats = settings.store.nats
    if nats is not None:
        needed |= {path for path in (nats.password_file, nats.tls_ca_file) if path}
    assert needed | {Path("/etc/vitrine/settings.json")} <= worker
    assert {
        settings.rules_path,
        settings.objective_path,
    } <= head  # build_app reads it, and may run there
    for path in (settings.retrieval.neighbors_path, Path(settings.store.registry_path)):
        assert path.parent == Path("/shared")


def files_in(pod: Json) -> set[Path]:
    """Files of the projected volume at /etc/vitrine."""
    (volume,) = (each for each in pod["spec"]["volumes"] if each["name"] == "configuration")
    return {
        Path("/etc/vitrine") / item["path"]
        for source in volume["projected"]["sources"]
        for item in next(iter(source.values()))["items"]
    }


def test_ray_starts_with_the_environment_that_the_local_stack_proves(tmp_path: Path) -> None:
    proven = {
        name: value
        for name, value in ray_environment(tmp_path).items()
        if not name.startswith(MACHINE)
    }
    assert len(proven) > 8
    for pod in ray_groups(render({})):
        assert proven.items() <= environment(pod["spec"]["containers"][0]).items()


def test_traces_go_where_the_code_looks() -> None:
    found = render({"tracing": {"enabled": True, "ratio": 0.25}})
    url = "http://vitrine-collector:4318/v1/traces"
    for pod in ray_groups(found):
        variables = environment(pod["spec"]["containers"][0])
        assert variables["OTEL_TRACES_EXPORTER"] == "otlp"
        assert variables["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] == url
        assert variables["RAY_SERVE_TRACING_SAMPLING_RATIO"] == "0.25"
        place = variables["RAY_SERVE_TRACING_EXPORTER_IMPORT_PATH"]
        assert place == "features.telemetry.spans:span_processors"
    (triton,) = one(found, "Deployment", "vitrine-model-server")["spec"]["template"]["spec"][
        "containers"
    ]
    assert f"--trace-config=opentelemetry,url={url}" in triton["command"]


def test_versions_are_those_of_the_project() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["appVersion"] == PROJECT["version"]
    (ray,) = (each for each in PROJECT["dependencies"] if each.startswith("ray["))
    service = one(render({}), "RayService")["spec"]
    assert service["rayClusterConfig"]["rayVersion"] == ray.rpartition("==")[2]


def test_every_module_that_a_pod_runs_is_there_and_takes_its_options() -> None:
    found = [each for name in PROFILES for each in render(profile(name))]
    found += render(
        {"training": {"enabled": True, "data": "/shared/x", "answers": {"enabled": True}}}
    )
    running = {"key": "one", "status": "running", "arms": [{"key": "a"}, {"key": "b"}]}
    found += render({"rules": {"experiments": [running]}})
    run = {
        tuple(container["command"])
        for _, pod in every_pod(found)
        for container in [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]
        if container.get("command", [""])[:2] == ["python", "-m"]
    }
    modules = {command[2] for command in run}
    assert modules == {
        "serving.cluster.setup", "serving.cluster.train",
        "serving.telemetry.node_metrics", "serving.training.publish", "features.ingest",
        "features.ingest.neighbor_job", "serving.experiments.report", "serving.pictures",
        "serving.training.fit.answers",
    }  # fmt: skip
    shared = source_of("features.store.chosen") + source_of("serving.experiments.worth")
    for command in run:
        source = source_of(command[2])
        if "add_options(" in source:
            source += source_of("serving.training.fit.kept.command")
        if "add_store(" in source:
            source += shared
        for option in (part.partition("=")[0] for part in command if part.startswith("--")):
            assert f'"{option}"' in source, (command[2], option)


@pytest.mark.parametrize("release", ["use", "candidate"])
def test_a_retraining_releases_as_the_values_say(release: str) -> None:
    found = render({"training": {"enabled": True, "release": release}})
    job = one(found, "CronJob", "vitrine-training")["spec"]["jobTemplate"]["spec"]["template"]
    assert f"--release={release}" in job["spec"]["containers"][0]["command"]


def source_of(module: str) -> str:
    """The text of what `python -m` runs."""
    path = ROOT / module.replace(".", "/")
    return (path / "__main__.py" if path.is_dir() else path.with_suffix(".py")).read_text()


def option_names(command: list[str]) -> set[str]:
    return {part[2:].partition("=")[0] for part in command if part.startswith("--")}


def test_triton_gets_the_options_that_the_local_server_proves() -> None:
    (triton,) = one(render({}), "Deployment", "vitrine-model-server")["spec"]["template"]["spec"][
        "containers"
    ]
    installation = Installation(*[Path()] * 4)
    ports = {"HTTP": 1, "gRPC": 2, "metrics": 3}
    local = server_command(
        installation, Path(), Path(), ports, ["ranker"], "vitrine", trace_url="http://collector"
    )
    assert option_names(triton["command"]) - option_names(local) == set()
    assert "--model-control-mode=explicit" in triton["command"]


def test_the_keys_of_values_reach_the_key_file() -> None:
    keys = [{"name": "shop", "sha256": "0" * 64, "scopes": ["rank"], "rate_per_s": 50}]
    found = render({"auth": {"keys": keys}}, "--show-only", "templates/access.yaml")
    data = one(found, "Secret", "vitrine-keys")["data"]["keys.json"]
    assert json.loads(b64decode(data)) == keys


def served(deployments: Json, **pipeline: str) -> ServeApplicationSchema:
    """The application, with these settings of its deployments and of the pipeline."""
    settings = {"deployments": deployments, "pipeline": pipeline}
    found = render({"serving": {"settings": settings}})
    config = yaml.safe_load(one(found, "RayService")["spec"]["serveConfigV2"])
    (application,) = (ServeApplicationSchema(**each) for each in config["applications"])
    return application


@pytest.mark.parametrize("given", [
    {}, {"min_replicas": 2, "max_replicas": 6},
    {"target_ongoing_requests": 7.5, "downscale_delay_s": 60},
])  # fmt: skip
def test_a_deployment_scales_as_its_settings_say(given: Json) -> None:
    """What a config names replaces all of what the application says of scaling."""
    application = served({"ingress": given}, cold_start="deployment")
    named = {each.name: each.autoscaling_config for each in application.deployments}
    usual = defaults()["serving"]["settings"]["deployments"]
    assert named == {
        "Ingress": ReplicaSettings(**usual["ingress"] | given).autoscaling(),
        "Ranker": ReplicaSettings(**usual["ranker"]).autoscaling(),
        "ColdStart": ReplicaSettings(**usual["cold_start"]).autoscaling(),
    }


def test_the_config_names_the_deployments_that_the_application_has() -> None:
    """Serve refuses one that names another."""
    assert {each.name for each in served({}).deployments} == {"Ingress", "Ranker"}
    assert {each.name for each in served({}, ranker="ingress").deployments} == {"Ingress"}
    assert {each.name for each in served({}, cold_start="deployment").deployments} == {
        "Ingress", "Ranker", "ColdStart",
    }  # fmt: skip


def test_a_change_of_bounds_alone_builds_nothing_anew() -> None:
    """Serve's version of an application counts the deployments that its config names."""
    assert get_app_code_version(served({"ranker": {"max_replicas": 5}})) == get_app_code_version(
        served({})
    )
    application = served({"ranker": {"min_replicas": 2}})
    version = get_app_code_version(application)
    application.deployments[0].autoscaling_config = {"min_replicas": 2, "initial_replicas": None}
    assert get_app_code_version(application) == version


def test_the_worker_of_pictures_and_the_application_are_told_the_same_of_them() -> None:
    fetch = {"hosts": ["cdn.example.com", "*.shop.example"], "at_once": 4}
    found = render({"pictures": {"enabled": True, "settings": {"fetch": fetch}}})
    settings = Settings.model_validate(settings_of(found))
    files = one(found, "ConfigMap", "vitrine-settings")["data"]
    worker = WorkerSettings.model_validate_json(files["pictures.json"])
    assert worker.pictures.fetch.hosts == ("cdn.example.com", "*.shop.example")
    assert (worker.store, worker.model, worker.pictures) == (
        settings.store, settings.model, settings.pictures,
    )  # fmt: skip
    assert Settings.model_validate(settings_of(render({}))).pictures is None
    with pytest.raises(RefusedError, match="hosts"):
        render({"pictures": {"settings": {"fetch": {"hosts": ["http://cdn.example.com"]}}}})


def test_who_reads_pictures_is_told_to_and_has_the_memory_for_it() -> None:
    def worker(settings: dict[str, object]) -> tuple[WorkerSettings, str]:
        found = render({"pictures": {"enabled": True, "settings": settings}})
        files = one(found, "ConfigMap", "vitrine-settings")["data"]
        pod = one(found, "Deployment", "vitrine-pictures")["spec"]["template"]["spec"]
        memory = pod["containers"][0]["resources"]["limits"]["memory"]
        return WorkerSettings.model_validate_json(files["pictures.json"]), memory

    usual, small = worker({})
    reads, large = worker({"text": {}})
    assert (usual.pictures.text, small) == (None, "768Mi")
    assert (reads.pictures.text, large) == (TextSettings(), "1536Mi")
    assert worker({"text": None})[1] == "768Mi"
    with pytest.raises(RefusedError, match="max_side"):
        render({"pictures": {"settings": {"text": {"max_side": 5000}}}})


def test_the_model_server_publishes_loads_and_watches_the_encoder_of_pictures() -> None:
    for enabled in (False, True):
        found = render({"pictures": {"enabled": enabled}})
        pod = one(found, "Deployment", "vitrine-model-server")["spec"]["template"]
        (publish,), (triton,) = pod["spec"]["initContainers"], pod["spec"]["containers"]
        probe = triton["livenessProbe"]["exec"]["command"][-1]
        assert ("--pictures" in publish["command"]) == enabled
        assert ("--load-model=pictures" in triton["command"]) == enabled
        assert ("encoder ranker pictures;" in probe) == enabled
