"""A connection to a broker, whatever carries it: what the SDK asks of a transport."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

__all__ = ["Closed", "Connection"]


class Closed(Exception):
    """The connection has ended with this close code (1006: without one) and reason."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


class Connection(Protocol):
    """Carries messages in both directions until either side closes.

    `heard` and `spoke` are when bytes last came and went, in the loop's time. `on_writable` is called
    whenever `writable` may have become true again.
    """

    heard: float
    spoke: float
    on_writable: Callable[[], None]

    @property
    def writable(self) -> bool:
        """Whether what was sent is being taken; sending more is never refused, but it is kept in memory."""
        ...

    async def open(self) -> None:
        """Connect.

        Raises:
            SwarmwireError: AUTHENTICATION_FAILED or UNAVAILABLE.
        """
        ...

    def send(self, payload: bytes) -> None:
        """Send one message. Once the connection has ended it does nothing."""
        ...

    async def receive(self) -> list[bytes]:
        """Wait for messages and return all that are there.

        Raises:
            Closed: when the connection has ended and all that came was returned.
        """
        ...

    async def close(self, code: int, reason: str) -> None:
        """Send what is left, close, and wait for the end, which comes within two seconds in any case."""
        ...

    def abort(self) -> None:
        """End at once."""
        ...
