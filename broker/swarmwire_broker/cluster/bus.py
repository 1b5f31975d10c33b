"""The bus between the brokers of a cluster: bytes by subject, to whoever listens just now, at most once, in order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

__all__ = ["Bus", "BusDown"]


class BusDown(OSError):
    """What was to be published was certainly not: the bus is down, or takes no more just now."""


class Bus(Protocol):
    """What a cluster needs of the network. What one broker publishes arrives in its order, or not at all."""

    @property
    def is_up(self) -> bool:
        """Whether it can be published now."""
        ...

    @property
    def is_crowded(self) -> bool:
        """Whether so much waits to be written that what can be left out should be."""
        ...

    @property
    def max_bytes(self) -> int:
        """The most bytes that one message may have."""
        ...

    async def start(self) -> None:
        """Join.

        Raises:
            OSError: nobody could be reached.
        """
        ...

    async def close(self) -> None:
        """Write what was published, within a bounded time, and leave. Harmless twice."""
        ...

    def publish(self, subject: str, payload: bytes) -> None:
        """Send a message to all that listen at a subject, this broker too.

        Raises:
            BusDown: it was not sent.
        """
        ...

    def subscribe(self, subject: str, receive: Callable[[bytes], None]) -> Callable[[], None]:
        """Have each message of a subject handed over; what is returned ends it."""
        ...

    def watch(self, told: Callable[[bool], None]) -> None:
        """Call this with False when the bus is lost, and with True when it is back: what was on its way may be gone."""
        ...
