"""Only listed hosts, and only addresses of the Internet."""

import ipaddress
import socket
from typing import Any

import pytest
from aiohttp.abc import AbstractResolver
from pydantic import ValidationError

from serving.addresses import is_public
from serving.pictures.addresses import CheckedResolver, checked_url
from serving.pictures.problems import PictureError
from serving.pictures.problems import PictureProblem as Problem
from serving.pictures.settings import FetchSettings

HOSTS = ("cdn.example.com", "*.shop.example", "img.example:8443", "93.184.215.14")


@pytest.mark.parametrize(
    "url",
    [
        "https://cdn.example.com/a.jpg", "http://cdn.example.com/a.jpg?w=1#top",
        "https://CDN.example.com./a.jpg", "https://cdn.example.com:443/a.jpg",
        "https://a.shop.example/x", "https://a.b.shop.example/x", "https://img.example:8443/x",
        "https://93.184.215.14/a.jpg",
    ],
)  # fmt: skip
def test_what_is_listed_may_be_fetched(url: str) -> None:
    assert str(checked_url(url, HOSTS, private=False)).startswith("http")


@pytest.mark.parametrize(
    "url",
    [
        "", "a.jpg", "//cdn.example.com/a", "ftp://cdn.example.com/a", "file:///etc/passwd",
        "data:image/png;base64,AAAA", "gopher://cdn.example.com/", "https://", "https:///a",
        "https://evil.example/a.jpg", "https://cdn.example.com.evil.example/a",
        "https://evilshop.example/a", "https://shop.example/a", "https://cdn.example.com:22/a",
        "https://img.example/x", "https://user:pw@cdn.example.com/a", "https://cdn.example.com@evil/",
        "https://evil.example/?cdn.example.com", "https://cdn.example.com\\@evil.example/",
        "https://127.0.0.1/", "https://[::1]/", "https://169.254.169.254/latest/meta-data/",
        "http://cdn.example.com:99999/", "http://[cdn.example.com/",
    ],
)  # fmt: skip
def test_what_is_not_listed_may_not(url: str) -> None:
    with pytest.raises(PictureError) as caught:
        checked_url(url, HOSTS, private=False)
    assert caught.value.problem is Problem.HOST_NOT_ALLOWED


@pytest.mark.parametrize("host", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "[::1]", "[fd00::1]"])
def test_a_listed_address_inside_is_refused_all_the_same_unless_that_is_allowed(host: str) -> None:
    with pytest.raises(PictureError) as caught:
        checked_url(f"http://{host}/", (host.strip("[]"),), private=False)
    assert caught.value.problem is Problem.ADDRESS_NOT_ALLOWED
    checked_url(f"http://{host}/", (host.strip("[]"),), private=True)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.9.1", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1",
        "169.254.169.254", "100.64.0.1", "0.0.0.0", "255.255.255.255", "224.0.0.1", "240.0.0.1",
        "192.0.2.1", "198.18.0.1", "::1", "::", "fe80::1", "fc00::1", "fd12::1", "ff02::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "64:ff9b::a00:1",
        "64:ff9b:1::1", "2002:a00:1::1", "2001:db8::1", "2001::1",
    ],
)  # fmt: skip
def test_addresses_inside_are_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address", ["93.184.215.14", "8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8"]
)
def test_addresses_of_the_internet_are(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


class Names(AbstractResolver):
    """Every name stands for these addresses."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> Any:
        return [
            {"hostname": host, "host": each, "port": port, "family": family, "proto": 0, "flags": 0}
            for each in self.addresses
        ]

    async def close(self) -> None:
        pass


async def test_a_name_is_resolved_to_public_addresses() -> None:
    found = await CheckedResolver(False, Names("8.8.8.8", "8.8.4.4")).resolve("a.example", 443)
    assert [each["host"] for each in found] == ["8.8.8.8", "8.8.4.4"]


@pytest.mark.parametrize("addresses", [["10.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["fe80::1%eth0"]])
async def test_a_name_that_leads_inside_is_refused_as_a_whole(addresses: list[str]) -> None:
    with pytest.raises(PictureError) as caught:
        await CheckedResolver(False, Names(*addresses)).resolve("a.example", 443)
    assert caught.value.problem is Problem.ADDRESS_NOT_ALLOWED
    assert await CheckedResolver(True, Names(*addresses)).resolve("a.example", 443)


@pytest.mark.parametrize(
    "host", ["", "*", "*.", "https://a.example", "a.example/", "A.example", "a b", "a.example:x"]
)
def test_a_host_that_is_none_stops_the_start(host: str) -> None:
    with pytest.raises(ValidationError, match="a host is wanted"):
        FetchSettings(hosts=(host,))
