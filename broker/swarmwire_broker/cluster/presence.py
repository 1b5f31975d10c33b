"""Clients of this broker that may hold something at the coordinator, which is told when they fall silent and end."""

from __future__ import annotations

from functools import partial

from msgspec import structs

from swarmwire_protocol.messages import ClientInfo

from ..core.caller import Caller
from ..core.ports import Clock, Timer
from ..core.session import Session
from ..services.leases import Deaths
from .bus import BusDown
from .members import BEAT
from .messages import CallerFacts, Callers, Died, Direct, Ended, Message, Silent
from .post import Post

__all__ = ["Presence", "facts_of"]


def facts_of(session: Caller) -> CallerFacts:
    """What another broker needs to know of a client of this one. The kernel's word for its process is the last."""
    author, client, peer = session.author, session.client, session.peer
    if peer.pid is not None:
        client = ClientInfo(name="", pid=peer.pid) if client is None else structs.replace(client, pid=peer.pid)
    return CallerFacts(
        client_id=session.client_id,
        sender=author.sender,
        scope=author.scope,
        instance=author.instance,
        permissions=author.permissions,
        transport=peer.transport,
        address=peer.address,
        brief=peer.brief,
        token_id=author.token_id,
        client=client,
    )


class Presence:
    """The clients of this broker that called a service of which the cluster has one.

    Attributes:
        coordinator: the id of the broker that has these services now, where it is another one.
    """

    def __init__(self, post: Post, clock: Clock, processes: Deaths) -> None:
        self._post = post
        self._clock = clock
        self._processes = processes
        self._sessions: dict[str, Session] = {}
        self._silent: set[str] = set()
        self._timer: Timer | None = None
        self._again: Timer | None = None
        self.coordinator: str | None = None
        post.on(Direct, self._direct)

    def __len__(self) -> int:
        return len(self._sessions)

    def all(self) -> dict[str, Caller]:
        """These clients, by id."""
        return dict(self._sessions)

    def know(self, session: Session) -> None:
        """This client calls such a service."""
        if session.author.sender is None and not session.author.instance:
            # The processes that brokers live in say nothing of themselves, and are not one and the same.
            session.author.instance = self._post.id
        if session.client_id not in self._sessions and not session.peer.brief:
            self._sessions[session.client_id] = session
            session.on_end(self._ended)
            self._wind()

    def tell_all(self) -> None:
        """Tell the coordinator of all these clients: it is new, or may have missed something."""
        if self.coordinator is not None:
            self._silent = self._silent_now()
            callers = [facts_of(session) for session in self._sessions.values()]
            self._tell(Callers(callers=callers, silent=list(self._silent)))

    def close(self) -> None:
        """Tell nothing any more. Harmless twice."""
        self.coordinator = None
        for timer in (self._timer, self._again):
            if timer is not None:
                timer.cancel()
        self._timer = self._again = None

    def _tell(self, message: Message) -> None:
        if self.coordinator is None:
            return
        try:
            self._post.send(self.coordinator, message)
        except BusDown:
            # When the bus is back all is told anew; where it only takes no more just now, nobody else sees to that.
            if self._post.bus.is_up and self._again is None:
                self._again = self._clock.call_later(BEAT, self._tell_again)

    def _tell_again(self) -> None:
        self._again = None
        self.tell_all()

    # ---- silence

    def _wind(self) -> None:
        if self._timer is None:
            self._timer = self._clock.call_later(BEAT, self._look)

    def _look(self) -> None:
        self._timer = None
        silent = self._silent_now()
        if silent != self._silent:
            self._silent = silent
            self._tell(Silent(silent=list(silent)))
        if self._sessions:
            self._wind()

    def _silent_now(self) -> set[str]:
        return {client_id for client_id, session in self._sessions.items() if session.is_silent}

    # ---- the end

    def _ended(self, session: Session) -> None:
        client_id = session.client_id
        del self._sessions[client_id]
        self._silent.discard(client_id)
        is_watched = not session.said_bye and session.peer.pid is not None
        self._tell(Ended(client_id=client_id, said_bye=session.said_bye, watched=is_watched))
        if is_watched and self.coordinator is not None:
            self._processes.watch(session, partial(self._tell, Died(client_id=client_id)))

    def _direct(self, sender: str, message: Direct) -> None:
        session = self._sessions.get(message.client_id)
        if session is not None:
            session.tell(bytes(message.event))
