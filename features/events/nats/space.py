"""The room of the log in JetStream: of rankings the server drops the oldest by itself."""

from features.events.nats.oldest import drop_oldest
from features.events.nats.settings import NatsSettings
from features.events.nats.streams import NatsStreams
from features.events.space import Space, Trimmed


class NatsLogSpace:
    """`LogSpace` in the streams of `settings`. What bounds it is the room for events."""

    def __init__(self, settings: NatsSettings) -> None:
        self._settings = settings
        self._streams = NatsStreams(settings)

    def fill(self) -> float:
        return self._streams.state("events").bytes / self._settings.events_max_bytes

    def measure(self) -> Space:
        events, rankings = (self._streams.state(name).bytes for name in ("events", "rankings"))
        most = self._settings.events_max_bytes
        return Space(events + rankings, most + self._settings.rankings_max_bytes, events, most)

    def trim(self, n_bytes: int, limit: int = 500) -> Trimmed:
        state = self._streams.state("events")
        wanted = -(-n_bytes * state.messages // max(state.bytes, 1))
        return Trimmed(0, drop_oldest(self._streams, "event", state.last_seq, min(wanted, limit)))

    def close(self) -> None:
        self._streams.close()
