"""The lease of ingest as the one message of a stream, which the server drops when it is old."""

from features.events.lease import RenewedLease
from features.events.nats.settings import NatsSettings
from features.events.nats.streams import NatsStreams, TakenError


class NatsLeaseKey:
    """`LeaseKey` in the streams of `settings`: a message follows the holder's own, or none."""

    def __init__(self, settings: NatsSettings) -> None:
        self._streams = NatsStreams(settings)
        self._seq = 0  # of the holder's last message

    def take(self, token: str) -> bool:
        return self._follow(token, 0)

    def renew(self, token: str) -> bool:
        return self._follow(token, self._seq)

    def give_back(self, token: str) -> None:
        # One that follows it has another position, and stays.
        self._streams.erase("lease", [self._seq])

    def close(self) -> None:
        self._streams.close()

    def _follow(self, token: str, expected: int) -> bool:
        try:
            self._seq = self._streams.put_one(
                self._streams.layout.lease, token.encode(), 0.0, expected
            )
        except TakenError:
            # It may be our own: an answer that came too late was taken for none.
            last = self._streams.last("lease", [self._streams.layout.lease])
            own = [stored.seq for stored in last if stored.content.decode() == token]
            self._seq = own[0] if own else 0
            return bool(own)
        return True


def nats_lease(settings: NatsSettings) -> RenewedLease:
    """A lease in the streams of `settings`."""
    return RenewedLease(NatsLeaseKey(settings), settings.lease_s)
