"""The durable engine: one SQLite file in a directory, written by a thread beside the loop.

An append waits in a queue; a writer thread takes all that wait and stores them in one transaction (group commit).
Then, and not before, the events are visible and their publishers hear of it. The newest events are in memory too, and
so is the last event of every topic: who reads these waits for no disk. What lies further back a reader thread fetches.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal, TypeVar

from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from .base import Put
from .dedupe import DedupeTable, monotonic_ms
from .entry import Draft, Entry, Outcome
from .retention import Floors, Keep
from .sqliteheld import Held
from .sqliteintake import Intake, closed
from .sqliteload import Loader
from .sqlitelock import DirectoryLock
from .sqlitereaders import Readers
from .sqlitereading import SqliteReading
from .sqliteschema import FILE, LogFile, open_file
from .sqliteshow import show
from .sqlitestore import Store
from .sqlitewriter import Batch, Change, Writer
from .writequeue import WriteQueue

__all__ = ["SqliteEngine", "Sync"]

log = logging.getLogger("swarmwire.broker.engine")

Sync = Literal["full", "normal"]
_T = TypeVar("_T")


def _nobody(entry: Entry) -> None:
    """The listener until there is one."""


def _nothing(*_: object) -> None:
    """Who hears of it until somebody does."""


class SqliteEngine(SqliteReading, Intake):
    """The log of a directory, which is made if it is not there. The limits are those of `core.settings.Limits`.

    Arguments:
        directory: where the log is; one broker at a time may use it.
        now_ms: the time of day, milliseconds since 1970; it is called from two threads, as is the next.
        steady_ms: milliseconds that only rise; by these idempotency keys are kept as long as the broker runs.
        sync: `full`: what is acknowledged survives the loss of power; `normal`: only the end of the process.
        log_rules: what is kept of topics that a pattern matches, the first that does; the others fall under `log_*`.
        window_events, window_bytes: the newest events that are held in memory.
        queue_events, queue_bytes: what may wait to be written before publishers are slowed.

    Attributes:
        held, keys, queue: what is in memory, the idempotency keys, and what waits to be written.
        on_commit: called with the number of events and the seconds of every transaction.
        trouble: why the log cannot be written just now; None while it can.
    """

    defers = True
    remote = False
    in_flight = 0

    def __init__(
        self,
        directory: Path,
        *,
        now_ms: Callable[[], int],
        steady_ms: Callable[[], int] = monotonic_ms,
        sync: Sync = "full",
        log_events: int | None = 100_000,
        log_bytes: int | None = None,
        log_age_ms: int | None = None,
        log_rules: Mapping[str, Keep] | None = None,
        latest_topics: int = 100_000,
        latest_bytes: int = 64 * 1024 * 1024,
        dedupe_ms: int = 60_000,
        dedupe_keys: int = 1_000_000,
        dedupe_keys_per_subject: int = 500_000,
        window_events: int = 50_000,
        window_bytes: int = 64 * 1024 * 1024,
        queue_events: int = 10_000,
        queue_bytes: int = 16 * 1024 * 1024,
    ) -> None:
        self.durability = "stored" if sync == "full" else "stored_lazily"
        self.epoch = ""
        self.listener: Callable[[Entry], None] = _nobody
        self.relieved: Callable[[], None] = _nothing
        self.renewed: Callable[[], None] = _nothing
        self.missed: Callable[[int], None] = _nothing
        self.on_commit: Callable[[int, float], object] = _nothing
        self.trouble: str | None = None
        keep = Keep(log_events, log_bytes, log_age_ms)
        self.keys = DedupeTable(dedupe_ms, dedupe_keys, dedupe_keys_per_subject)
        self.held = Held(now_ms, keep, (window_events, window_bytes), (latest_topics, latest_bytes))
        super().__init__(WriteQueue(self.keys, queue_events, queue_bytes), steady_ms)
        self.queue.relieved = lambda: self.relieved()
        self._directory = directory
        self._lock = DirectoryLock(directory)
        self._now_ms = now_ms
        self._lazily = sync == "normal"
        self._keep = keep
        self._rules = dict(log_rules or {})
        self._dedupe_ms = dedupe_ms
        self._closing: asyncio.Task[None] | None = None

    # ---- life

    async def start(self) -> None:
        """Open the log.

        Raises:
            DirectoryLocked: another broker has it open.
            DamagedLog: it is not one that can be gone on with; nothing of it was changed.
            OSError: it cannot be opened.
        """
        self._loop = asyncio.get_running_loop()
        try:
            store = await self._opened()
        except sqlite3.Error as error:
            raise OSError(f"the log in {self._directory} cannot be opened: {error}") from None
        self._writer = Writer(
            store,
            now_ms=self._now_ms,
            steady_ms=self._steady_ms,
            dedupe_ms=self._dedupe_ms,
            forgotten=lambda: self.keys.forgotten,
            latest_floor=lambda: self.held.table.floor,
            tell=self._tell,
        )
        self._writer.start()

    async def _opened(self) -> Store:
        opening = asyncio.get_running_loop().run_in_executor(None, self._open)
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            # The thread cannot be called back: what it has opened is closed when it comes.
            opening.add_done_callback(self._unopen)
            await asyncio.wait([opening])
            raise

    def _unopen(self, opening: asyncio.Future[Store]) -> None:
        if opening.cancelled() or opening.exception() is not None:
            return
        readers, self._readers = self._readers, None
        try:
            if readers is not None:
                readers.close()
            opening.result().close()
        finally:
            self._lock.release()

    def _open(self) -> Store:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock.acquire()
        try:
            connection, found = open_file(self._directory, lazily=self._lazily)
            try:
                return self._read_in(connection, found)
            except BaseException:
                connection.close()
                raise
        except BaseException:
            self._lock.release()
            raise

    def _read_in(self, connection: sqlite3.Connection, found: LogFile) -> Store:
        """Bring into memory what is to be there."""
        store = Store(connection, found, self._keep, self._rules)
        loader = Loader(self._directory / FILE)
        try:
            self.epoch = found.epoch
            self.held.load(loader, found, Floors(store.rules, store.patterns, store.since))
            loader.recall(self.keys, self._dedupe_ms, now_ms=self._now_ms(), steady_ms=self._steady_ms())
        finally:
            loader.close()
        self._readers = Readers(self._directory / FILE)
        return store

    async def close(self) -> None:
        """Store what waits, and close. Harmless twice."""
        if self._closing is None:
            self._closing = asyncio.get_running_loop().create_task(self._close())
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        writer, self._writer = self._writer, None
        items, self._waiting = self._waiting, []
        readers, self._readers = self._readers, None
        try:
            if readers is not None:
                await asyncio.to_thread(readers.close)
        finally:
            try:
                if writer is not None:
                    writer.submit(items)
                    # Last: whoever closes last tidies up. What it tells the loop is heard before this goes on.
                    await asyncio.to_thread(writer.close)
            finally:
                self._lock.release()

    # ---- what the writer tells

    def _tell(self, batch: Batch) -> None:
        """Hand a batch from the writer's thread to the loop."""
        assert self._loop is not None
        with suppress(RuntimeError):  # the loop has ended without a word: nobody is left to be told
            self._loop.call_soon_threadsafe(self._committed, batch)

    def _committed(self, batch: Batch) -> None:
        """The writer is done with a batch."""
        try:
            if batch.error is not None:
                self._refused(batch, batch.error)
            else:
                self._stored(batch)
        finally:
            self.queue.settle()

    def _stored(self, batch: Batch) -> None:
        self.trouble = None
        if batch.items:
            self.on_commit(len(batch.entries), batch.seconds)
            held = self.held
            show(batch.items, batch.entries, batch.until, held.log, held.table, self.queue, self.listener)
        # Last: some of the batch may have been let go at once, and what nobody has seen cannot be missing.
        self.held.floors.told(batch.rules)

    def _refused(self, batch: Batch, error: SwarmwireError) -> None:
        """Nothing of a batch was stored."""
        self.trouble = error.message
        doubtful = SwarmwireError(ErrorCode.OUTCOME_UNKNOWN, error.message) if batch.in_doubt else error
        for item in batch.items:
            if isinstance(item, Change):
                item.error = doubtful
                for draft in item.appends:
                    self.queue.remove(draft)
                item.done(item)
            else:
                # With a key too: who is told that nothing was stored may publish it again under another.
                self.queue.answer(item, Outcome(error=doubtful))

    # ---- state

    async def transact(self, puts: Sequence[Put], appends: Sequence[Draft] = ()) -> int:
        if any(draft.key is not None for draft in appends):
            raise ValueError("expected drafts without a key: one of them could be refused when the rest is done")
        if self._writer is None:
            raise closed()
        decided: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def done(_: Change) -> None:
            if not decided.done():  # whoever asked may have given up
                decided.set_result(None)

        change = Change(puts, appends, done)
        for draft in appends:
            self.queue.add(draft)
        self._submit(change)
        await decided
        if change.error is not None:
            raise change.error
        return change.revision
