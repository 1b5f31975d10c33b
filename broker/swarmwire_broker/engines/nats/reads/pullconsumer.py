"""A short-lived pull consumer: the messages of a stream from a place on, as many at a time as are asked for."""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec

from ....natslink import JetStream, Link, LinkError, LinkState, header, status_of
from ..body import place_of

__all__ = ["ConsumerGone", "Message", "PullConsumer"]

_INACTIVE_NS: Final = 10_000_000_000
"""The server deletes a consumer that nobody asks for so long."""

_ANSWER: Final = 2.0
"""Seconds for the server to answer a pull; one whose consumer is gone may not answer at all."""

_PROBE: Final = msgspec.json.encode({"batch": 1, "expires": 50_000_000, "idle_heartbeat": 5_000_000})
"""Asks for a message or a heartbeat, whichever comes first, within 50 ms."""

_HEARTBEAT: Final = 100
_EMPTY: Final = frozenset((404, 408))
_FULL: Final = b"Batch Completed"
_TOO_LARGE: Final = b"MaxBytes"
"""What a server says, errors in name only, of a pull that brought as much as it may."""

_OVERHEAD: Final = 4_096


class ConsumerGone(LinkError):
    """The consumer was deleted, its server or the link to it was lost: another one has to be made."""


class Message(NamedTuple):
    """A message of the stream. With `headers_only` its payload is empty."""

    seq: int
    consumer_seq: int
    ts_ms: int
    subject: bytes
    headers: bytes
    payload: bytes


class PullConsumer:
    """One consumer of a stream, for one reader at a time.

    Attributes:
        messages: what was pulled and not taken yet, in rising order of `seq`.
        matching: how many messages matched when it was made.
        begins: the place behind which it began.
    """

    def __init__(self, link: Link, js: JetStream, stream: str) -> None:
        self.messages: deque[Message] = deque()
        self.matching = 0
        self.begins = 0
        self._link = link
        self._js = js
        self._stream = stream
        self._name = ""
        self._opening: asyncio.Task[dict[str, Any]] | None = None
        self._consumer_seq = 0
        self._pulls = 0
        self._broken = ""  # why it is of no use any more: something that it sent may be lost
        self._rooms = 1
        self._waiting: asyncio.Future[bytes] | None = None  # the headers of what ended the pull
        self._missing = 0  # messages of the pull that have not come
        self._inbox = link.new_inbox()
        self._subscription = link.subscribe(self._inbox + b".*", self._receive)
        self._unwatch = link.on_state(self._watch)

    async def open(self, config: Mapping[str, Any], *, timeout: float) -> None:
        """Make it, where these say what of the stream it gives. Raises LinkError."""
        common = {"ack_policy": "none", "mem_storage": True, "inactive_threshold": _INACTIVE_NS}
        body: dict[str, Any] = {"stream_name": self._stream, "config": {**config, **common}}
        # By a name of ours it can be deleted, whether or not the answer is waited for.
        self._name = name = f"reader-{secrets.token_hex(12)}"
        body["config"]["name"] = name
        asking = self._js.ask(f"CONSUMER.CREATE.{self._stream}.{name}", body, timeout=timeout)
        # Whoever gives up meanwhile leaves it running: deleted before it is made, it would be made nevertheless.
        self._opening = asyncio.get_running_loop().create_task(asking)
        made = await asyncio.shield(self._opening)
        self.matching = made["num_pending"]
        self.begins = made["delivered"]["stream_seq"]

    async def pull(self, most: int, size: int) -> bool:
        """Fetch up to `most` messages of about `size` bytes together; False if there are no more just now.

        Raises:
            ConsumerGone: another one has to be made.
        """
        server = self._link.server
        if server is None:
            raise ConsumerGone("there is no connection to NATS now")
        # With room for the largest message that may be published now, a pull brings one, unless that limit was lowered.
        room = size + (server.max_payload + _OVERHEAD) * self._rooms
        answer = await self._ask(msgspec.json.encode({"batch": most, "no_wait": True, "max_bytes": room}), most)
        if _TOO_LARGE in answer and not self.messages:
            self._rooms *= 2
        return status_of(answer) not in _EMPTY

    async def probe(self) -> int | None:
        """Wait a moment for one more message; None if it has come, else the place up to which there is no other.

        Where the answer comes from a server that is behind its stream, the place is how far that server has come.

        Raises:
            ConsumerGone: another one has to be made.
        """
        answer = await self._ask(_PROBE, 1)
        if self.messages:  # perhaps by an earlier probe, and then the heartbeat speaks of them too
            return None
        return int(header(answer, b"Nats-Last-Stream") or 0)

    async def _ask(self, request: bytes, most: int) -> bytes:
        if self._broken:
            raise ConsumerGone(self._broken)
        self._pulls += 1
        self._missing = most
        self._waiting = asyncio.get_running_loop().create_future()
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{self._stream}.{self._name}".encode()
        try:
            self._link.publish(subject, request, reply=b"%b.%d" % (self._inbox, self._pulls))
            async with asyncio.timeout(_ANSWER):
                return await self._waiting
        except TimeoutError:
            self._broken = f"the NATS server did not answer within {_ANSWER:g} s"
            raise ConsumerGone(self._broken) from None
        finally:
            self._waiting = None

    def _receive(self, subject: bytes, reply: bytes, headers: bytes, payload: bytes) -> None:
        if reply:
            self._keep(subject, reply, headers, payload)
        elif subject.endswith(b".%d" % self._pulls):  # not a late word to an earlier pull
            self._end(headers)

    def _keep(self, subject: bytes, reply: bytes, headers: bytes, payload: bytes) -> None:
        if self._broken:
            return
        place = place_of(reply)
        if place.consumer_seq != self._consumer_seq + 1:
            self._fail("a message of the NATS server was lost")
            return
        self._consumer_seq = place.consumer_seq
        self.messages.append(Message(place.seq, place.consumer_seq, place.ts_ms, subject, headers, payload))
        self._missing -= 1
        if self._missing <= 0:
            self._answer(b"")

    def _end(self, headers: bytes) -> None:
        status = status_of(headers)
        if status == _HEARTBEAT or status in _EMPTY or _TOO_LARGE in headers or _FULL in headers:
            self._answer(headers)
        else:  # deleted, its server is stopping, nobody listens
            self._fail(f"the NATS server ended it: {headers[9:100].decode(errors='replace').splitlines()[0]}")

    def _watch(self, state: LinkState) -> None:
        if state in (LinkState.RECONNECTING, LinkState.CLOSED):
            self._fail("the link to NATS was lost")

    def _answer(self, headers: bytes) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(headers)

    def _fail(self, why: str) -> None:
        self._broken = why
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(ConsumerGone(why))

    async def close(self) -> None:
        """Delete it. Harmless twice."""
        self._subscription.close()
        self._unwatch()
        name, self._name = self._name, ""
        await self._opened()
        if name:
            try:
                await self._js.ask(f"CONSUMER.DELETE.{self._stream}.{name}", timeout=_ANSWER)
            except LinkError:
                return  # the server deletes it by itself

    async def _opened(self) -> None:
        """Wait until it is made, or will not be."""
        opening, self._opening = self._opening, None
        if opening is None:
            return
        try:
            await asyncio.wait([opening], timeout=_ANSWER)
        finally:
            opening.cancel()
        if not opening.cancelled() and opening.done():
            opening.exception()  # looked at: whoever made it was told, or has gone
