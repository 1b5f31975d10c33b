"""A broker of a few lines: one ordered log, the last event of every topic, streams with wildcards."""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from swarmwire_protocol.errors import SwarmwireError
from swarmwire_protocol.topics import check_pattern, check_topic, matches

EPOCH = "test"


@dataclass(frozen=True)
class MemoryEvent:
    """An event as it is after a trip over the wire: its data is what JSON makes of it."""

    topic: str
    data: Any
    seq: int
    ts: int = 1_700_000_000_000
    sender: str | None = "somebody"

    @property
    def cursor(self) -> str:
        return f"{EPOCH}:{self.seq}"


class MemoryStream:
    """A subscription; `refusal` is raised where it would be acknowledged."""

    def __init__(self, pattern: str, past: list[MemoryEvent], refusal: SwarmwireError | None) -> None:
        self.pattern = pattern
        self.refusal = refusal
        self.closed = False
        self._waiting: asyncio.Queue[MemoryEvent | SwarmwireError | None] = asyncio.Queue()
        for event in past:
            self._waiting.put_nowait(event)

    def put(self, item: MemoryEvent | SwarmwireError | None) -> None:
        """Hand over an event, the error that ends the stream, or None for its quiet end."""
        self._waiting.put_nowait(item)

    def __await__(self) -> Generator[Any, None, MemoryStream]:
        if self.refusal is not None:
            raise self.refusal
        yield from asyncio.sleep(0).__await__()
        return self

    def __aiter__(self) -> MemoryStream:
        return self

    async def __anext__(self) -> MemoryEvent:
        if self.refusal is not None:
            raise self.refusal
        item = None if self.closed else await self._waiting.get()
        if item is None:
            raise StopAsyncIteration
        if isinstance(item, SwarmwireError):
            raise item
        return item

    async def aclose(self) -> None:
        if not self.closed:
            self.closed = True
            self._waiting.put_nowait(None)


@dataclass
class MemoryPubSub:
    """What a connected client is to the channels."""

    log: list[MemoryEvent] = field(default_factory=list)
    streams: list[MemoryStream] = field(default_factory=list)
    options: list[Mapping[str, Any]] = field(default_factory=list)
    refusal: SwarmwireError | None = None
    subscribed: asyncio.Event = field(default_factory=asyncio.Event)

    async def publish(self, topic: str, data: Any, **options: Any) -> int:
        check_topic(topic)
        event = MemoryEvent(topic, orjson.loads(orjson.dumps(data)), len(self.log) + 1)
        self.log.append(event)
        self.options.append(options)
        for stream in self.open_streams:
            if matches(stream.pattern, topic):
                stream.put(event)
        return event.seq

    def subscribe(self, pattern: str, *, from_: Any = "now") -> MemoryStream:
        check_pattern(pattern)
        past = [event for event in self._past(from_) if matches(pattern, event.topic)]
        stream = MemoryStream(pattern, past, self.refusal)
        self.streams.append(stream)
        self.subscribed.set()
        return stream

    @property
    def open_streams(self) -> list[MemoryStream]:
        return [stream for stream in self.streams if not stream.closed]

    def disconnect(self, error: SwarmwireError | None = None) -> None:
        """End every stream, quietly or with the error of a connection that is lost for good."""
        for stream in self.open_streams:
            stream.put(error)

    def _past(self, from_: Any) -> list[MemoryEvent]:
        match from_:
            case "now":
                return []
            case "start":
                return self.log
            case "latest":
                latest = {event.topic: event for event in self.log}
                return sorted(latest.values(), key=lambda event: event.seq)
            case {"cursor": str(cursor)}:
                return [event for event in self.log if event.seq > int(cursor.partition(":")[2])]
            case _:
                raise AssertionError(f"not a start: {from_!r}")
