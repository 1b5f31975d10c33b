"""Events of a channel, read: what happened, to whom, as a typed record."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Generator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Generic, TypeAlias, TypeVar

from msgspec.structs import fields

from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from .kinds import KINDS
from .pubsub import Event, EventStream
from .record import Record, from_data
from .topics import SwarmTopic, parse_topic

__all__ = ["Change", "Changes", "OnError", "read_change", "report"]

R = TypeVar("R", bound=Record)

OnError: TypeAlias = Callable[[Exception, Event | None], object]
"""Told of what went wrong: the error, and the event at fault, or None if the subscription itself failed."""

_log = logging.getLogger("swarmwire.channels")


@dataclass(frozen=True, slots=True)
class Change(Generic[R]):
    """One event of a channel: the typed record, the topic, the id and event the topic names, the event as it came.

    Who published it is `raw.sender`, which the broker vouches for; ids within the record are the publisher's word.
    """

    record: R
    topic: str
    id: str
    event: str
    raw: Event


def read_change(raw: Event) -> Change[Any] | None:
    """Read an event, or None if its topic is none of the channels', such as an event of a later version.

    Raises:
        SwarmwireError: INVALID_MESSAGE with the field, where the data is not what the topic promises.
    """
    place = parse_topic(raw.topic)
    if place is None:
        return None
    kind = KINDS[raw.topic.partition(".")[0]]
    id, event = place[0], place[1]
    record = from_data(_data_of(raw), kind.events[event], raw.ts)
    _check_id(record, kind.id_field, id)
    if isinstance(place, SwarmTopic) and place.item_id is not None:
        _check_id(record, kind.items[event], place.item_id)
    return Change(record, raw.topic, id, event, raw)


def _data_of(raw: Event) -> Any:
    try:
        return raw.data
    except ValueError as error:  # a payload may be decoded only now, and what came need not be JSON
        raise SwarmwireError(ErrorCode.INVALID_MESSAGE, "The data cannot be decoded.", field="data") from error


def _check_id(record: Record, name: str, expected: str) -> None:
    """A topic is what permissions were checked against, so the payload cannot speak for another id."""
    if (said := getattr(record, name)) != expected:
        wire = next(field.encode_name for field in fields(record) if field.name == name)
        raise SwarmwireError(
            ErrorCode.INVALID_MESSAGE,
            f"Expected {expected!a:.100}, which the topic names; got {said!a:.100}.",
            field=f"data.{wire}",
        )


def report(on_error: OnError | None, error: Exception, raw: Event | None) -> None:
    """Hand an error to whoever asked for it, or to the log; never raises."""
    if on_error is None:
        _log.warning("%s: %s", raw.topic if raw is not None else "subscription", error, exc_info=error)
        return
    try:
        on_error(error, raw)
    except Exception:
        _log.exception("on_error failed while it was told of: %s", error)


class Changes(Generic[R]):
    """The changes of a subscription, in order: an async iterator, and an async context manager that closes it.

    An event that cannot be read goes to `on_error` (default: a warning in the log `swarmwire.channels`), and
    iteration goes on. Awaiting it returns once the subscription is acknowledged. It ends and raises as the
    subscription below it does.
    """

    def __init__(
        self, stream: EventStream, events: Collection[str] | None = None, on_error: OnError | None = None
    ) -> None:
        self._stream = stream
        self._events = events
        self._on_error = on_error

    def __await__(self) -> Generator[Any, None, Changes[R]]:
        yield from self._stream.__await__()
        return self

    def __aiter__(self) -> Changes[R]:
        return self

    async def __anext__(self) -> Change[R]:
        while True:
            change = self._read(await self._stream.__anext__())
            if change is not None:
                return change

    def _read(self, raw: Event) -> Change[R] | None:
        if self._events is not None:
            place = parse_topic(raw.topic)
            if place is None or place.event not in self._events:
                return None
        try:
            return read_change(raw)
        except SwarmwireError as error:
            report(self._on_error, error, raw)
            return None

    async def __aenter__(self) -> Changes[R]:
        return await self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End the subscription; harmless twice."""
        await self._stream.aclose()
