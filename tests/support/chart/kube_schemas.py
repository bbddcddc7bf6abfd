"""Kubernetes' own schemas, closed, and those of the custom resources.

The former come with the package kubernetes-validate, of which only the data is used: it reads two
megabytes anew for each resource. The latter lie in ../shared/crds.
"""

import json
from functools import cache
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import jsonschema_rs
import yaml

from tests.conftest import SHARED
from tests.support.chart.rendering import Json

KUBERNETES = "v1.37.0"
CRDS = SHARED / "crds"
_DEFINITIONS = "https://kubernetes.io/api/_definitions.json"  # as the schemas call it


def errors(document: Json) -> list[str]:
    """What is wrong with a resource, by place; raises LookupError for one that has no schema."""
    validator = _validator(document["apiVersion"], document["kind"])
    return [
        f"{'.'.join(str(step) for step in error.instance_path)}: {error.message}"
        for error in validator.iter_errors(document)
    ]


def custom(document: Json) -> bool:
    """Whether it is a resource that Kubernetes does not know by itself."""
    group = document["apiVersion"].rpartition("/")[0]
    return group.startswith("gateway.") or ("." in group and not group.endswith(".k8s.io"))


@cache
def _validator(api_version: str, kind: str) -> Any:
    if custom({"apiVersion": api_version}):
        return jsonschema_rs.validator_for(_custom_schema(api_version, kind))
    group = api_version.split("/")
    name = "-".join([kind.lower(), group[0].split(".")[0], *group[1:]])
    path = _folder() / f"{name}.json"
    if not path.is_file():
        raise LookupError(f"no schema of {api_version} {kind}")
    schema = json.loads(path.read_text())
    return jsonschema_rs.Draft202012Validator(schema, registry=_definitions())


@cache
def _folder() -> Path:
    package = distribution("kubernetes-validate")
    place = f"kubernetes_validate/kubernetes-json-schema/{KUBERNETES}-local-strict"
    return Path(str(package.locate_file(place)))


@cache
def _definitions() -> jsonschema_rs.Registry:
    content = json.loads((_folder() / "_definitions.json").read_text())
    return jsonschema_rs.Registry([(_DEFINITIONS, content)])


@cache
def _custom_schema(api_version: str, kind: str) -> Json:
    group, _, version = api_version.partition("/")
    for path in CRDS.glob(f"{group}_*.yaml"):
        definition = yaml.load(path.read_text(), yaml.CSafeLoader)["spec"]
        if definition["names"]["kind"] == kind:
            (found,) = (each for each in definition["versions"] if each["name"] == version)
            schema: Json = _closed(found["schema"]["openAPIV3Schema"])
            schema["properties"]["metadata"] = {"type": "object"}
            return schema
    raise LookupError(f"no definition of {api_version} {kind} in {CRDS}")


def _closed(node: Any) -> Any:
    """The schema with every object closed, as the server prunes what it does not know."""
    if isinstance(node, list):
        return [_closed(each) for each in node]
    if not isinstance(node, dict):
        return node
    closed = {key: _closed(value) for key, value in node.items() if key != "format"}
    open_by_will = node.get("x-kubernetes-preserve-unknown-fields")
    # A property may be called "properties": that one has no type beside it.
    if node.get("type") == "object" and "properties" in node and not open_by_will:
        closed.setdefault("additionalProperties", False)
    return closed
