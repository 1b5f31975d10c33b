"""The thread that writes: it takes all that waits, makes it one transaction, and tells the loop when it is stored."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import Final, TypeAlias

from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from .base import Put
from .entry import Draft, Entry, placed
from .retention import Kept
from .sqliteinsert import KeyRow
from .sqlitestore import Store

__all__ = ["Batch", "Change", "Item", "Writer"]

log = logging.getLogger("swarmwire.broker.engine")

_MOST: Final = 1_000
"""Items from which on a transaction takes no more in: the loop hears of all of them in one turn."""
_EVICTED: Final = 2_000
"""Events of a rule that one transaction lets go at most, or twice what it appends if that is more."""
_SWEEP: Final = 1.0
"""Seconds between two looks at what has grown too old, and between two tries when nothing can be written."""
_RETRY_MS: Final = 1_000


class Change:
    """Keys to change and events to append as one step; `error` or `revision` is what became of it."""

    __slots__ = ("appends", "done", "error", "puts", "revision")

    def __init__(self, puts: Sequence[Put], appends: Sequence[Draft], done: Callable[[Change], None]) -> None:
        self.puts = puts
        self.appends = appends
        self.done = done
        self.error: Exception | None = None
        self.revision = 0


Item: TypeAlias = "Draft | Change"


class Batch:
    """What was written in one transaction, or could not be.

    Attributes:
        items: what was asked for, in order; each item of a change that was refused carries its error.
        entries: the events stored, in order.
        until: when the idempotency keys of the batch may be forgotten, by the steady clock.
        rules: where the rules of retention stand now.
        error: why nothing of it was stored.
        in_doubt: whether it may be found stored all the same, after a crash.
        seconds: how long it took.
    """

    __slots__ = ("entries", "error", "in_doubt", "items", "rules", "seconds", "until")

    def __init__(self, items: list[Item]) -> None:
        self.items = items
        self.entries: list[Entry] = []
        self.until = 0
        self.rules: dict[int, Kept] = {}
        self.error: SwarmwireError | None = None
        self.in_doubt = False
        self.seconds = 0.0


class Writer:
    """One thread, one connection, one transaction after another.

    Arguments:
        store: the log, opened; the thread closes it.
        now_ms, steady_ms: the time of day, and the clock that only rises.
        dedupe_ms: how long idempotency keys are kept.
        forgotten: asked for the highest place up to which all keys are forgotten; called in this thread.
        latest_floor: asked for what the table of last events has dropped.
        tell: hands a batch to the loop; called in this thread.
    """

    def __init__(
        self,
        store: Store,
        *,
        now_ms: Callable[[], int],
        steady_ms: Callable[[], int],
        dedupe_ms: int,
        forgotten: Callable[[], int],
        latest_floor: Callable[[], int],
        tell: Callable[[Batch], None],
    ) -> None:
        self._store = store
        self._now_ms = now_ms
        self._steady_ms = steady_ms
        self._dedupe_ms = dedupe_ms
        self._forgotten = forgotten
        self._latest_floor = latest_floor
        self._tell = tell
        self._queue: SimpleQueue[list[Item] | None] = SimpleQueue()
        self._failing = False
        self._more = True
        self._thread = threading.Thread(target=self._run, name="swarmwire-writer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def submit(self, items: list[Item]) -> None:
        """Have this written, after what was submitted before."""
        self._queue.put(items)

    def close(self) -> None:
        """Write what waits, close the log and end. Waits for it, so not on the loop. Harmless twice."""
        self._queue.put(None)
        self._thread.join()

    # ---- the thread

    def _run(self) -> None:
        going = True
        while going:
            items, going = self._take()
            if items:
                for batch in self._write(items):
                    self._tell(batch)
            elif going:
                self._sweep()
        try:
            self._store.close()
        except sqlite3.Error:
            log.exception("the log could not be closed in order; what was acknowledged is stored")

    def _take(self) -> tuple[list[Item], bool]:
        """Everything that waits, up to a batch of a good size; and whether to go on."""
        items: list[Item] = []
        try:
            waiting = self._queue.get(timeout=self._patience())
            while waiting is not None:
                items += waiting
                if len(items) >= _MOST:
                    return items, True
                waiting = self._queue.get_nowait()
        except Empty:
            return items, True
        return items, False

    def _patience(self) -> float | None:
        if self._more and not self._failing:
            return 0.0
        return _SWEEP if self._failing or self._store.ages else None

    def _write(self, items: list[Item]) -> list[Batch]:
        batch = Batch(items)
        try:
            self._attempt(batch)
        except Exception as error:
            if not _concerns_all(error) and len(items) > 1:
                # It is one of them that cannot be written; the others can.
                return [one for item in items for one in self._write([item])]
            self._fail(batch, error)
        return [batch]

    def _attempt(self, batch: Batch) -> None:
        began = time.perf_counter()
        try:
            self._store.begin()
            self._fill(batch)
            self._let_go(2 * len(batch.entries))
            # While nothing can be written, only a commit tells whether that is over.
            idle = not batch.items and not self._failing and not self._store.is_changed
            if idle:
                self._store.leave()
        except BaseException:
            self._store.rollback()
            raise
        if not idle:
            self._commit(batch)
        batch.rules = dict(self._store.rules)
        batch.seconds = time.perf_counter() - began
        if self._failing:
            self._failing = False
            log.warning("the log can be written again")

    def _commit(self, batch: Batch) -> None:
        try:
            self._store.commit(self._latest_floor())
        except BaseException as error:
            if isinstance(error, Exception) and self._store.is_stored():
                log.warning("a commit failed, and what it was to store is stored", exc_info=error)
                return
            batch.in_doubt = getattr(error, "sqlite_errorcode", 0) != sqlite3.SQLITE_FULL
            self._store.rollback()
            raise

    def _fill(self, batch: Batch) -> None:
        store = self._store
        # Time may be set back under a running broker, or between two; `ts` never falls within a log.
        now = self._now_ms()
        store.ts = max(store.ts, now)
        key_until = now + self._dedupe_ms
        items: list[Item] = batch.items
        entries: list[Entry] = []
        keys: list[KeyRow] = []
        batch.entries, batch.until = entries, self._steady_ms() + self._dedupe_ms
        done = 0
        while done < len(items):
            done = _place(items, done, store.head, store.ts, entries, keys)
            if entries:
                store.head = entries[-1].seq
            if done < len(items):
                change = items[done]
                assert isinstance(change, Change)
                self._change(change, entries)
                done += 1
        store.add(entries)
        if keys:
            store.add_keys(keys, key_until)

    def _change(self, change: Change, entries: list[Entry]) -> None:
        store = self._store
        change.error = None
        try:
            store.check(change.puts)
        except SwarmwireError as error:
            change.error = error
            return
        change.revision = store.apply(change.puts)
        for draft in change.appends:
            store.head += 1
            entries.append(placed(draft, store.head, store.ts))

    def _fail(self, batch: Batch, error: Exception) -> None:
        if not self._failing:
            log.error("the log cannot be written; publishes are refused until it can", exc_info=error)
        self._failing = not batch.items or _concerns_all(error)
        batch.entries = []
        batch.error = SwarmwireError(
            ErrorCode.UNAVAILABLE, f"The log cannot be written just now: {error}.", retry_after_ms=_RETRY_MS
        )

    # ---- letting go

    def _let_go(self, least: int) -> None:
        """Let go what is over the limits, a bounded part of it; the rest when there is time."""
        now, floor = self._now_ms(), self._latest_floor()
        most = max(_EVICTED, least)
        self._more = self._store.evict(now, floor, most)
        self._store.forget_keys(self._forgotten(), most)
        if floor:
            self._store.forget_last(floor, most)

    def _sweep(self) -> None:
        """Nothing is to be written: let go what has become too old, and see whether writing works again.

        The file is written to only if there is something to let go, or if it could not be written before.
        """
        batch = Batch([])
        try:
            self._attempt(batch)
        except Exception as error:
            self._fail(batch, error)
        self._tell(batch)


def _place(items: list[Item], begin: int, head: int, ts: int, entries: list[Entry], keys: list[KeyRow]) -> int:
    """Give the drafts from `begin` on their places behind the head, up to the first change: where that is."""
    index = begin
    while index < len(items):
        item = items[index]
        if not isinstance(item, Draft):
            break
        draft = item
        head += 1
        entries.append(placed(draft, head, ts))
        key = draft.key
        if key is not None:
            keys.append((key[0], draft.topic, key[1], head))
        index += 1
    return index


def _concerns_all(error: Exception) -> bool:
    """Whether it is the file or the disk that fails, not what was to be written."""
    return isinstance(error, sqlite3.OperationalError) or type(error) is sqlite3.DatabaseError
