"""The clients: who is connected, and events for one of them that needs no subscription."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta, Raw, Struct, field

from swarmwire_protocol.codec import encode
from swarmwire_protocol.errors import CloseCode, ErrorCode, SwarmwireError
from swarmwire_protocol.messages import Event, Publish

from ..core.caller import Caller
from ..core.hub import Hub
from ..core.methods import Asked, Method, Params, Where
from ..core.session import Session
from .shared import Shared

__all__ = ["ClientFacts", "Clients", "ClientsFound", "Sent", "clients_of", "pid_of"]

_LOCAL = "local"

_Limit = Annotated[int, Meta(ge=0, le=1_000)]
_Offset = Annotated[int, Meta(ge=0, le=2**53)]


class _Send(Params, kw_only=True):
    """An event for one client."""

    client_id: str
    topic: str
    data: Raw
    headers: dict[str, str] | None = None


class _Broadcast(Params, kw_only=True):
    """An event for all clients but some."""

    topic: str
    data: Raw
    headers: dict[str, str] | None = None
    except_: list[str] = field(name="except", default_factory=list)


class _OneClient(Params, kw_only=True):
    client_id: str


class _Disconnect(_OneClient, kw_only=True):
    reason: Annotated[str, Meta(max_length=256)] = "Closed by an operator."


class _ListClients(Params, kw_only=True):
    """Clients for which all of this is true."""

    name: str | None = None
    kind: str | None = None
    subject: str | None = None
    transport: str | None = None
    limit: _Limit = 100
    offset: _Offset = 0


class ClientFacts(Struct, kw_only=True):
    """What operators see of a client; name, version and kind are its own words, and pid where the kernel does not know.

    Attributes:
        connected_at: when it connected, in milliseconds since 1970.
        queue_bytes: what waits to be written to it.
        catching_up: whether it reads events of the past just now.
        lag: how many places of the log lie before the subscription that is furthest behind.
    """

    client_id: str
    name: str
    version: str
    kind: str | None
    pid: int | None
    transport: str
    address: str
    subject: str | None
    connected_at: int
    subscriptions: int
    queue_bytes: int
    catching_up: bool
    lag: int

    @classmethod
    def of(cls, session: Session) -> ClientFacts:
        client, peer, outbox = session.client, session.peer, session.outbox
        return cls(
            client_id=session.client_id,
            name=client.name if client is not None else "",
            version=client.version if client is not None else "",
            kind=client.kind if client is not None else None,
            pid=pid_of(session),
            transport=peer.transport,
            address=peer.address,
            subject=session.author.sender,
            connected_at=session.since,
            subscriptions=len(session.subscriptions),
            queue_bytes=outbox.queued_bytes,
            catching_up=outbox.is_behind or outbox.replaying > 0,
            lag=max((subscription.lag for subscription in session.subscriptions), default=0),
        )


class ClientsFound(Struct, kw_only=True):
    """Some of the clients that were asked for, and how many there are of them."""

    count: int
    clients: list[ClientFacts]


class Sent(Struct, kw_only=True):
    """To how many clients an event was written; the others read too slowly just now."""

    sent: int


def clients_of(hub: Hub) -> Iterator[Session]:
    """The clients that are logged in and stay, without the broker's own process."""
    return (session for session in list(hub.sessions.values()) if _is_client(session))


def _is_client(session: Session) -> bool:
    return session.is_welcome and not session.peer.brief and session.peer.transport != _LOCAL


def pid_of(session: Caller) -> int | None:
    """The process of a client: as the kernel says, where it does, else as the client says."""
    if session.peer.pid is not None or session.client is None:
        return session.peer.pid
    return session.client.pid


class Clients:
    """Answers what is asked of clients, and by them of each other."""

    def __init__(self, shared: Shared) -> None:
        self._hub = shared.hub

    def methods(self) -> list[Method]:
        return [
            Method("client.send", _Send, self._send, where=Where.FOUND),
            Method("client.broadcast", _Broadcast, self._broadcast, admin=True, where=Where.SUMMED),
            Method("client.list", _ListClients, self._list, admin=True, looks=True, where=Where.GATHERED),
            Method("client.get", _OneClient, self._get, admin=True, looks=True, where=Where.FOUND),
            Method("client.disconnect", _Disconnect, self._disconnect, admin=True, where=Where.FOUND),
        ]

    async def start(self) -> None:
        """Nothing is kept of clients."""

    def close(self) -> None:
        """Nothing happens here by itself."""

    # ---- events

    def _send(self, asked: Asked, params: _Send) -> Sent:
        payload = self._event(asked, params)
        receiver = self._found(params.client_id)
        if not self._hub.delivery.deliver_direct((receiver.outbox,), payload):
            raise SwarmwireError(ErrorCode.UNAVAILABLE, "The client does not take what it is sent, just now.")
        return Sent(sent=1)

    def _broadcast(self, asked: Asked, params: _Broadcast) -> Sent:
        payload = self._event(asked, params)
        spared = set(params.except_)
        receivers = (session.outbox for session in clients_of(self._hub) if session.client_id not in spared)
        return Sent(sent=self._hub.delivery.deliver_direct(receivers, payload))

    def _event(self, asked: Asked, params: _Send | _Broadcast) -> bytes:
        author = asked.author
        try:
            self._hub.publishing.check(Publish(topic=params.topic, data=params.data, headers=params.headers), author)
        except SwarmwireError as error:
            raise SwarmwireError(error.code, error.message, field=f"params.{error.field or 'topic'}") from None
        event = Event(
            topic=params.topic,
            ts=self._hub.clock.now_ms(),
            data=params.data,
            from_=author.sender,
            headers=params.headers or None,
            direct=True,
        )
        return encode(event)

    # ---- operators

    def _list(self, asked: Asked, params: _ListClients) -> ClientsFound:
        found = [session for session in clients_of(self._hub) if _fits(session, params)]
        shown = found[params.offset : params.offset + params.limit]
        return ClientsFound(count=len(found), clients=[ClientFacts.of(session) for session in shown])

    def _get(self, asked: Asked, params: _OneClient) -> ClientFacts:
        return ClientFacts.of(self._found(params.client_id))

    def _disconnect(self, asked: Asked, params: _Disconnect) -> ClientFacts:
        session = self._found(params.client_id)
        facts = ClientFacts.of(session)
        # Not at once: who closes its own connection is answered first.
        self._hub.clock.call_soon(lambda: session.close(CloseCode.REMOVED, params.reason))
        return facts

    def _found(self, client_id: str) -> Session:
        session = self._hub.sessions.get(client_id)
        if session is None or not _is_client(session):
            raise SwarmwireError(ErrorCode.NOT_FOUND, "There is no client of this id.", field="params.client_id")
        return session


def _fits(session: Session, params: _ListClients) -> bool:
    client = session.client
    return (
        (params.name is None or (client is not None and client.name == params.name))
        and (params.kind is None or (client is not None and client.kind == params.kind))
        and (params.subject is None or session.author.sender == params.subject)
        and (params.transport is None or session.peer.transport == params.transport)
    )
