"""Clients of other brokers that call the services of this one, and hold what these give."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from msgspec import Raw

from swarmwire_protocol.codec import event_origin
from swarmwire_protocol.messages import ClientInfo

from ..core.caller import Caller
from ..core.identity import Author
from ..core.ports import Peer
from ..core.session import SessionState
from ..services.leases import Deaths
from .messages import CallerFacts, Callers, Died, Direct, Ended, Silent
from .post import Post

__all__ = ["RemoteCaller", "RemoteCallers", "author_of"]

_DEPARTED: Final = 4_096
"""Clients that are gone and whose processes their brokers watch, of which the end is still heard; the last ones."""


class RemoteCaller:
    """A client that is connected to another broker, as `Caller` says what is known of it.

    Attributes:
        broker: the id of that broker.
    """

    __slots__ = (
        "_ends",
        "_send",
        "author",
        "broker",
        "client",
        "client_id",
        "died",
        "facts",
        "is_silent",
        "peer",
        "said_bye",
        "state",
    )

    def __init__(self, broker: str, facts: CallerFacts, send: Callable[[str, Direct], bool]) -> None:
        self.broker = broker
        self.client_id = facts.client_id
        self.state = SessionState.AUTHENTICATED
        self.said_bye = self.is_silent = False
        self.died: list[Callable[[], None]] = []
        self._send = send
        self._ends: list[Callable[[Any], None]] = []
        self.learn(facts)

    def learn(self, facts: CallerFacts) -> None:
        """Take what is known of it now."""
        self.facts = facts
        self.author: Author = author_of(facts)
        self.client: ClientInfo | None = facts.client
        self.peer = Peer(transport=facts.transport, address=facts.address, brief=facts.brief)

    @property
    def is_welcome(self) -> bool:
        return self.state is SessionState.AUTHENTICATED

    def tell(self, payload: bytes) -> bool:
        return self.is_welcome and self._send(self.broker, Direct(client_id=self.client_id, event=Raw(payload)))

    def on_end(self, callback: Callable[[Any], None]) -> None:
        self._ends.append(callback)

    def end(self, *, said_bye: bool) -> None:
        """It is gone. Harmless twice."""
        if self.state is SessionState.CLOSING:
            return
        self.state, self.said_bye = SessionState.CLOSING, said_bye
        ends, self._ends = self._ends, []
        for callback in ends:
            callback(self)


def author_of(facts: CallerFacts) -> Author:
    """The identity of a client of another broker, which has checked it."""
    author = Author()
    author.sender, author.scope, author.instance = facts.sender, facts.scope, facts.instance
    author.origin = b"" if facts.sender is None else event_origin(facts.sender)
    author.token_id = facts.token_id
    author.permit(facts.permissions)
    return author


class RemoteCallers:
    """The clients of other brokers that called this one. They end with their connections, or with their brokers.

    It is also who services ask for the deaths of processes: those of other machines are watched by their brokers.

    Attributes:
        processes: who watches those of this machine.
        met: called with clients, by id, that another broker says may hold something here.
    """

    def __init__(self, post: Post) -> None:
        self._post = post
        self.processes: Deaths | None = None
        self._callers: dict[str, RemoteCaller] = {}
        self._departed: OrderedDict[str, RemoteCaller] = OrderedDict()
        self.met: Callable[[Mapping[str, Caller]], None] = _nobody
        post.on(Callers, self._told)
        post.on(Silent, self._silent)
        post.on(Ended, self._ended)
        post.on(Died, self._died)

    def __len__(self) -> int:
        return len(self._callers)

    def all(self) -> dict[str, Caller]:
        """Those that are there, by client id."""
        return dict(self._callers)

    def take(self, broker: str, facts: CallerFacts) -> RemoteCaller:
        """The client that these facts tell of. One that is here for one request alone is not kept."""
        if facts.brief:
            return RemoteCaller(broker, facts, self._direct)
        caller = self._callers.get(facts.client_id)
        if caller is None or caller.broker != broker:
            caller = self._callers[facts.client_id] = RemoteCaller(broker, facts, self._direct)
        elif caller.facts != facts:
            caller.learn(facts)
        return caller

    def lose(self, broker: str) -> None:
        """A broker is gone, and all its connections with it."""
        self._end((caller for caller in self._callers.values() if caller.broker == broker), said_bye=False)

    def watch(self, session: Caller, died: Callable[[], None]) -> None:
        """Call `died` once the process behind a lost connection has ended, where its broker watches it."""
        if isinstance(session, RemoteCaller):
            session.died.append(died)
        elif self.processes is not None:
            self.processes.watch(session, died)

    # ---- what is told

    def _told(self, broker: str, message: Callers) -> None:
        """The whole truth about a broker's clients: others that were known are gone."""
        there = {facts.client_id for facts in message.callers}
        theirs = [caller for caller in self._callers.values() if caller.broker == broker]
        self._end((caller for caller in theirs if caller.client_id not in there), said_bye=False)
        found = {facts.client_id: self.take(broker, facts) for facts in message.callers}
        self._hush(broker, message.silent)
        self.met({client_id: caller for client_id, caller in found.items() if not caller.peer.brief})

    def _silent(self, broker: str, message: Silent) -> None:
        self._hush(broker, message.silent)

    def _hush(self, broker: str, silent: Iterable[str]) -> None:
        names = set(silent)
        for caller in self._callers.values():
            if caller.broker == broker:
                caller.is_silent = caller.client_id in names

    def _ended(self, broker: str, message: Ended) -> None:
        caller = self._callers.get(message.client_id)
        if caller is None or caller.broker != broker:
            return
        self._end((caller,), said_bye=message.said_bye)
        if message.watched and caller.died:
            self._departed[caller.client_id] = caller
            if len(self._departed) > _DEPARTED:
                self._departed.popitem(last=False)

    def _died(self, broker: str, message: Died) -> None:
        caller = self._departed.get(message.client_id)
        if caller is not None and caller.broker == broker:
            del self._departed[message.client_id]
            for died in caller.died:
                died()

    def _end(self, callers: Iterable[RemoteCaller], *, said_bye: bool) -> None:
        for caller in list(callers):
            if self._callers.get(caller.client_id) is caller:
                del self._callers[caller.client_id]
            caller.end(said_bye=said_bye)

    def _direct(self, broker: str, message: Direct) -> bool:
        try:
            self._post.send(broker, message)
        except OSError:
            return False
        return True


def _nobody(callers: Mapping[str, Caller]) -> None:
    """Nobody holds anything here."""
