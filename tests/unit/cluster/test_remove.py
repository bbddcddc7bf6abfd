"""The RayService is gone before the rest of a release is."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from serving.cluster.remove import remove


@pytest.fixture
def account(tmp_path: Path) -> Path:
    (tmp_path / "token").write_text("secret")
    (tmp_path / "namespace").write_text("shop")
    return tmp_path


@contextmanager
def kubernetes(gone_after: int) -> Iterator[tuple[str, list[tuple[str, str, str]]]]:
    """An API whose RayService is there for so many looks; its address, and what it was asked."""
    asked: list[tuple[str, str, str]] = []

    class Api(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
            asked.append((self.command, self.path, body))
            known = self.headers["authorization"] == "Bearer secret"
            self.send_response((200 if len(asked) <= gone_after else 404) if known else 403)
            self.end_headers()

        do_DELETE = do_GET = _answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_it_waits_until_the_clusters_are_gone_too(account: Path) -> None:
    with kubernetes(gone_after=3) as (api, asked):
        assert remove("vitrine", api, account, wait_s=30, every_s=0.01)
    assert [method for method, *_ in asked] == ["DELETE", "GET", "GET", "GET"]
    assert {path for _, path, _ in asked} == {"/apis/ray.io/v1/namespaces/shop/rayservices/vitrine"}
    assert json.loads(asked[0][2]) == {"propagationPolicy": "Foreground"}


def test_one_that_is_not_there_is_removed(account: Path) -> None:
    with kubernetes(gone_after=0) as (api, asked):
        assert remove("vitrine", api, account)
    assert len(asked) == 1


def test_one_that_stays_is_said(account: Path) -> None:
    with kubernetes(gone_after=10**6) as (api, _):
        assert not remove("vitrine", api, account, wait_s=0.1, every_s=0.01)


def test_who_may_not_is_told_so(account: Path) -> None:
    (account / "token").write_text("another")
    with kubernetes(gone_after=1) as (api, _), pytest.raises(OSError, match="403"):
        remove("vitrine", api, account)
