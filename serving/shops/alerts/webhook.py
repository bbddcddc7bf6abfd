"""Tells an alert to a webhook, signed as the Standard Webhooks specification says.

The host's name is looked up once, its addresses are judged, and the connection goes to the one that
was judged: a name that changes in between leads nowhere else. No redirect is followed, and no proxy
is asked.
"""

import base64
import binascii
import hashlib
import hmac
import ipaddress
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import urllib3

from serving.addresses import is_public
from serving.shops.alerts.settings import AlertSettings

_LEAST_BYTES = 24
_PREFIX = "whsec_"
Resolve = Callable[[str, int], Sequence[str]]


class WebhookError(Exception):
    """It cannot be used, or did not take what was sent. The message has no address, no secret."""


def addresses(host: str, port: int) -> list[str]:
    """The addresses of a host; raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Webhook:
    """One address. Raises WebhookError for one that the settings do not allow."""

    def __init__(self, url: str, settings: AlertSettings, resolve: Resolve = addresses) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or 443
        self._secret = _secret(_allowed(url, settings))
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._private = settings.private_addresses
        self._ca = None if settings.ca_file is None else str(settings.ca_file)
        self._timeout = urllib3.Timeout(settings.timeout_s)
        self._resolve = resolve

    @classmethod
    def of(cls, url: str | None, settings: AlertSettings) -> "Webhook | None":
        """The one that the rules declare, if any."""
        return None if url is None else cls(url, settings)

    def send(self, message_id: str, at_s: int, body: bytes) -> None:
        """Send once; blocks. Raises WebhookError unless the answer is 2xx."""
        address = self._address()
        signed = b".".join((message_id.encode(), str(at_s).encode(), body))
        signature = base64.b64encode(hmac.new(self._secret, signed, hashlib.sha256).digest())
        headers = {
            "host": self._host if self._port == 443 else f"{self._host}:{self._port}",
            "content-type": "application/json",
            "user-agent": "vitrine",
            "webhook-id": message_id,
            "webhook-timestamp": str(at_s),
            "webhook-signature": f"v1,{signature.decode()}",
        }
        # The certificate must be the host's, whichever address was called.
        with urllib3.HTTPSConnectionPool(
            address,
            self._port,
            server_hostname=self._host,
            assert_hostname=self._host,
            cert_reqs="CERT_REQUIRED",
            ca_certs=self._ca,
        ) as pool:
            try:
                answer = pool.request(
                    "POST", self._target, body=body, headers=headers, timeout=self._timeout,
                    retries=False, redirect=False,
                )  # fmt: skip
            except urllib3.exceptions.HTTPError as error:
                raise WebhookError(type(error).__name__) from None
        if not 200 <= answer.status < 300:
            raise WebhookError(f"it answered {answer.status}")

    def _address(self) -> str:
        try:
            found = self._resolve(self._host, self._port)
        except OSError:
            raise WebhookError("its host has no address") from None
        if not self._private and not all(map(_public, found)):
            raise WebhookError("its host has an address of a private network")
        if not found:
            raise WebhookError("its host has no address")
        return found[0]


def check_webhook(url: str | None, settings: AlertSettings) -> None:
    """Raise WebhookError for one that the settings do not allow; reads no secret."""
    if url is not None:
        _allowed(url, settings)


def _allowed(url: str, settings: AlertSettings) -> Path:
    """The file of the secret."""
    # Of a host's name capitals do not count (RFC 4343); `hostname` has none.
    if urlsplit(url).hostname not in {host.lower() for host in settings.hosts}:
        raise WebhookError("alerts.webhook: its host is not among the settings' alerts.hosts")
    if settings.secret_path is None:
        raise WebhookError("alerts.webhook: the settings have no alerts.secret_path")
    return settings.secret_path


def _public(address: str) -> bool:
    return is_public(ipaddress.ip_address(address.partition("%")[0]))


def _secret(path: Path) -> bytes:
    try:
        text = path.read_text(encoding="ascii").strip().removeprefix(_PREFIX)
        secret = base64.b64decode(text, validate=True)
    except (OSError, UnicodeDecodeError, binascii.Error):
        raise WebhookError("alerts.secret_path: no file of a secret in base64") from None
    if len(secret) < _LEAST_BYTES:
        raise WebhookError(f"alerts.secret_path: a secret has {_LEAST_BYTES} bytes at least")
    return secret
