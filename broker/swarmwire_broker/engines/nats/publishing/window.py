"""The way into the stream: what was published and is not answered yet, in order.

Publishes are sent without waiting for those before them, up to a limit, and answered in the order in which they came.
When one of them fails, nothing more is sent until all that are under way are decided; then those behind the last that
was stored are sent again, as far as that cannot store one twice. So the order of a publisher is never inverted.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import Protocol

from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from ....natslink.errors import LinkError, PayloadTooLarge
from ....natslink.link import Link
from ...entry import Draft, Outcome, stored_at
from ...writequeue import WriteQueue, key_of
from ..body import message_id_of
from ..subjects import Subjects
from .flight import Flight
from .patience import Patience
from .pending import Pending, Stage, new_pending, too_large, too_large_for_stream
from .puback import PubAcks, Verdict
from .recovery import recover

__all__ = ["Progress", "Window"]

_FLYING, _STORED, _WAITING, _FAILED = Stage.FLYING, Stage.STORED, Stage.WAITING, Stage.FAILED


class Progress(Protocol):
    """What the window asks of the follower: how far it is, and whether it will come by a topic's events."""

    @property
    def position(self) -> int: ...

    def covers(self, topic: str) -> bool: ...


class Window:
    """Takes publishes, sends them, and answers each.

    Arguments:
        queue: counts what waits, and knows which keys are among it.
        following: an event that it comes by is not acknowledged before it has.
        doubt: called when something is wrong; when it is found to be right again, `resume` is to be called.
        dedupe_ms: how long the stream knows an id again; 0: it is given none.
        steady_ms: milliseconds that only rise.

    Attributes:
        acked: the highest place that was acknowledged.
        refusal: why nothing is taken just now; None: it is.
        is_open: whether what is taken is sent at once.
        has_fallen: a place was acknowledged that the log had passed before.
    """

    def __init__(
        self,
        link: Link,
        queue: WriteQueue,
        subjects: Subjects,
        following: Progress,
        doubt: Callable[[], None],
        *,
        dedupe_ms: int,
        steady_ms: Callable[[], int],
        patience: Patience | None = None,
    ) -> None:
        self.queue = queue
        self.acked = 0
        self.refusal: SwarmwireError | None = None
        self.is_open = False
        self.has_fallen = False
        self._following = following
        self._doubt = doubt
        self._dedupe_ms = dedupe_ms
        self._steady_ms = steady_ms
        self._patience = patience or Patience()
        self._items: deque[Pending] = deque()
        self._first = 0  # the number of the first item
        self._sent = 0  # so many items were looked at for sending, from the first on
        self._ticks = 0
        self._flight = Flight(link, subjects, self._patience)
        self._acks = PubAcks()
        self._emptied: asyncio.Future[None] | None = None
        self._subscription = link.subscribe(self._flight.base + b".>", self._receive)

    def __len__(self) -> int:
        return len(self._items)

    @property
    def flying(self) -> int:
        """How many are sent and not acknowledged."""
        return self._flight.events

    # ---- what comes in

    def append(self, draft: Draft) -> None:
        """Take a publish; `draft.done` hears what became of it."""
        if draft.key is None:
            self._take(draft, b"", 0)
            return
        now = self._steady_ms()
        if self.queue.claim(draft, now):
            self._take(draft, message_id_of(key_of(draft)) if self._dedupe_ms else b"", now)

    def publish(self, draft: Draft, message_id: bytes) -> None:
        """Take a publish without a key that is to be stored once under an id of its own."""
        self._take(draft, message_id, self._steady_ms())

    def _take(self, draft: Draft, message_id: bytes, now: int) -> None:
        self.queue.add(draft)
        if self.refusal is not None:
            self.queue.answer(draft, Outcome(error=self.refusal))
            self.queue.settle()
            return
        items = self._items
        item = new_pending(draft, message_id, now, self._ticks)
        items.append(item)
        if self._sent == len(items) - 1 and self.is_open and self._flight.has_room and self._send(item):
            self._sent += 1

    # ---- sending

    def _send(self, item: Pending) -> bool:
        """Send the first item that was not, if it can be; whether those behind it may be sent."""
        try:
            self._flight.send(item, self._first + self._sent, self._ticks, self._following.position)
        except PayloadTooLarge as problem:
            self._fail_later(item, too_large(problem.size, problem.limit))
        except LinkError:
            self._stop()
            self._recover()
            return False
        return True

    def _fail_later(self, item: Pending, error: SwarmwireError) -> None:
        """Answer with an error, in its turn: nothing else may bring that about."""
        item.fail(error)
        if item is self._items[0]:
            asyncio.get_running_loop().call_soon(self.settle)

    def _fill(self) -> None:
        """Send what waits, as far as it may be under way."""
        items = self._items
        while self._sent < len(items) and self.is_open and self._flight.has_room:
            item = items[self._sent]
            if item.stage is _WAITING and not self._send(item):
                return
            self._sent += 1

    # ---- what is answered

    def _receive(self, subject: bytes, reply: bytes, headers: bytes, payload: bytes) -> None:
        index = self._flight.number_of(subject) - self._first
        if not 0 <= index < self._sent:
            return
        item = self._items[index]
        if item.stage is not _FLYING:
            return
        self._flight.landed(item)
        seq = self._acks.seq(payload)
        if seq:
            self._stored(item, seq)
        else:
            self._decide(item, self._acks.verdict(headers, payload))
        if not self.is_open:
            self._recover()

    def _stored(self, item: Pending, seq: int) -> None:
        if seq > self.acked and seq > item.after:
            self.acked = seq
        elif not item.again and not item.doubtful:
            # Another stream than before has answered: what this place is a place of is not known here yet.
            self.has_fallen = True
            item.stage = Stage.UNKNOWN
            self._stop()
            return
        item.stage = _STORED
        item.seq = seq

    def _decide(self, item: Pending, verdict: Verdict) -> None:
        """Note an answer that is not the usual one."""
        match verdict.stage:
            case Stage.STORED:
                # An item that was sent more than once may be a repeat of itself.
                item.again = verdict.duplicate and not item.doubtful
                self._stored(item, verdict.seq)
            case Stage.FAILED:
                item.fail(too_large_for_stream())
            case stage:
                item.stage = stage
                self._stop()

    # ---- when something fails

    def _stop(self) -> None:
        """Send nothing more until `resume`."""
        self.is_open = False
        self._doubt()

    def pause(self) -> None:
        """Send nothing more; what is under way is answered still, unless it is `lost`."""
        self.is_open = False

    def lost(self) -> None:
        """The link is down: what was under way will not be answered."""
        self.is_open = False
        self._forget(0)
        self._recover()
        self.settle()

    def _forget(self, age: int) -> None:
        """What is under way for this long will not be answered any more."""
        for item in islice(self._items, self._sent):
            if item.stage is _FLYING and self._ticks - item.tick >= age:
                item.stage = Stage.UNKNOWN
                self._flight.landed(item)

    def _recover(self) -> None:
        """When all that were sent are decided: see which of them can be sent again."""
        if self._flight.events:
            return
        sent = list(islice(self._items, self._sent))
        self._sent = recover(sent, self._steady_ms(), self._dedupe_ms)
        self._flight.next_round()
        self._doubt()

    def resume(self) -> None:
        """All is well again: send what waits."""
        if not self.is_open and not self._flight.events:
            self.is_open = True
            self.has_fallen = False  # the log was looked at since
            self._fill()

    def renew(self) -> None:
        """The log is another now: which of the two has stored what was not answered yet is not known.

        What has an id is sent again, and so it is in this one, once.
        """
        self.acked = 0
        self.is_open = False
        self.has_fallen = False
        for item in self._items:
            if item.stage is _STORED:
                item.stage = Stage.UNKNOWN
        self._recover()
        self.settle()

    def tick(self) -> None:
        """Time has passed."""
        self._ticks += 1
        patience = self._patience
        items = self._items
        if self._flight.events and self._ticks - items[0].taken >= patience.answer:
            self._see_to_answers()
        for index in range(self._sent, len(items)):
            item = items[index]
            if self._ticks - item.taken < patience.outcome:
                break
            if item.stage is _WAITING:
                item.give_up()
        self.settle()

    def _see_to_answers(self) -> None:
        before = self._flight.events
        self._forget(self._patience.answer)
        if self._flight.events < before:
            self._stop()
            self._recover()

    # ---- what goes out

    def settle(self) -> None:
        """Answer what is decided, in order; then send what waits."""
        items = self._items
        position = self._following.position
        while items:
            item = items[0]
            stage = item.stage
            if stage is _STORED:
                if item.seq > position and self._is_awaited(item):
                    break
            elif stage is not _FAILED:
                break
            items.popleft()
            self._first += 1
            self._sent = max(0, self._sent - 1)
            self._answer(item)
        self.queue.settle()
        if self._sent < len(items):
            self._fill()
        if not items and self._emptied is not None and not self._emptied.done():
            self._emptied.set_result(None)

    def _is_awaited(self, item: Pending) -> bool:
        """Whether the follower will come by it, and has not been waited for long enough."""
        return self._ticks - item.tick < self._patience.heard and self._following.covers(item.draft.topic)

    def _answer(self, item: Pending) -> None:
        draft = item.draft
        if item.error is not None:
            self.queue.answer(draft, Outcome(error=item.error))
        elif item.again:
            self.queue.answer(draft, Outcome(item.seq, duplicate=True))
        else:
            if draft.key is not None:
                # Remembered first: whoever is told of the event may publish it again at once.
                self.queue.stored(draft, item.seq, self._steady_ms() + self._dedupe_ms)
            self.queue.answer(draft, stored_at(item.seq))

    # ---- the end

    async def close(self, timeout: float) -> None:
        """Take nothing more, and answer what is there, within so many seconds. Harmless twice."""
        self.refusal = self.refusal or SwarmwireError(ErrorCode.SHUTTING_DOWN, "The log is closed.")
        if self._items:
            self._emptied = asyncio.get_running_loop().create_future()
            await asyncio.wait([self._emptied], timeout=timeout)
        self.is_open = False
        self._subscription.close()
        self._forget(0)
        for item in self._items:
            item.tick -= self._patience.heard  # nothing is come by any more
            if item.stage is not _STORED and item.stage is not _FAILED:
                item.give_up()
        self.settle()
