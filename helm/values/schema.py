"""Write values.schema.json: `python -m helm.values.schema`.

Every object is closed, so that Helm refuses a misspelt key and names it.
"""

import json
from typing import Any

from features.ingest.settings import IngestSettings
from helm.tools.paths import CHART
from helm.values.chart import Chart
from serving.settings import Settings

TARGET = CHART / "values.schema.json"
# What the chart sets itself: where things lie and how its parts find each other.
CHARTS_OWN = {
    "Settings": ("store", "pictures", "rules_path", "objective_path"),
    "AccessSettings": ("keys_path", "pseudonym_key_path"),
    "ModelSettings": (
        "grpc_address",
        "tls",
        "tokenizer_path",
        "encoder_profile",
        "encoder_tokenizer_path",
    ),
    "RetrievalSettings": ("vectors_path", "neighbors_path"),
    "AlertSettings": ("hosts", "secret_path", "private_addresses"),
    "LogSettings": ("folder",),
    "IngestSettings": ("store", "dataset_folders"),
}


_SHARED = (
    "RedisSettings",
    "NatsSettings",
    "StoreSettings",
    "Prices",
    "PictureSettings",
    "FetchSettings",
    "TextSettings",
)  # the same in both settings, and the chart


def schema() -> dict[str, Any]:
    """The JSON schema of values.yaml."""
    whole = _plain(Chart.model_json_schema())
    definitions = whole["$defs"]
    for place, model in (("Serving", Settings), ("Ingest", IngestSettings)):
        parts = _plain(model.model_json_schema())
        name = model.__name__
        for part, definition in {name: parts, **parts.pop("$defs")}.items():
            assert part not in definitions or part in _SHARED, part
            definitions[part] = _partial(definition, CHARTS_OWN.get(part, ()))
        definitions[place]["properties"]["settings"] = {"$ref": f"#/$defs/{name}"}
    whole["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    return _used(whole)


def _plain(node: Any) -> Any:
    """Without what says nothing to who mistypes: titles and defaults (those are values.yaml's)."""
    if isinstance(node, list):
        return [_plain(value) for value in node]
    if not isinstance(node, dict):
        return node
    if "properties" in node:
        node["properties"] = {name: _plain(value) for name, value in node["properties"].items()}
    dropped = ("title", "default", "format", "description")
    return {
        name: value if name == "properties" else _plain(value)
        for name, value in node.items()
        if name not in dropped
    }


def _partial(definition: dict[str, Any], without: tuple[str, ...]) -> dict[str, Any]:
    """A settings object of which a part is given."""
    if "properties" not in definition:
        return definition
    kept = {name: to for name, to in definition["properties"].items() if name not in without}
    return {**definition, "properties": kept} | {"required": []}


def _used(whole: dict[str, Any]) -> dict[str, Any]:
    """Only the definitions that something refers to."""
    used: set[str] = set()
    queue = [{name: part for name, part in whole.items() if name != "$defs"}]
    while queue:
        text = json.dumps(queue.pop())
        for name, definition in whole["$defs"].items():
            if name not in used and f'"#/$defs/{name}"' in text:
                used.add(name)
                queue.append(definition)
    kept = {name: definition for name, definition in sorted(whole["$defs"].items()) if name in used}
    return {**whole, "$defs": kept}


def rendered() -> str:
    """The content of values.schema.json."""
    return json.dumps(schema(), indent=1) + "\n"


if __name__ == "__main__":
    TARGET.write_text(rendered())
