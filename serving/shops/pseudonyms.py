"""The pseudonyms that stand for shoppers' ids wherever something is kept."""

import hashlib
import hmac
from pathlib import Path


class Pseudonyms:
    """Keyed hashes of shoppers' ids: stable for joins, useless without the key."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) < 16:
            raise ValueError("the pseudonym key must have at least 16 bytes")
        self._secret = secret

    @classmethod
    def from_file(cls, path: Path) -> "Pseudonyms":
        """Read the secret as it stands in the file."""
        return cls(path.read_bytes().strip())

    def of_shop(self, space: str) -> "Pseudonyms":
        """Another shop's: what is one shopper to two shops is two in what is kept.

        The key is derived as by HKDF-Expand (RFC 5869), of one block.
        """
        info = f"vitrine shop {space}".encode() + b"\x01"
        return Pseudonyms(hmac.new(self._secret, info, hashlib.sha256).digest())

    def user(self, user_id: str | None) -> str | None:
        """The pseudonym of a user id, 32 hex digits."""
        return self._of("user", user_id)

    def session(self, session_id: str | None) -> str | None:
        """The pseudonym of a session id; another space than users."""
        return self._of("session", session_id)

    def both(self, user_id: str | None, session_id: str | None) -> tuple[str | None, str | None]:
        """Of who asks."""
        return self.user(user_id), self.session(session_id)

    def receipt(self, pseudonym: str, at_ms: int) -> str:
        """Of an erasure at a time, 32 hex digits; who lacks the secret learns nothing from it."""
        told = f"erasure:{pseudonym}:{at_ms}".encode()
        return hmac.new(self._secret, told, hashlib.sha256).hexdigest()[:32]

    def demo_mark(self, name: str) -> str:
        """By which a shopper's id is known as one that the demo shop made, 16 hex digits."""
        return hmac.new(self._secret, f"demo:{name}".encode(), hashlib.sha256).hexdigest()[:16]

    def _of(self, kind: str, raw: str | None) -> str | None:
        if raw is None:
            return None
        return hmac.new(self._secret, f"{kind}:{raw}".encode(), hashlib.sha256).hexdigest()[:32]
