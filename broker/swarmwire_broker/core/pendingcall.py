"""A call between its request and its last answer, and who asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Raw

from swarmwire_protocol.codec import encode
from swarmwire_protocol.errors import ErrorCode, SwarmwireError
from swarmwire_protocol.messages import Reply, RequestId

from .identity import Author
from .ports import Clock, Timer

if TYPE_CHECKING:
    from .session import Session

__all__ = ["Asker", "PendingCall", "SessionAsker"]


class Asker(Protocol):
    """Who asked, and gets the answers."""

    @property
    def author(self) -> Author: ...

    def begun(self, call: PendingCall) -> None:
        """The call is on its way and has no answer yet."""
        ...

    def more(self, call: PendingCall, data: bytes) -> bool:
        """A reply that is not the last; False: it could not be taken, since those before it are not read."""
        ...

    def done(self, call: PendingCall, data: bytes, *, end: bool) -> None:
        """The last reply; with `end` it only ends those before it."""
        ...

    def failed(self, call: PendingCall, error: SwarmwireError) -> None:
        """There is no reply any more."""
        ...

    def dropped(self, call: PendingCall) -> None:
        """It has ended because nobody waits for it."""
        ...


class SessionAsker:
    """A connected client that asks.

    Attributes:
        calls: those that have no last answer yet, by id.
    """

    __slots__ = ("calls", "session")

    def __init__(self, session: Session) -> None:
        self.session = session
        self.calls: dict[RequestId, PendingCall] = {}

    @property
    def author(self) -> Author:
        return self.session.author

    def begun(self, call: PendingCall) -> None:
        self.calls[call.id] = call
        if self.session.pending is None:
            self.session.pending = set()
        self.session.pending.add(call.id)

    def more(self, call: PendingCall, data: bytes) -> bool:
        return self.session.outbox.offer(Reply(id=call.id, data=Raw(data), more=True))

    def done(self, call: PendingCall, data: bytes, *, end: bool) -> None:
        self._forget(call)
        if not self.session.is_welcome:  # nothing is said behind the bye
            return
        if self._has_room(len(data)):
            self.session.outbox.send(Reply(id=call.id, data=Raw(data), end=end))
        else:
            error = SwarmwireError(ErrorCode.SLOW_CONSUMER, "It was answered, but too many answers wait to be read.")
            self.session.refuse(error, call.id)

    def failed(self, call: PendingCall, error: SwarmwireError) -> None:
        self._forget(call)
        if self.session.is_welcome:
            self.session.refuse(error if self._has_room(_size(error)) else SwarmwireError(error.code), call.id)

    def dropped(self, call: PendingCall) -> None:
        self._forget(call)

    def _has_room(self, size: int) -> bool:
        """Whether an answer may wait; where none does, any may."""
        outbox, most = self.session.outbox, self.session.hub.limits.answers_bytes
        if outbox.control_size + size > most and not outbox.blocked:
            outbox.flush()
        return outbox.control_size + size <= most or not outbox.control

    def _forget(self, call: PendingCall) -> None:
        if self.calls.pop(call.id, None) is not None and self.session.pending is not None:
            self.session.pending.discard(call.id)


class PendingCall:
    """One call. It ends once: by its last reply, an error, the deadline, or because who asked gives it up.

    Attributes:
        id: what who asked calls it by.
        seconds: the time it has for its answers.
        deadline: the time of the hub's clock, in seconds, at which it is given up.
        worker: what answers it, to be cancelled when nobody waits any more.
        is_over: whether it has ended.
        is_streamed: whether there was a reply that was not the last.
    """

    __slots__ = ("asker", "clock", "deadline", "id", "is_over", "is_streamed", "method", "seconds", "timer", "worker")

    def __init__(self, clock: Clock, asker: Asker, request_id: RequestId, method: str, seconds: float) -> None:
        self.clock = clock
        self.asker = asker
        self.id = request_id
        self.method = method
        self.seconds = seconds
        self.deadline = clock.time() + seconds
        self.timer: Timer | None = None
        self.worker: Timer | None = None
        self.is_over = False
        self.is_streamed = False

    def begin(self, worker: Timer) -> None:
        """Somebody answers it, but not at once; somebody else than before, where it has begun already."""
        self.worker = worker
        if self.timer is None:
            self.timer = self.clock.call_later(self.seconds, self._out_of_time)
            self.asker.begun(self)

    # ---- answers

    def more_of(self, answer: Any) -> None:
        """`more` of a value that is not encoded yet. Raises SwarmwireError as `more` does."""
        self.more(encode(answer))

    def more(self, data: bytes) -> None:
        """A reply that is not the last.

        Raises:
            SwarmwireError: SLOW_CONSUMER when who asked does not read, which ends the call; CANCELLED when it is over.
        """
        if self.is_over:
            raise SwarmwireError(ErrorCode.CANCELLED)
        if not self.asker.more(self, data):
            error = SwarmwireError(ErrorCode.SLOW_CONSUMER, "The replies are not read as fast as they come.")
            if self.worker is not None:
                self.clock.call_soon(self.worker.cancel)  # not now: it may be what calls this
            self.fail(error)
            raise error
        self.is_streamed = True

    def done(self, data: bytes, *, end: bool = False) -> None:
        """The last reply; with `end` it only ends those before it. After the end of the call it does nothing."""
        if self._end():
            self.asker.done(self, data, end=end)

    def done_by(self, answer: Any) -> None:
        """The same with a value that is not encoded yet; None behind other replies only ends them."""
        self.done(encode(answer), end=self.is_streamed and answer is None)

    def fail(self, error: SwarmwireError) -> None:
        """An error instead of the last reply. After the end it does nothing."""
        if self._end():
            self.asker.failed(self, error)

    # ---- nobody waits any more

    def give_up(self, error: SwarmwireError) -> None:
        """End it with an error, and whoever works on it with it. After the end it does nothing."""
        worker = self.worker
        self.fail(error)
        if worker is not None:
            worker.cancel()

    def drop(self) -> None:
        """Who asked is gone: end it without a word, and whoever works on it with it."""
        worker = self.worker
        if self._end():
            self.asker.dropped(self)
            if worker is not None:
                worker.cancel()

    def _out_of_time(self) -> None:
        self.timer = None
        self.give_up(SwarmwireError(ErrorCode.TIMEOUT))

    def _end(self) -> bool:
        if self.is_over:
            return False
        self.is_over = True
        self.worker = None
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        return True


def _size(error: SwarmwireError) -> int:
    """Bytes of an error, about: handlers say what they like."""
    details = len(bytes(error.details)) if isinstance(error.details, Raw) else 0
    return len(error.message) + len(error.field or "") + len(error.handler_code or "") + details
