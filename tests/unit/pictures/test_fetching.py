"""Pictures over real HTTP on loopback: from where it is allowed, and what a bad host can do."""

import asyncio
import gzip
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from serving.pictures.fetching import Fetcher
from serving.pictures.problems import PictureError
from serving.pictures.problems import PictureProblem as Problem
from serving.pictures.settings import FetchSettings
from tests.support.servers.picture_server import LoopbackNames, PictureServer

PICTURE = b"\x89PNG..." * 100
MAX_BYTES = 2_000


@pytest.fixture
async def server() -> AsyncIterator[PictureServer]:
    async with PictureServer() as running:
        running.serve("tea.png", PICTURE, content_type="image/png")
        yield running


def fetcher(server: PictureServer, names: LoopbackNames | None = None, **given: Any) -> Fetcher:
    """Of hosts on loopback, which is allowed unless `private=False` is given."""
    hosts = (f"cdn.example:{server.port}", f"*.shop.example:{server.port}")
    settings = FetchSettings(**{"hosts": hosts, "private": True, "total_s": 2.0, **given})
    return Fetcher(settings, MAX_BYTES, names or LoopbackNames())


async def problem(fetcher: Fetcher, url: str) -> PictureError:
    async with fetcher:
        with pytest.raises(PictureError) as caught:
            await fetcher.fetch(url)
    return caught.value


async def test_a_picture_comes_and_says_nothing_of_us(server: PictureServer) -> None:
    async with fetcher(server) as fetch:
        assert await fetch.fetch(server.url("tea.png")) == PICTURE
        assert await fetch.fetch(server.url("tea.png", "img.shop.example")) == PICTURE
    sent = {name.lower(): value for name, value in server.headers[0].items()}
    assert sent["user-agent"] == "vitrine-pictures"
    assert sent["accept-encoding"] == "identity"
    assert "cookie" not in sent


async def test_a_host_that_is_not_listed_is_not_even_asked(server: PictureServer) -> None:
    names = LoopbackNames()
    error = await problem(fetcher(server, names), server.url("tea.png", "evil.example"))
    assert (error.problem, error.retry) == (Problem.HOST_NOT_ALLOWED, False)
    assert (server.asked, names.asked) == ([], [])


async def test_a_listed_name_that_leads_inside_is_not_connected_to(server: PictureServer) -> None:
    error = await problem(fetcher(server, private=False), server.url("tea.png"))
    assert error.problem is Problem.ADDRESS_NOT_ALLOWED
    assert server.asked == []


async def test_a_name_is_asked_once_and_the_connection_goes_where_it_said(
    server: PictureServer,
) -> None:
    class Rebinding(LoopbackNames):
        async def resolve(self, host: str, *given: Any, **more: Any) -> Any:
            found = await super().resolve(host, *given, **more)
            if len(self.asked) > 1:  # where somebody asks a second time
                found[0]["host"] = "127.0.0.2"
            return found

    names = Rebinding()
    async with fetcher(server, names) as fetch:
        assert await fetch.fetch(server.url("tea.png")) == PICTURE
    assert names.asked == ["cdn.example"]


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("http://evil.example/x", Problem.HOST_NOT_ALLOWED),
        ("http://169.254.169.254/latest/meta-data/", Problem.HOST_NOT_ALLOWED),
        ("http://127.0.0.1:1/", Problem.HOST_NOT_ALLOWED),
        ("file:///etc/passwd", Problem.HOST_NOT_ALLOWED),
        ("//evil.example/x", Problem.HOST_NOT_ALLOWED),
    ],
)
async def test_a_redirect_leads_nowhere_else(
    server: PictureServer, place: str, expected: Problem
) -> None:
    server.serve("moved", b"", 302, location=place)
    assert (await problem(fetcher(server), server.url("moved"))).problem is expected


async def test_a_redirect_within_is_followed_but_not_for_ever(server: PictureServer) -> None:
    server.serve("moved", b"", 301, location="/tea.png")
    server.serve("round", b"", 302, location="/round")
    async with fetcher(server) as fetch:
        assert await fetch.fetch(server.url("moved")) == PICTURE
    error = await problem(fetcher(server), server.url("round"))
    assert error.problem is Problem.TOO_MANY_REDIRECTS
    assert server.asked.count("round") == 4


async def test_a_redirect_to_a_name_that_leads_inside_is_refused(server: PictureServer) -> None:
    """The first host is one of the Internet, as far as its address is checked."""
    inside = f"http://in.shop.example:{server.port}/tea.png"
    server.serve("moved", b"", 302, location=inside)

    class Checked(LoopbackNames):
        async def resolve(self, host: str, *given: Any, **more: Any) -> Any:
            found = await super().resolve(host, *given, **more)
            if host.startswith("in."):
                raise PictureError(Problem.ADDRESS_NOT_ALLOWED)
            return found

    error = await problem(fetcher(server, Checked()), server.url("moved"))
    assert error.problem is Problem.ADDRESS_NOT_ALLOWED
    assert server.asked == ["moved"]


async def test_too_many_bytes_are_not_read_to_the_end(server: PictureServer) -> None:
    server.serve("large", b"x" * (MAX_BYTES + 1))
    server.drip("endless", 10**9, 0)
    for path in ("large", "endless"):
        error = await problem(fetcher(server), server.url(path))
        assert (error.problem, error.retry) == (Problem.TOO_MANY_BYTES, False)


async def test_a_compressed_answer_is_not_unfolded(server: PictureServer) -> None:
    bomb = gzip.compress(b"\x00" * 10_000_000)[:MAX_BYTES]
    server.serve("bomb", bomb, content_encoding="gzip")
    assert (await problem(fetcher(server), server.url("bomb"))).problem is Problem.NOT_A_PICTURE


async def test_a_page_is_no_picture(server: PictureServer) -> None:
    server.serve("page", b"<html>", content_type="text/html")
    assert (await problem(fetcher(server), server.url("page"))).problem is Problem.NOT_A_PICTURE


@pytest.mark.parametrize(
    ("status", "expected", "retry"),
    [
        (404, Problem.NOT_FOUND, True), (410, Problem.NOT_FOUND, True),
        (403, Problem.REFUSED, False), (429, Problem.REFUSED, True), (503, Problem.REFUSED, True),
        (204, Problem.REFUSED, False), (206, Problem.REFUSED, False), (302, Problem.REFUSED, False),
    ],
)  # fmt: skip
async def test_only_200_is_a_picture_and_some_answers_may_change(
    server: PictureServer, status: int, expected: Problem, retry: bool
) -> None:
    server.serve("answer", b"", status)
    error = await problem(fetcher(server), server.url("answer"))
    assert (error.problem, error.retry) == (expected, retry)


async def test_a_host_that_drips_is_left_in_time(server: PictureServer) -> None:
    server.drip("slow", 1_000, 0.05)
    started_s = time.monotonic()
    error = await problem(fetcher(server, total_s=0.4), server.url("slow"))
    assert (error.problem, error.retry) == (Problem.TOO_SLOW, True)
    assert time.monotonic() - started_s < 1.5


async def test_a_host_that_drips_its_headers_is_left_in_time() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(b"HTTP/1.1 200 OK\r\n")
            for number in range(1_000):
                writer.write(b"x-%d: y\r\n" % number)
                await asyncio.sleep(0.05)
        except ConnectionError:
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(drip, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    settings = FetchSettings(hosts=(f"cdn.example:{port}",), private=True, total_s=0.4)
    started_s = time.monotonic()
    error = await problem(
        Fetcher(settings, MAX_BYTES, LoopbackNames()), f"http://cdn.example:{port}/x"
    )
    assert error.problem is Problem.TOO_SLOW
    assert time.monotonic() - started_s < 1.5
    listening.close()


async def test_nobody_there_is_unreachable(server: PictureServer) -> None:
    settings = FetchSettings(hosts=("cdn.example:1",), private=True)
    error = await problem(
        Fetcher(settings, MAX_BYTES, LoopbackNames()), "http://cdn.example:1/tea.png"
    )
    assert (error.problem, error.retry) == (Problem.UNREACHABLE, True)


async def test_a_host_speaking_nonsense_is_unreachable() -> None:
    async def nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x00\x01SSH-2.0\r\n\r\n")
        writer.close()

    listening = await asyncio.start_server(nonsense, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    settings = FetchSettings(hosts=(f"cdn.example:{port}",), private=True)
    error = await problem(
        Fetcher(settings, MAX_BYTES, LoopbackNames()), f"http://cdn.example:{port}/x"
    )
    assert error.problem is Problem.UNREACHABLE
    listening.close()


async def test_a_certificate_must_be_of_the_name(server: PictureServer) -> None:
    settings = FetchSettings(hosts=(f"cdn.example:{server.port}",), private=True)
    url = server.url("tea.png").replace("http:", "https:")
    error = await problem(Fetcher(settings, MAX_BYTES, LoopbackNames()), url)
    assert error.problem is Problem.UNREACHABLE
    assert server.asked == []


async def test_the_environments_proxy_is_not_asked(
    server: PictureServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    async with fetcher(server) as fetch:
        assert await fetch.fetch(server.url("tea.png")) == PICTURE
