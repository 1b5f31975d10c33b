"""The short way to a session, and that it answers as the long one does."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from swarmwire_broker.app import create_app
from swarmwire_broker.broker import Broker
from swarmwire_broker.config import Config
from swarmwire_broker.core.settings import Limits
from swarmwire_broker.server import Server
from swarmwire_broker.testing import BrokerFactory
from swarmwire_broker.transports.fastpath import FastConnection
from swarmwire_broker.transports.handover import HandoverProtocol, UpgradeProtocol, upgrade_protocol

from .houses import serving
from .wire import HELLO, Wire, eventually, request, text

TWICE = [("X-A", "1"), ("X-A", "2")]
"""Headers with which a request goes the long way, and gets the same answer."""

pytestmark = pytest.mark.asyncio(loop_factories=["uvloop"])


@pytest.fixture
def long_ways(monkeypatch: pytest.MonkeyPatch) -> list[UpgradeProtocol]:
    """The connections that went the long way."""
    seen: list[UpgradeProtocol] = []
    take = UpgradeProtocol.take

    def watch(protocol: UpgradeProtocol, transport: asyncio.Transport, timer: asyncio.TimerHandle | None) -> None:
        seen.append(protocol)
        take(protocol, transport, timer)

    monkeypatch.setattr(UpgradeProtocol, "take", watch)
    return seen


def sockets(server: Server) -> set[Any]:
    assert server._uvicorn is not None
    return server._uvicorn.server_state.connections


@pytest.mark.asyncio(loop_factories=["asyncio", "uvloop"])
async def test_an_ordinary_request_takes_the_short_way(
    broker_factory: BrokerFactory, long_ways: list[UpgradeProtocol]
) -> None:
    server = await broker_factory()
    async with await Wire.welcomed(server.port) as wire:
        (connection,) = sockets(server)
        assert isinstance(connection, FastConnection)
        assert await wire.is_alive()
        wire.reset()
        await eventually(lambda: not sockets(server) and not server.broker.hub.sessions)
    assert long_ways == []


@pytest.mark.asyncio(loop_factories=["asyncio", "uvloop"])
@pytest.mark.parametrize("cut", [1, 20, len(request()) - 1])
async def test_a_head_that_comes_in_pieces_takes_the_long_way(
    broker_factory: BrokerFactory, long_ways: list[UpgradeProtocol], cut: int
) -> None:
    server = await broker_factory()
    async with await Wire.dial(server.port) as wire:
        await wire.send_raw(request()[:cut])
        await eventually(lambda: long_ways)
        await wire.send_raw(request()[cut:] + text(HELLO))
        await wire.upgraded()
        await wire.expect("welcome")
        (connection,) = sockets(server)
        assert isinstance(connection, FastConnection)


async def test_the_long_way_has_no_more_time_than_was_left(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    async with await Wire.dial(server.port) as wire:
        await eventually(lambda: sockets(server))
        (before,) = sockets(server)
        timer = before._timer
        await wire.send_raw(b"GET /ws HTTP/1.1\r\n")
        await eventually(lambda: before not in sockets(server))
        (after,) = sockets(server)
        assert isinstance(after, UpgradeProtocol)
        assert timer is not None
        assert after._timer is timer


async def test_a_silent_socket_is_closed_in_time_and_at_the_end(broker_factory: BrokerFactory) -> None:
    server = await broker_factory(limits=Limits(auth_timeout_ms=20))
    async with await Wire.dial(server.port) as wire:
        assert await wire.rest() == b""
        await eventually(lambda: not sockets(server))
    patient = await broker_factory()
    async with await Wire.dial(patient.port) as wire:
        await eventually(lambda: sockets(patient))
        await patient.stop()
        assert await wire.rest() == b""


async def test_a_token_of_the_request_is_the_clients(long_ways: list[UpgradeProtocol]) -> None:
    async def authenticate(token: str | None, metadata: dict[str, Any]) -> Any:
        seen.append(token)

    seen: list[str | None] = []
    async with Server(Config(port=0), authenticate=authenticate) as server:
        for headers in ([("Authorization", "Bearer sesame")], [("Authorization", "Bearer sesame"), *TWICE]):
            async with await Wire.open(server.port, headers=headers) as wire:
                await wire.send(**HELLO)
                assert (await wire.farewell())[0] == "AUTHENTICATION_FAILED"
    assert seen == ["sesame", "sesame"]
    assert len(long_ways) == 1


async def test_both_ways_know_where_a_client_is() -> None:
    async with Server(Config(port=0)) as server:
        for headers in ([], TWICE):
            async with await Wire.open(server.port, headers=headers) as wire:
                (session,) = server.broker.hub.sessions.values()
                host, port = wire.writer.get_extra_info("sockname")
                assert session.peer.address == f"{host}:{port}"
                assert session.peer.transport == "websocket"
            await eventually(lambda: not server.broker.hub.sessions)


async def test_both_ways_tell_of_a_connection_in_the_same_words(
    broker_factory: BrokerFactory, caplog: pytest.LogCaptureFixture
) -> None:
    server = await broker_factory()
    with caplog.at_level("INFO", logger="uvicorn.error"):
        for headers in ([], TWICE):
            async with await Wire.open(server.port, headers=headers):
                pass
    said = [re.sub(r":\d+ ", ":0 ", message) for message in caplog.messages if "accepted" in message]
    assert said == ['127.0.0.1:0 - "WebSocket /ws" [accepted]'] * 2


# ---- The same answers

ODD = {
    "ordinary": request(),
    "a subprotocol": request(headers=[("Sec-WebSocket-Protocol", "other, swarmwire.v1")]),
    "a foreign subprotocol": request(headers=[("Sec-WebSocket-Protocol", "other")]),
    "compression": request(headers=[("Sec-WebSocket-Extensions", "permessage-deflate")]),
    "a page of this machine": request(headers=[("Origin", "http://localhost:3000")]),
    "a foreign page": request(headers=[("Origin", "https://evil.example")]),
    "two pages": request(headers=[("Origin", "http://localhost"), ("Origin", "http://localhost")]),
    "a foreign host": request(host="evil.example"),
    "no host": request(host=None),
    "a host that is none": request(host="[::1"),
    "an empty host": request(host=""),
    "two hosts": request(headers=[("Host", "localhost")]),
    "a query": request("/ws?token=a"),
    "another path": request("/other"),
    "a path written otherwise": request("/%77s"),
    "another version": request().replace(b"Version: 13", b"Version: 12"),
    "no key": re.sub(rb"Sec-WebSocket-Key: \S+\r\n", b"", request()),
    "a key too short": re.sub(rb"Key: \S+", b"Key: AAAA", request()),
    "a key written otherwise": request().replace(b"Sec-WebSocket-Key", b"SEC-WEBSOCKET-KEY"),
    "a bad subprotocol": request(headers=[("Sec-WebSocket-Protocol", "a b")]),
    "a header twice": request(headers=TWICE),
    "no upgrade": request().replace(b"Upgrade: websocket", b"X-A: b"),
    "another upgrade": request().replace(b"Upgrade: websocket", b"Upgrade: h2c"),
    "no connection": request().replace(b"Connection: Upgrade", b"Connection: close"),
    "posted": request().replace(b"GET", b"POST"),
    "an old protocol": request().replace(b"HTTP/1.1", b"HTTP/1.0"),
    "no HTTP": b"hello\r\n\r\n",
    "health": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    "metrics of a foreign host": b"GET /metrics HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
}


@asynccontextmanager
async def _long_way() -> AsyncIterator[int]:
    """The same broker without a shortcut."""
    broker = Broker(Config())
    options: dict[str, Any] = {"proxy_headers": False, "ws_per_message_deflate": False, "ws_ping_interval": None}
    http = upgrade_protocol(broker.config.limits)
    async with serving(create_app(broker), http=http, ws=HandoverProtocol, **options) as (port, _):
        yield port
        await broker.stop()


async def _answer(port: int, data: bytes) -> bytes:
    """The answer up to the end of its head, or of the connection, without its date."""
    async with await Wire.dial(port) as wire:
        wire.writer.write(data)
        async with asyncio.timeout(10):
            try:
                head = await wire.reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError as end:
                head = end.partial
    return re.sub(rb"(?i)date: [^\r]+", b"date: now", head)


async def test_a_server_with_the_short_way_answers_as_one_without() -> None:
    async with Server(Config(port=0)) as server, _long_way() as port:
        short = {name: await _answer(server.port, data) for name, data in ODD.items()}
        assert short == {name: await _answer(port, data) for name, data in ODD.items()}
    assert short["ordinary"].startswith(b"HTTP/1.1 101 ")
    assert short["a foreign page"].startswith(b"HTTP/1.1 403 ")


async def test_a_path_with_parameters_has_no_short_way(long_ways: list[UpgradeProtocol]) -> None:
    config = Config(port=0, path="/at/{place}")
    async with Server(config) as server, await Wire.open(server.port, "/at/home") as wire:
        await wire.send(**HELLO)
        await wire.expect("welcome")
    assert long_ways == []
