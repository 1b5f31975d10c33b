"""The broker's side of a bus in memory: it takes the messages of clients and tells them what they would hear."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Final
from weakref import WeakValueDictionary

from swarmwire_protocol import messages as wire
from swarmwire_protocol.codec import InvalidMessage, check_data, decode_from_client
from swarmwire_protocol.errors import CloseCode, ErrorCode, SwarmwireError
from swarmwire_protocol.messages import Event, Identity, Permissions, Publish, RequestId, ServerInfo, SubscribeResult
from swarmwire_protocol.topics import check_topic, is_reserved
from swarmwire_protocol.versions import VERSIONS, select_version

from ..version import VERSION
from .calls import MemoryCalls
from .log import DEDUPE_MS, MemoryLog
from .peer import MemoryPeer
from .reader import reader_for

__all__ = ["MemoryBroker"]

_LIMITS: Final[dict[str, int | None]] = {
    "max_message_bytes": 10 * 1024 * 1024,
    "max_subscriptions": 1000,
    "dedupe_ms": DEDUPE_MS,
    "max_headers": 32,
    "max_headers_bytes": 8 * 1024,
    "max_key_bytes": 256,
}
_FEATURES: Final = ["conflate", "dedupe", "disconnect", "drop_oldest", "ephemeral", "latest"]

_open: WeakValueDictionary[str, MemoryBroker] = WeakValueDictionary()


class MemoryBroker:
    """Everything there is of a bus but its clients, which may live in any thread of the process."""

    def __init__(self, name: str, max_events: int) -> None:
        if name in _open:
            raise SwarmwireError(ErrorCode.CONFLICT, f"There is a bus called {name!r} in this process.", field="name")
        self.name = name
        self.lock = threading.RLock()
        self.log = MemoryLog(max_events)
        self._peers: set[MemoryPeer] = set()
        self._calls = MemoryCalls()
        self._closed = False
        _open[name] = self

    @staticmethod
    def find(name: str) -> MemoryBroker:
        """The open bus of this name.

        Raises:
            SwarmwireError: UNAVAILABLE when there is none.
        """
        broker = _open.get(name)
        if broker is None:
            raise SwarmwireError(ErrorCode.UNAVAILABLE, f"There is no bus called {name!r} in this process.")
        return broker

    def close(self) -> None:
        """Say bye to everybody who is left. Harmless twice."""
        with self.lock:
            self._closed = True
            if _open.get(self.name) is self:
                del _open[self.name]
            for peer in tuple(self._peers):
                peer.tell(wire.Bye(code=CloseCode.RESTART, reason="The bus was closed."))
                peer.end(CloseCode.RESTART, "The bus was closed.")
                self.leave(peer)

    def join(self, peer: MemoryPeer) -> None:
        """Somebody connects."""
        with self.lock:
            self._peers.add(peer)

    def leave(self, peer: MemoryPeer) -> None:
        """Somebody is gone. Harmless twice."""
        with self.lock:
            self._peers.discard(peer)
            self._calls.ended(peer)

    def take(self, peer: MemoryPeer, raw: bytes) -> None:
        """Take one message; its answers wait at the peer when this returns, but those of calls."""
        with self.lock:
            if peer not in self._peers:
                return
            try:
                message = decode_from_client(raw)
            except InvalidMessage as error:
                peer.refuse(error, error.request_id)
                return
            self._act(peer, message)

    # ---- Messages

    def _act(self, peer: MemoryPeer, message: wire.ClientMessage) -> None:
        request_id: RequestId | None = getattr(message, "id", None)
        try:
            match message:
                case wire.Hello():
                    self._welcome(peer, message)
                case wire.Publish():
                    self._publish(peer, message)
                case wire.Subscribe():
                    self._subscribe(peer, message)
                case wire.Unsubscribe():
                    self._unsubscribe(peer, message)
                case wire.Call():
                    self._calls.call(peer, message)
                case wire.Cancel():
                    self._calls.cancel(peer, message.id)
                case wire.Reply() | wire.Error():
                    self._calls.answer(peer, message)
                case wire.Auth():
                    peer.tell(wire.Ack(id=message.id))
                case wire.Ping():
                    peer.tell(wire.Pong(ts=message.ts))
                case wire.Bye():
                    peer.end(message.code, message.reason)
                    self.leave(peer)
        except SwarmwireError as error:
            peer.refuse(error, request_id)

    def _welcome(self, peer: MemoryPeer, hello: wire.Hello) -> None:
        version = select_version(VERSIONS, hello.versions)
        if version is None:
            code = ErrorCode.UNSUPPORTED_VERSION
            peer.tell(wire.Error(code=code, message=f"This bus speaks {', '.join(VERSIONS)}.", versions=list(VERSIONS)))
            peer.end(CloseCode.UNSUPPORTED_VERSION, "No version in common.")
            self.leave(peer)
            return
        peer.instance = hello.client.instance
        all_of_it = Permissions(publish=["#"], subscribe=["#"], call=["#"], admin=True)
        peer.tell(
            wire.Welcome(
                version=version,
                client_id=peer.client_id,
                server=ServerInfo(
                    id=self.log.epoch, name=self.name, version=VERSION, pid=os.getpid(), ppid=os.getppid()
                ),
                cursor=self.log.cursor(self.log.head),
                heartbeat_ms=0,  # neither side can be cut off from the other
                limits=_LIMITS,
                identity=Identity(subject=peer.subject, permissions=all_of_it),
                durability="accepted",
                features=_FEATURES,
            )
        )

    def _publish(self, peer: MemoryPeer, message: Publish) -> None:
        _check(message)
        hidden_from = None if message.echo else peer.instance
        event = Event(
            topic=message.topic,
            ts=self.log.now_ms(),
            data=message.data,
            from_=peer.subject,
            headers=message.headers or None,
            clear=message.clear,
        )
        seq, duplicate = None, False
        if message.ephemeral:
            self._each(lambda each: each.ephemeral(event, hidden_from))
        else:
            key = None if message.key is None else (peer.instance or peer.subject, message.topic, message.key)
            seq = self.log.known(key)
            duplicate = seq is not None
            if seq is None:
                seq = self.log.append(event, key, hidden_from)
                self._each(MemoryPeer.fill)
        if message.id is not None:
            peer.tell(wire.Ack(id=message.id, seq=seq, duplicate=duplicate))

    def _each(self, what: Callable[[MemoryPeer], None]) -> None:
        for peer in tuple(self._peers):
            what(peer)

    def _subscribe(self, peer: MemoryPeer, message: wire.Subscribe) -> None:
        results = [self._read(peer, wanted) for wanted in message.subscriptions]
        refused = [result.error for result in results if result.error is not None]
        if refused and len(refused) == len(results):
            first = refused[0]
            peer.tell(wire.Error(id=message.id, code=first.code, message=first.message, results=results))
        else:
            peer.tell(wire.Ack(id=message.id, results=results))
        peer.fill()

    def _read(self, peer: MemoryPeer, wanted: wire.Subscription) -> SubscribeResult:
        sub = wanted.pattern if wanted.sub is None else wanted.sub
        most = _LIMITS["max_subscriptions"]
        try:
            if sub not in peer.readers and most is not None and len(peer.readers) >= most:
                raise SwarmwireError(ErrorCode.LIMIT_EXCEEDED, f"A client has at most {most} subscriptions.")
            reader = peer.readers[sub] = reader_for(self.log, wanted, peer.instance)
        except SwarmwireError as error:
            return SubscribeResult(sub=sub, error=wire.Error(code=error.code, message=error.message))
        return SubscribeResult(sub=sub, cursor=reader.cursor)

    def _unsubscribe(self, peer: MemoryPeer, message: wire.Unsubscribe) -> None:
        known = [peer.readers.pop(sub, None) for sub in message.subs]
        if not any(known):
            raise SwarmwireError(ErrorCode.NOT_FOUND, "There is no such subscription.", field="subs")
        peer.tell(wire.Ack(id=message.id))


def _check(message: Publish) -> None:
    check_topic(message.topic)
    if is_reserved(message.topic):
        raise SwarmwireError(ErrorCode.PERMISSION_DENIED, "You may not publish on this topic.", field="topic")
    check_data(message.data)
    _check_extras(message.key, message.headers or {})
    if message.ephemeral and (message.key is not None or message.clear):
        field = "clear" if message.key is None else "key"
        raise SwarmwireError(
            ErrorCode.INVALID_MESSAGE, f"Nothing of an ephemeral event is kept, so it has no {field}.", field=field
        )


def _check_extras(key: str | None, headers: dict[str, str]) -> None:
    """What every broker refuses, though it would do no harm here: a program is not to learn of it there."""
    if key == "":
        raise SwarmwireError(ErrorCode.INVALID_MESSAGE, "Expected a key of at least one byte.", field="key")
    _check_room("key", 0 if key is None else len(key.encode()), "max_key_bytes")
    _check_room("headers", len(headers), "max_headers")
    _check_room("headers", sum(len(k.encode()) + len(v.encode()) for k, v in headers.items()), "max_headers_bytes")


def _check_room(field: str, size: int, limit: str) -> None:
    most = _LIMITS[limit]
    if most is not None and size > most:
        sentence = f"Expected {field} within {limit} = {most}, got {size}."
        raise SwarmwireError(ErrorCode.INVALID_MESSAGE, sentence, field=field)
