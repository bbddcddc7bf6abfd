"""Keys and secrets: what is made, who sees it, and what the notes tell of it."""

import json
import re
import shutil
from base64 import b64decode
from pathlib import Path

from helm.tools.paths import CHART
from serving.http.access.auth import ApiKey, hash_key
from tests.support.chart.rendering import (
    Json,
    documents,
    every_pod,
    one,
    profile,
    render,
    render_text,
)


def notes(values: Json, folder: Path) -> str:
    """NOTES.txt, which `helm template` leaves out, as a resource of a copy of the chart."""
    chart = folder / "chart"
    shutil.copytree(CHART, chart, ignore=shutil.ignore_patterns("__pycache__"))
    text = (chart / "templates" / "NOTES.txt").read_text()
    document = 'kind: Notes\nmetadata: {name: notes}\ntext: {{ include "notes" . | quote }}\n'
    (chart / "templates" / "notes.yaml").write_text(
        f'{{{{- define "notes" }}}}{text}{{{{ end -}}}}\n{document}'
    )
    rendered: str = one(documents(render_text(values, chart=chart)), "Notes")["text"]
    return rendered


def test_the_notes_tell_how_to_read_the_key_and_never_the_key(tmp_path: Path) -> None:
    text = notes({"demo": {"data": "grocery"}}, tmp_path)
    assert "kubectl get secret --namespace default vitrine-storefront" in text
    assert "/demo" in text
    assert not re.search(r"[A-Za-z0-9]{32}", text)


def test_the_notes_do_not_speak_of_keys_that_are_not_there(tmp_path: Path) -> None:
    off = {"demo": {"data": ""}, "loadtest": {"enabled": False}}
    text = notes(profile("external") | off, tmp_path)
    assert "storefront" not in text
    assert "/demo" not in text
    assert "pseudonym" not in text


def test_a_key_is_made_and_the_service_sees_its_hash_only(default: list[Json]) -> None:
    key = b64decode(one(default, "Secret", "vitrine-storefront")["data"]["key"])
    (known,) = json.loads(b64decode(one(default, "Secret", "vitrine-keys")["data"]["keys.json"]))
    assert known["sha256"] == hash_key(key.decode())
    assert ApiKey.model_validate(known).scopes == {"rank", "events", "items"}
    mounted = {
        source["secret"]["name"]
        for _, pod in every_pod(default)
        for volume in pod["spec"].get("volumes", [])
        for source in volume.get("projected", {}).get("sources", [])
        if "secret" in source
    }
    assert "vitrine-keys" in mounted
    assert "vitrine-storefront" not in mounted


def test_with_secrets_of_ones_own_nothing_is_left_to_chance() -> None:
    found = render(profile("external"))
    assert found == render(profile("external"))
    assert all(each["kind"] != "Secret" for each in found)
