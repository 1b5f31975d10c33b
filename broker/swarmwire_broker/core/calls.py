"""Calls: which method is asked for, who may ask, and who answers."""

from __future__ import annotations

from collections.abc import Container
from typing import TYPE_CHECKING, Final

from msgspec import UNSET, Raw, UnsetType

from swarmwire_protocol.codec import check_data
from swarmwire_protocol.errors import ErrorCode, SwarmwireError
from swarmwire_protocol.messages import Call, Error, Reply, RequestId

from .builtin import Builtin, Work
from .elsewhere import Elsewhere
from .handlers import Handlers
from .identity import Author
from .methods import Method, Params
from .pendingcall import PendingCall, SessionAsker
from .ports import Promise

if TYPE_CHECKING:
    from .caller import Caller
    from .hub import Hub
    from .session import Session

__all__ = ["Calls"]

_MS: Final = 1000
_NOTHING: Final = Raw(b"{}")


class _BrokerAsker:
    """The broker's own process, which waits for one answer."""

    author = Author()

    def __init__(self, answer: Promise[bytes]) -> None:
        self.answer = answer

    def begun(self, call: PendingCall) -> None:
        """It is not looked for by its id."""

    def more(self, call: PendingCall, data: bytes) -> bool:
        return True

    def done(self, call: PendingCall, data: bytes, *, end: bool) -> None:
        if not self.answer.done():
            self.answer.set_result(data)

    def failed(self, call: PendingCall, error: SwarmwireError) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)

    def dropped(self, call: PendingCall) -> None:
        """Nobody awaits the answer any more."""


class Calls:
    """Every call of every client.

    Attributes:
        methods: what the broker itself answers, by name.
        handlers: clients that answer.
        elsewhere: the other brokers of a cluster; None for a broker alone.
    """

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self.methods: dict[str, Builtin] = {}
        self.handlers = Handlers(hub)
        self.elsewhere: Elsewhere | None = None
        self._askers: dict[Session, SessionAsker] = {}

    def add(self, method: Method) -> None:
        """Have the broker itself answer a method.

        Raises:
            ValueError: one of this name is there.
        """
        if method.name in self.methods:
            raise ValueError(f"the method {method.name} is there already")
        self.methods[method.name] = Builtin(method)

    def replace(self, method: Method) -> None:
        """Have a method answered by another function from now on; calls that run go on."""
        self.methods[method.name] = Builtin(method)

    def handled(self) -> dict[str, int]:
        """How many clients handle each method, those of other brokers with them."""
        counts = self.handlers.counts()
        if self.elsewhere is not None:
            for method, count in self.elsewhere.handlers().items():
                counts[method] = counts.get(method, 0) + count
        return counts

    # ---- what callers ask

    def call(self, session: Session, message: Call) -> None:
        """Answer a call, now or later.

        Raises:
            SwarmwireError: why it cannot even begin.
        """
        builtin = self.methods.get(message.method)
        self._check_allowed(session, message.method, builtin)
        if builtin is None:
            self._check_handled(message.method)
        seconds = self._seconds(message)
        call = PendingCall(self._hub.clock, self._asker(session), message.id, message.method, seconds)
        if builtin is not None:
            params = builtin.params(message.params)
            elsewhere = self.elsewhere
            if elsewhere is None or not elsewhere.take(session, call, builtin, params, _raw(message.params)):
                self._run(builtin, session, call, params)
        else:
            self._dispatch(call, None if message.params is UNSET else Raw(check_data(message.params, "params")))

    def serve(self, caller: Caller, call: PendingCall, params: Raw) -> None:
        """Answer a call of a method of the broker here, whatever else there is; that it is allowed was seen already.

        Raises:
            SwarmwireError: METHOD_NOT_FOUND, or what is wrong with its parameters.
        """
        builtin = self.methods.get(call.method)
        if builtin is None:
            raise SwarmwireError(ErrorCode.METHOD_NOT_FOUND, field="method")
        self._run(builtin, caller, call, builtin.params(params))

    def _check_handled(self, method: str) -> None:
        if method not in self.handlers and (self.elsewhere is None or not self.elsewhere.may_handle(method)):
            raise SwarmwireError(ErrorCode.METHOD_NOT_FOUND, field="method")

    def _dispatch(self, call: PendingCall, params: Raw | None) -> None:
        if self.elsewhere is None:
            self.handlers.dispatch(call, params)
        else:
            self.elsewhere.dispatch(call, params)

    def _run(self, builtin: Builtin, session: Caller, call: PendingCall, params: Params) -> None:
        answer = builtin.run(session, call, params)
        if answer is None:
            return
        if session.is_welcome:
            call.begin(Work(self._hub.clock, call, answer))
        else:  # the method has ended who asked
            answer.close()

    async def ask(self, method: str, params: bytes | None, timeout: float) -> bytes:
        """Call a client's handler, for the broker itself: its last reply, as JSON; `timeout` is in seconds.

        Raises:
            SwarmwireError: what a caller gets.
        """
        self._check_handled(method)
        asker = _BrokerAsker(self._hub.clock.promise())
        call = PendingCall(self._hub.clock, asker, 0, method, timeout)
        self._dispatch(call, None if params is None else Raw(params))
        try:
            return await asker.answer
        finally:
            call.drop()

    def cancel(self, session: Session, request_id: RequestId) -> None:
        """A client gives a call up. One that is not there is ignored."""
        asker = self._askers.get(session)
        if asker is not None and (call := asker.calls.get(request_id)) is not None:
            call.give_up(SwarmwireError(ErrorCode.CANCELLED))

    def forget(self, session: Session) -> None:
        """Nobody waits for the answers to a client's calls any more: give them up without a word."""
        asker = self._askers.get(session)
        for call in list(asker.calls.values()) if asker is not None else ():
            call.drop()

    def fail_all(self, methods: Container[str], error: SwarmwireError) -> None:
        """End all calls of these methods with an error, and whoever works on them with it."""
        for asker in list(self._askers.values()):
            for call in list(asker.calls.values()):
                if call.method in methods:
                    call.give_up(error)

    def recheck(self, session: Session) -> None:
        """The permissions of a client have changed: end what they do not allow any more."""
        self.handlers.recheck(session)
        asker = self._askers.get(session)
        if asker is None:
            return
        for call in list(asker.calls.values()):
            try:
                self._check_allowed(session, call.method, self.methods.get(call.method))
            except SwarmwireError as error:
                call.give_up(error)

    def _check_allowed(self, session: Session, name: str, builtin: Builtin | None) -> None:
        grants, method = session.author.grants, builtin.method if builtin is not None else None
        allowed = grants.admin if method is not None and method.admin else grants.may_call(name)
        if not allowed and not (method is not None and method.looks and grants.observes):
            raise SwarmwireError(ErrorCode.PERMISSION_DENIED, "You may not call this method.", field="method")

    def _seconds(self, message: Call) -> float:
        limits, timeout_ms = self._hub.limits, message.timeout_ms
        if timeout_ms is None:
            return limits.call_timeout_ms / _MS
        if timeout_ms == 0:
            raise SwarmwireError(ErrorCode.TIMEOUT, "There was no time for it; nothing was done.", field="timeout_ms")
        if timeout_ms > limits.max_call_timeout_ms:
            sentence = f"Expected at most {limits.max_call_timeout_ms} ms, got {timeout_ms}."
            raise SwarmwireError(ErrorCode.INVALID_MESSAGE, sentence, field="timeout_ms")
        return timeout_ms / _MS

    def _asker(self, session: Session) -> SessionAsker:
        asker = self._askers.get(session)
        if asker is None:
            asker = self._askers[session] = SessionAsker(session)
            session.on_end(self._ended)
        elif len(asker.calls) >= self._hub.limits.max_pending_calls:
            most = self._hub.limits.max_pending_calls
            raise SwarmwireError(ErrorCode.LIMIT_EXCEEDED, f"At most {most} of your calls may wait for their answer.")
        return asker

    # ---- what handlers answer

    def answer(self, session: Session, message: Reply | Error) -> None:
        """A client answers what it was asked. What answers nothing is ignored.

        Raises:
            SwarmwireError: INVALID_MESSAGE.
        """
        self.handlers.answer(session, message)

    # ---- the end of a client

    def _ended(self, session: Session) -> None:
        self.forget(session)
        del self._askers[session]


def _raw(params: Raw | UnsetType) -> Raw:
    return _NOTHING if isinstance(params, UnsetType) else params
