"""Clients that answer calls: who handles which method, and who of them is handed a call."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING, Final

from msgspec import UNSET, Raw

from swarmwire_protocol.codec import BROKER_ID_PREFIX, check_data
from swarmwire_protocol.errors import ErrorCode, SwarmwireError
from swarmwire_protocol.messages import Cancel, Dispatch, Error, Reply, RequestId
from swarmwire_protocol.topics import check_topic, is_reserved

from .pendingcall import PendingCall

if TYPE_CHECKING:
    from .hub import Hub
    from .session import Session

__all__ = ["RESERVED", "Handler", "Handlers", "check_method"]

RESERVED: Final = frozenset(
    {
        "client",
        "cluster",
        "daemon",
        "health",
        "history",
        "lock",
        "logs",
        "metrics",
        "presence",
        "project",
        "queue",
        "registry",
        "rpc",
        "subscription",
        "swarm",
        "task",
        "topic",
        "worker",
    }
)
"""First segments of the methods that the broker alone answers."""

_NOT_TAKEN: Final = {code.value: code for code in (ErrorCode.UNAVAILABLE, ErrorCode.METHOD_NOT_FOUND)}
"""Codes of a handler by which it says that it has done nothing; they reach the caller as they are."""


def check_method(method: str, field: str) -> None:
    """See whether a method of this name can be handled at all.

    Raises:
        SwarmwireError: INVALID_TOPIC for what breaks the grammar; PERMISSION_DENIED for the broker's own names.
    """
    try:
        check_topic(method)
    except SwarmwireError as error:
        raise SwarmwireError(error.code, error.message, field=field) from None
    if is_reserved(method) or method.partition(".")[0] in RESERVED:
        sentence = "Methods that begin like this are the broker's own."
        raise SwarmwireError(ErrorCode.PERMISSION_DENIED, sentence, field=field)


class _Dispatched:
    """A call that a handler was handed and has not answered."""

    __slots__ = ("call", "handler", "id")

    def __init__(self, handler: Handler, request_id: str, call: PendingCall) -> None:
        self.handler = handler
        self.id = request_id
        self.call = call

    def cancel(self) -> None:
        """Nobody waits for the answer any more: tell the handler."""
        session = self.handler.session
        if self.handler.outstanding.pop(self.id, None) is not None and session.is_welcome:
            session.outbox.send(Cancel(id=self.id))


class Handler:
    """A connection that handles methods.

    Attributes:
        methods: those it handles.
        outstanding: the calls it was handed and has not answered.
    """

    __slots__ = ("methods", "outstanding", "session")

    def __init__(self, session: Session) -> None:
        self.session = session
        self.methods: set[str] = set()
        self.outstanding: dict[RequestId, _Dispatched] = {}

    def hand(self, message: Dispatch, call: PendingCall, most: int) -> bool:
        """Hand it a call, unless it has as many as it may, or does not read."""
        if len(self.outstanding) >= most or not self.session.outbox.offer(message):
            return False
        assert isinstance(message.id, str)
        dispatched = self.outstanding[message.id] = _Dispatched(self, message.id, call)
        call.begin(dispatched)
        return True

    def answer(self, message: Reply | Error) -> None:
        """It answers. What answers nothing is ignored; a reply that is no JSON fails its call as well.

        Raises:
            SwarmwireError: INVALID_MESSAGE.
        """
        found = None if message.id is None else self.outstanding.get(message.id)
        if found is None or message.id is None:
            return
        if isinstance(message, Reply) and message.more:
            self._more(found.call, message)
            return
        del self.outstanding[message.id]
        if isinstance(message, Error):
            found.call.fail(_failure(found.call, message))
        else:
            found.call.done(_checked(found.call, message.data, "data"), end=message.end)

    def _more(self, call: PendingCall, message: Reply) -> None:
        data = _checked(call, message.data, "data")
        try:
            call.more(data)
        except SwarmwireError:
            return  # the call is over, and this handler is told so

    def give_up(self, methods: set[str]) -> None:
        """Fail the calls of these methods that it has not answered, and tell it."""
        for dispatched in list(self.outstanding.values()):
            if dispatched.call.method in methods:
                dispatched.call.give_up(SwarmwireError(ErrorCode.HANDLER_GONE))

    def gone(self) -> None:
        """Fail all calls that it has not answered; it cannot be told anything any more."""
        outstanding, self.outstanding = self.outstanding, {}
        for dispatched in outstanding.values():
            dispatched.call.fail(SwarmwireError(ErrorCode.HANDLER_GONE))


class Handlers:
    """The table of handlers by method.

    Attributes:
        changed: called with a method when others handle it than before, and how many they are.
    """

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._by_method: dict[str, dict[Handler, None]] = {}  # in the order in which they came
        self._by_session: dict[Session, Handler] = {}
        self._turns: dict[str, int] = {}
        self._numbers = count(1)
        self.changed: Callable[[str, int], None] = _nobody

    def __contains__(self, method: object) -> bool:
        return method in self._by_method

    def counts(self) -> dict[str, int]:
        """How many connections handle each method."""
        return {method: len(handlers) for method, handlers in self._by_method.items()}

    def least(self, method: str) -> int | None:
        """How many calls the handler of a method has that has the fewest; None where nobody handles it."""
        handlers = self._by_method.get(method)
        return min(map(_load, handlers)) if handlers else None

    def loads(self) -> dict[str, int]:
        """The same for every method whose handlers are all busy."""
        loads = ((method, min(map(_load, handlers))) for method, handlers in self._by_method.items())
        return {method: load for method, load in loads if load}

    @property
    def outstanding(self) -> int:
        """How many calls clients were handed and have not answered."""
        return sum(map(_load, self._by_session.values()))

    # ---- registering

    def register(self, session: Session, methods: list[str]) -> None:
        """Let a client handle all these methods, or none.

        Raises:
            SwarmwireError: why not, with the method at fault.
        """
        if session.peer.brief:
            raise SwarmwireError(ErrorCode.UNAVAILABLE, "Nobody can be called over this transport.")
        handler = self._by_session.get(session)
        most = self._hub.limits.max_handlers
        if len(methods) > most or len(set(methods) | (handler.methods if handler is not None else set())) > most:
            raise SwarmwireError(ErrorCode.LIMIT_EXCEEDED, f"A connection may handle at most {most} methods.")
        for index, method in enumerate(methods):
            self._check(session, method, f"params.methods[{index}]")
        if handler is None:
            handler = self._by_session[session] = Handler(session)
            session.on_end(self._ended)
        for method in methods:
            if method not in handler.methods:
                handler.methods.add(method)
                handlers = self._by_method.setdefault(method, {})
                handlers[handler] = None
                self.changed(method, len(handlers))

    def _check(self, session: Session, method: str, field: str) -> None:
        check_method(method, field)
        if not _may_handle(session, method):
            raise SwarmwireError(ErrorCode.PERMISSION_DENIED, "You may not handle this method.", field=field)

    def unregister(self, session: Session, methods: list[str]) -> list[str]:
        """Hand a client no more calls of these methods; those of them that it handled. What it was handed goes on."""
        handler = self._by_session.get(session)
        if handler is None:
            return []
        gone = [method for method in dict.fromkeys(methods) if method in handler.methods]
        self._remove(handler, gone)
        return gone

    def recheck(self, session: Session) -> None:
        """The permissions of a client have changed: take away what it may not handle any more, calls included."""
        handler = self._by_session.get(session)
        if handler is None:
            return
        denied = {method for method in handler.methods if not _may_handle(session, method)}
        self._remove(handler, denied)
        handler.give_up(denied)

    def _ended(self, session: Session) -> None:
        handler = self._by_session.pop(session)
        self._remove(handler, handler.methods)
        handler.gone()

    def _remove(self, handler: Handler, methods: set[str] | list[str]) -> None:
        for method in list(methods):
            handler.methods.discard(method)
            handlers = self._by_method[method]
            del handlers[handler]
            if not handlers:
                del self._by_method[method]
                self._turns.pop(method, None)
            self.changed(method, len(handlers))

    # ---- handing out calls

    def dispatch(self, call: PendingCall, params: Raw | None) -> None:
        """Hand a call to one of the handlers of its method: the one with the least to do.

        Raises:
            SwarmwireError: UNAVAILABLE, when none of them takes it.
        """
        clock = self._hub.clock
        message = Dispatch(
            id=f"{BROKER_ID_PREFIX}{next(self._numbers)}",
            method=call.method,
            from_=call.asker.author.sender,
            deadline=clock.now_ms() + round(call.seconds * 1000),
            params=UNSET if params is None else params,
        )
        most = self._hub.limits.max_handler_calls
        for handler in self._in_order(call.method):
            if handler.hand(message, call, most):
                return
        raise SwarmwireError(ErrorCode.UNAVAILABLE, "Every handler of this method has too much to do.")

    def _in_order(self, method: str) -> list[Handler]:
        """The handlers of a method, the one with the least to do first; ties are broken in turn."""
        handlers = list(self._by_method[method])
        if len(handlers) == 1:
            return handlers
        turn = self._turns.get(method, 0) % len(handlers)
        self._turns[method] = turn + 1
        rotated = handlers[turn:] + handlers[:turn]
        return sorted(rotated, key=_load)

    def answer(self, session: Session, message: Reply | Error) -> None:
        """A client answers what it was asked, or nothing at all."""
        handler = self._by_session.get(session)
        if handler is not None:
            handler.answer(message)


def _nobody(method: str, count: int) -> None:
    """Nobody wants to know."""


def _load(handler: Handler) -> int:
    return len(handler.outstanding)


def _may_handle(session: Session, method: str) -> bool:
    return session.author.grants.may_call(f"rpc.register.{method}")


def _checked(call: PendingCall, data: Raw, field: str) -> bytes:
    try:
        return check_data(data, field)
    except SwarmwireError:
        call.give_up(SwarmwireError(ErrorCode.HANDLER_FAILED, "The handler's answer is not valid."))
        raise


def _failure(call: PendingCall, message: Error) -> SwarmwireError:
    """What a caller hears of a handler's error."""
    code = _NOT_TAKEN.get(message.code, ErrorCode.HANDLER_FAILED)
    return SwarmwireError(
        code,
        message.message,
        field=message.field,
        retry_after_ms=message.retry_after_ms,
        details=None if message.details is UNSET else Raw(_checked(call, message.details, "details")),
        handler_code=None if message.code == code else message.code,
    )
