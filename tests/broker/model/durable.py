"""The durable engine in a world whose time stands still: its threads are waited for within each turn of the loop."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from swarmwire_broker.core.settings import Limits
from swarmwire_broker.engines.base import PageLimit
from swarmwire_broker.engines.entry import Entry
from swarmwire_broker.engines.matcher import Matcher
from swarmwire_broker.engines.sqlite import SqliteEngine
from swarmwire_broker.engines.sqlitereader import Reader
from swarmwire_broker.engines.sqlitewriter import Batch, Change, Item

from ..core.fakes import FakeClock
from .world import Disk, Kind, forget

__all__ = ["SQLITE", "LoopClock"]

_T = TypeVar("_T")


class LoopClock(FakeClock):
    """A fake clock that turns a real loop too, until no thread has anything more to say."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.engine: _Watched | None = None

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        return self.loop.run_until_complete(work)

    def turn(self) -> bool:
        return self.run(self._turn())

    async def _turn(self) -> bool:
        was_late = self.engine is not None and self.engine.catch_up()
        was_ready = super().turn()
        if self.engine is not None:
            await self.engine.quiet()
        return was_ready or was_late or bool(self._ready)


class _Watched(SqliteEngine):
    """Tells when its threads rest, and can be late in telling what is stored.

    Attributes:
        order: serial numbers of the publishes that were taken and are not visible, in order.
        is_late: what is stored is not told for the time being.
    """

    order: list[int]

    def watch(self, clock: LoopClock) -> None:
        self.order, self.is_late = [], False
        self._clock = clock
        self._late: list[Batch] = []
        self._out = 0
        self._asks: set[asyncio.Future[Any]] = set()
        self._back = asyncio.Event()

    # ---- the engine's side

    def _submit(self, item: Item) -> None:
        assert not isinstance(item, Change)
        self.order.append(json.loads(item.data)[0])
        super()._submit(item)

    def _hand_over(self) -> None:
        self._out += len(self._waiting)
        super()._hand_over()

    def _committed(self, batch: Batch) -> None:
        self._out -= len(batch.items)
        self._back.set()
        if self.is_late or self._late:
            self._late.append(batch)
        else:
            self._say_stored(batch)

    def _say_stored(self, batch: Batch) -> None:
        del self.order[: len(batch.items)]
        super()._committed(batch)

    async def _ask(self, question: Callable[[Reader], _T]) -> _T:
        answer = asyncio.ensure_future(super()._ask(question))
        self._asks.add(answer)
        answer.add_done_callback(self._asks.discard)
        return await answer

    # ---- the clock's side

    def catch_up(self) -> bool:
        """Tell what was held back; whether there was anything."""
        if self.is_late:
            return False
        late, self._late = self._late, []
        for batch in late:
            self._say_stored(batch)
        return bool(late)

    async def quiet(self) -> None:
        """Wait until what was handed over is stored, and what was asked is answered."""
        await asyncio.sleep(0)
        while self._out or self._waiting:
            self._back.clear()
            await self._back.wait()
        while self._asks:
            await asyncio.wait(set(self._asks))


class _SqliteDisk(Disk):
    """A directory of its own for every start; a crash leaves what was written, and nothing else."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.clock: LoopClock = LoopClock()
        self._root = Path(tempfile.mkdtemp(prefix="swarmwire-model-"))
        self._starts = 0

    @property
    def _place(self) -> Path:
        return self._root / str(self._starts)

    def open(self) -> _Watched:
        limits, clock = self._limits, self.clock
        engine = _Watched(
            self._place,
            now_ms=clock.now_ms,
            steady_ms=clock.steady_ms,
            sync="normal",  # a process that dies loses nothing either way, and nothing here is about the disk itself
            log_events=limits.log_events,
            log_bytes=limits.log_bytes,
            log_age_ms=limits.log_age_ms,
            latest_topics=limits.latest_topics,
            latest_bytes=limits.latest_bytes,
            dedupe_ms=limits.dedupe_ms,
            dedupe_keys=limits.dedupe_keys,
            dedupe_keys_per_subject=limits.dedupe_keys_per_subject,
            window_events=4,
        )
        engine.watch(clock)
        clock.run(engine.start())
        clock.engine = engine
        self.engine = engine
        return engine

    def delay(self, is_late: bool) -> None:
        self.engine.is_late = is_late

    def crash(self) -> tuple[_Watched, list[int]]:
        former = self.engine
        former.is_late = True
        lost = former._waiting
        former._waiting = []
        self.clock.run(former.quiet())
        former.order = former.order[: len(former.order) - len(lost)]
        stored = former.order
        forget(self.clock)
        shutil.copytree(self._place, self._root / str(self._starts + 1))
        self.clock.run(former.close())
        self._starts += 1
        return self.open(), stored

    def events(self, after: int) -> list[Entry]:
        page = self.clock.run(self.engine.fetch(Matcher(["#"]), after, PageLimit(1_000, 1_000_000, 1_000)))
        return page.entries

    def close(self) -> None:
        self.engine.is_late = False
        self.clock.run(self.engine.close())
        self.clock.run(self.clock.loop.shutdown_default_executor())
        self.clock.loop.close()
        shutil.rmtree(self._root)


SQLITE = Kind("SqliteEngine", _SqliteDisk, at_once=False)
