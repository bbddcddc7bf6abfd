"""Keys change while we serve, and a mistake in the file takes no key away."""

import json
import logging
import os
import time
from pathlib import Path

import pytest

from serving.errors import RateLimitedError, UnauthenticatedError
from serving.http.access.auth import Keyring, Scope, hash_key
from serving.http.access.key_file import KeyFile, watched_keys


def content(*names: str, rate_per_s: int = 1000) -> str:
    return json.dumps(
        [
            {"name": name, "sha256": hash_key(name), "scopes": ["rank"], "rate_per_s": rate_per_s}
            for name in names
        ]
    )


def replace(path: Path, text: str) -> None:
    """As an editor or a deploy does: a new file under the old name."""
    part = path.with_suffix(".part")
    part.write_text(text)
    os.replace(part, path)


def knows(keys: Keyring, name: str) -> bool:
    try:
        keys.admit(f"Bearer {name}", Scope.RANK)
    except UnauthenticatedError:
        return False
    return True


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "keys.json"
    found.write_text(content("old"))
    return found


@pytest.mark.parametrize("write", [replace, Path.write_text], ids=["renamed", "in place"])
def test_a_changed_file_brings_new_keys_and_takes_old_ones_away(path: Path, write: object) -> None:
    watch = KeyFile(path)
    assert callable(write)
    write(path, content("new", "other"))
    watch.look()
    assert (knows(watch.keys, "new"), knows(watch.keys, "old")) == (True, False)


def test_a_mounted_secret_that_is_swapped_by_symlink_is_taken_over(tmp_path: Path) -> None:
    """As the kubelet does: keys.json -> ..data/keys.json, ..data -> a folder with a time."""
    for folder, name in (("..2026_1", "old"), ("..2026_2", "new")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "keys.json").write_text(content(name))
    (tmp_path / "..data").symlink_to("..2026_1")
    (tmp_path / "keys.json").symlink_to("..data/keys.json")
    watch = KeyFile(tmp_path / "keys.json")
    (tmp_path / "..data_tmp").symlink_to("..2026_2")
    os.replace(tmp_path / "..data_tmp", tmp_path / "..data")
    watch.look()
    assert (knows(watch.keys, "new"), knows(watch.keys, "old")) == (True, False)


@pytest.mark.parametrize(
    "text", ["", "{", '[{"name": "s3cret-name", "sha256": "s3cret"}]', '{"a": "s3cret"}']
)
def test_a_file_that_cannot_be_used_keeps_the_keys_and_is_one_line_without_its_content(
    path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    watch = KeyFile(path)
    replace(path, text)
    with caplog.at_level(logging.INFO):
        watch.look()
        watch.look()
    assert knows(watch.keys, "old")
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "\n" not in record.getMessage()
    assert "s3cret" not in caplog.text
    replace(path, content("mended"))
    watch.look()
    assert knows(watch.keys, "mended")


def test_a_file_that_is_gone_keeps_the_keys_until_it_is_back(path: Path) -> None:
    watch = KeyFile(path)
    path.unlink()
    watch.look()
    assert knows(watch.keys, "old")
    path.write_text(content("new"))
    watch.look()
    assert (knows(watch.keys, "new"), knows(watch.keys, "old")) == (True, False)


def test_a_key_that_stays_keeps_what_it_used_of_its_rate(path: Path) -> None:
    path.write_text(content("old", rate_per_s=2))
    watch = KeyFile(path)
    assert knows(watch.keys, "old")
    assert knows(watch.keys, "old")
    replace(path, content("old", "new", rate_per_s=2))
    watch.look()
    with pytest.raises(RateLimitedError):
        watch.keys.admit("Bearer old", Scope.RANK)


def test_the_file_is_followed_without_being_asked(path: Path) -> None:
    keys = watched_keys(path, 0.01)
    replace(path, content("new"))
    deadline_s = time.monotonic() + 5
    while not knows(keys, "new"):
        assert time.monotonic() < deadline_s
        time.sleep(0.01)
    assert not knows(keys, "old")
