"""The state as the journal has it: read in when it is asked for first, and brought up to date at every use."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from ...base import Stored
from .journal import BrokenChain, Changed, Fold, Forked, Group, decode_group
from .pausing import Pause
from .snapshot import DamagedSnapshot, Pointer, decode_pointer, restored
from .storage import Message, Storage, StorageAway

__all__ = ["Current", "Together"]

log = logging.getLogger("swarmwire.broker.engine")

_LAG: Final = 20.0
"""Seconds for which a server may know less than is known here, before that is believed: one that was cut off takes
itself for the leader for some time more."""
_TRIES: Final = 8
"""Loads in a row that a newer snapshot may overtake, or that lag behind."""


class Together:
    """Work that is done once for all who want it by then. Whoever comes while it is done waits for the next time."""

    def __init__(self, work: Callable[[], Awaitable[None]]) -> None:
        self._work = work
        self._now: asyncio.Task[None] | None = None
        self._next: asyncio.Task[None] | None = None

    async def __call__(self) -> None:
        """Returns when work is done that began after this was called; raises what it raised."""
        if self._next is None:
            self._next = asyncio.get_running_loop().create_task(self._after(self._now))
            self._next.add_done_callback(_looked_at)
        await asyncio.shield(self._next)

    async def _after(self, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait([before])
        self._now, self._next = asyncio.current_task(), None
        await self._work()

    async def close(self) -> None:
        """Give up what is done. Harmless twice."""
        tasks = [task for task in (self._now, self._next) if task is not None and not task.done()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Current:
    """A fold of the journal that only goes forward.

    Attributes:
        fold: what is known. It is another object after a load, so nobody keeps it.
        advanced: called when somebody has begun a term.
        lost: called when the journal was made anew, and the state with it.
    """

    def __init__(self, storage: Storage) -> None:
        self.fold = Fold()
        self.lost: Callable[[], None] = _nothing
        self.advanced: Callable[[], None] = _nothing
        self.refresh = Together(self._refresh)
        """Bring the fold up to what was committed when this is called. Raises StorageAway."""
        self._storage = storage
        self._identity: str | None = None
        self._forked_since: float | None = None
        self._complained_of = 0
        self._watchers: dict[object, Changed] = {}

    async def close(self) -> None:
        """Read no more. Harmless twice."""
        await self.refresh.close()

    # ---- watching

    def watch(self, prefix: str, changed: Changed) -> Callable[[], None]:
        """Tell of all keys with a prefix, and of every change from now on; what is returned ends it."""

        def mind(key: str, stored: Stored | None) -> None:
            if key.startswith(prefix):
                try:
                    changed(key, stored)
                except Exception:
                    log.exception("who watches the state failed", extra={"key": key})

        for key, stored in self.fold.state.scan(prefix):
            mind(key, stored)
        mark = object()
        self._watchers[mark] = mind

        def end() -> None:
            self._watchers.pop(mark, None)

        return end

    def _changed(self, key: str, stored: Stored | None) -> None:
        for mind in tuple(self._watchers.values()):
            mind(key, stored)

    # ---- what comes

    def apply(self, seq: int, group: Group, size: int) -> None:
        """Take a group that was committed; BrokenChain where others are missing before it, Forked: it is of another."""
        if seq > self.fold.seq:
            term = self.fold.term
            self.fold.apply(seq, group, size, self._changed if self._watchers else None)
            if self.fold.term > term:
                self.advanced()

    def take(self, message: Message) -> bool:
        """The same of a message; False where others are missing before it. Forked where it is of another journal."""
        try:
            self.apply(message.seq, self._group_of(message), len(message.payload))
        except Forked:
            raise
        except BrokenChain:
            return False
        return True

    # ---- reading

    async def _refresh(self) -> None:
        if self._identity is None:
            identity = await self._storage.identity()
            await self._load()
            self._identity = identity
            return
        try:
            await self._go_on()
        except Forked:
            await self._forked()
        else:
            self._forked_since = None

    async def _go_on(self) -> None:
        """Read what is new. Forked where the journal is not the one that is known."""
        last = await self._storage.last()
        if last is None:
            if self.fold.seq:
                raise Forked("nothing is there any more")
        elif last.seq < self.fold.seq or (last.seq == self.fold.seq and self._group_of(last).name != self.fold.last):
            raise Forked(f"the last group stands at {last.seq}, and not at {self.fold.seq}")
        elif not self.take(last):
            await self._catch_up(last.seq)

    async def _catch_up(self, upto: int) -> None:
        """Read what was missed group by group, or all of it where a snapshot has taken the place of some."""
        for message in await self._storage.since(self.fold.seq + 1):
            if not self.take(message):
                if await self._storage.identity() != self._identity:
                    raise Forked("the journal was made anew")
                await self._load()
                return
        if self.fold.seq < upto:
            raise StorageAway("what was read of the journal lags behind")

    async def _load(self) -> None:
        pause = Pause()
        for _ in range(_TRIES):
            try:
                self._adopt(await self._read())
            except (BrokenChain, DamagedSnapshot) as problem:
                log.debug("a load of the state begins again: %s", problem)
            else:
                return
            await pause()
        raise StorageAway("the journal of the state does not fit together")

    async def _read(self) -> Fold:
        newest = await self._storage.last()
        pointed = await self._storage.pointer()
        fold, first = Fold(), 1
        if pointed is not None:
            pointer = self._pointer_of(pointed)
            fold, first = restored(pointer, await self._storage.chunks(pointer.g)), pointer.f
        for message in await self._storage.since(first):
            group = self._group_of(message)
            if message.seq <= fold.seq:
                fold.recall(message.seq, group)
            else:
                fold.apply(message.seq, group, len(message.payload))
        if newest is not None and fold.seq < newest.seq:
            raise BrokenChain("what was read of the journal lags behind")
        return fold

    def _adopt(self, fold: Fold) -> None:
        """Go on with what was read, unless more is known already; who watches hears what is different."""
        before = self.fold
        if fold.seq < before.seq:
            return
        fold.state.revision = max(fold.state.revision, before.state.revision)
        self.fold = fold
        if self._watchers:
            self._tell_difference(before, fold)
        if fold.term > before.term:
            self.advanced()

    def _tell_difference(self, before: Fold, after: Fold) -> None:
        for key, _ in list(before.state.items()):
            if after.state.get(key) is None:
                self._changed(key, None)
        new = [(key, stored) for key, stored in after.state.items() if before.state.get(key) != stored]
        for key, stored in sorted(new, key=lambda item: item[1].revision):
            self._changed(key, stored)

    # ---- a journal that is another

    async def _forked(self) -> None:
        """The journal is not the one that is known: it was made anew, or has lost groups that it had acknowledged.

        Where it is the same by name, whoever was asked may only lag behind, and is given some time.
        """
        identity, now = await self._storage.identity(), asyncio.get_running_loop().time()
        if self._forked_since is None:
            self._forked_since = now
        if identity == self._identity and now - self._forked_since < _LAG:
            raise StorageAway("what was read of the journal lags behind")
        log.error("the journal of the state is another than it was: what is not in it any more is lost")
        empty = Fold()
        # Revisions go on rising, so that what somebody remembers of the former state fits nothing in the new one.
        empty.state.revision = self.fold.state.revision
        before, self.fold = self.fold, empty
        self._identity, self._forked_since = identity, None
        if self._watchers:
            self._tell_difference(before, empty)
        self.lost()
        await self._load()

    # ---- messages

    def _group_of(self, message: Message) -> Group:
        try:
            return decode_group(message.payload)
        except msgspec.DecodeError as problem:
            raise self._damaged(message, problem) from None

    def _pointer_of(self, message: Message) -> Pointer:
        try:
            return decode_pointer(message.payload)
        except msgspec.DecodeError as problem:
            raise self._damaged(message, problem) from None

    def _damaged(self, message: Message, problem: Exception) -> StorageAway:
        if message.seq != self._complained_of:
            self._complained_of = message.seq
            log.error("the state cannot be read: the message at %d is none of its journal: %s", message.seq, problem)
        return StorageAway(f"the message at {message.seq} cannot be read")


def _looked_at(task: asyncio.Task[None]) -> None:
    """Whoever waits hears what it raised; where nobody does any more it is not reported as lost."""
    if not task.cancelled():
        task.exception()


def _nothing() -> None:
    """Who hears of it until somebody does."""
