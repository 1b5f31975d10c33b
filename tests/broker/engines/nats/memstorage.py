"""A journal and a log in memory that several brokers share, with all that can happen on the way to them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from enum import Enum
from random import Random

from swarmwire_broker.engines.entry import Draft, Outcome
from swarmwire_broker.engines.nats.state.journal import Place
from swarmwire_broker.engines.nats.state.storage import Doubtful, Message, Refused, StorageAway, Superseded
from swarmwire_protocol.errors import ErrorCode, SwarmwireError

__all__ = ["Fate", "Ground", "Road"]

DEDUPE = 8.0
"""Seconds for which the log knows an id again."""


class Fate(Enum):
    """What becomes of one step."""

    DONE = "it is done, and known to be"
    REFUSED = "it is not done, and known not to be"
    LOST = "it is not done, and nobody knows"
    UNHEARD = "it is done, and nobody knows"
    LATE = "it is done later, if that is possible then, and nobody knows"


@dataclass
class Ground:
    """What is stored."""

    identity: str = "first"
    seq: int = 0
    journal: list[Message] = field(default_factory=list)
    pointers: list[Message] = field(default_factory=list)
    chunks: dict[tuple[str, int], Message] = field(default_factory=dict)
    log: list[tuple[bytes, Draft]] = field(default_factory=list)
    known: dict[bytes, tuple[float, int]] = field(default_factory=dict)
    listeners: list[Callable[[int, bytes], None]] = field(default_factory=list)
    stored: int = 0
    """Groups that were ever stored."""

    def store(self, where: list[Message], payload: bytes, after: int) -> int:
        if after != (where[-1].seq if where else 0):
            raise Superseded
        self.seq += 1
        where.append(Message(self.seq, payload))
        if where is self.journal:
            self.stored += 1
            for heard in tuple(self.listeners):
                heard(self.seq, payload)
        return self.seq

    def publish(self, draft: Draft, message_id: bytes, now: float) -> Outcome:
        """Put an event into the log, unless it is there."""
        since, place = self.known.get(message_id, (-DEDUPE, 0))
        if now - since < DEDUPE:
            return Outcome(place, duplicate=True)
        self.log.append((message_id, draft))
        self.known[message_id] = (now, len(self.log))
        return Outcome(len(self.log))

    async def until(self, stored: int) -> None:
        """Wait for so many groups."""
        while self.stored < stored:  # noqa: ASYNC110 - time that passes at once
            await asyncio.sleep(0.01)

    def make_anew(self) -> None:
        """Somebody deletes the journal, and an empty one takes its place."""
        self.identity += " again"
        self.seq = 0
        self.journal.clear()
        self.pointers.clear()
        self.chunks.clear()


class Road:
    """One broker's way to the ground: every step takes a while, and may come to nothing. Both storage and log.

    Attributes:
        faults: what may happen, by chance.
        fates: what does happen to one step after the other, where it is not left to chance.
        is_away, is_dead, deaf: nothing passes; nothing is answered any more; nothing is heard of what others store.
    """

    def __init__(self, ground: Ground, random: Random, faults: Collection[Fate] = (), most_bytes: int = 4_000) -> None:
        self.ground = ground
        self.most_bytes = most_bytes
        self.is_away = False
        self.is_dead = False
        self.deaf = False
        self.fates: Iterator[Fate] | None = None
        self.faults = tuple(faults)
        self._random = random
        self._tasks: set[asyncio.Task[None]] = set()

    async def _step(self) -> Fate:
        await asyncio.sleep(self._random.random() * 0.01)
        if self.is_dead:
            await asyncio.Event().wait()
        if self.is_away:
            return Fate.REFUSED
        if self.fates is not None:
            return next(self.fates)
        return self._random.choice(self.faults) if self.faults and self._random.random() < 0.3 else Fate.DONE

    def _later(self, work: Callable[[], object]) -> None:
        async def do() -> None:
            await asyncio.sleep(self._random.random() * 2.0)
            try:
                work()
            except Superseded:
                return

        task = asyncio.get_running_loop().create_task(do())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _write(self, work: Callable[[], int]) -> int:
        match await self._step():
            case Fate.REFUSED:
                raise Refused
            case Fate.LOST:
                raise Doubtful
            case Fate.LATE:
                self._later(work)
                raise Doubtful
            case Fate.UNHEARD:
                work()
                await asyncio.sleep(self._random.random())
                raise Doubtful
            case Fate.DONE:
                place = work()
                await asyncio.sleep(self._random.random() * 0.01)
                if self.is_dead:
                    await asyncio.Event().wait()
                return place

    async def _read(self) -> None:
        if await self._step() is not Fate.DONE:
            raise StorageAway

    # ---- storage

    async def identity(self) -> str:
        await self._read()
        return self.ground.identity

    async def append(self, payload: bytes, after: int) -> int:
        assert len(payload) <= self.most_bytes + 500
        return await self._write(lambda: self.ground.store(self.ground.journal, payload, after))

    async def last(self) -> Message | None:
        await self._read()
        return self.ground.journal[-1] if self.ground.journal else None

    async def since(self, first: int) -> list[Message]:
        await self._read()
        return [message for message in self.ground.journal if message.seq >= first]

    async def pointer(self) -> Message | None:
        await self._read()
        return self.ground.pointers[-1] if self.ground.pointers else None

    async def chunks(self, name: str) -> dict[int, bytes]:
        await self._read()
        return {number: chunk.payload for (of, number), chunk in self.ground.chunks.items() if of == name}

    async def write_chunk(self, name: str, number: int, payload: bytes) -> int:
        assert len(payload) <= self.most_bytes + 500

        def store() -> int:
            self.ground.seq += 1
            self.ground.chunks[name, number] = Message(self.ground.seq, payload)
            return self.ground.seq

        return await self._write(store)

    async def write_pointer(self, payload: bytes, after: int) -> int:
        return await self._write(lambda: self.ground.store(self.ground.pointers, payload, after))

    async def tidy(self, journal: int, chunks: int, pointer: int) -> None:
        ground = self.ground
        for where, before in ((ground.journal, journal), (ground.pointers, pointer)):
            await self._read()
            where[:] = [message for message in where if message.seq >= before]
        await self._read()
        ground.chunks = {name: chunk for name, chunk in ground.chunks.items() if chunk.seq >= chunks}

    def listen(self, heard: Callable[[int, bytes], None]) -> Callable[[], None]:
        def mostly(seq: int, payload: bytes) -> None:
            if not self.deaf and not (self.faults and self._random.random() < 0.3):
                heard(seq, payload)

        self.ground.listeners.append(mostly)
        return lambda: self.ground.listeners.remove(mostly)

    # ---- log

    def publish(self, draft: Draft, message_id: bytes) -> None:
        task = asyncio.get_running_loop().create_task(self._publish(draft, message_id))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _publish(self, draft: Draft, message_id: bytes) -> None:
        def store() -> int:
            return self.ground.publish(draft, message_id, asyncio.get_running_loop().time()).seq

        assert draft.done is not None
        try:
            draft.done(Outcome(await self._write(store)))
        except Refused:
            draft.done(Outcome(error=SwarmwireError(ErrorCode.UNAVAILABLE, "Not now.")))
        except Doubtful:
            draft.done(Outcome(error=SwarmwireError(ErrorCode.OUTCOME_UNKNOWN, "Who knows.")))

    def position(self) -> Place:
        # Whoever follows the log lags behind it.
        return Place("log", max(0, len(self.ground.log) - self._random.randrange(3)))

    async def find(self, ids: Collection[bytes], topics: Collection[str], after: Place) -> dict[bytes, int]:
        await self._read()
        stretch = enumerate(self.ground.log[after.seq :], after.seq + 1)
        return {message_id: seq for seq, (message_id, draft) in stretch if message_id in ids and draft.topic in topics}
