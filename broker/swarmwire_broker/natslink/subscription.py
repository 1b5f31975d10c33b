"""What asks a server for messages of a subject."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Subscription"]


class Subscription:
    """What `Link.subscribe` returns.

    Attributes:
        number: by which the server names it in every message.
        line: what asks a server for it.
    """

    def __init__(self, number: bytes, subject: bytes, queue: bytes, end: Callable[[Subscription], None]) -> None:
        self.number = number
        self.subject = subject
        self.queue = queue
        self.line = b"SUB %b %b%b\r\n" % (subject, queue and queue + b" ", number)
        self._end = end

    def close(self) -> None:
        """End it; nothing is received after that. Twice is harmless."""
        self._end(self)
