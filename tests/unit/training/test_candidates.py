"""A candidate is served beside the version in use, and what is in use does not change."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from serving.training.publish.__main__ import main
from serving.training.publish.candidates import load_offered, offer, promote, withdraw
from serving.training.publish.repository import (
    PublishError,
    offered,
    rollback,
    version_in_use,
    versions,
)
from tests.support.tiny_repository import publish_again


@contextmanager
def server(refuses: str = "nothing") -> Iterator[tuple[str, list[str]]]:
    """A model server's control: its address, and the paths that it was asked for."""
    asked: list[str] = []

    class Control(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.path)
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(400 if f"/{refuses}/" in self.path else 200)
            self.end_headers()

        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Control) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{running.server_port}", asked
        finally:
            running.shutdown()
            thread.join()


def test_a_server_that_started_anew_is_given_what_is_offered_when_it_is_ready(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As the chart does it: the repository can only be read."""
    offer(repository, "ranker", 4, [])
    repository.chmod(0o555)
    try:
        with server() as (url, asked):
            given = ["load", "--repository", str(repository), "--reload", url, "--wait", "5"]
            assert main(given) == 0
        assert asked[0] == "/v2/health/ready"
        assert asked[1:] == [
            "/v2/repository/models/ranker-4/load",
            "/v2/models/ranker-4/versions/4/ready",
        ]
        with server("ranker-4") as (url, asked):
            assert main([*given[:4], url]) == 1
        assert "a candidate is not served" in capsys.readouterr().err
        assert main([*given[:4], "http://127.0.0.1:1"]) == 1
        assert "was not ready" in capsys.readouterr().err
    finally:
        repository.chmod(0o755)
    assert not (repository / ".lock").exists()


def test_an_offered_version_is_a_model_of_its_own_that_links_to_the_version(
    repository: Path,
) -> None:
    with server() as (url, asked):
        offer(repository, "ranker", 4, [url])
    assert asked == ["/v2/repository/models/ranker-4/load", "/v2/models/ranker-4/versions/4/ready"]
    assert offered(repository, "ranker") == [4]
    assert version_in_use(repository, "ranker") == 5
    manifest = json.loads((repository / "ranker-4" / "4" / "manifest.json").read_text())
    assert manifest["version"] == 4
    configuration = (repository / "ranker-4" / "config.pbtxt").read_text()
    assert configuration.startswith('name: "ranker-4"\n')
    assert configuration.count("ranker") == 1


def test_a_version_that_no_server_takes_is_offered_nowhere(repository: Path) -> None:
    with server("ranker-4") as (url, asked), pytest.raises(PublishError, match="could not load"):
        offer(repository, "ranker", 4, [url])
    assert asked[-1] == "/v2/repository/models/ranker-4/unload"
    assert offered(repository, "ranker") == []
    assert not (repository / "ranker-4").exists()
    assert versions(repository, "ranker") == [3, 4, 5]


def test_a_damaged_version_is_not_offered(repository: Path) -> None:
    (repository / "ranker" / "4" / "head.onnx").unlink()
    with pytest.raises(PublishError, match=r"head.onnx is missing"):
        offer(repository, "ranker", 4, [])
    assert offered(repository, "ranker") == []


def test_what_is_offered_is_kept_when_others_are_published(repository: Path) -> None:
    offer(repository, "ranker", 3, [])
    publish_again(repository)
    publish_again(repository)
    assert 3 in versions(repository, "ranker")
    withdraw(repository, "ranker", 3)
    publish_again(repository)
    assert 3 not in versions(repository, "ranker")


def test_promotion_takes_it_into_use_and_rollback_goes_back(repository: Path) -> None:
    rollback(repository, "ranker")
    offer(repository, "ranker", 5, [])
    promote(repository, "ranker", 5)
    assert (version_in_use(repository, "ranker"), offered(repository, "ranker")) == (5, [])
    assert rollback(repository, "ranker") == 4


def test_what_is_not_offered_can_be_neither_promoted_nor_withdrawn(repository: Path) -> None:
    for order in (promote, withdraw):
        with pytest.raises(PublishError, match="4 is not served beside"):
            order(repository, "ranker", 4)


def test_a_server_that_starts_anew_loads_what_is_offered_and_a_broken_one_is_told(
    repository: Path,
) -> None:
    for number in (3, 4):
        offer(repository, "ranker", number, [])
    with server("ranker-3") as (url, asked):
        (problem,) = load_offered(repository, "ranker", [url])
    assert "ranker-3" in problem
    assert "/v2/models/ranker-4/versions/4/ready" in asked


def test_the_command_line_says_what_is_served(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--version", "4", "--repository", str(repository)]
    told = []
    for command in ("offer", "promote", "withdraw"):
        status = main([command, *where])
        told.append((status, "".join(capsys.readouterr()).strip()))
    assert told == [
        (0, "ranker 4 is served beside the version in use"),
        (0, "ranker 4 is in use"),
        (1, "error: ranker 4 is not served beside another version"),
    ]
