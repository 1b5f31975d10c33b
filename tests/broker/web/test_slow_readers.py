"""A stream whose client reads slowly, or not at all."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket

from swarmwire_broker.core.ports import Peer
from swarmwire_broker.core.session import Session, SessionState
from swarmwire_broker.core.settings import Limits
from swarmwire_broker.server import Server
from swarmwire_broker.web.exchange import Exchange
from swarmwire_protocol.messages import ClientInfo

from ..transports.wire import PATIENCE, eventually
from .browser import client, publish, serving

FILL = "x" * 20_000
MOST = 2_000
"""Events with `FILL` that no socket takes unread."""


HELLO = "GET /v1/hello HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


def ask(server: Server, query: str, *, window: int = 4096, before: str = "") -> socket.socket:
    """A stream that nobody reads yet, with a small window."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
    sock.connect(("127.0.0.1", server.port))
    sock.sendall(f"{before}GET /v1/events?{query} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
    sock.setblocking(False)
    return sock


async def stuck(server: Server, session: Session) -> int:
    """Publish until a session's socket takes no more; how many that were."""
    for number in range(MOST):
        await server.broker.publish(f"big.{number % 7}", [number, FILL])
        await asyncio.sleep(0)
        if session.outbox.is_behind or session.state is SessionState.CLOSING:
            return number + 1
    raise AssertionError("the socket took everything")


async def one_session(server: Server) -> Session:
    """The session that has just subscribed."""
    sessions = server.broker.hub.sessions
    await eventually(lambda: [session for session in sessions.values() if len(session.subscriptions)])
    return next(iter(sessions.values()))


async def test_a_slow_reader_misses_nothing_and_holds_nothing_up() -> None:
    limits = Limits(outbox_bytes=100_000, control_bytes=100_000)
    async with serving(limits=limits) as server, client(server) as http:
        sock = ask(server, "pattern=big.%23")
        session = await one_session(server)
        count = await stuck(server, session) + 50
        for number in range(count - 50, count):
            await server.broker.publish("big.0", [number, FILL])
        assert session.outbox.queued_bytes < 300_000
        assert await publish(http, "other", 1) == count + 1
        reader, writer = await asyncio.open_connection(sock=sock)
        numbers: list[int] = []
        async with asyncio.timeout(30):
            while len(numbers) < count:
                line = await reader.readline()
                if line.startswith(b"data: "):
                    numbers.append(json.loads(line[6:])["data"][0])
        assert numbers == list(range(count))
        writer.close()
        await eventually(lambda: not server.broker.hub.sessions)


async def test_a_reader_that_takes_nothing_for_two_heartbeats_is_cut() -> None:
    limits = Limits(heartbeat_ms=300, close_timeout_ms=100, outbox_bytes=100_000)
    async with serving(limits=limits) as server:
        with contextlib.closing(ask(server, "pattern=big.%23")):
            await stuck(server, await one_session(server))
            await eventually(lambda: not server.broker.hub.sessions)
            assert server.broker.stats.errors["HEARTBEAT_TIMEOUT"] == 1
            assert server._uvicorn is not None
            connections = server._uvicorn.server_state.connections
            await eventually(lambda: not connections)


async def test_the_time_to_take_an_answer_is_not_that_of_a_stream_behind_it_on_the_same_connection() -> None:
    limits = Limits(request_timeout_ms=200, outbox_bytes=100_000)
    async with serving(limits=limits) as server:
        with contextlib.closing(ask(server, "pattern=big.%23", before=HELLO)):
            session = await one_session(server)
            await stuck(server, session)
            await asyncio.sleep(0.5)
            assert session.state is SessionState.AUTHENTICATED


async def test_mode_disconnect_ends_a_stream_that_falls_behind() -> None:
    limits = Limits(outbox_bytes=100_000, close_timeout_ms=5_000)
    async with serving(limits=limits) as server:
        sock = ask(server, "pattern=big.%23&mode=disconnect")
        session = await one_session(server)
        await stuck(server, session)
        await eventually(lambda: session.state is SessionState.CLOSING)
        reader, writer = await asyncio.open_connection(sock=sock)
        async with asyncio.timeout(PATIENCE):
            last = [line async for line in reader][-8:]
        assert b"event: bye\n" in last
        assert b"SLOW_CONSUMER" in b"".join(last)
        assert last[-2:] == [b"0\r\n", b"\r\n"], "the answer is whole"
        writer.close()


class Socket(asyncio.Transport):
    """A transport that says how much waits in it."""

    waiting = 0

    def get_write_buffer_size(self) -> int:
        return self.waiting


async def test_a_reader_that_takes_a_little_now_and_then_is_alive_and_one_that_takes_nothing_is_not() -> None:
    async with serving() as server:
        transport = Socket()
        exchange = Exchange(server.broker.hub, Peer(transport="http"), transport)
        await exchange.login(ClientInfo(name="test"))
        exchange.is_stuck = True
        for transport.waiting in (90_000, 90_000, 89_000, 89_000, 88_000, 88_000):
            exchange.session.beat()
            assert exchange.session.state is SessionState.AUTHENTICATED
        exchange.session.beat()
        assert exchange.is_closed
        exchange.end()
