"""A broker as one of many: what ties it to the others, from its start to its end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterator, Mapping
from typing import Any, Final, Protocol

from swarmwire_protocol.errors import SwarmwireError

from ..core.hub import Hub
from ..services.leases import Deaths
from ..services.operators.membership import MemberFacts
from ..services.services import Services
from .answering import Answering
from .asking import Asking
from .bus import Bus
from .callers import RemoteCallers
from .coordinating import Coordinating, Electing, Part
from .gathering import Gathering
from .guarding import Guarding, Watched
from .members import Members
from .messages import AllRevoked, Beat, Revoked
from .names import NamesOfAll
from .post import Post
from .presence import Presence
from .routing import Routing
from .spending import Spending
from .spreading import Spreading

__all__ = ["Cluster", "Revocations", "SharedState"]

log = logging.getLogger("swarmwire.broker.cluster")

_PAUSE: Final = 0.5


class SharedState(Watched, Protocol):
    """The state of the services, as brokers share it.

    Attributes:
        on_deposed: called when this broker may not write any more, since another has seized the state.
    """

    on_deposed: Callable[[], None]

    async def seize(self) -> None:
        """Let nobody write any more who has before, until it has read again."""
        ...


class Revocations(Protocol):
    """What is revoked, as far as this broker knows."""

    def told(self) -> tuple[dict[str, float], dict[str, float | None]]:
        """All of it: seconds since when by subject, and for how long yet by token."""
        ...

    def hear(
        self, subjects: Mapping[str, float], tokens: Mapping[str, float | None]
    ) -> Iterator[tuple[str | None, str | None]]:
        """Take over what another has told; each subject and each token that is new."""
        ...


class Cluster:
    """Builds what a broker needs to be one of a cluster. Start it when the hub is there; close it before the bus.

    Arguments:
        make_services: builds the services, with who tells them of processes that have ended.
        prefix: of the subjects of this cluster on the bus.
        start_timeout: seconds in which bus and state must be there.
        patience: seconds that the start waits then for somebody to be elected; it goes on without, too.

    Attributes:
        revoked: called when another broker has revoked the logins of a subject, or those by a token.
        revocations: told to brokers that may not have heard of them.
    """

    def __init__(
        self,
        hub: Hub,
        make_services: Callable[[Deaths], Services],
        bus: Bus,
        election: Electing,
        state: SharedState,
        *,
        prefix: str = "swarmwire.main.b",
        start_timeout: float = 15.0,
        patience: float = 3.0,
    ) -> None:
        self._hub = hub
        self._bus = bus
        self._election = election
        self._start_timeout = start_timeout
        self._patience = patience
        self._since = hub.clock.time()
        self.revoked: Callable[[str | None, str | None], object] = _nobody
        self.revocations: Revocations | None = None
        self._post = Post(bus, prefix, hub.info.id)
        self.callers = RemoteCallers(self._post)
        self.services = make_services(self.callers)
        self.callers.processes = self.services.processes
        self.members = Members(self._post, hub.clock, self._beat)
        self._names = NamesOfAll(hub, self._post, self.members)
        self._asking = Asking(self._post)
        self._answering = Answering(hub, self._post, self.callers)
        self._presence = Presence(self._post, hub.clock, self.services.processes)
        gathering = Gathering(hub, self._post.id, self.members, self._asking)
        self._routing = Routing(hub, self.members, self._asking, gathering, self._names, self._presence)
        self._spreading = Spreading(hub, self._post, self._names)
        self._spending = Spending(hub, self._post)
        self._guarding = Guarding(hub, state)
        self._coordinating = Coordinating(
            hub,
            self.services,
            election,
            state.seize,
            self._routing,
            self._answering,
            self.callers,
            self._presence,
        )
        state.on_deposed = self._coordinating.deposed
        self._post.on(Revoked, self._told_revoked)
        self._post.on(AllRevoked, self._told_all_revoked)
        self.members.came.append(self._came)
        self.members.went.append(self._went)
        self.members.shaken.append(self._shaken)
        self.services.membership.members = self.shown
        hub.calls.elsewhere = self._routing

    @property
    def part(self) -> Part:
        """What this broker does for the services of which there is one."""
        return self._coordinating.part

    def shown(self) -> list[MemberFacts]:
        """All brokers of the cluster, this one first."""
        coordinator = self._hub.info.id if self.part is Part.ANSWERS else self._routing.coordinator
        return self.members.shown(coordinator)

    def gauges(self) -> dict[str, Callable[[], float]]:
        """What can be read at any time, by name."""
        return {"members": lambda: len(self.members) + 1, "coordinator": lambda: self.part is Part.ANSWERS}

    # ---- life

    async def start(self) -> None:
        """Join the cluster.

        Raises:
            OSError: the bus cannot be reached, or the state of the services cannot be read.
        """
        deadline = self._hub.clock.time() + self._start_timeout
        await self._until(deadline, self._bus.start)
        self._post.open()
        self.members.start()
        self._spending.start()
        await self.services.start_own()
        await self._until(deadline, self._guarding.start)
        await self._election.start()
        self._coordinating.look()
        await self._coordinating.settled(self._patience)

    async def _until(self, deadline: float, start: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Try to start something until it succeeds or time is up: a cluster of servers may be electing just now."""
        while True:
            try:
                return await start()
            except (OSError, SwarmwireError) as error:
                if self._hub.clock.time() + _PAUSE > deadline:
                    raise _in_one_sentence(error) from None
                log.info("the cluster cannot be joined yet: %s", error)
                await asyncio.sleep(_PAUSE)

    async def leave(self) -> None:
        """Let another broker have the services; what is asked here is forwarded to it. Harmless twice."""
        self._coordinating.close()
        await self._election.close()

    async def close(self) -> None:
        """Leave the cluster. Harmless twice."""
        await self.leave()
        self._presence.close()
        self._spreading.close()
        self._spending.close()
        self._names.close()
        self._guarding.close()
        self.members.close()
        self._post.close()
        await self._bus.close()

    def revoke(self, subject: str | None, token_id: str | None) -> None:
        """Let all other brokers refuse these logins too."""
        self._post.tell_all(Revoked(subject=subject, token_id=token_id))

    # ---- the others

    def _beat(self) -> Beat:
        hub = self._hub
        return Beat(
            name=hub.info.name,
            version=hub.info.version,
            uptime=hub.clock.time() - self._since,
            revision=self._names.revision,
            clients=len(hub.sessions),
            loads=hub.calls.handlers.loads(),
        )

    def _came(self, id: str) -> None:
        self._tell_revoked(id)
        self._coordinating.look()
        if id == self._presence.coordinator:
            self._presence.tell_all()

    def _went(self, id: str) -> None:
        self._asking.lose(id)
        self._answering.lose(id)
        self.callers.lose(id)

    def _told_revoked(self, sender: str, message: Revoked) -> None:
        self.revoked(message.subject, message.token_id)

    def _tell_revoked(self, id: str) -> None:
        """Tell a broker that may not have heard of it what was revoked."""
        subjects, tokens = ({}, {}) if self.revocations is None else self.revocations.told()
        if subjects or tokens:
            self._post.tell(id, AllRevoked(subjects=subjects, tokens=tokens))

    def _told_all_revoked(self, sender: str, message: AllRevoked) -> None:
        if self.revocations is not None:
            for subject, token_id in self.revocations.hear(message.subjects, message.tokens):
                self._hub.revoke(subject=subject, token_id=token_id)

    def _shaken(self, id: str) -> None:
        self._tell_revoked(id)
        self._asking.lose(id)
        self._answering.lose(id)
        if id == self._presence.coordinator:
            self._presence.tell_all()


def _in_one_sentence(error: OSError | SwarmwireError) -> OSError:
    return OSError(f"the cluster cannot be joined: {error.message}") if isinstance(error, SwarmwireError) else error


def _nobody(subject: str | None, token_id: str | None) -> None:
    """Nobody keeps what was revoked."""
