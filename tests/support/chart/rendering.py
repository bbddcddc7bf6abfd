"""The chart as Helm renders it."""

import json
import tempfile
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from helm.tools.paths import CHART
from helm.tools.rendering import helm

Json = dict[str, Any]
PROFILES = sorted(path.stem for path in (CHART / "ci").glob("*.yaml"))
# What a cluster with all operators has.
APIS = (
    "ray.io/v1",
    "keda.sh/v1alpha1",
    "monitoring.coreos.com/v1",
    "gateway.networking.k8s.io/v1",
)
RELEASE = "vitrine"


def profile(name: str) -> Json:
    """The values that a profile of helm/ci gives."""
    return json.loads(_read(CHART / "ci" / f"{name}.yaml")) or {}


def defaults() -> Json:
    """values.yaml."""
    found: Json = json.loads(_read(CHART / "values.yaml"))
    return found


@cache
def _read(path: Path) -> str:
    """A YAML file as JSON, which is read again in no time."""
    return json.dumps(yaml.load(path.read_text(), yaml.CSafeLoader))


def merged(values: Json, given: Mapping[str, Any]) -> Json:
    """`values` with what is given laid over, as Helm does it."""
    whole = dict(values)
    for key, value in given.items():
        both = isinstance(value, Mapping) and isinstance(whole.get(key), Mapping)
        whole[key] = merged(whole[key], value) if both else value
    return whole


def render_text(
    values: Mapping[str, Any], *options: str, apis: tuple[str, ...] = APIS, chart: Path = CHART
) -> str:
    """The manifests as text; raises RefusedError."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(values, file)
        file.flush()
        versions = [option for api in apis for option in ("--api-versions", api)]
        return helm("template", RELEASE, str(chart), "--values", file.name, *versions, *options)


def render(values: Mapping[str, Any], *options: str, apis: tuple[str, ...] = APIS) -> list[Json]:
    """The documents; raises RefusedError."""
    return documents(render_text(values, *options, apis=apis))


def documents(text: str) -> list[Json]:
    """The documents of a YAML stream, without empty ones."""
    return [each for each in yaml.load_all(text, yaml.CSafeLoader) if each]


def one(found: list[Json], kind: str, name: str | None = None) -> Json:
    """The only document of a kind, or the one of a name."""
    (document,) = (
        each for each in found if each["kind"] == kind and name in (None, each["metadata"]["name"])
    )
    return document


def pods(node: Any, where: str = "") -> Iterator[tuple[str, Json]]:
    """Every pod template in a document (also Ray's), with where it stands: {metadata, spec}."""
    if isinstance(node, dict):
        if "containers" in node.get("spec", {}):
            yield where, node
        for key, value in node.items():
            yield from pods(value, f"{where}.{key}")
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from pods(value, f"{where}.{index}")


def every_pod(found: list[Json]) -> Iterator[tuple[str, Json]]:
    """The pod templates of all documents."""
    for document in found:
        yield from pods(document, f"{document['kind']}/{document['metadata']['name']}")


def containers(pod: Json) -> list[Json]:
    """All of a pod, those that run first included."""
    return [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]


def component(labels: Mapping[str, str]) -> str:
    """The part that labels name."""
    return labels["app.kubernetes.io/component"]


def settings_of(found: list[Json]) -> Json:
    """`args` of the rendered application."""
    config = yaml.safe_load(one(found, "RayService")["spec"]["serveConfigV2"])
    (application,) = config["applications"]
    arguments: Json = application["args"]
    return arguments
