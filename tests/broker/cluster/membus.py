"""A bus in memory: several brokers of one process, and what can happen to the way between them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from swarmwire_broker.cluster.bus import BusDown

__all__ = ["MemoryBus", "MemoryHub"]


class MemoryHub:
    """What is between all brokers. Messages arrive in a later turn of the loop, in the order of sending."""

    def __init__(self, max_bytes: int = 1024 * 1024) -> None:
        self.max_bytes = max_bytes
        self.sent: list[tuple[str, bytes]] = []
        self._listening: dict[str, list[tuple[MemoryBus, Callable[[bytes], None]]]] = {}

    def carry(self, subject: str, payload: bytes) -> None:
        self.sent.append((subject, payload))
        asyncio.get_running_loop().call_soon(self._arrive, subject, payload)

    def _arrive(self, subject: str, payload: bytes) -> None:
        for bus, receive in list(self._listening.get(subject, ())):
            bus.take(receive, payload)

    def add(self, subject: str, bus: MemoryBus, receive: Callable[[bytes], None]) -> Callable[[], None]:
        entry = (bus, receive)
        self._listening.setdefault(subject, []).append(entry)
        return lambda: self._listening[subject].remove(entry)


class MemoryBus:
    """One broker's end.

    Attributes:
        is_cut: the broker neither hears nor is heard, and does not notice.
        is_crowded: as the bus says it; a test sets it.
    """

    def __init__(self, hub: MemoryHub) -> None:
        self._hub = hub
        self.is_up = False
        self.is_cut = False
        self.is_crowded = False
        self._told: list[Callable[[bool], None]] = []

    @property
    def max_bytes(self) -> int:
        return self._hub.max_bytes

    async def start(self) -> None:
        self.set_up(True)

    async def close(self) -> None:
        self.set_up(False)

    def set_up(self, is_up: bool) -> None:
        """Lose the bus, or find it again."""
        if is_up is not self.is_up:
            self.is_up = is_up
            for told in self._told:
                told(is_up)

    def publish(self, subject: str, payload: bytes) -> None:
        if not self.is_up:
            raise BusDown("the bus is down")
        assert len(payload) <= self.max_bytes
        if not self.is_cut:
            self._hub.carry(subject, payload)

    def subscribe(self, subject: str, receive: Callable[[bytes], None]) -> Callable[[], None]:
        return self._hub.add(subject, self, receive)

    def watch(self, told: Callable[[bool], None]) -> None:
        self._told.append(told)

    def take(self, receive: Callable[[bytes], None], payload: bytes) -> None:
        if self.is_up and not self.is_cut:
            receive(payload)
