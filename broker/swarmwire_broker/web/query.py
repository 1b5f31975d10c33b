"""What the query of a URL asks for, as records: they check it, and describe it in the OpenAPI document."""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct, field
from starlette.datastructures import QueryParams

from swarmwire_protocol.cursor import Cursor
from swarmwire_protocol.errors import ErrorCode, SwarmwireError
from swarmwire_protocol.messages import MAX_SEQ, Conflate, StartAt, Subscription

__all__ = ["CallQuery", "EventsQuery", "HistoryQuery", "LAST_EVENT_ID", "Mode", "cursor_at", "read_query"]

LAST_EVENT_ID: Final = "Last-Event-ID"

Mode = Literal["all", "disconnect", "drop_oldest", "conflate"]

_Count = Annotated[int, Meta(ge=0, le=MAX_SEQ)]
_T = TypeVar("_T", bound=Struct)


class _Placed(Struct, kw_only=True):
    """What begins somewhere in the log."""

    pattern: Annotated[list[str], Meta(min_length=1, description="a pattern of topics; several times for several")]
    last: Annotated[_Count, Meta(description="instead of `from`: the last so many matching events")] | None = None
    since_ms: (
        Annotated[_Count, Meta(description="instead of `from`: from this time on, in milliseconds since 1970")] | None
    ) = None

    @property
    def patterns(self) -> list[str]:
        """Each pattern once."""
        return list(dict.fromkeys(self.pattern))

    def begin_at(self, given: str | None, words: tuple[str, ...]) -> str | StartAt | None:
        """Where it begins: a word, or a place in the log; None where nothing was said.

        Raises:
            SwarmwireError: INVALID_MESSAGE.
        """
        said = [value for value in (given, self.last, self.since_ms) if value is not None]
        if len(said) > 1:
            raise _invalid("Expected one of from, last and since_ms.", "from")
        if self.last is not None or self.since_ms is not None:
            return StartAt(last=self.last, since_ms=self.since_ms)
        return given if given is None or given in words else cursor_at(given, "from")


class EventsQuery(_Placed, kw_only=True):
    """What /v1/events is asked for."""

    from_: Annotated[str, Meta(description="now (the default), start, latest, or a cursor")] | None = field(
        name="from", default=None
    )
    mode: Annotated[Mode, Meta(description="what becomes of a reader that is too slow")] | None = None
    conflate_ms: (
        Annotated[int, Meta(ge=0, le=3_600_000, description="the tick of mode conflate, which it implies")] | None
    ) = None
    queue_size: Annotated[_Count, Meta(description="events that mode drop_oldest queues")] | None = None

    @property
    def is_shared(self) -> bool:
        """Whether all patterns share one position."""
        return self.conflate_ms is None and self.mode in (None, "all", "disconnect")

    def begin(self, last_event_id: str | None) -> str | StartAt:
        """Where the stream begins.

        Raises:
            SwarmwireError: INVALID_MESSAGE.
        """
        place = self.begin_at(self.from_, ("now", "start", "latest"))
        if last_event_id is not None:
            place = cursor_at(last_event_id, LAST_EVENT_ID)
        return "now" if place is None else place

    def subscriptions(self, begin: str | StartAt) -> list[Subscription]:
        """What to subscribe to; what shares one position begins now, and is taken to its place together.

        Raises:
            SwarmwireError: INVALID_MESSAGE.
        """
        how = self._how()
        if self.is_shared:
            return [Subscription(pattern=pattern, mode=how) for pattern in self.patterns]
        if len(self.patterns) > 1:
            raise _invalid("Expected one pattern in this mode: its place cannot be told for several.", "pattern")
        return [Subscription(pattern=self.patterns[0], from_=begin, mode=how, queue_size=self.queue_size)]

    def _how(self) -> str | Conflate:
        if self.conflate_ms is not None:
            if self.mode not in (None, "conflate"):
                raise _invalid("Expected conflate_ms with mode=conflate only.", "conflate_ms")
            return Conflate(conflate_ms=self.conflate_ms)
        if self.mode == "conflate":
            raise _invalid("Expected conflate_ms with mode=conflate.", "conflate_ms")
        if self.queue_size is not None and self.mode != "drop_oldest":
            raise _invalid("Expected queue_size with mode=drop_oldest only.", "queue_size")
        return self.mode or "all"


class HistoryQuery(_Placed, kw_only=True):
    """What /v1/history is asked for."""

    from_: Annotated[str, Meta(description="start (the default), or a cursor")] | None = field(
        name="from", default=None
    )
    until: Annotated[str, Meta(description="a cursor: nothing after it")] | None = None
    limit: Annotated[int, Meta(ge=1, le=1_000, description="at most so many events")] = 100

    @property
    def begin(self) -> str | StartAt:
        """Where the page begins. Raises SwarmwireError INVALID_MESSAGE."""
        place = self.begin_at(self.from_, ("start",))
        return "start" if place is None else place


class CallQuery(Struct, kw_only=True):
    """What /v1/call is asked for beside the method and its parameters."""

    timeout_ms: Annotated[int, Meta(ge=0, le=3_600_000, description="time for the reply")] = 30_000


def cursor_at(text: str, name: str) -> StartAt:
    """A place by its cursor. Raises SwarmwireError INVALID_MESSAGE with this name as its field."""
    try:
        Cursor.parse(text)
    except SwarmwireError as error:
        raise _invalid(error.message, name) from None
    return StartAt(cursor=text)


def read_query(params: QueryParams, kind: type[_T]) -> _T:
    """The record that a query is.

    Raises:
        SwarmwireError: INVALID_MESSAGE.
    """
    given: dict[str, object] = {}
    for name in dict.fromkeys(kind.__struct_encode_fields__):
        values = params.getlist(name)
        if name == "pattern":
            given[name] = values
        elif len(values) > 1:
            raise _invalid(f"Expected {name} once.", name)
        elif values:
            given[name] = values[0]
    try:
        return msgspec.convert(given, kind, strict=False)
    except msgspec.ValidationError as error:
        raise _explained(str(error)) from None


def _explained(text: str) -> SwarmwireError:
    said, _, path = text.partition(" - at `$.")
    name = path.rstrip("`").partition("[")[0] or None
    if name == "mode":
        return _invalid("Expected all, disconnect, drop_oldest or conflate.", name)
    if name == "pattern":
        return _invalid("Expected at least one pattern.", name)
    return _invalid(f"{said.replace('`', '')}.", name)


def _invalid(sentence: str, name: str | None) -> SwarmwireError:
    return SwarmwireError(ErrorCode.INVALID_MESSAGE, sentence, field=name)
