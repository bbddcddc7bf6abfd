"""What the log asks of JetStream: batches written whole, many messages read at once, deletions.

`nats-py` knows streams and single messages; batches (ADR-50 of NATS) and reading many at once
(its ADR-31) are requests of their own.
"""

import asyncio
import secrets
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import orjson
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import StreamConfig, StreamState
from nats.js.errors import APIError

from features.events.nats.connection import NatsConnection
from features.events.nats.layout import ANY, Kind, Layout, Stream
from features.events.nats.settings import NatsSettings
from features.full import StoreFullError

_BATCH = 1_000  # messages that the server takes as one, and gives at once
# Deletions asked for at once, and the time for them: the server syncs its file for each.
_DELETIONS, _DELETIONS_S = 100, 60.0
_LOGGED = "At"  # a header: when an entry was appended, unix seconds
_NO_ROOM = {10023, 10047, 10077}  # JetStream's codes: resources, storage, bytes of the stream
# Something is there already; or, with several servers, is on its way there.
_OUT_OF_ORDER = {10071, 10164}
_NO_MESSAGE = 10043
_NOTHING_THERE = {"stream store EOF", "no message found"}  # outside of what the stream holds
_IN_USE = 10058  # the stream exists, and is another


class TakenError(Exception):
    """A subject has, or is about to have, another last message than was expected."""


class Entry(NamedTuple):
    """What is to be stored, and under which subject."""

    entry_id: str
    user_id: str | None
    session_id: str | None
    content: bytes


class Stored(NamedTuple):
    """A message as it lies in a stream."""

    seq: int
    content: bytes
    logged_s: float
    subject: str


class NatsStreams:
    """The streams of a log, made when they are missing. Threads may share it."""

    def __init__(self, settings: NatsSettings) -> None:
        self._settings = settings
        self.layout = Layout(settings)
        self._connection = NatsConnection(settings, self._prepare)

    def put(self, kind: Kind, entries: Sequence[Entry], logged_s: float) -> None:
        """Store up to 1,000 entries, all or none.

        Raises TakenError when the id of one is there already, StoreFullError.
        """
        batch = secrets.token_hex(8)
        messages = []
        for place, (entry_id, user_id, session_id, content) in enumerate(entries, 1):
            headers = {
                _LOGGED: repr(logged_s),
                "Nats-Expected-Last-Subject-Sequence": "0",
                "Nats-Expected-Last-Subject-Sequence-Subject": self.layout.subject(
                    kind, entry_id, ANY, ANY
                ),
            }
            if len(entries) > 1:
                headers |= {"Nats-Batch-Id": batch, "Nats-Batch-Sequence": str(place)}
            if len(entries) == place > 1:
                headers["Nats-Batch-Commit"] = "1"
            messages.append(
                (self.layout.subject(kind, entry_id, user_id, session_id), content, headers)
            )

        async def send(client: Client) -> Msg:
            for subject, content, headers in messages[:-1]:
                await client.publish(subject, content, headers=headers)
            subject, content, headers = messages[-1]
            return await client.request(subject, content, self._settings.timeout_s, headers=headers)

        _acknowledged(self._connection.call(send))

    def put_one(
        self, subject: str, content: bytes, logged_s: float, expected: int | None = None
    ) -> int:
        """Store one message; returns its position.

        expected: the position of the subject's last message, 0 for none. Raises TakenError when it
        is another one, StoreFullError.
        """
        headers = {_LOGGED: repr(logged_s)}
        if expected is not None:
            headers["Nats-Expected-Last-Subject-Sequence"] = str(expected)
        timeout_s = self._settings.timeout_s
        sent = self._connection.call(
            lambda client: client.request(subject, content, timeout_s, headers=headers)
        )
        return int(_acknowledged(sent)["seq"])

    def after(
        self, stream: Stream, seq: int, limit: int | None, subject: str = ">"
    ) -> Iterator[Stored]:
        """Up to `limit` messages of `subject` behind `seq`, in order; None: all."""
        while limit is None or limit > 0:
            wanted: dict[str, Any] = {"seq": seq + 1, "next_by_subj": subject}
            if limit != 1:
                wanted["batch"] = _BATCH if limit is None else min(limit, _BATCH)
            found, complete = self._get(stream, wanted)
            yield from found
            if complete or not found:
                return
            seq = found[-1].seq
            limit = None if limit is None else limit - len(found)

    def one(self, stream: Stream, seq: int) -> Stored | None:
        """The message at `seq`."""
        return next(iter(self._get(stream, {"seq": seq})[0]), None)

    def last(self, stream: Stream, subjects: Sequence[str]) -> Iterator[Stored]:
        """The last message of each subject that matches one of `subjects`."""
        for start in range(0, len(subjects), _BATCH):
            part = list(subjects[start : start + _BATCH])
            yield from self._get(stream, {"multi_last": part, "batch": _BATCH})[0]

    def holder(self) -> str | None:
        """The token of who has the lease."""
        found = self.last("lease", [self.layout.lease])
        return next((stored.content.decode() for stored in found), None)

    def state(self, stream: Stream) -> StreamState:
        """Its size in messages and bytes, and its first and last position."""
        name = self.layout.stream(stream)
        return self._connection.call(lambda client: client.jetstream().stream_info(name)).state

    def erase(self, stream: Stream, seqs: Iterable[int]) -> None:
        """Delete messages, and write over what they were. One that is gone is no error."""

        api = f"$JS.API.STREAM.MSG.DELETE.{self.layout.stream(stream)}"

        async def one(client: Client, seq: int) -> None:
            answer = await client.request(api, orjson.dumps({"seq": seq}), _DELETIONS_S)
            try:
                _acknowledged(answer)
            except APIError as error:
                if error.err_code != _NO_MESSAGE and error.description not in _NOTHING_THERE:
                    raise

        async def some(client: Client, *, part: Sequence[int]) -> None:
            await asyncio.gather(*(one(client, seq) for seq in part))

        every = list(seqs)
        for start in range(0, len(every), _DELETIONS):
            part = every[start : start + _DELETIONS]
            self._connection.call(partial(some, part=part), _DELETIONS_S)

    def purge(self, stream: Stream, subject: str, before_seq: int) -> int:
        """Delete the messages of `subject` below `before_seq`; returns how many went."""
        asked = orjson.dumps({"filter": subject, "seq": before_seq})
        api = f"$JS.API.STREAM.PURGE.{self.layout.stream(stream)}"
        answer = self._connection.call(
            lambda client: client.request(api, asked, self._settings.timeout_s)
        )
        return int(_acknowledged(answer)["purged"])

    def close(self) -> None:
        """Give the connection back."""
        self._connection.close()

    def delete(self) -> None:
        """Delete the streams but for the lease; this object is of no use then."""
        own: tuple[Stream, ...] = ("events", "rankings", "progress")
        for stream in own:
            self._connection.call(partial(_deleted, name=self.layout.stream(stream)))

    def _get(self, stream: Stream, wanted: dict[str, Any]) -> tuple[list[Stored], bool]:
        """What is found, and whether there is no more of it."""
        subject = f"$JS.API.DIRECT.GET.{self.layout.stream(stream)}"

        async def ask(client: Client) -> list[Msg]:
            asked = orjson.dumps(wanted)
            if "batch" not in wanted:
                return [await client.request(subject, asked, self._settings.timeout_s)]
            inbox = client.new_inbox()
            replies = await client.subscribe(inbox, pending_bytes_limit=-1, pending_msgs_limit=-1)
            try:
                await client.publish(subject, asked, reply=inbox)
                messages = [await replies.next_msg(None)]
                while "Status" not in (messages[-1].headers or {}):
                    messages.append(await replies.next_msg(None))
                return messages
            finally:
                await replies.unsubscribe()

        *found, last = self._connection.call(ask)
        headers = last.headers or {}
        status = headers.get("Status")
        if status is None:
            return [*map(_stored, [*found, last])], True
        if status not in ("204", "404"):
            raise ConnectionError(f"{subject}: {status} {headers.get('Description', '')}")
        return [*map(_stored, found)], headers.get("Nats-Num-Pending", "0") == "0"

    async def _prepare(self, client: Client) -> None:
        for config in self.layout.streams():
            await _made(client, config)


async def _made(client: Client, config: StreamConfig) -> None:
    manager = client.jetstream()
    try:
        await manager.add_stream(config)
    except APIError as error:
        if error.err_code != _IN_USE:
            raise
        await manager.update_stream(config)


async def _deleted(client: Client, name: str) -> None:
    await client.jetstream().delete_stream(name)


def _stored(message: Msg) -> Stored:
    headers = message.headers or {}
    logged_s = float(headers.get(_LOGGED, 0.0))
    return Stored(int(headers["Nats-Sequence"]), message.data, logged_s, headers["Nats-Subject"])


def _acknowledged(message: Msg) -> dict[str, Any]:
    answer: dict[str, Any] = orjson.loads(message.data)
    if error := answer.get("error"):
        if error.get("err_code") in _OUT_OF_ORDER:
            raise TakenError(error["description"])
        if error.get("err_code") in _NO_ROOM:
            raise StoreFullError(error["description"])
        raise APIError.from_error(error)
    return answer
