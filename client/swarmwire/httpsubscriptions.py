"""The subscriptions of a connection over HTTP, each a stream of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

import msgspec

from swarmwire_protocol import messages as wire
from swarmwire_protocol.codec import encode
from swarmwire_protocol.messages import Welcome

from .httprequests import HttpRequests
from .httpstream import HttpStream

__all__ = ["HttpSubscriptions", "silence_of"]

_SILENT_BEATS: Final = 2


class HttpSubscriptions:
    """Opens and ends streams. `spawn` runs one; `deliver` takes messages; `room` is clear while nothing may be read."""

    def __init__(
        self,
        requests: HttpRequests,
        spawn: Callable[[Callable[[], Awaitable[None]]], asyncio.Task[None]],
        deliver: Callable[[list[bytes]], None],
    ) -> None:
        self._requests = requests
        self._spawn = spawn
        self._deliver = deliver
        self._streams: dict[str, tuple[HttpStream, asyncio.Task[None]]] = {}
        self.room = asyncio.Event()
        self.room.set()

    async def subscribe(self, message: wire.Subscribe, welcome: Welcome | None) -> None:
        """Open a stream for each subscription, and answer when all are decided."""
        streams = [self._opened(item, welcome) for item in message.subscriptions]
        results = await asyncio.gather(*(stream.began for stream in streams))
        errors = [result.error for result in results if result.error is not None]
        answer: wire.BrokerMessage = wire.Ack(id=message.id, results=results)
        if errors and len(errors) == len(results):
            answer = msgspec.structs.replace(errors[0], id=message.id, results=results)
        self._deliver([encode(answer)])
        for stream in streams:
            stream.go_on()

    def unsubscribe(self, message: wire.Unsubscribe) -> None:
        """End streams by name, and answer."""
        for name in message.subs:
            self._stop(name)
        self._deliver([encode(wire.Ack(id=message.id))])

    def restart(self) -> None:
        """Open all streams anew, each from its place: with the login that counts now."""
        for stream, task in list(self._streams.values()):
            task.cancel()
            self._run(stream)

    def _opened(self, item: wire.Subscription, welcome: Welcome | None) -> HttpStream:
        stream = HttpStream(
            self._requests,
            item,
            cursor="" if welcome is None else welcome.cursor,
            silence=None if welcome is None else silence_of(welcome),
            room=self.room,
            deliver=self._deliver,
        )
        self._stop(stream.name)
        self._run(stream)
        return stream

    def _run(self, stream: HttpStream) -> None:
        task = self._spawn(stream.run)
        self._streams[stream.name] = stream, task
        task.add_done_callback(partial(self._forget, stream.name))

    def _stop(self, name: str) -> None:
        if name in self._streams:
            stream, task = self._streams.pop(name)
            stream.give_up()
            task.cancel()

    def _forget(self, name: str, task: asyncio.Task[None]) -> None:
        if name in self._streams and self._streams[name][1] is task:
            del self._streams[name]


def silence_of(welcome: Welcome) -> float | None:
    """The seconds after which a broker that says nothing is taken for gone; None where it knows no heartbeats."""
    return _SILENT_BEATS * welcome.heartbeat_ms / 1000 or None
