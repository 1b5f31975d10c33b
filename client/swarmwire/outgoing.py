"""Publishes on their way: those that wait to be written, and those written that the broker has not acknowledged."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

import msgspec

from .errors import Disconnected, ErrorCode, QueueFull, SwarmwireError, afresh
from .records import Published

__all__ = ["IN_FLIGHT", "Outgoing", "Outlet", "PendingPublish", "Stamp"]

IN_FLIGHT: Final = 4096
"""Publishes that are on their way at once while connected; one more waits for its turn."""

_TRAVEL: Final = 0.1
"""The part of the broker's memory of a key that is always left for a repeat to travel in."""


class Stamp(msgspec.Struct, frozen=True, gc=False):
    """A moment on both clocks: one of them stands still while a computer sleeps, the other can be set."""

    steady: float
    wall: float

    @classmethod
    def now(cls) -> Stamp:
        return cls(time.monotonic(), time.time())

    def age(self, now: Stamp) -> float:
        """The seconds since, rather too many than too few."""
        return max(now.steady - self.steady, now.wall - self.wall)


class PendingPublish:
    """One publish. With an `answer` its caller waits for the broker's; without a `key` it is written once only."""

    __slots__ = ("answer", "doubtful", "epoch", "id", "key", "payload", "scope", "written")

    def __init__(
        self,
        payload: bytes,
        id: int | None = None,
        key: str | None = None,
        answer: asyncio.Future[Published] | None = None,
    ) -> None:
        self.payload = payload
        self.id = id
        self.key = key
        self.answer = answer
        self.written: Stamp | None = None
        """When it was first written, on whichever connection."""
        self.epoch = ""
        """The log that was current then."""
        self.scope = ""
        """Whose keys the broker took ours for then."""
        self.doubtful = False
        """Whether it was written before on a connection that was lost, and may have been done, or be done yet."""

    def succeed(self, published: Published) -> None:
        if self.answer is not None and not self.answer.done():
            self.answer.set_result(published)

    def refuse(self, error: SwarmwireError) -> None:
        """The broker refused it; of a repeat, that says nothing of what was written before."""
        self.fail(_unknown(f"its repeat was refused with {error.code.value}") if self.doubtful else error)

    def fail(self, error: SwarmwireError) -> None:
        if self.answer is not None and not self.answer.done():
            self.answer.set_exception(error)


class Outlet(Protocol):
    """Where publishes are written, as long as there is a connection."""

    epoch: str
    scope: str
    """Whose keys the broker takes ours for: it remembers them for each login apart."""
    heartbeat_ms: int
    max_message_bytes: int | None

    @property
    def writable(self) -> bool:
        """Whether the socket keeps up."""
        ...

    def send(self, payload: bytes) -> None: ...


class Outgoing:
    """Keeps publishes in their order over all connections. `limit` bounds those taken while there is none."""

    def __init__(self, limit: int | None, *, now: Callable[[], Stamp] = Stamp.now) -> None:
        self._limit = limit
        self._now = now
        self._again: deque[PendingPublish] = deque()
        """Written on a lost connection; all of these come before those that wait."""
        self._waiting: deque[PendingPublish] = deque()
        self._unanswered: dict[int, PendingPublish] = {}
        self._outlet: Outlet | None = None
        self._usable: float | None = None
        self._turn = asyncio.Lock()
        self._queued = 0
        """Callers that wait for their turn; nobody is taken past them."""
        self._changed: asyncio.Future[None] | None = None

    @property
    def empty(self) -> bool:
        """Whether everything taken is done."""
        return not self._count

    @property
    def _count(self) -> int:
        return len(self._unanswered) + len(self._again) + len(self._waiting)

    # ---- What users do

    async def add(self, publish: PendingPublish) -> None:
        """Take a publish; while too many are on their way, wait for its turn.

        Raises:
            QueueFull: while there is no connection and the queue has no room. Nothing was taken then.
        """
        if self.add_at_once(publish):
            return
        self._queued += 1
        try:
            async with self._turn:
                while self._outlet is not None and self._count >= IN_FLIGHT:
                    await self._change()
                self.add_now(publish)
        finally:
            self._queued -= 1

    def add_at_once(self, publish: PendingPublish) -> bool:
        """Take a publish and write it, if nothing is before it and the connection takes it; False if it was not taken.

        Raises:
            SwarmwireError: MESSAGE_TOO_LARGE. Nothing was taken then.
        """
        outlet = self._outlet
        if outlet is None or self._queued or self._again or self._waiting:
            return False
        if len(self._unanswered) >= IN_FLIGHT or not outlet.writable:
            return False
        _check_size(publish, outlet.max_message_bytes)
        self._write(publish, outlet)
        return True

    def add_now(self, publish: PendingPublish) -> None:
        """Take a publish at once, and write it if the connection takes it.

        Raises:
            QueueFull: when the queue has no room.
        """
        limit = self._limit if self._outlet is None else IN_FLIGHT
        if limit is not None and len(self._waiting) >= limit:
            raise QueueFull(ErrorCode.LIMIT_EXCEEDED, f"The queue of outgoing publishes is full; it holds {limit}.")
        if self._outlet is not None:
            _check_size(publish, self._outlet.max_message_bytes)
        self._waiting.append(publish)
        self.pump()

    def forget(self, publish: PendingPublish) -> None:
        """Its caller gave up: it is not written any more, and its answer is not awaited."""
        if publish.id is not None:
            self._unanswered.pop(publish.id, None)
        for queue in (self._again, self._waiting):
            if publish in queue:
                queue.remove(publish)
        self._tell()

    async def drained(self) -> None:
        """Wait until everything taken is done."""
        while not self.empty:
            await self._change()

    def end(self, error: SwarmwireError) -> None:
        """There will be no connection any more: whoever waits is told what is known."""
        self._outlet = None
        for publish in (*self._unanswered.values(), *self._again, *self._waiting):
            publish.fail(afresh(error) if publish.written is None else _unknown("the connection ended for good"))
        self._unanswered.clear()
        self._again.clear()
        self._waiting.clear()
        self._tell()

    # ---- What the connection does

    def connected(self, outlet: Outlet, dedupe_ms: int | None) -> None:
        """Write again, in their order, what the broker can recognise as a repeat; then what was never written.

        `dedupe_ms` is how long the broker remembers a key (None: for ever).
        """
        before = (*self._unanswered.values(), *self._again)
        for publish in before:
            publish.doubtful = True
        self._unanswered.clear()
        self._again.clear()
        self._outlet = outlet
        self._usable = None if dedupe_ms is None else _usable_ms(dedupe_ms, outlet.heartbeat_ms) / 1000
        self._again.extend(publish for publish in before if not self._fails(publish, outlet))
        self.pump()
        self._tell()

    def lost(self) -> None:
        """The connection is gone; what was written stays, to be written again on the next."""
        self._outlet = None
        self._tell()

    def pump(self) -> None:
        """Write what waits, as far as the socket takes it."""
        while (queue := self._again or self._waiting) and self._outlet is not None and self._outlet.writable:
            publish = queue.popleft()
            if not self._fails(publish, self._outlet):
                self._write(publish, self._outlet)
        self._tell()

    def succeeded(self, id: object, published: Published) -> bool:
        """The broker acknowledged the publish of this id; False if there is none."""
        publish = self._answered(id)
        if publish is not None:
            publish.succeed(published)
        return publish is not None

    def failed(self, id: object, error: SwarmwireError) -> bool:
        """The broker refused the publish of this id; False if there is none."""
        publish = self._answered(id)
        if publish is not None:
            publish.refuse(error)
        return publish is not None

    # ---- Inside

    def _fails(self, publish: PendingPublish, outlet: Outlet) -> bool:
        """Whether it cannot be written there (again); then its caller is told."""
        if publish.written is not None and (doubt := self._doubt(publish, publish.written, outlet)) is not None:
            publish.fail(_unknown(doubt))
            return True
        try:
            _check_size(publish, outlet.max_message_bytes)
        except SwarmwireError as error:
            publish.fail(error if publish.written is None else _unknown("the broker now takes smaller messages only"))
            return True
        return False

    def _doubt(self, publish: PendingPublish, written: Stamp, outlet: Outlet) -> str | None:
        """Why the broker might not recognise a publish that it may already have; None if it will."""
        if publish.key is None:
            return "it was written without a key when the connection was lost"
        if publish.epoch != outlet.epoch:
            return "the broker's log was recreated after it was written"
        if publish.scope != outlet.scope:
            return "it was written under another login, whose keys are remembered apart"
        if self._usable is not None and written.age(self._now()) >= self._usable:
            return "it was written so long ago that the broker may forget its key before a repeat arrives"
        return None

    def _write(self, publish: PendingPublish, outlet: Outlet) -> None:
        outlet.send(publish.payload)
        if publish.id is None:
            return
        if publish.written is None:
            publish.written, publish.epoch, publish.scope = self._now(), outlet.epoch, outlet.scope
        self._unanswered[publish.id] = publish

    def _answered(self, id: object) -> PendingPublish | None:
        publish = self._unanswered.pop(id, None) if isinstance(id, int) else None
        if publish is not None:
            self._tell()
        return publish

    async def _change(self) -> None:
        if self._changed is None:
            self._changed = asyncio.get_running_loop().create_future()
        # Shielded: several may wait for the one future, and one that is cancelled must not cancel it for all.
        await asyncio.shield(self._changed)

    def _tell(self) -> None:
        if self._changed is not None:
            self._changed.set_result(None)
            self._changed = None


def _check_size(publish: PendingPublish, limit: int | None) -> None:
    # A broker closes the connection over this, and writing it again on the next would do so for ever.
    if limit is not None and len(publish.payload) > limit:
        raise SwarmwireError(
            ErrorCode.MESSAGE_TOO_LARGE,
            f"Expected a message of at most {limit} bytes, got {len(publish.payload)}.",
            field="data",
        )


def _usable_ms(dedupe_ms: int, heartbeat_ms: int) -> float:
    """How old a publish may be that is written again.

    What a connection holds up arrives within two heartbeats, or its silence has ended it. That time is left to the
    repeat as far as half of the broker's memory allows.
    """
    return dedupe_ms - max(dedupe_ms * _TRAVEL, min(2.0 * heartbeat_ms, dedupe_ms / 2))


def _unknown(why: str) -> SwarmwireError:
    return Disconnected(ErrorCode.OUTCOME_UNKNOWN, f"It cannot be known whether this publish was done: {why}.")
