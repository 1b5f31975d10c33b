"""How a connection gets from uvicorn to its session, and what is left behind."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount, WebSocketRoute
from starlette.websockets import WebSocket

from swarmwire_broker.app import create_app
from swarmwire_broker.broker import Broker
from swarmwire_broker.core.hub import Hub
from swarmwire_broker.transports.fastpath import FastConnection
from swarmwire_broker.transports.handover import HandoverProtocol, UpgradeProtocol

from .houses import fast, serving
from .wire import CONT, HELLO, PING, PONG, Wire, close, eventually, frame, request, text

PUBLISH = {"type": "publish", "topic": "a.b", "data": 1, "id": 1}
WHOLE = text(HELLO) + text(PUBLISH)
TWICE = [("X-A", "1"), ("X-A", "2")]
"""Headers with which a server goes the long way."""

pytestmark = pytest.mark.asyncio(loop_factories=["uvloop"])

Seen = list[weakref.ref[Any]]


@asynccontextmanager
async def watched(seen: Seen, gate: asyncio.Event | None = None) -> AsyncIterator[tuple[int, uvicorn.Server, Hub]]:
    """A broker behind a middleware that remembers tasks and scopes, and waits for a gate before it lets anyone by."""
    broker = Broker()
    app = create_app(broker)

    class Scope(dict[str, Any]):
        """A dictionary that can be referred to weakly."""

    async def outer(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            scope = Scope(scope)
            seen.extend((weakref.ref(scope), weakref.ref(asyncio.current_task())))
            if gate is not None:
                await gate.wait()
        await app(scope, receive, send)

    async with serving(outer, http=UpgradeProtocol, ws=HandoverProtocol, ws_per_message_deflate=False) as (
        port,
        server,
    ):
        yield port, server, broker.hub


@pytest.mark.asyncio(loop_factories=["asyncio", "uvloop"])
async def test_after_the_handshake_task_and_scope_are_gone_and_the_session_lives() -> None:
    seen: Seen = []
    async with watched(seen) as (port, server, hub), await Wire.welcomed(port) as wire:
        await eventually(lambda: not server.server_state.tasks)
        (connection,) = server.server_state.connections
        assert isinstance(connection, FastConnection)
        gc.collect()
        assert len(seen) == 2
        assert [ref() for ref in seen] == [None, None]
        assert await wire.is_alive()
        wire.reset()
        await eventually(lambda: not hub.sessions and not server.server_state.connections)


@pytest.mark.parametrize("cut", [0, 1, 2, 5, 6, 50, len(text(HELLO)), len(text(HELLO)) + 3, len(WHOLE)])
@pytest.mark.parametrize("headers", [[], TWICE], ids=["the short way", "the long way"])
async def test_nothing_that_comes_in_one_segment_with_the_upgrade_is_lost(
    cut: int, headers: list[tuple[str, str]]
) -> None:
    async with fast() as house, await Wire.open(house.port, headers=headers, early=WHOLE[:cut]) as wire:
        await wire.send_raw(WHOLE[cut:])
        await wire.expect("welcome")
        assert await wire.expect("ack") == {"type": "ack", "id": 1, "seq": 1}
        assert await wire.is_alive()


async def test_a_fragmented_message_and_a_ping_may_begin_before_the_handshake_is_answered() -> None:
    async with fast() as house:
        early = (
            frame('{"type":"hello",', fin=False) + frame("early", PING) + frame('"versions":["1"],', CONT, fin=False)
        )
        async with await Wire.open(house.port, early=early) as wire:
            assert await wire.frame() == (PONG, b"early")
            await wire.send_raw(frame('"client":{"name":"x"}}', CONT))
            await wire.expect("welcome")


@pytest.mark.parametrize("headers", [[], TWICE], ids=["the short way", "the long way"])
async def test_a_whole_conversation_may_come_with_the_upgrade(headers: list[tuple[str, str]]) -> None:
    async with fast() as house, await Wire.open(house.port, headers=headers, early=WHOLE + close()) as wire:
        messages, code = await wire.ended(answers=False)
        assert [message["type"] for message in messages] == ["welcome", "ack"]
        assert code == 1000


@pytest.mark.parametrize("headers", [[], TWICE], ids=["the short way", "the long way"])
async def test_an_early_message_over_the_limit_is_refused_as_any_other(headers: list[tuple[str, str]]) -> None:
    early = frame("x" * 70_000)[:60_000]
    async with fast(close_timeout_ms=50) as house, await Wire.open(house.port, headers=headers, early=early) as wire:
        assert await wire.farewell() == ("MESSAGE_TOO_LARGE", 1009, 1009)


@pytest.mark.asyncio(loop_factories=["asyncio", "uvloop"])
async def test_a_client_that_floods_before_it_is_accepted_is_read_no_further() -> None:
    gate = asyncio.Event()
    seen: Seen = []
    async with watched(seen, gate) as (port, server, _), await Wire.dial(port) as wire:
        pings = [text({"type": "ping", "ts": number, "pad": "p" * 10_000}) for number in range(1_000)]
        wire.writer.write(request() + text(HELLO))
        flood = asyncio.create_task(wire.send_unhurried(b"".join(pings)))
        await eventually(lambda: seen)
        (waiting,) = server.server_state.connections
        assert isinstance(waiting, HandoverProtocol)
        await eventually(lambda: not waiting.transport.is_reading())
        assert len(waiting._early) < 1_000_000, "of ten megabytes"
        assert not flood.done()

        gate.set()
        await wire.upgraded()
        await wire.expect("welcome")
        assert [(await wire.expect("pong"))["ts"] for _ in pings] == list(range(1_000))
        await flood


@pytest.mark.parametrize("vanish", [Wire.reset, lambda wire: wire.writer.write_eof()])
async def test_a_client_that_vanishes_before_it_is_accepted_leaves_nothing(vanish: Any) -> None:
    gate = asyncio.Event()
    seen: Seen = []
    async with watched(seen, gate) as (port, server, hub), await Wire.dial(port) as wire:
        wire.writer.write(request())
        await eventually(lambda: seen)
        vanish(wire)
        await eventually(lambda: not server.server_state.connections)
        gate.set()
        await eventually(lambda: not server.server_state.tasks)
        assert not hub.sessions


async def test_a_client_that_compresses_is_served_by_plain_asgi() -> None:
    from websockets.asyncio.client import connect

    broker = Broker()
    async with serving(create_app(broker), ws=HandoverProtocol) as (port, server):
        async with connect(f"ws://127.0.0.1:{port}/ws", compression="deflate") as socket:
            assert socket.response is not None
            assert "permessage-deflate" in socket.response.headers["Sec-WebSocket-Extensions"]
            await socket.send('{"type":"hello","versions":["1"],"client":{"name":"x"}}')
            assert '"welcome"' in str(await socket.recv())
            assert len(server.server_state.tasks) == 1
        await eventually(lambda: not broker.hub.sessions)


async def test_other_websockets_of_the_same_server_keep_what_came_early() -> None:
    async def echo(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text("you said " + await websocket.receive_text())
        await websocket.close()

    broker = Broker()
    app = Starlette(routes=[WebSocketRoute("/echo", echo), Mount("/bus", create_app(broker))])
    async with serving(app, http=UpgradeProtocol, ws=HandoverProtocol) as (port, _):
        async with await Wire.open(port, "/echo", early=frame("hello")) as wire:
            assert await wire.frame() == (1, b"you said hello")
            await wire.ended()
        async with await Wire.open(port, "/bus/ws", early=text(HELLO)) as wire:
            await wire.expect("welcome")
        await broker.stop()
