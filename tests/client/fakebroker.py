"""A broker that does what a test tells it, message by message, on a real socket."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Self

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.typing import Subprotocol

from swarmwire import Client, Subscription, connect

Message = dict[str, Any]

PATIENCE = 5.0
"""Seconds after which a test has waited in vain."""

WELCOME: Message = {
    "type": "welcome",
    "version": "1",
    "client_id": "aaaaaaaaaaaa",
    "server": {"id": "b1", "name": "fake", "version": "0", "pid": 1, "ppid": 0},
    "cursor": "e1:0",
    "heartbeat_ms": 60_000,
    "limits": {"max_message_bytes": 1_000_000, "max_subscriptions": 100, "dedupe_ms": 60_000},
    "identity": {"subject": "anyone", "permissions": {"publish": ["#"], "subscribe": ["#"], "call": ["#"]}},
    "durability": "accepted",
    "features": [],
}


class Peer:
    """One connection of a client, seen from the broker."""

    def __init__(self, socket: ServerConnection) -> None:
        self._socket = socket
        self._came: asyncio.Queue[Message] = asyncio.Queue()
        self.gone = asyncio.Event()
        self.hello: Message = {}

    async def read(self) -> None:
        try:
            async for text in self._socket:
                await self._came.put(json.loads(text))
        except ConnectionClosed:
            pass
        finally:
            self.gone.set()

    async def expect(self, type: str) -> Message:
        """The next message, which must be of this type. Pings and pongs in between are passed over."""
        while True:
            message = await self.take_one()
            if message["type"] == type:
                return message
            assert message["type"] in ("ping", "pong"), f"expected {type}, got {message}"

    async def take_one(self) -> Message:
        """The next message, whatever it is."""
        async with asyncio.timeout(PATIENCE):
            return await self._came.get()

    def said(self) -> list[Message]:
        """What came and was not expected yet, but pings and pongs."""
        messages = []
        while not self._came.empty():
            messages.append(self._came.get_nowait())
        return [each for each in messages if each["type"] not in ("ping", "pong")]

    async def send(self, type: str, **fields: Any) -> None:
        """Send a message; a trailing underscore in a field's name is left out."""
        await self.write(json.dumps({"type": type, **{name.rstrip("_"): value for name, value in fields.items()}}))

    async def write(self, text: str) -> None:
        await self._socket.send(text)

    async def write_together(self, *texts: str) -> None:
        """Write messages so that they arrive as one piece."""
        frames = [Frame(Opcode.TEXT, text.encode()).serialize(mask=False) for text in texts]
        self._socket.transport.write(b"".join(frames))

    async def event(self, topic: str, seq: int | None, data: Any = None, **fields: Any) -> None:
        place = {} if seq is None else {"seq": seq}
        await self.send("event", topic=topic, ts=1_000, data=data, **place, **fields)

    async def welcome(self, **changes: Any) -> None:
        await self.write(json.dumps(WELCOME | changes))

    async def acknowledge_subscribe(self, cursor: str = "e1:0") -> list[Message]:
        """Expect a subscribe and accept all of it; returns its subscriptions."""
        message = await self.expect("subscribe")
        subscriptions: list[Message] = message["subscriptions"]
        await self.send("ack", id=message["id"], results=[{"sub": s["sub"], "cursor": cursor} for s in subscriptions])
        return subscriptions

    async def acknowledge_publish(self, seq: int) -> Message:
        message = await self.expect("publish")
        await self.send("ack", id=message["id"], seq=seq)
        return message

    async def caught_up(self, client: Client) -> None:
        """Wait until the client has taken everything that was sent before."""
        await until_ready(client)
        pinged = asyncio.ensure_future(client.ping())
        message = await self.expect("ping")
        await self.send("pong", ts=message["ts"])
        await pinged

    async def close(self, code: int, reason: str = "", **bye: Any) -> None:
        """Say bye, then close."""
        await self.send("bye", code=code, reason=reason, **bye)
        await self._socket.close(code, reason)

    async def close_without_bye(self, code: int) -> None:
        await self._socket.close(code)

    def deafen(self) -> None:
        """Read nothing more, not even a close."""
        self._socket.transport.pause_reading()

    def cut(self) -> None:
        """End the connection as a crash does."""
        self._socket.transport.abort()


async def until_ready(client: Client) -> None:
    """Wait until the client has taken its welcome."""
    ready = asyncio.Event()
    remove = client.listen("connected", lambda _: ready.set())
    async with asyncio.timeout(PATIENCE):
        if not client.is_ready:
            await ready.wait()
    remove()


async def subscribed(client: Client, peer: Peer, pattern: str, **options: Any) -> Subscription[Any]:
    """A subscription that the broker acknowledged at its log's beginning."""
    pending = asyncio.ensure_future(client.subscribe(pattern, **options).__aenter__())
    await peer.acknowledge_subscribe()
    return await pending


async def seqs(subscription: Subscription[Any], count: int) -> list[int | None]:
    """The places of the next events."""
    async with asyncio.timeout(PATIENCE):
        return [(await anext(subscription)).seq for _ in range(count)]


class FakeBroker:
    """Listens; each connection is a `Peer` for the test to play."""

    def __init__(self) -> None:
        self._peers: asyncio.Queue[Peer] = asyncio.Queue()
        self._server: Server
        self._clients: list[Client] = []
        self.subprotocols: list[str | None] = []

    async def __aenter__(self) -> Self:
        self._server = await serve(
            self._serve, "127.0.0.1", 0, subprotocols=[Subprotocol("swarmwire.v1")], ping_interval=None
        )
        self.port: int = next(iter(self._server.sockets)).getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        for client in self._clients:
            await client.disconnect()
        self._server.close()
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws"

    async def connect(self, **options: Any) -> Client:
        """A client of this broker, with no waits unless the test asks for them."""
        client = await connect(self.url, **{"base_delay": 0.0, "drain_timeout": 0.0, **options})
        self._clients.append(client)
        return client

    async def accept(self, **changes: Any) -> Peer:
        """The next connection, welcomed."""
        peer = await self.meet()
        await peer.welcome(**changes)
        return peer

    async def meet(self) -> Peer:
        """The next connection, its hello read."""
        async with asyncio.timeout(PATIENCE):
            peer = await self._peers.get()
        peer.hello = await peer.expect("hello")
        return peer

    async def connected(self, *, welcome: Message | None = None, **options: Any) -> tuple[Client, Peer]:
        """A connected client and its peer."""
        connecting = asyncio.ensure_future(self.connect(**options))
        peer = await self.accept(**(welcome or {}))
        return await connecting, peer

    @property
    def unmet(self) -> int:
        """Connections that came and were not met yet."""
        return self._peers.qsize()

    async def _serve(self, socket: ServerConnection) -> None:
        self.subprotocols.append(socket.subprotocol)
        peer = Peer(socket)
        self._peers.put_nowait(peer)
        await peer.read()
