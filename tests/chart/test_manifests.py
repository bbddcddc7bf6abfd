"""k8s/ is the chart's output, and kustomize makes one installation of it."""

import re
import shutil
import subprocess

import pytest

from helm.tools.binaries import binary
from helm.tools.manifests import NAMESPACE, TARGET, rendered
from helm.tools.paths import ROOT
from helm.values.table import README, with_table
from tests.support.chart.kube_schemas import custom, errors
from tests.support.chart.rendering import Json, defaults, documents, every_pod

SECRETS = {"keys.json": "[]", "pseudonym.key": "0" * 64, "password": "0" * 40}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> list[Json]:
    """What `kubectl apply -k k8s` would send."""
    folder = tmp_path_factory.mktemp("kustomize") / "k8s"
    shutil.copytree(ROOT / "k8s", folder, ignore=shutil.ignore_patterns("secrets"))
    (folder / "secrets").mkdir()
    for name, content in SECRETS.items():
        (folder / "secrets" / name).write_text(content)
    command = [str(binary("kubectl")), "kustomize", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return documents(done.stdout)


def test_the_manifests_are_what_the_chart_renders() -> None:
    assert TARGET.read_text() == rendered(), "out of date: make manifests"


def test_the_table_of_values_is_that_of_the_chart() -> None:
    readme = README.read_text()
    assert readme == with_table(readme), "out of date: make manifests"
    assert readme.count("| `") > 100


def test_no_secret_lies_in_the_repository() -> None:
    assert all(each["kind"] != "Secret" for each in documents(TARGET.read_text()))


def test_kustomize_puts_everything_in_one_namespace(built: list[Json]) -> None:
    assert {each["metadata"]["namespace"] for each in built} == {NAMESPACE}
    assert "RayService" in {each["kind"] for each in built}


def test_kubernetes_takes_what_kustomize_makes(built: list[Json]) -> None:
    for document in built:
        if not custom(document):
            assert errors(document) == [], document["metadata"]["name"]


def test_every_secret_that_is_mounted_is_made(built: list[Json]) -> None:
    made = {
        each["metadata"]["name"]: set(each["data"]) for each in built if each["kind"] == "Secret"
    }
    mounted = {
        (source["secret"]["name"], item["key"])
        for _, pod in every_pod(built)
        for volume in pod["spec"].get("volumes", [])
        for source in volume.get("projected", {}).get("sources", [])
        if "secret" in source
        for item in source["secret"]["items"]
    }
    assert {name for name, _ in mounted} == set(made)
    for name, key in mounted:
        assert key in made[name]


@pytest.mark.parametrize("page", ["k8s/operator.md", "k8s/gpu-node-pool.md"])
def test_the_pages_beside_the_manifests_name_values_that_there_are(page: str) -> None:
    named = re.findall(r"`([a-z]\w*(?:\.\w+)+)(?:: \w+)?`", (ROOT / page).read_text())
    assert named
    for path in named:
        node = defaults()
        for step in path.split("."):
            assert step in node, path
            node = node[step]
