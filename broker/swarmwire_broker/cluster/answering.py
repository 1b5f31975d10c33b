"""Calls of other brokers that this one answers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from msgspec import UNSET, Raw, UnsetType

from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from ..core.calls import Calls
from ..core.hub import Hub
from ..core.identity import Author
from ..core.methods import Where
from ..core.pendingcall import PendingCall
from .asking import unavailable
from .bus import BusDown
from .callers import RemoteCallers
from .messages import Ask, Failed, GiveUp, Message, Told
from .post import Post

__all__ = ["Answering"]

_NOTHING: Final = Raw(b"{}")
_AGAIN: Final = 0.05
"""Seconds after which an answer that the bus did not take is sent again."""


class _RemoteAsker:
    """Another broker that asks, for a client of its."""

    __slots__ = ("answering", "author", "broker", "number")

    def __init__(self, answering: Answering, broker: str, number: int, author: Author) -> None:
        self.answering = answering
        self.broker = broker
        self.number = number
        self.author = author

    def begun(self, call: PendingCall) -> None:
        self.answering.calls[self.broker, self.number] = call

    def more(self, call: PendingCall, data: bytes) -> bool:
        return self.answering.say_more(self.broker, Told(number=self.number, data=Raw(data), more=True))

    def done(self, call: PendingCall, data: bytes, *, end: bool) -> None:
        self.answering.say(self.broker, Told(number=self.number, data=Raw(data), end=end))

    def failed(self, call: PendingCall, error: SwarmwireError) -> None:
        self.answering.say(self.broker, _failed(self.number, error))

    def dropped(self, call: PendingCall) -> None:
        self.answering.forget(self.broker, self.number)


class Answering:
    """Has calls answered here, by methods of this broker and by its clients.

    Attributes:
        calls: those that are not answered, by broker and number.
        is_coordinator: tells whether the services of which a cluster has one can be asked here now.
    """

    def __init__(self, hub: Hub, post: Post, callers: RemoteCallers) -> None:
        self._hub = hub
        self._hub_calls: Calls = hub.calls
        self._post = post
        self._callers = callers
        self.calls: dict[tuple[str, int], PendingCall] = {}
        self.is_coordinator: Callable[[], bool] = _never
        post.on(Ask, self._asked)
        post.on(GiveUp, self._given_up)

    def lose(self, broker: str) -> None:
        """A broker is gone, or may have missed answers: it waits for none any more."""
        for call in [call for (asker, _), call in self.calls.items() if asker == broker]:
            call.drop()

    def fail_coordinated(self, error: SwarmwireError) -> None:
        """End all calls of services of which a cluster has one."""
        methods = self._hub_calls.methods
        for call in list(self.calls.values()):
            builtin = methods.get(call.method)
            if builtin is not None and builtin.method.where is Where.COORDINATOR:
                call.give_up(error)

    # ---- for askers

    def say(self, broker: str, message: Told | Failed) -> None:
        """Send the last answer, later where the bus takes no more just now; where it is down, nobody waits for it."""
        self.forget(broker, message.number)
        try:
            self._post.send(broker, message)
        except BusDown:
            if self._post.bus.is_up:
                self._hub.clock.call_later(_AGAIN, partial(self.say, broker, message))

    def say_more(self, broker: str, message: Message) -> bool:
        """Send an answer that is not the last; False: too much waits to be sent."""
        if self._post.bus.is_crowded:
            return False
        try:
            self._post.send(broker, message)
        except BusDown:
            return False
        return True

    def forget(self, broker: str, number: int) -> None:
        """The call is over."""
        self.calls.pop((broker, number), None)

    # ---- what is asked

    def _asked(self, sender: str, message: Ask) -> None:
        caller = None if message.caller is None else self._callers.take(sender, message.caller)
        asker = _RemoteAsker(self, sender, message.number, _author(message) if caller is None else caller.author)
        call = PendingCall(self._hub.clock, asker, message.number, message.method, message.seconds)
        try:
            if message.coordinated and not self.is_coordinator():
                raise unavailable("This broker does not answer for the cluster, or not yet.")
            if caller is not None:
                self._hub_calls.serve(
                    caller, call, _NOTHING if isinstance(message.params, UnsetType) else message.params
                )
            else:
                self._dispatch(call, message)
        except SwarmwireError as error:
            self.say(sender, _failed(message.number, error, untaken=True))

    def _dispatch(self, call: PendingCall, message: Ask) -> None:
        if message.method not in self._hub_calls.handlers:
            raise SwarmwireError(ErrorCode.METHOD_NOT_FOUND, field="method")
        self._hub_calls.handlers.dispatch(call, None if message.params is UNSET else message.params)

    def _given_up(self, sender: str, message: GiveUp) -> None:
        call = self.calls.get((sender, message.number))
        if call is not None:
            call.drop()


def _never() -> bool:
    return False


def _author(message: Ask) -> Author:
    """Who asks a client, which is told nothing but the subject."""
    author = Author()
    author.sender = message.sender
    return author


def _failed(number: int, error: SwarmwireError, *, untaken: bool = False) -> Failed:
    """An error as it is told to another broker."""
    return Failed(
        number=number,
        code=error.code,
        message=error.message,
        field=error.field,
        retry_after_ms=error.retry_after_ms,
        handler_code=error.handler_code,
        details=error.details if isinstance(error.details, Raw) else UNSET,
        untaken=untaken,
    )
