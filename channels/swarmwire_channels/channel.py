"""What the agent, task and swarm channels have in common: publish records, watch them, handle them, wait for one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from contextlib import aclosing
from types import TracebackType
from typing import Any, ClassVar, Generic, Self, TypeVar, Unpack

from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from .change import Change, Changes, OnError, read_change
from .kinds import Kind
from .pubsub import EventStream, PublishOptions, PubSub, Start, SubscribeOptions
from .record import Record, to_data
from .registration import Handler, Registration
from .topics import build_pattern, build_topic, parse_topic

__all__ = ["Channel"]

R = TypeVar("R", bound=Record)


class Channel(Generic[R]):
    """Typed events over anything that can publish and subscribe.

    It holds no connection of its own. Closing it (or leaving its `async with`) ends the handlers that `on` started;
    what `watch` gave is closed by who asked for it.
    """

    kind: ClassVar[Kind]

    def __init__(self, pubsub: PubSub) -> None:
        self._pubsub = pubsub
        self._registrations: set[Registration] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End every handler, and return when they have finished."""
        for registration in tuple(self._registrations):
            await registration.aclose()

    async def publish(self, record: R, **options: Unpack[PublishOptions]) -> Any:
        """Publish a record on its one topic; returns what the publish below returns.

        Raises:
            SwarmwireError: INVALID_MESSAGE with the field, if the record breaks its own promises; INVALID_TOPIC for
                an id that no topic can hold; PERMISSION_DENIED for what the broker's services alone publish; and
                whatever publishing raises.
        """
        topic, data = self._topic_of(record), to_data(record)
        return await self._pubsub.publish(topic, data, **options)

    def _topic_of(self, record: R) -> str:
        kind = self.kind
        event = kind.event_of(record)
        if event is None:
            raise SwarmwireError(
                ErrorCode.INVALID_MESSAGE, f"Expected a record of {kind.name}; got {type(record).__name__}."
            )
        if event in kind.reserved:
            raise SwarmwireError(
                ErrorCode.PERMISSION_DENIED,
                f"{type(record).__name__} is published by the broker's services alone.",
                field="topic",
            )
        item = kind.items.get(event)
        item_id = getattr(record, item) if item is not None else None
        return build_topic(kind, getattr(record, kind.id_field), event, item_id)

    # ---- For the channels themselves: the same under the names of their ids

    def _watch(
        self,
        id: str | None,
        events: Collection[str] | None,
        item_id: str | None,
        on_error: OnError | None,
        options: SubscribeOptions,
    ) -> Changes[R]:
        """One subscription, however many events: their order among each other is kept."""
        wanted = None if events is None else frozenset(events)
        if wanted is None:
            pattern = build_pattern(self.kind, id, None, item_id)
        elif not wanted:
            raise SwarmwireError(ErrorCode.INVALID_TOPIC, "Expected at least one event to watch; got none.")
        else:
            # Each is checked; more than one are watched by the pattern of all, and sorted out here.
            patterns = [build_pattern(self.kind, id, event, item_id) for event in wanted]
            pattern = patterns[0] if len(patterns) == 1 else build_pattern(self.kind, id, None, item_id)
        return Changes(self._pubsub.subscribe(pattern, **options), wanted, on_error)

    def _on(
        self,
        event: str | None,
        handler: Handler,
        id: str | None,
        item_id: str | None,
        on_error: OnError | None,
        options: SubscribeOptions,
    ) -> Registration:
        changes = self._watch(id, None if event is None else [event], item_id, on_error, options)
        registration = Registration(changes, handler, on_error)
        self._registrations.add(registration)
        registration.on_end(self._registrations.discard)
        return registration

    async def _wait_for(
        self,
        pattern: str,
        accept: Callable[[Change[Any]], bool],
        events: Collection[str],
        what: str,
        timeout: float | None,
        from_: Start,
    ) -> Change[Any]:
        """The first change that is accepted, among those that were and those to come; `what` is for the errors."""
        deadline = asyncio.timeout(timeout)
        try:
            async with deadline, aclosing(self._pubsub.subscribe(pattern, from_=from_)) as stream:
                return await _first(stream, accept, events, what)
        except TimeoutError:
            if not deadline.expired():
                raise
            raise TimeoutError(f"{what} was not there within {timeout} s.") from None


async def _first(
    stream: EventStream, accept: Callable[[Change[Any]], bool], events: Collection[str], what: str
) -> Change[Any]:
    # Other events of the same id are not read: one of them that is malformed says nothing about the answer.
    async for raw in stream:
        place = parse_topic(raw.topic)
        if place is None or place.event not in events:
            continue
        change = read_change(raw)
        if change is not None and accept(change):
            return change
    raise SwarmwireError(ErrorCode.UNAVAILABLE, f"The subscription ended before {what} was there.")
