"""`rpc.*`: clients that handle methods, and what can be called."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from ..core.calls import Calls
from ..core.methods import Asked, Method, Params
from ..core.session import Session
from .shared import Shared

__all__ = ["Rpc"]


class _Methods(Params):
    methods: Annotated[list[str], Meta(min_length=1)]


class _Wanted(Params):
    method: str | None = None


class _Answered(Struct):
    methods: list[str]


class _Listed(Struct):
    method: str
    builtin: bool
    handlers: int


class _List(Struct):
    methods: list[_Listed]


class Rpc:
    """Registers the handlers of clients. They end with their connection, so nothing is kept of them."""

    def __init__(self, shared: Shared) -> None:
        self._calls: Calls = shared.hub.calls

    def methods(self) -> list[Method]:
        return [
            Method("rpc.register", _Methods, self._register),
            Method("rpc.unregister", _Methods, self._unregister),
            Method("rpc.list", _Wanted, self._list, looks=True),
        ]

    async def start(self) -> None:
        """There is nothing to read."""

    def close(self) -> None:
        """There is nothing that happens by itself."""

    def _register(self, asked: Asked, params: _Methods) -> _Answered:
        self._calls.handlers.register(_session(asked), params.methods)
        return _Answered(params.methods)

    def _unregister(self, asked: Asked, params: _Methods) -> _Answered:
        return _Answered(self._calls.handlers.unregister(_session(asked), params.methods))

    def _list(self, asked: Asked, params: _Wanted) -> _List:
        handled = self._calls.handled()
        listed = [_Listed(name, True, 0) for name in self._calls.methods]
        listed += [_Listed(name, False, count) for name, count in handled.items()]
        wanted = [one for one in listed if params.method is None or one.method == params.method]
        return _List(sorted(wanted, key=_name))


def _session(asked: Asked) -> Session:
    assert isinstance(asked.session, Session)  # each broker answers these for itself
    return asked.session


def _name(listed: _Listed) -> str:
    return listed.method
