"""Leases: names that are held for a time, by someone who may leave, die, or fall silent.

Registrations, locks and the claims of tasks all are leases. What is held, and by whom, its service keeps in a ledger;
here is only the time it has left and the connection that stands for the holder.
"""

from __future__ import annotations

import heapq
import logging
from collections.abc import Callable, Coroutine
from enum import Enum
from functools import partial
from typing import Any, Final, Protocol, TypeAlias

from swarmwire_protocol.errors import SwarmwireError

from ..core.caller import Caller
from ..core.ports import Clock, Timer
from ..core.session import SessionState
from .endings import Endings

__all__ = ["Deaths", "Lapse", "Leases"]

log = logging.getLogger("swarmwire.broker.leases")

_RETRY: Final = 1.0
_LONGEST_RETRY: Final = 30.0
"""Seconds after which the end of a lease is tried again that could not be stored; twice as long each time, at most."""

_LATE: Final = 1.0
"""Seconds that a timer may be late before it was this process that stood still, and not the holders."""


_SPARE: Final = 64
"""Times in the heap beyond two a lease, before it is made anew."""


class Lapse(Enum):
    """Why a lease has ended without having been given back."""

    EXPIRED = "expired"
    """Its time passed without a renewal."""
    LEFT = "left"
    """The holder said bye."""
    DIED = "died"
    """The holder's process, on this machine, has ended."""


class Deaths(Protocol):
    """Tells when a process on this machine ends."""

    def watch(self, session: Caller, died: Callable[[], None]) -> None:
        """Call `died` once the process behind a lost connection has ended; never, where that cannot be known."""
        ...


_Lapsed: TypeAlias = Callable[[str, Lapse], Coroutine[Any, Any, None]]


class _Lease:
    """One lease; `planned` is the time at which it is looked at next, and `why` the reason for which it then ends."""

    __slots__ = ("deadline", "name", "pause", "planned", "session", "ttl", "why")

    def __init__(self, name: str, ttl: float, deadline: float, session: Caller | None) -> None:
        self.name = name
        self.ttl = ttl
        self.deadline = self.planned = deadline
        self.session = session
        self.why = Lapse.EXPIRED
        self.pause = _RETRY


class Leases:
    """The leases of one service, by name.

    Arguments:
        clock: the hub's.
        lapsed: run, once, when a lease has ended by itself; where it raises SwarmwireError it is run again later,
            unless the name is held again by then.
        lost: called when a holder's connection is lost and the lease goes on without it.
        deaths: who tells of processes that have ended.
        by_traffic: whatever is heard of the connection that stands for a holder renews what it holds.
    """

    def __init__(
        self,
        clock: Clock,
        lapsed: _Lapsed,
        lost: Callable[[str], None] | None = None,
        deaths: Deaths | None = None,
        *,
        by_traffic: bool = False,
    ) -> None:
        self._clock = clock
        self._lapsed = lapsed
        self._lost = lost
        self._deaths = deaths
        self._by_traffic = by_traffic
        self._leases: dict[str, _Lease] = {}
        self._held: dict[Caller, set[str]] = {}
        self._due: list[tuple[float, str]] = []
        self._endings = Endings(clock, self._store_end)
        self._timer: Timer | None = None
        self._planned = 0.0
        self._closed = False

    def __len__(self) -> int:
        return len(self._leases)

    def __contains__(self, name: str) -> bool:
        return name in self._leases

    # ---- what holders do

    def hold(self, name: str, session: Caller | None, ttl_ms: int) -> None:
        """Begin a lease, or go on with it by another connection; None where there is none, as after a restart.

        A session that is gone with its request (over HTTP) says nothing of its holder, who is then as if unconnected.
        One that has ended meanwhile, as while it was being stored what it holds, ends or loses the lease here.
        """
        self._untie(name)
        ttl = ttl_ms / 1000
        lease = self._leases[name] = _Lease(name, ttl, self._clock.time() + ttl, None)
        self._plan(lease)
        if session is None or session.peer.brief:
            return
        if session.state is SessionState.CLOSING:
            self._end_or_lose({name: lease}, session)
        else:
            lease.session = session
            self._tie(name, session)

    def renew(self, name: str, ttl_ms: int | None = None) -> bool:
        """Let the time begin again, perhaps with another length; False if there is no such lease."""
        lease = self._leases.get(name)
        if lease is None:
            return False
        if ttl_ms is not None:
            lease.ttl = ttl_ms / 1000
        lease.why = Lapse.EXPIRED
        lease.deadline = self._clock.time() + lease.ttl
        if lease.deadline < lease.planned:
            self._plan(lease)
        return True

    def drop(self, name: str) -> None:
        """End a lease that was given back. Harmless where there is none."""
        self._untie(name)
        self._leases.pop(name, None)

    def left_ms(self, name: str) -> int | None:
        """The milliseconds that it has left; None where there is no such lease."""
        lease = self._leases.get(name)
        return None if lease is None else max(0, round((lease.deadline - self._clock.time()) * 1000))

    def session_of(self, name: str) -> Caller | None:
        """The connection that stands for the holder; None while there is none."""
        lease = self._leases.get(name)
        return None if lease is None else lease.session

    def held_by(self, session: Caller) -> frozenset[str]:
        """The names that this connection stands for."""
        return frozenset(self._held.get(session, ()))

    def close(self) -> None:
        """Let nothing lapse any more. Harmless twice."""
        self._closed = True
        self._endings.close()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # ---- connections

    def _tie(self, name: str, session: Caller) -> None:
        names = self._held.get(session)
        if names is None:
            names = self._held[session] = set()
            session.on_end(self._ended)
        names.add(name)

    def _untie(self, name: str) -> None:
        lease = self._leases.get(name)
        if lease is not None and lease.session is not None:
            self._held.get(lease.session, set()).discard(name)
            lease.session = None

    def _ended(self, session: Caller) -> None:
        names = self._held.pop(session, set())
        self._end_or_lose({name: self._leases[name] for name in names}, session)

    def _end_or_lose(self, lost: dict[str, _Lease], session: Caller) -> None:
        if self._closed:
            return
        if session.said_bye:
            self._end_all(lost, Lapse.LEFT)
            return
        for name, lease in lost.items():
            lease.session = None
            if self._lost is not None:
                self._lost(name)
        if lost and self._deaths is not None:
            self._deaths.watch(session, partial(self._end_all, lost, Lapse.DIED))

    def _end_all(self, leases: dict[str, _Lease], why: Lapse) -> None:
        for name, lease in leases.items():
            if self._leases.get(name) is lease and (lease.session is None or why is Lapse.LEFT):
                self._end(lease, why)

    # ---- time

    def _plan(self, lease: _Lease) -> None:
        lease.planned = lease.deadline
        heapq.heappush(self._due, (lease.planned, lease.name))
        if len(self._due) > _SPARE + 2 * len(self._leases):
            # Most are of leases that were given back, or shortened.
            self._due = [(one.planned, name) for name, one in self._leases.items()]
            heapq.heapify(self._due)
        self._wind()

    def _wind(self) -> None:
        """Have the timer go off for the first that is due."""
        if self._closed or not self._due:
            return
        first = self._due[0][0]
        if self._timer is not None:
            if self._planned <= first:
                return
            self._timer.cancel()
        self._planned = first
        self._timer = self._clock.call_later(max(0.0, first - self._clock.time()), self._fire)

    def _fire(self) -> None:
        self._timer = None
        now = self._clock.time()
        if now - self._planned > _LATE:
            # This process stood still: what holders sent meanwhile is still to be read. All begin again, as they do
            # after a restart.
            for lease in self._leases.values():
                if lease.why is Lapse.EXPIRED:
                    lease.deadline = now + lease.ttl
        while self._due and self._due[0][0] <= now:
            planned, name = heapq.heappop(self._due)
            found = self._leases.get(name)
            if found is not None and found.planned == planned:
                self._look_at(found, now)
        self._wind()

    def _look_at(self, lease: _Lease, now: float) -> None:
        if self._by_traffic and lease.session is not None and not lease.session.is_silent:
            lease.deadline = max(lease.deadline, now + lease.ttl)
        if lease.deadline > now:
            self._plan(lease)
        else:
            self._end(lease, lease.why)

    def _end(self, lease: _Lease, why: Lapse) -> None:
        self.drop(lease.name)
        self._endings.add((lease, why))

    async def _store_end(self, ended: tuple[_Lease, Lapse]) -> None:
        lease, why = ended
        try:
            await self._lapsed(lease.name, why)
        except SwarmwireError as error:
            log.warning("the end of a lease could not be stored yet: %s", error.message)
            if lease.name not in self._leases and not self._closed:
                lease.session, lease.why, lease.deadline = None, why, self._clock.time() + lease.pause
                lease.pause = min(2 * lease.pause, _LONGEST_RETRY)
                self._leases[lease.name] = lease
                self._plan(lease)
