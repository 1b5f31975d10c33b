"""Questions and their answers: one subscription for all of them."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from .errors import LinkDown, NoResponders
from .headers import status_of

__all__ = ["Answer", "Requests"]


class Answer(NamedTuple):
    """What came back: the raw headers (empty: none) and the payload."""

    headers: bytes
    payload: bytes


class Requests:
    """Who waits for which answer. An answer that nobody waits for is passed over.

    Arguments:
        inbox: the subject below which answers come.
    """

    def __init__(self, inbox: bytes) -> None:
        self.pattern = inbox + b".*"
        self._inbox = inbox
        self._count = 0
        self._waiting: dict[bytes, asyncio.Future[Answer]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def begin(self) -> tuple[bytes, asyncio.Future[Answer]]:
        """The subject for one answer, and where it will be."""
        self._count += 1
        reply = b"%b.%x" % (self._inbox, self._count)
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[reply] = future
        return reply, future

    def end(self, reply: bytes) -> None:
        """Nobody waits for this answer any more."""
        self._waiting.pop(reply, None)

    def receive(self, subject: bytes, reply: bytes, headers: bytes, payload: bytes) -> None:
        """Take an answer."""
        future = self._waiting.pop(subject, None)
        if future is None or future.done():
            return
        if headers and not payload and status_of(headers) == 503:
            future.set_exception(NoResponders("nobody listens on the subject that was asked"))
        else:
            future.set_result(Answer(headers, payload))

    def fail(self, why: str) -> None:
        """No answer will come to any of them: LinkDown."""
        waiting = list(self._waiting.values())
        self._waiting.clear()
        for future in waiting:
            if not future.done():
                future.set_exception(LinkDown(why))
