"""What a socket may do before its upgrade: how much it may say, how long it may take, how many there may be."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from swarmwire_broker.core.settings import Limits, RateLimit, Rates
from swarmwire_broker.server import Server
from swarmwire_broker.testing import BrokerFactory
from swarmwire_broker.transports.handover import UpgradeProtocol, upgrade_protocol
from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from .wire import HELLO, Refused, Wire, eventually, request, text

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
LARGE = 1_000


def open_sockets(server: Server) -> set[Any]:
    assert server._uvicorn is not None
    return server._uvicorn.server_state.connections


def padded(head: bytes, size: int) -> bytes:
    """A head of so many bytes."""
    start = head + b"X-A: "
    return start + b"a" * (size - len(start) - 4) + b"\r\n\r\n"


async def status(wire: Wire) -> bytes:
    """Read one answer with its body; its status line."""
    head = await wire.reader.readuntil(b"\r\n\r\n")
    _, _, length = head.lower().partition(b"content-length: ")
    await wire.reader.readexactly(int(length.split()[0]))
    return head.splitlines()[0]


def test_a_protocol_is_made_for_its_limits_alone() -> None:
    assert upgrade_protocol(Limits(auth_timeout_ms=7)).limits.auth_timeout_ms == 7
    assert UpgradeProtocol.limits == Limits()


# ---- size


async def test_a_head_of_just_the_limit_is_read(broker_factory: BrokerFactory) -> None:
    server = await broker_factory(limits=Limits(max_hello_bytes=LARGE))
    async with await Wire.dial(server.port) as wire:
        for _ in range(3):
            await wire.send_raw(padded(HEALTH, LARGE))
            assert await status(wire) == b"HTTP/1.1 200 OK"


@pytest.mark.parametrize(
    "head",
    [
        HEALTH + b"X-A: " + b"a" * LARGE,
        HEALTH + b"X-A: b\r\n" * 200,
        b"GET /" + b"a" * LARGE,
        padded(HEALTH, LARGE + 1),
        b"\r\n" * LARGE,
    ],
    ids=["a header that does not end", "many headers", "a long path", "one byte over", "empty lines"],
)
async def test_a_head_over_the_limit_is_answered_431_and_closed(broker_factory: BrokerFactory, head: bytes) -> None:
    server = await broker_factory(limits=Limits(max_hello_bytes=LARGE))
    async with await Wire.dial(server.port) as wire:
        await wire.send_raw(head)
        answer = await wire.rest()
        assert answer.startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")
        assert b"Connection: close\r\n" in answer
        await eventually(lambda: not open_sockets(server))


async def test_a_head_that_comes_in_pieces_is_counted_as_one(broker_factory: BrokerFactory) -> None:
    server = await broker_factory(limits=Limits(max_hello_bytes=LARGE))
    async with await Wire.dial(server.port) as wire:
        await wire.send_split(HEALTH + b"X-A: " + b"a" * LARGE, range(0, LARGE, 50))
        assert (await wire.rest()).startswith(b"HTTP/1.1 431 ")


async def test_the_second_head_of_a_connection_has_the_same_limit(broker_factory: BrokerFactory) -> None:
    server = await broker_factory(limits=Limits(max_hello_bytes=LARGE))
    async with await Wire.dial(server.port) as wire:
        await wire.send_raw(HEALTH + b"\r\n")
        assert await status(wire) == b"HTTP/1.1 200 OK"
        await wire.send_raw(padded(HEALTH, LARGE + 1))
        assert (await wire.rest()).startswith(b"HTTP/1.1 431 ")


@pytest.mark.parametrize(
    "headers",
    [[(f"X-{number}", "a") for number in range(200)], [("X-A", "a" * 10_000)]],
    ids=["too many headers", "a header too long"],
)
async def test_an_upgrade_that_makes_no_handshake_is_closed(
    broker_factory: BrokerFactory, headers: list[tuple[str, str]]
) -> None:
    server = await broker_factory()
    async with await Wire.dial(server.port) as wire:
        await wire.send_raw(request(headers=headers) + text(HELLO))
        assert b" 101 " not in await wire.rest()
        await eventually(lambda: not open_sockets(server))


async def test_what_follows_an_upgrade_does_not_count_to_its_head(broker_factory: BrokerFactory) -> None:
    server = await broker_factory(limits=Limits(max_hello_bytes=LARGE))
    pings = b"".join(text({"type": "ping", "ts": number}) for number in range(200))
    async with await Wire.open(server.port, early=text(HELLO) + pings) as wire:
        await wire.expect("welcome")
        assert await wire.is_alive()


async def test_a_huge_body_is_not_kept(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    async with await Wire.dial(server.port) as wire:
        await wire.send_raw(HEALTH + b"Content-Length: 20000000\r\n\r\n")
        assert await status(wire) == b"HTTP/1.1 200 OK"
        (protocol,) = open_sockets(server)
        await wire.send_raw(bytes(20_000_000))
        await wire.send_raw(HEALTH + b"\r\n")
        cycle = protocol.cycle
        assert await status(wire) == b"HTTP/1.1 200 OK"
        assert len(cycle.body) < 1_000_000, "of twenty megabytes"


async def test_trailers_of_a_body_are_limited_like_a_head(broker_factory: BrokerFactory) -> None:
    server = await broker_factory(limits=Limits(max_hello_bytes=LARGE))
    async with await Wire.dial(server.port) as wire:
        await wire.send_raw(HEALTH + b"Transfer-Encoding: chunked\r\n\r\n0\r\n")
        assert await status(wire) == b"HTTP/1.1 200 OK"
        await wire.send_raw(b"X-A: " + b"a" * LARGE)
        assert (await wire.rest()).startswith(b"HTTP/1.1 431 ")


# ---- time


@pytest.mark.parametrize("head", [b"", b"GET /ws HT", HEALTH + b"X-A: a"])
async def test_a_head_that_is_not_finished_in_time_ends_the_connection(
    broker_factory: BrokerFactory, head: bytes
) -> None:
    server = await broker_factory(limits=Limits(auth_timeout_ms=50))
    async with await Wire.dial(server.port) as wire:
        await wire.send_raw(head)
        assert await wire.rest() == b""
        await eventually(lambda: not open_sockets(server))


@pytest.mark.parametrize("more", [b"GET", b"\r\n"], ids=["a head", "an empty line"])
async def test_on_a_kept_connection_the_time_runs_from_the_first_byte(
    broker_factory: BrokerFactory, more: bytes
) -> None:
    server = await broker_factory(limits=Limits(auth_timeout_ms=50))
    async with await Wire.dial(server.port) as wire:
        await wire.send_raw(HEALTH + b"\r\n")
        await status(wire)
        (protocol,) = open_sockets(server)
        assert protocol._timer is None, "between requests there is another"
        await wire.send_raw(more)
        assert await wire.rest() == b""


async def test_a_body_that_never_ends_does_not_keep_the_connection(broker_factory: BrokerFactory) -> None:
    server = await broker_factory(limits=Limits(auth_timeout_ms=50))
    async with await Wire.dial(server.port) as wire:
        await wire.send_raw(HEALTH + b"Content-Length: 100\r\n\r\n")
        await status(wire)
        await wire.send_raw(b"x")
        assert await wire.rest() == b""


async def test_a_connection_that_was_upgraded_has_no_timer_left(broker_factory: BrokerFactory) -> None:
    server = await broker_factory(limits=Limits(auth_timeout_ms=100))
    async with await Wire.welcomed(server.port) as wire, await Wire.dial(server.port) as other:
        assert await other.rest() == b"", "the time is over, begun later than the first one's"
        assert await wire.is_alive()


# ---- number


async def test_a_socket_more_than_may_be_open_is_closed_at_once(broker_factory: BrokerFactory) -> None:
    server = await broker_factory(limits=Limits(max_connections=1, max_unauthenticated=1))
    async with await Wire.welcomed(server.port) as wire, await Wire.dial(server.port) as silent:
        await eventually(lambda: len(open_sockets(server)) == 2)
        async with await Wire.dial(server.port) as third:
            assert await third.rest() == b""
        silent.reset()
        await eventually(lambda: len(open_sockets(server)) == 1)
        async with await Wire.dial(server.port) as next_one:
            await next_one.send_raw(HEALTH + b"\r\n")
            assert await status(next_one) == b"HTTP/1.1 200 OK"
        assert await wire.is_alive()


async def test_without_a_limit_of_connections_sockets_are_not_counted(broker_factory: BrokerFactory) -> None:
    server = await broker_factory(limits=Limits(max_connections=None, max_unauthenticated=0))
    async with await Wire.dial(server.port) as wire:
        await wire.send_raw(HEALTH + b"\r\n")
        assert await status(wire) == b"HTTP/1.1 200 OK"


# ---- who it is


async def refuse(*_: object) -> Any:
    raise SwarmwireError(ErrorCode.AUTHENTICATION_FAILED)


async def test_a_header_does_not_change_whose_failed_logins_count(broker_factory: BrokerFactory) -> None:
    rates = Rates(failed_logins=RateLimit(rate=0.001, burst=1))
    server = await broker_factory(authenticate=refuse, rates=rates)
    codes = []
    for number in range(2):
        async with await Wire.open(server.port, headers=[("X-Forwarded-For", f"203.0.113.{number}")]) as wire:
            await wire.send(**HELLO, token="wrong")
            codes.append((await wire.farewell())[0])
    assert codes == ["AUTHENTICATION_FAILED", "RATE_LIMIT_EXCEEDED"]


# ---- refusals


async def test_a_denied_handshake_is_no_error_of_the_server(
    broker_factory: BrokerFactory, caplog: pytest.LogCaptureFixture
) -> None:
    server = await broker_factory()
    with caplog.at_level(logging.INFO):
        with pytest.raises(Refused, match="403"):
            await Wire.open(server.port, headers=[("Origin", "https://evil.example")])
        assert server._uvicorn is not None
        tasks = server._uvicorn.server_state.tasks
        await eventually(lambda: not tasks and not open_sockets(server))
    assert [record.getMessage() for record in caplog.records if "403" in record.getMessage()]
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
