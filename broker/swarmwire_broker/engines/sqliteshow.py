"""What was stored becomes visible: window, table of last events, listener and answer, event by event."""

from __future__ import annotations

import logging
from collections.abc import Callable

from .entry import Draft, Entry, stored_at
from .latest import LatestTable
from .log import Log
from .sqlitewriter import Change, Item
from .writequeue import WriteQueue

__all__ = ["show"]

log = logging.getLogger("swarmwire.broker.engine")


def show(
    items: list[Item],
    entries: list[Entry],
    until: int,
    window: Log,
    table: LatestTable,
    queue: WriteQueue,
    listener: Callable[[Entry], None],
) -> None:
    """Let everybody hear of what is stored now, in order.

    Arguments:
        items, entries, until: those of the batch.
        window, table: the newest events and the last ones in memory.
        queue: what waits; it answers.
        listener: called with every event.
    """
    place = 0
    for item in items:
        if not isinstance(item, Draft):
            for draft in _decided(item, queue):
                _appear(entries[place], draft, window, table, queue, listener)
                place += 1
            item.done(item)
            continue
        draft = item
        entry = entries[place]
        place += 1
        if draft.key is not None:
            # Remembered first: whoever is told of the event may publish it again at once.
            queue.stored(draft, entry.seq, until)
        _appear(entry, draft, window, table, queue, listener)


def _decided(change: Change, queue: WriteQueue) -> list[Draft]:
    """The drafts that a change has stored."""
    if change.error is None:
        return list(change.appends)
    for draft in change.appends:
        queue.remove(draft)
    return []


def _appear(
    entry: Entry, draft: Draft, window: Log, table: LatestTable, queue: WriteQueue, listener: Callable[[Entry], None]
) -> None:
    window.append(entry)
    table.put(entry)
    # Whatever fails in telling of it: it is stored, and so is what comes after it.
    try:
        listener(entry)
    except Exception:
        log.exception("an event could not be handed on", extra={"seq": entry.seq, "topic": entry.topic})
    queue.answer(draft, stored_at(entry.seq))
