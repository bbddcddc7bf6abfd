"""The streams and subjects of a log, by name, and how they are bounded."""

from hashlib import blake2b
from typing import Any, Literal

from nats.js.api import DiscardPolicy, StreamConfig

from features.events.nats.settings import NatsSettings

Kind = Literal["event", "ranking"]
Stream = Literal["events", "rankings", "progress", "lease"]
STREAMS: dict[Kind, Stream] = {"event": "events", "ranking": "rankings"}
ANY = "*"  # a token of a subject: all of them
_NOBODY = "-"


class Layout:
    """Names under `settings.prefix`.

    An entry's subject is `<prefix>.<kind>.<id>.<user>.<session>`, each a hash: the server finds by
    it what is there already, and what belongs to a shopper.
    """

    def __init__(self, settings: NatsSettings) -> None:
        self._settings = settings
        self._of_lease = settings.lease_prefix or settings.prefix
        self.lease = f"{self._of_lease}.lease"

    def stream(self, stream: Stream) -> str:
        """The name of a stream."""
        if stream == "lease":
            return f"{self._of_lease}_lease"
        return f"{self._settings.prefix}_{stream}"

    def subject(self, kind: str, *tokens: str | None) -> str:
        """Of entries whose ids, users and sessions these are."""
        return ".".join([self._settings.prefix, kind, *map(_token, tokens)])

    def every(self, kind: str) -> str:
        """The subject of all entries of a kind."""
        return f"{self._settings.prefix}.{kind}.>"

    def streams(self) -> list[StreamConfig]:
        """All of them."""
        settings = self._settings
        common: dict[str, Any] = {"num_replicas": settings.replicas, "allow_direct": True}
        # Not compressed: erasing a message would write its whole block anew.
        log: dict[str, Any] = {"allow_atomic": True, **common}
        return [
            StreamConfig(
                self.stream("events"),
                subjects=[self.every("event"), self.every("erasure")],
                discard=DiscardPolicy.NEW,
                max_bytes=settings.events_max_bytes,
                **log,
            ),
            StreamConfig(
                self.stream("rankings"),
                subjects=[self.every("ranking")],
                discard=DiscardPolicy.OLD,
                max_bytes=settings.rankings_max_bytes,
                **log,
            ),
            StreamConfig(
                self.stream("progress"),
                subjects=[self.every("progress")],
                discard=DiscardPolicy.OLD,
                max_msgs_per_subject=settings.commits,
                **common,
            ),
            StreamConfig(
                self.stream("lease"),
                subjects=[self.lease],
                discard=DiscardPolicy.OLD,
                max_msgs_per_subject=1,
                max_age=settings.lease_s,
                **common,
            ),
        ]


def _token(name: str | None) -> str:
    """An id may hold anything; a token may not."""
    if name == ANY:
        return ANY
    return _NOBODY if name is None else blake2b(name.encode(), digest_size=12).hexdigest()
