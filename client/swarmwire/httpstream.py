"""One subscription over HTTP: a stream of server-sent events of its own, and what it says as messages.

Everything that comes of a stream is addressed to its subscription. So none of several streams, which are all at
places of their own, can move another.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import msgspec

from swarmwire_protocol import messages as wire
from swarmwire_protocol.codec import decode_from_broker, encode
from swarmwire_protocol.messages import Conflate, StartAt

from .carrier import MAX_RECEIVED_BYTES
from .errors import ErrorCode, SwarmwireError
from .httprequests import EVENTS, Answer, HttpRequests, Lost, Problem, problem_of
from .sse import Frame, FrameReader

__all__ = ["Bye", "HttpStream"]

_OK: Final = 200


class Bye(Exception):
    """The broker ended a stream, and said so."""

    def __init__(self, code: int, reason: str, after_ms: int | None = None, problem: Problem | None = None) -> None:
        super().__init__(code, reason)
        self.message = wire.Bye(code=code, reason=reason, reconnect_after_ms=after_ms)
        self.problem = problem


class _Bye(msgspec.Struct):
    code: int
    reason: str = ""
    reconnect_after_ms: int | None = None
    error: Problem | None = None


class _Live(msgspec.Struct):
    cursor: str


_bye = msgspec.json.Decoder(_Bye).decode
_live = msgspec.json.Decoder(_Live).decode


class HttpStream:
    """A subscription's stream. `run` reads it to its end; `began` is what became of the subscribe.

    Nothing is delivered before `go_on`: so the answer to the subscribe can come first. `room` is clear while
    nothing may be read.
    """

    def __init__(
        self,
        requests: HttpRequests,
        item: wire.Subscription,
        *,
        cursor: str,
        silence: float | None,
        room: asyncio.Event,
        deliver: Callable[[list[bytes]], None],
    ) -> None:
        self.name = item.pattern if item.sub is None else item.sub
        self.began: asyncio.Future[wire.SubscribeResult] = asyncio.get_running_loop().create_future()
        self._requests = requests
        self._params = _params(item)
        self._cursor = cursor
        self._silence = silence
        self._room = room
        self._deliver = deliver
        self._go_on = asyncio.Event()
        self._place: str | None = None
        self._ended = False

    def go_on(self) -> None:
        """The answer to the subscribe was delivered."""
        self._go_on.set()

    def give_up(self) -> None:
        """Another subscription takes its name; whoever waits for the answer has one."""
        if not self.began.done():
            error = wire.Error(code=ErrorCode.CANCELLED, message="Another subscription has taken its name.")
            self.began.set_result(wire.SubscribeResult(sub=self.name, error=error))

    async def run(self) -> None:
        """Read until the stream is at its end. Cancelled, it can be run again, and goes on where it was.

        Raises:
            Lost: when it ends without a word.
            Bye: when the broker ends it.
        """
        headers = {} if self._place is None else {"Last-Event-ID": self._place}
        async with self._requests.answering(
            "GET", EVENTS, params=self._params, headers=headers, silence=self._silence
        ) as (status, pieces):
            if status != _OK:
                self._refused(problem_of(Answer(status, b"".join([piece async for piece in pieces]))))
                return
            reader = FrameReader(MAX_RECEIVED_BYTES)
            async for piece in pieces:
                try:
                    await self._take(reader.read(piece))
                except (SwarmwireError, msgspec.MsgspecError) as error:
                    raise Lost(f"The events cannot be understood: {error}.") from error
                if self._ended:
                    return
        raise Lost("The events ended without a word.")

    def _refused(self, problem: Problem) -> None:
        if self.began.done():  # it was good before, and its login or its permission is gone
            raise Lost(problem.message)
        self.began.set_result(wire.SubscribeResult(sub=self.name, error=problem.to(None)))

    async def _take(self, frames: list[Frame]) -> None:
        messages: list[bytes] = []
        try:
            for frame in frames:
                if not self.began.done():
                    self.began.set_result(wire.SubscribeResult(sub=self.name, cursor=frame.id or self._cursor))
                    await self._go_on.wait()
                self._place = frame.id or self._place
                if (message := self._message(frame)) is not None:
                    messages.append(encode(message))
        finally:
            if messages:  # also those that came before a bye
                self._deliver(messages)
        await self._room.wait()

    def _message(self, frame: Frame) -> wire.BrokerMessage | None:
        match frame.event:
            case "live":
                return wire.Live(sub=self.name, cursor=_live(frame.data).cursor)
            case "bye":
                bye = _bye(frame.data)
                raise Bye(bye.code, bye.reason, bye.reconnect_after_ms, bye.error)
            case "" | "gap" if frame.data:
                return self._addressed(frame.data)
            case "" if frame.id is not None:
                return wire.Position(cursor=frame.id, sub=self.name)
        return None

    def _addressed(self, data: bytes) -> wire.BrokerMessage | None:
        message = decode_from_broker(data)
        if not isinstance(message, wire.Event | wire.Gap):
            return None
        message.sub = self.name
        self._ended = isinstance(message, wire.Gap) and message.reason == "denied"
        return message


def _params(item: wire.Subscription) -> dict[str, str | int]:
    params: dict[str, str | int | None] = {"pattern": item.pattern, "queue_size": item.queue_size}
    match item.from_:
        case StartAt(cursor=cursor, last=last, since_ms=since_ms):
            params |= {"from": cursor, "last": last, "since_ms": since_ms}
        case word:
            params["from"] = word
    match item.mode:
        case Conflate(conflate_ms=conflate_ms):
            params["conflate_ms"] = conflate_ms
        case mode:
            params["mode"] = mode
    return {name: value for name, value in params.items() if value is not None}
