"""Methods: what can be called, and a call as the method sees it."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from msgspec import Struct

if TYPE_CHECKING:
    from .caller import Caller
    from .identity import Author

__all__ = ["Asked", "Method", "Params", "Run", "Where"]


class Params(Struct, kw_only=True):
    """What a method takes, one field a parameter; times are in milliseconds. By itself: nothing."""


class Asked:
    """A call that is being answered.

    Attributes:
        session: who asks. Its end cancels the call.
        method: what was called.
        deadline: the time of the hub's clock, in seconds, at which the call is given up.
    """

    __slots__ = ("_send", "deadline", "method", "session")

    def __init__(self, session: Caller, method: str, deadline: float, send: Callable[[Any], None]) -> None:
        self.session = session
        self.method = method
        self.deadline = deadline
        self._send = send

    @property
    def author(self) -> Author:
        """The identity of who asks."""
        return self.session.author

    def more(self, data: Any) -> None:
        """Send a reply that is not the last.

        Raises:
            SwarmwireError: SLOW_CONSUMER when the caller does not read what it is sent.
        """
        self._send(data)


Run: TypeAlias = Callable[[Asked, Any], Any]
"""Answers a call: returns the answer or a coroutine of it, or raises SwarmwireError."""


class Where(Enum):
    """At which brokers of a cluster a method is answered. Alone, a broker answers everything itself."""

    HERE = "here"
    """At the broker that was asked."""
    COORDINATOR = "coordinator"
    """At the one broker that answers for all."""
    FOUND = "found"
    """At whichever has what is named: at each that is asked it is done, or NOT_FOUND."""
    GATHERED = "gathered"
    """At all. The parameters have `limit` and `offset`, the answer a `count` and one list, whose rows are joined."""
    SUMMED = "summed"
    """At all. The answer has numbers alone, which are added."""


class Method(NamedTuple):
    """A method that the broker itself answers.

    Attributes:
        admin: it is for operators, and granted to nobody by its name.
        looks: it changes nothing, and shows no data that needs a permission of its own: who may observe may call it.
        where: which brokers of a cluster answer it.
    """

    name: str
    params: type[Params]
    run: Run
    admin: bool = False
    looks: bool = False
    where: Where = Where.HERE
