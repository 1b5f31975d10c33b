"""Where a call goes: to a method of this broker or of the coordinator, of all brokers, or to a client anywhere."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any

from msgspec import Raw

from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from ..core.builtin import Builtin, Work
from ..core.handlers import RESERVED
from ..core.hub import Hub
from ..core.methods import Params, Where
from ..core.pendingcall import PendingCall
from ..core.session import Session
from .asking import Asking, unavailable
from .gathering import Gathering
from .members import Members
from .names import NamesOfAll
from .presence import Presence, facts_of

__all__ = ["Routing"]


class Routing:
    """The rest of the cluster, as the calls of this broker's clients see it.

    Attributes:
        coordinator: the broker that has the services of which there is one; None while nobody does.
        is_here: tells whether that is this one, and they are started.
    """

    def __init__(
        self, hub: Hub, members: Members, asking: Asking, gathering: Gathering, names: NamesOfAll, presence: Presence
    ) -> None:
        self._hub = hub
        self._members = members
        self._asking = asking
        self._gathering = gathering
        self._names = names
        self._presence = presence
        self.coordinator: str | None = None
        self.is_here: Callable[[], bool] = _never

    @property
    def is_reachable(self) -> bool:
        """Whether another broker has the services, and is there."""
        return self.coordinator is not None and self.coordinator in self._members

    def handlers(self) -> Mapping[str, int]:
        return self._names.handled

    def may_handle(self, method: str) -> bool:
        # Whoever has just registered it may not have been heard of here yet.
        return method in self._names.handled or (len(self._members) > 0 and not _is_brokers(method))

    # ---- methods of brokers

    def take(self, session: Session, call: PendingCall, builtin: Builtin, params: Params, raw: Raw) -> bool:
        where = builtin.method.where
        if where is Where.HERE or (where is not Where.COORDINATOR and not len(self._members)):
            return False
        if where is not Where.COORDINATOR:
            call.begin(Work(self._hub.clock, call, self._together(session, builtin, params, raw)))
            return True
        self._presence.know(session)
        if self.is_here():
            return False
        self._ask_coordinator(session, call, builtin, raw)
        return True

    def _together(self, session: Session, builtin: Builtin, params: Params, raw: Raw) -> Coroutine[Any, Any, Any]:
        match builtin.method.where:
            case Where.FOUND:
                return self._gathering.find(session, builtin, raw)
            case Where.SUMMED:
                return self._gathering.add(session, builtin, raw)
            case _:
                return self._gathering.join(session, builtin, params)

    def _ask_coordinator(self, session: Session, call: PendingCall, builtin: Builtin, raw: Raw) -> None:
        coordinator = self.coordinator
        if coordinator is None or not self.is_reachable:
            raise unavailable("No broker of the cluster answers this just now.")
        lost = partial(_gone, looks=builtin.method.looks)
        self._asking.hand(call, coordinator, raw, lost, caller=facts_of(session), coordinated=True)

    # ---- clients that handle methods

    def dispatch(self, call: PendingCall, params: Raw | None) -> None:
        self._try(call, params, set(), SwarmwireError(ErrorCode.METHOD_NOT_FOUND, field="method"))

    def _try(self, call: PendingCall, params: Raw | None, tried: set[str], refusal: SwarmwireError) -> None:
        """Hand a call to the next of the brokers whose clients handle it; the one with the least to do first.

        Raises:
            SwarmwireError: none of them takes it, as the last of them said; `refusal` where there is none.
        """
        here = self._load_here(call.method)
        elsewhere = self._names.handling(call.method)
        loads = {id: self._load(id, call.method) for id in elsewhere} | here
        while left := [id for id in loads if id not in tried]:
            id = min(left, key=lambda one: (loads[one], one not in here))
            tried.add(id)
            try:
                self._hand(call, params, id, tried, is_here=id in here)
            except SwarmwireError as error:
                refusal = error
            else:
                return
        if refusal.code is not ErrorCode.METHOD_NOT_FOUND or not self._try_unknown(call, params, tried, refusal):
            raise refusal

    def _try_unknown(self, call: PendingCall, params: Raw | None, tried: set[str], refusal: SwarmwireError) -> bool:
        """Ask the next broker that has told of no such handler: one may have come a moment ago."""
        id = next((id for id in self._members if id not in tried), None)
        if id is None:
            return False
        tried.add(id)
        self._hand(call, params, id, tried, is_here=False)
        return True

    def _hand(self, call: PendingCall, params: Raw | None, id: str, tried: set[str], *, is_here: bool) -> None:
        if is_here:
            self._hub.calls.handlers.dispatch(call, params)
            return

        def refused(call: PendingCall, error: SwarmwireError) -> bool:
            try:
                self._try(call, params, tried, error)
            except SwarmwireError as last:
                call.fail(last)
            return True

        self._asking.hand(call, id, params, _handler_gone, refused=refused)

    def _load_here(self, method: str) -> dict[str, int]:
        load = self._hub.calls.handlers.least(method)
        return {} if load is None else {self._hub.info.id: load}

    def _load(self, id: str, method: str) -> int:
        """How busy the handlers of another broker are: as it said last, and by what they were handed from here."""
        member = self._members.get(id)
        told = 0 if member is None else member.beat.loads.get(method, 0)
        count = max(1, self._names.handling(method).get(id, 1))
        return max(told, self._asking.load(id, method) // count)


def _gone(*, looks: bool) -> SwarmwireError:
    """The error for a call of a service whose broker is gone: what only looks has done nothing."""
    if looks:
        return unavailable("The broker that was asked is gone; nothing was done.")
    return SwarmwireError(ErrorCode.OUTCOME_UNKNOWN, "The broker that was asked is gone.")


def _never() -> bool:
    return False


def _is_brokers(method: str) -> bool:
    return method.partition(".")[0] in RESERVED


def _handler_gone() -> SwarmwireError:
    return SwarmwireError(ErrorCode.HANDLER_GONE)
