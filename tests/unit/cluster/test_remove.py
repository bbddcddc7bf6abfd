"""The RayService is gone before the rest of a release is."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from serving.cluster.remove import remove
from tests.support.servers.http_server import http_server

Asked = tuple[str, str, str]  # method, path, body


@pytest.fixture
def account(tmp_path: Path) -> Path:
    (tmp_path / "token").write_text("secret")
    (tmp_path / "namespace").write_text("shop")
    return tmp_path


@contextmanager
def kubernetes(gone_after: int, clusters: int = 0) -> Iterator[tuple[str, list[Asked]]]:
    """An API whose RayService is there for so many questions, its clusters for more; its address,
    and what it was asked.
    """
    asked: list[Asked] = []

    class Api(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
            asked.append((self.command, self.path, body))
            known = self.headers["authorization"] == "Bearer secret"
            left: list[object] = [{}] if len(asked) <= gone_after + clusters else []
            there = "rayclusters" in self.path or len(asked) <= gone_after
            self.send_response((200 if there else 404) if known else 403)
            self.end_headers()
            self.wfile.write(json.dumps({"items": left}).encode())

        do_DELETE = do_GET = _answer  # noqa: N815

    with http_server(Api) as url:
        yield url, asked


def test_it_waits_until_the_clusters_are_gone_too(account: Path) -> None:
    with kubernetes(gone_after=3, clusters=4) as (api, asked):
        assert remove("vitrine", api, account, wait_s=30, every_s=0.01)
    assert len(asked) > 7, "it did not wait"
    method, path, body = asked[0]
    assert (method, path) == ("DELETE", "/apis/ray.io/v1/namespaces/shop/rayservices/vitrine")
    assert json.loads(body) == {"propagationPolicy": "Background"}, "its token would go first"


def test_one_that_is_not_there_is_removed(account: Path) -> None:
    with kubernetes(gone_after=0) as (api, _):
        assert remove("vitrine", api, account, every_s=0.01)


def test_one_that_stays_is_said(account: Path) -> None:
    with kubernetes(gone_after=10**6) as (api, _):
        assert not remove("vitrine", api, account, wait_s=0.1, every_s=0.01)


def test_who_may_not_is_told_so(account: Path) -> None:
    (account / "token").write_text("another")
    with kubernetes(gone_after=1) as (api, _), pytest.raises(OSError, match="403"):
        remove("vitrine", api, account)
