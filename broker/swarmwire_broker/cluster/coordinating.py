"""The services of which a cluster has one: taken up at the broker that is elected, laid down when another is."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from enum import Enum
from typing import Final, Protocol

from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from ..core.caller import Caller
from ..core.hub import Hub
from ..core.methods import Where
from ..core.ports import Promise, Timer
from ..services.services import Services
from .answering import Answering
from .callers import RemoteCallers
from .presence import Presence
from .routing import Routing

__all__ = ["Coordinating", "Electing", "Part"]

log = logging.getLogger("swarmwire.broker.cluster")

_RETRY: Final = 1.0
"""Seconds after which it is tried again to start the services."""


_TRIES: Final = 3
"""After so many times in vain another broker may try."""


class Electing(Protocol):
    """Tells which broker of the cluster has the services."""

    @property
    def coordinator(self) -> str | None:
        """Its id; None while nobody does, or it is not known."""
        ...

    @property
    def is_coordinator(self) -> bool:
        """Whether it is this one."""
        ...

    def on_change(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call this whenever one of the two has changed; what is returned ends it."""
        ...

    async def start(self) -> None:
        """Take part from now on.

        Raises:
            OSError: that is not possible.
        """
        ...

    async def resign(self) -> None:
        """Leave it to the others for a while."""
        ...

    async def close(self) -> None:
        """Give it up, if it is this one. Harmless twice."""
        ...


class Part(Enum):
    """What this broker does for the services."""

    FORWARDS = "another broker has them, or nobody"
    STARTS = "they are being started here"
    ANSWERS = "they are here"


class Coordinating:
    """Starts and stops the services as the election goes.

    Arguments:
        seize: makes sure that whoever wrote the state of the services before writes it no more.
    """

    def __init__(
        self,
        hub: Hub,
        services: Services,
        election: Electing,
        seize: Callable[[], Awaitable[None]],
        routing: Routing,
        answering: Answering,
        callers: RemoteCallers,
        presence: Presence,
    ) -> None:
        self._hub = hub
        self._services = services
        self._election = election
        self._seize = seize
        self._routing = routing
        self._answering = answering
        self._callers = callers
        self._presence = presence
        self._part = Part.FORWARDS
        self._starting: Timer | None = None
        self._retrying: Timer | None = None
        self._settling: Promise[None] | None = None
        self._is_closed = False
        self._failures = 0
        self._end = election.on_change(self._changed)
        callers.met = self._met
        routing.is_here = answering.is_coordinator = self._answers

    @property
    def part(self) -> Part:
        return self._part

    def _answers(self) -> bool:
        """Whether the services can be asked here; not where this process stood still and has not heard of its fall."""
        return self._part is Part.ANSWERS and self._election.is_coordinator

    def close(self) -> None:
        """Lay the services down for good. Harmless twice."""
        self._is_closed = True
        self._end()
        self._routing.coordinator = None
        self._stop()
        self._settle()

    async def settled(self, seconds: float) -> None:
        """Wait until these services can be asked, here or elsewhere, but no longer than so many seconds."""
        if self._is_settled or not seconds:
            return
        settled = self._settling = self._hub.clock.promise()
        timer = self._hub.clock.call_later(seconds, self._settle)
        await settled
        timer.cancel()

    @property
    def _is_settled(self) -> bool:
        return self._part is Part.ANSWERS or self._routing.is_reachable

    def _settle(self) -> None:
        settling, self._settling = self._settling, None
        if settling is not None:
            settling.set_result(None)

    # ---- as the election goes

    def look(self) -> None:
        """Do what the election, and who is there, ask for now."""
        self._changed()

    def _changed(self) -> None:
        is_here = self._election.is_coordinator and not self._is_closed
        coordinator = None if is_here else self._election.coordinator
        self._routing.coordinator = coordinator
        if is_here and self._part is Part.FORWARDS:
            self._begin()
        elif not is_here and self._part is not Part.FORWARDS:
            self._stop()
        if self._is_settled:
            self._settle()
        if coordinator != self._presence.coordinator:
            self._presence.coordinator = coordinator
            self._presence.tell_all()

    def deposed(self) -> None:
        """What the services write is refused: they begin anew, if this is still their broker."""
        # Not now: a write of theirs may be what has found it out.
        self._hub.clock.call_soon(self._begin_anew)

    def _begin_anew(self) -> None:
        if self._part is not Part.FORWARDS:
            self._stop()
            self._try_later()

    def _become(self, part: Part) -> None:
        """The one place where the part changes."""
        self._part = part

    def _begin(self) -> None:
        if self._retrying is not None:
            self._retrying.cancel()
            self._retrying = None
        self._become(Part.STARTS)
        self._starting = self._hub.clock.spawn(self._start())

    async def _start(self) -> None:
        try:
            await self._seize()
            await self._services.take_up()
        except Exception as error:
            is_foreseen = isinstance(error, SwarmwireError | OSError)
            log.warning("the services could not be started here: %s", error, exc_info=None if is_foreseen else error)
            await self._failed()
            return
        self._starting = None
        self._failures = 0
        self._become(Part.ANSWERS)
        self._services.meet(self._callers.all() | self._presence.all())
        self._settle()
        log.info("this broker answers for the cluster now")

    def _try_later(self) -> None:
        if not self._is_closed and self._retrying is None:
            self._retrying = self._hub.clock.call_later(_RETRY, self._again)

    def _again(self) -> None:
        self._retrying = None
        self._changed()

    async def _failed(self) -> None:
        """They are tried again here, and after a while elsewhere."""
        self._services.lay_down()
        self._become(Part.FORWARDS)
        self._starting = None
        self._failures += 1
        if self._failures % _TRIES == 0:
            await self._election.resign()
        self._try_later()

    def _stop(self) -> None:
        """Another broker has the services from now on. What was asked of them here ends."""
        if self._retrying is not None:
            self._retrying.cancel()
            self._retrying = None
        if self._part is Part.FORWARDS:
            return
        if self._starting is not None:
            self._starting.cancel()
            self._starting = None
        self._become(Part.FORWARDS)
        error = SwarmwireError(ErrorCode.OUTCOME_UNKNOWN, "The services went to another broker meanwhile.")
        self._hub.calls.fail_all(self._methods(), error)
        self._answering.fail_coordinated(error)
        self._services.lay_down()
        log.info("this broker does not answer for the cluster any more")

    def _methods(self) -> set[str]:
        builtins = self._hub.calls.methods
        return {name for name, builtin in builtins.items() if builtin.method.where is Where.COORDINATOR}

    def _met(self, callers: Mapping[str, Caller]) -> None:
        if self._part is Part.ANSWERS:
            self._services.meet(callers)
