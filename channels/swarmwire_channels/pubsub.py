"""What the channels stand on: anything that can publish and subscribe, and, for votes, call.

The connected client and the broker's own process both do, so a channel is the same on either side.
"""

from __future__ import annotations

from collections.abc import Awaitable, Generator, Mapping
from typing import Any, Protocol, TypeAlias, TypedDict, runtime_checkable

from swarmwire_protocol.messages import StartAt

__all__ = [
    "CallOptions",
    "Calling",
    "Event",
    "EventStream",
    "PubSub",
    "PublishOptions",
    "Publisher",
    "Start",
    "SubscribeOptions",
    "Subscriber",
]

Start: TypeAlias = str | Mapping[str, str | int] | StartAt
"""Where a subscription begins: "now", "start", "latest", or one of `cursor`, `last` and `since_ms` with its value."""


class PublishOptions(TypedDict, total=False):
    """What may be said about a publish; each is handed on as it is."""

    key: str | None
    headers: dict[str, str] | None
    echo: bool
    ephemeral: bool
    clear: bool
    ack: bool
    timeout: float | None


class SubscribeOptions(TypedDict, total=False):
    """What may be said about a subscription; each is handed on as it is."""

    from_: Start
    mode: str
    conflate_ms: int | None
    queue_size: int | None
    buffer: int | None


class CallOptions(TypedDict, total=False):
    """What may be said about a call; each is handed on as it is."""

    timeout: float | None


class Event(Protocol):
    """An event as a subscription yields it."""

    @property
    def topic(self) -> str: ...
    @property
    def data(self) -> Any:
        """The decoded payload."""

    @property
    def seq(self) -> int | None:
        """The place in the log; None for an ephemeral event."""

    @property
    def ts(self) -> int:
        """When the broker took it, in milliseconds since 1970."""

    @property
    def sender(self) -> str | None:
        """Who published it, as the broker knows them."""

    @property
    def cursor(self) -> str | None:
        """The place to subscribe again from, to go on behind this event."""


class EventStream(Protocol):
    """A subscription: an async iterator that subscribes at its first use.

    Awaiting it returns once the broker has acknowledged the subscription; iterating without that is fine too.
    It goes on over a reconnect, ends when it is closed or the client disconnects, and raises when the connection
    is lost for good.
    """

    def __await__(self) -> Generator[Any, None, Any]: ...
    def __aiter__(self) -> EventStream: ...
    def __anext__(self) -> Awaitable[Event]: ...
    async def aclose(self) -> None:
        """End the subscription; harmless twice."""


class Publisher(Protocol):
    """Something to publish with."""

    def publish(self, topic: str, data: Any, *args: Any, **options: Any) -> Awaitable[Any]:
        """Put one event on a topic; the options are those of `PublishOptions`."""


class Subscriber(Protocol):
    """Something to subscribe with."""

    def subscribe(self, pattern: str, *args: Any, **options: Any) -> EventStream:
        """Watch the topics that a pattern matches; the options are those of `SubscribeOptions`."""


class PubSub(Publisher, Subscriber, Protocol):
    """Something to publish and to subscribe with."""


@runtime_checkable
class Calling(Protocol):
    """Something to call methods of the broker with."""

    def call(self, method: str, params: Any = None, **options: Any) -> Awaitable[Any]:
        """Call a method and return its answer; the options are those of `CallOptions`."""
