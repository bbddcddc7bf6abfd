"""A webhook is signed, goes where it may and nowhere else, and its answer counts."""

import base64
import hashlib
import hmac
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from serving.shops.alerts.settings import AlertSettings
from serving.shops.alerts.webhook import Webhook, WebhookError, check_webhook
from tests.support.certificates import certificates

SECRET = b"0123456789abcdef01234567"


class Receiver(BaseHTTPRequestHandler):
    """Keeps what comes; answers `status`."""

    taken: ClassVar[list[tuple[str, dict[str, str], bytes]]] = []
    status: ClassVar[int] = 204

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.taken.append((self.path, headers, body))
        self.send_response(self.status)
        self.send_header("location", "https://elsewhere.example/")
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text("whsec_" + base64.b64encode(SECRET).decode() + "\n")
    return path


@pytest.fixture
def receiver(tmp_path: Path, secret: Path) -> Iterator[tuple[int, AlertSettings]]:
    """A server over TLS: its port, and settings that allow it."""
    keys = certificates(tmp_path / "tls")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(keys.server.cert, keys.server.key)
    Receiver.taken.clear()
    Receiver.status = 204
    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield (
            server.server_port,
            AlertSettings(
                hosts=["localhost"], secret_path=secret, ca_file=keys.ca, private_addresses=True
            ),
        )
        server.shutdown()
        thread.join()


def test_what_is_sent_can_be_verified_by_its_signature(
    receiver: tuple[int, AlertSettings],
) -> None:
    port, settings = receiver
    hook = Webhook(f"https://localhost:{port}/alerts?team=care", settings)
    hook.send("m1", 1_790_000_000, b'{"type":"alert.firing"}')
    ((path, headers, body),) = Receiver.taken
    assert path == "/alerts?team=care"
    assert headers["host"] == f"localhost:{port}"
    assert headers["content-type"] == "application/json"
    told = (headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body)
    signed = b".".join(told)
    expected = base64.b64encode(hmac.new(SECRET, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"


@pytest.mark.parametrize("status", [302, 404, 500])
def test_another_answer_than_2xx_is_a_failure_and_nobody_is_redirected(
    receiver: tuple[int, AlertSettings], status: int
) -> None:
    port, settings = receiver
    Receiver.status = status
    with pytest.raises(WebhookError, match=f"it answered {status}"):
        Webhook(f"https://localhost:{port}/", settings).send("m1", 0, b"{}")
    assert len(Receiver.taken) == 1


def test_a_server_that_has_another_hosts_certificate_gets_nothing(
    receiver: tuple[int, AlertSettings],
) -> None:
    port, settings = receiver
    settings = settings.model_copy(update={"hosts": ["hooks.example"]})
    hook = Webhook(f"https://hooks.example:{port}/", settings, lambda *_: ["127.0.0.1"])
    with pytest.raises(WebhookError, match="SSLError"):
        hook.send("m1", 0, b"{}")
    assert Receiver.taken == []


def test_a_certificate_that_nobody_signed_is_not_trusted(
    receiver: tuple[int, AlertSettings],
) -> None:
    port, settings = receiver
    hook = Webhook(f"https://localhost:{port}/", settings.model_copy(update={"ca_file": None}))
    with pytest.raises(WebhookError, match="SSLError"):
        hook.send("m1", 0, b"{}")


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "169.254.169.254", "64:ff9b::a00:1", "2002:a00:1::",
     "::1", "fd00::1", "fe80::1%eth0", "0.0.0.0",
     "224.0.0.1", "::ffff:10.0.0.1"],
)  # fmt: skip
def test_a_host_with_a_private_address_is_not_called(secret: Path, address: str) -> None:
    settings = AlertSettings(hosts=["hooks.example"], secret_path=secret)
    hook = Webhook("https://hooks.example/", settings, lambda *_: ["93.184.215.14", address])
    with pytest.raises(WebhookError, match="private network"):
        hook.send("m1", 0, b"{}")


def test_a_host_without_an_address_is_a_failure(secret: Path) -> None:
    def unknown(*_: Any) -> list[str]:
        raise OSError("Name or service not known")

    settings = AlertSettings(hosts=["hooks.example"], secret_path=secret)
    with pytest.raises(WebhookError, match="no address"):
        Webhook("https://hooks.example/", settings, unknown).send("m1", 0, b"{}")


def test_a_host_must_be_allowed_by_the_settings(secret: Path) -> None:
    settings = AlertSettings(hosts=["hooks.example"], secret_path=secret)
    with pytest.raises(WebhookError, match=r"alerts\.webhook: its host is not among"):
        check_webhook("https://hooks.example.evil.example/", settings)
    for written in (settings, AlertSettings(hosts=["Hooks.EXAMPLE"], secret_path=secret)):
        check_webhook("https://hooks.example/x", written)
        check_webhook("https://HOOKS.example/x", written)
    check_webhook(None, AlertSettings())


def test_a_webhook_needs_a_secret_that_is_one(tmp_path: Path, secret: Path) -> None:
    url, hosts = "https://hooks.example/", ["hooks.example"]
    with pytest.raises(WebhookError, match=r"no alerts\.secret_path"):
        Webhook(url, AlertSettings(hosts=hosts))
    with pytest.raises(WebhookError, match="no file of a secret"):
        Webhook(url, AlertSettings(hosts=hosts, secret_path=tmp_path / "nothing"))
    for text, told in (("not base64!", "no file of a secret"), ("c2hvcnQ=", "24 bytes")):
        secret.write_text(text)
        with pytest.raises(WebhookError, match=told):
            Webhook(url, AlertSettings(hosts=hosts, secret_path=secret))


def test_without_one_in_the_rules_there_is_none() -> None:
    assert Webhook.of(None, AlertSettings()) is None
