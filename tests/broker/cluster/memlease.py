"""A lease in memory that several brokers contend for, and the faults on their ways to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random

from swarmwire_broker.engines.nats.state.storage import Doubtful, Message, Refused, StorageAway, Superseded

__all__ = ["LeaseGround", "LeaseRoad"]


class LeaseGround:
    """What is stored: one message."""

    def __init__(self) -> None:
        self.seq = 0
        self.message: Message | None = None
        self.listeners: list[Callable[[int, bytes], None]] = []

    def store(self, payload: bytes, after: int) -> int:
        if after != (self.message.seq if self.message is not None else 0):
            raise Superseded
        self.seq += 1
        self.message = Message(self.seq, payload)
        for heard in tuple(self.listeners):
            heard(self.seq, payload)
        return self.seq


class LeaseRoad:
    """One broker's way to it. `is_cut`: nothing passes; `loses`: how many of a hundred steps get no answer."""

    def __init__(self, ground: LeaseGround, random: Random | None = None) -> None:
        self.ground = ground
        self.is_cut = False
        self.loses = 0
        self._random = random or Random(1)

    async def open(self, timeout: float) -> None:
        """It is there."""

    async def _step(self) -> bool:
        """Whether the answer comes."""
        await asyncio.sleep(self._random.random() * 0.02)
        return self._random.random() * 100 >= self.loses

    async def last(self) -> Message | None:
        if self.is_cut or not await self._step():
            await asyncio.sleep(1.0)
            raise StorageAway
        return self.ground.message

    async def follow(self, payload: bytes, after: int) -> int:
        if self.is_cut:
            raise Refused
        is_heard = await self._step()
        if not is_heard and self._random.random() < 0.5:
            await asyncio.sleep(self._random.random())
            raise Doubtful
        place = self.ground.store(payload, after)
        if not is_heard:
            await asyncio.sleep(self._random.random())
            raise Doubtful
        return place

    def listen(self, heard: Callable[[int, bytes], None]) -> Callable[[], None]:
        def mostly(seq: int, payload: bytes) -> None:
            if not self.is_cut and self._random.random() * 100 >= self.loses:
                heard(seq, payload)

        self.ground.listeners.append(mostly)
        return lambda: self.ground.listeners.remove(mostly)
