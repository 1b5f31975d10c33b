"""Calls over a bus in memory: who handles which method, and who waits for an answer."""

from __future__ import annotations

import itertools
import time
from functools import partial
from typing import Final, TypeVar

import msgspec

from swarmwire_protocol import messages as wire
from swarmwire_protocol.errors import ErrorCode, SwarmwireError
from swarmwire_protocol.messages import RequestId
from swarmwire_protocol.payload import encode_data
from swarmwire_protocol.topics import check_topic

from .peer import MemoryPeer

__all__ = ["MemoryCalls"]

_TIMEOUT_MS: Final = 30_000
_MOST: Final = 1000
"""Calls that wait for their answer."""
_RPC: Final = ("rpc.list", "rpc.register", "rpc.unregister")
_NOT_TAKEN: Final = (ErrorCode.UNAVAILABLE, ErrorCode.METHOD_NOT_FOUND)
"""Codes of a handler by which it says that it has done nothing; they reach the caller as they are."""


_T = TypeVar("_T", bound=msgspec.Struct)


class _Methods(msgspec.Struct):
    methods: list[str]


class _Listed(msgspec.Struct):
    method: str | None = None


class _Pending(msgspec.Struct, eq=False):
    """A call on its way to a handler."""

    caller: MemoryPeer
    id: RequestId
    handler: MemoryPeer


class MemoryCalls:
    """Each call goes to the handler that has the fewest to answer, and never to another."""

    def __init__(self) -> None:
        self._handlers: dict[str, list[MemoryPeer]] = {}
        self._pending: dict[str, _Pending] = {}
        self._numbers = itertools.count(1)

    # ---- What callers say

    def call(self, peer: MemoryPeer, message: wire.Call) -> None:
        """Answer a call of a method of `rpc`, or hand it to a handler.

        Raises:
            SwarmwireError: METHOD_NOT_FOUND; TIMEOUT when there was no time for it; LIMIT_EXCEEDED when too many wait;
                what is wrong with the params.
        """
        timeout_ms = _TIMEOUT_MS if message.timeout_ms is None else message.timeout_ms
        if timeout_ms == 0:
            raise SwarmwireError(ErrorCode.TIMEOUT, "There was no time for it; nothing was done.", field="timeout_ms")
        if message.method in _RPC:
            peer.tell(wire.Reply(id=message.id, data=encode_data(self._rpc(peer, message))))
            return
        handlers = self._handlers.get(message.method)
        if not handlers:
            raise SwarmwireError(ErrorCode.METHOD_NOT_FOUND, f"Nobody handles {message.method}.", field="method")
        if len(self._pending) >= _MOST:
            raise SwarmwireError(ErrorCode.LIMIT_EXCEEDED, f"At most {_MOST} calls may wait for their answer.")
        handler = min(handlers, key=self._load)
        handlers.remove(handler)
        handlers.append(handler)  # of equals the one that waited longest is next
        number = f"b:{next(self._numbers)}"
        self._pending[number] = _Pending(peer, message.id, handler)
        deadline = time.time_ns() // 1_000_000 + timeout_ms
        handler.tell(
            wire.Dispatch(
                id=number, method=message.method, from_=peer.subject, deadline=deadline, params=message.params
            )
        )
        peer.later(timeout_ms / 1000, partial(self._out_of_time, number))

    def cancel(self, peer: MemoryPeer, request_id: RequestId) -> None:
        """A caller gives up. A call that is not there is ignored."""
        for number, call in tuple(self._pending.items()):
            if call.caller is peer and call.id == request_id and type(call.id) is type(request_id):
                self._give_up(number, SwarmwireError(ErrorCode.CANCELLED, "The call was given up."))

    # ---- What handlers say

    def answer(self, peer: MemoryPeer, message: wire.Reply | wire.Error) -> None:
        """A handler answers. What answers nothing is ignored."""
        call = self._pending.get(str(message.id))
        if call is None or call.handler is not peer:
            return
        if not isinstance(message, wire.Reply) or not message.more:
            del self._pending[str(message.id)]
        call.caller.tell(msgspec.structs.replace(_heard(message), id=call.id))

    # ---- The end of a client

    def ended(self, peer: MemoryPeer) -> None:
        """A client is gone: its handlers, and its calls. Harmless twice."""
        for method in tuple(self._handlers):
            self._remove(method, peer)
        for number, call in tuple(self._pending.items()):
            if call.handler is peer:
                self._fail(number, SwarmwireError(ErrorCode.HANDLER_GONE, "The handler vanished before it answered."))
            elif call.caller is peer:
                self._give_up(number, SwarmwireError(ErrorCode.CANCELLED, "The call was given up."))

    # ---- Inside

    def _rpc(self, peer: MemoryPeer, message: wire.Call) -> object:
        try:
            if message.method == "rpc.list":
                return {"methods": self._listed(_params(message, _Listed).method)}
            methods = _params(message, _Methods).methods
        except msgspec.ValidationError as error:
            field = "params.method" if message.method == "rpc.list" else "params.methods"
            raise SwarmwireError(ErrorCode.INVALID_MESSAGE, f"{error}.", field=field) from None
        if message.method == "rpc.register":
            return {"methods": self._register(peer, methods)}
        gone = [method for method in dict.fromkeys(methods) if peer in self._handlers.get(method, ())]
        for method in gone:
            self._remove(method, peer)
        return {"methods": gone}

    def _register(self, peer: MemoryPeer, methods: list[str]) -> list[str]:
        if not methods:
            raise SwarmwireError(ErrorCode.INVALID_MESSAGE, "Expected at least one method.", field="params.methods")
        for index, method in enumerate(methods):
            check_topic(method)
            if method in _RPC:  # a program that is tested here may stand in for the broker's other methods
                raise SwarmwireError(
                    ErrorCode.PERMISSION_DENIED, f"{method} is the bus's own.", field=f"params.methods[{index}]"
                )
        for method in methods:
            handlers = self._handlers.setdefault(method, [])
            if peer not in handlers:
                handlers.append(peer)
        return methods

    def _listed(self, wanted: str | None) -> list[dict[str, object]]:
        counts: dict[str, tuple[bool, int]] = dict.fromkeys(_RPC, (True, 0))
        counts |= {method: (False, len(handlers)) for method, handlers in self._handlers.items()}
        return [
            {"method": method, "builtin": builtin, "handlers": count}
            for method, (builtin, count) in sorted(counts.items())
            if wanted is None or method == wanted
        ]

    def _load(self, handler: MemoryPeer) -> int:
        return sum(call.handler is handler for call in self._pending.values())

    def _remove(self, method: str, peer: MemoryPeer) -> None:
        handlers = [each for each in self._handlers.get(method, ()) if each is not peer]
        if handlers:
            self._handlers[method] = handlers
        else:
            self._handlers.pop(method, None)

    def _out_of_time(self, number: str) -> None:
        self._give_up(number, SwarmwireError(ErrorCode.TIMEOUT, "No answer came in time."))

    def _give_up(self, number: str, error: SwarmwireError) -> None:
        call = self._pending.get(number)
        if call is not None:
            call.handler.tell(wire.Cancel(id=number))
            self._fail(number, error)

    def _fail(self, number: str, error: SwarmwireError) -> None:
        call = self._pending.pop(number, None)
        if call is not None:
            call.caller.refuse(error, call.id)


def _params(message: wire.Call, record: type[_T]) -> _T:
    raw = b"{}" if isinstance(message.params, msgspec.UnsetType) else message.params
    return msgspec.json.decode(raw, type=record)


def _heard(message: wire.Reply | wire.Error) -> wire.Reply | wire.Error:
    """What the caller hears of an answer: an error of the handler's own is one of handlers."""
    if isinstance(message, wire.Reply) or message.code in _NOT_TAKEN:
        return message
    code = ErrorCode.HANDLER_FAILED
    own = None if message.code == code else message.code
    return msgspec.structs.replace(message, code=code, handler_code=own)
