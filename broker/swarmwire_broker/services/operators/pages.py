"""Pages of the log: what the log holds of some patterns, read in turn with everybody who catches up."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from msgspec import Struct

from swarmwire_protocol.cursor import Cursor
from swarmwire_protocol.errors import ErrorCode, SwarmwireError
from swarmwire_protocol.messages import BrokerMessage, Event, Gap, Position, StartAt

from ...core.following import PageReader, find_place
from ...core.subscriptions import learn
from ...engines.matcher import Matcher

if TYPE_CHECKING:
    from ...core.outbox import Outbox

__all__ = ["HistoryPage", "Wanted", "read_page"]


class HistoryPage(Struct, omit_defaults=True, kw_only=True):
    """One page: events in the order of the log, where the next page goes on, and whether there may be one."""

    events: list[Event]
    cursor: str
    more: bool
    gaps: list[Gap] | None = None


class Wanted(Struct, kw_only=True):
    """What a page is asked for: where it begins, a cursor after which nothing is wanted, and the most events."""

    patterns: list[str]
    begin: str | StartAt
    until: str | None
    limit: int


async def read_page(outbox: Outbox, receive: Callable[[], Awaitable[BrokerMessage]], wanted: Wanted) -> HistoryPage:
    """Have a page written to an outbox that is for it alone, and receive it from there.

    Raises:
        SwarmwireError: CONFLICT where `until` is of another log; what `receive` raises.
    """
    matcher = Matcher(wanted.patterns)
    await learn(outbox.delivery.engine, wanted.begin)
    start = await find_place(outbox, wanted.begin, matcher)
    reader = PageReader(outbox, matcher, start, until=_end(outbox, wanted.until), limit=wanted.limit)
    outbox.begin(reader)
    events: list[Event] = []
    gaps: list[Gap] = []
    while True:
        match await receive():
            case Event(seq=int()) as event:
                events.append(event)
            case Gap() as gap:
                gaps.append(gap)
            case Position(cursor=cursor) if reader.stopped:
                return HistoryPage(events=events, cursor=cursor, more=reader.more, gaps=gaps or None)


def _end(outbox: Outbox, until: str | None) -> int | None:
    if until is None:
        return None
    cursor = Cursor.parse(until)
    if cursor.epoch != outbox.delivery.engine.epoch:
        raise SwarmwireError(ErrorCode.CONFLICT, "This cursor is of another log.", field="until")
    return cursor.seq
