"""What is appended to the durable log: known keys are answered, the rest waits and is handed over once a turn."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from .entry import Draft, Outcome
from .sqlitewriter import Item, Writer
from .writequeue import WriteQueue

__all__ = ["Intake", "closed"]


def closed() -> SwarmwireError:
    """The error of whoever asks an engine that is not open."""
    return SwarmwireError(ErrorCode.SHUTTING_DOWN, "The log is closed.")


class Intake:
    """The way of an append from the loop to the writer. `_writer` is None while the log is not open."""

    queue: WriteQueue
    _steady_ms: Callable[[], int]
    _loop: asyncio.AbstractEventLoop | None
    _writer: Writer | None
    _waiting: list[Item]

    def __init__(self, queue: WriteQueue, steady_ms: Callable[[], int]) -> None:
        self.queue = queue
        self._steady_ms = steady_ms
        self._loop = None
        self._writer = None
        self._waiting = []

    @property
    def congested(self) -> bool:
        return self.queue.congested

    def append(self, draft: Draft) -> None:
        if self._writer is None:
            if draft.done is not None:
                draft.done(Outcome(error=closed()))
        elif draft.key is None or self.queue.claim(draft, self._steady_ms()):
            self.queue.add(draft)
            self._submit(draft)

    def append_all(self, drafts: Sequence[Draft]) -> None:
        for draft in drafts:
            self.append(draft)

    def _submit(self, item: Item) -> None:
        # What one turn of the loop publishes is handed over together.
        if not self._waiting:
            assert self._loop is not None
            self._loop.call_soon(self._hand_over)
        self._waiting.append(item)

    def _hand_over(self) -> None:
        if self._waiting and self._writer is not None:
            items, self._waiting = self._waiting, []
            self._writer.submit(items)
