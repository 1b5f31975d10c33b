"""What a request may take: bytes, time, connections, messages; and what becomes of a client that takes more."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator

import httpx
import pytest

from swarmwire_broker.core.settings import Limits, RateLimit, Rates
from swarmwire_broker.server import Server

from ..transports.wire import PATIENCE, Wire, eventually
from .browser import JSON, LOGIN, client, follow, publish, serving, token

HEAD = "POST /v1/publish HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"


def body_of(size: int) -> bytes:
    """A publish of so many bytes."""
    frame = b'{"topic":"a","data":"%b"}'
    return frame % (b"x" * (size - len(frame) + 2))


async def pieces(body: bytes, size: int = 1000) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


class Raw:
    """A connection that says byte for byte what it is told to."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def status(self) -> int:
        """The status of the next answer, whose body is passed over."""
        async with asyncio.timeout(PATIENCE):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
            length = next(int(line[16:]) for line in head.split("\r\n") if line.startswith("content-length: "))
            await self.reader.readexactly(length)
        return int(head.split(" ")[1])


@contextlib.asynccontextmanager
async def raw(server: Server, text: str) -> AsyncIterator[Raw]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(text.encode())
    try:
        yield Raw(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


# ---- bytes


@pytest.mark.parametrize("chunked", [False, True])
async def test_exactly_the_limit_passes_and_a_byte_more_does_not(chunked: bool) -> None:
    async with serving(limits=Limits(max_message_bytes=5_000)) as server, client(server) as http:
        for size, status in ((5_000, 200), (5_001, 413), (100_000, 413)):
            content = pieces(body_of(size)) if chunked else body_of(size)
            answer = await http.post("/v1/publish", content=content, headers=JSON)
            assert answer.status_code == status
        assert answer.json()["error"]["code"] == "MESSAGE_TOO_LARGE"
        assert server.broker.stats.publishes == 1


async def test_a_length_over_the_limit_is_refused_before_a_byte_of_it_has_come() -> None:
    async with serving() as server, raw(server, HEAD + "Content-Length: 99999999999\r\n\r\n") as wire:
        assert await wire.status() == 413
        await eventually(lambda: not server.broker.hub.sessions)


async def test_a_body_that_never_ends_is_refused_at_the_limit() -> None:
    head = HEAD + "Transfer-Encoding: chunked\r\n\r\n"
    async with serving(limits=Limits(max_message_bytes=10_000)) as server, raw(server, head) as wire:
        for _ in range(20):
            wire.writer.write(b"400\r\n" + b"x" * 1024 + b"\r\n")
        assert await wire.status() == 413
        await eventually(lambda: not server.broker.hub.sessions)


async def test_a_body_that_expects_to_be_asked_for_is_asked_for_after_the_login() -> None:
    body = body_of(100).decode()
    login = f"Authorization: {token()['Authorization']}\r\n"
    rest = f"Expect: 100-continue\r\nContent-Length: {len(body)}\r\n\r\n"
    async with serving(auth=LOGIN) as server:
        async with raw(server, HEAD + rest) as wire:
            assert await wire.status() == 401
        async with raw(server, HEAD + login + rest) as wire:
            async with asyncio.timeout(PATIENCE):
                assert await wire.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            wire.writer.write(body.encode())
            assert await wire.status() == 200


# ---- time


async def test_a_body_that_is_never_finished_is_given_up() -> None:
    head = HEAD + "Content-Length: 100\r\n\r\n{"
    async with serving(limits=Limits(request_timeout_ms=200)) as server, raw(server, head) as wire:
        await eventually(lambda: server.broker.hub.sessions)
        assert await wire.status() == 408
        assert not server.broker.hub.sessions


async def test_a_client_that_goes_away_amid_its_body_leaves_nothing() -> None:
    async with serving() as server:
        async with raw(server, HEAD + "Content-Length: 100\r\n\r\n{"):
            await eventually(lambda: server.broker.hub.sessions)
        await eventually(lambda: not server.broker.hub.sessions)
        assert server.broker.stats.publishes == 0


async def test_a_body_that_is_never_finished_does_not_hold_up_a_stop() -> None:
    async with serving() as server, raw(server, HEAD + "Content-Length: 100\r\n\r\n{") as wire:
        await eventually(lambda: server.broker.hub.sessions)
        async with asyncio.timeout(PATIENCE):
            stopping = asyncio.create_task(server.stop())
            assert await wire.status() == 503
            await stopping


async def test_a_session_that_waits_for_a_body_is_not_timed_out_by_its_heartbeat() -> None:
    async with serving(limits=Limits(heartbeat_ms=50)) as server:
        body = body_of(60)
        async with raw(server, HEAD + f"Content-Length: {len(body)}\r\n\r\n") as wire:
            await eventually(lambda: server.broker.hub.sessions)
            for _ in range(4):
                for session in list(server.broker.hub.sessions.values()):
                    session.beat()
            wire.writer.write(body)
            assert await wire.status() == 200


@pytest.mark.parametrize("count", [1, 10])
async def test_an_answer_that_nobody_reads_is_cut(count: int) -> None:
    async with serving(limits=Limits(request_timeout_ms=300)) as server, client(server) as http:
        await publish(http, "a", "x" * 9_000_000)  # more than the buffers of a socket hold
        await http.aclose()
        assert server._uvicorn is not None
        connections = server._uvicorn.server_state.connections
        await eventually(lambda: not connections)
        with contextlib.closing(socket.socket()) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.connect(("127.0.0.1", server.port))
            sock.sendall(b"GET /v1/history?pattern=a HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * count)
            await eventually(lambda: connections)
            await eventually(lambda: not connections)
            assert not server.broker.hub.sessions


# ---- connections


async def test_requests_count_as_connections() -> None:
    async with serving(limits=Limits(max_connections=2)) as server, client(server) as http:
        async with follow(http, "a"), await Wire.welcomed(server.port):
            answer = await http.get("/v1/hello")
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "LIMIT_EXCEEDED")
            assert answer.headers["retry-after"] == "1"
        await eventually(lambda: not server.broker.hub.sessions)
        assert (await http.get("/v1/hello")).status_code == 200


async def test_requests_without_a_finished_login_have_a_limit_of_their_own() -> None:
    limits = Limits(max_unauthenticated=1)
    async with serving(limits=limits) as server, client(server) as http, await Wire.open(server.port):
        await eventually(lambda: server.broker.hub.sessions)
        answer = await http.get("/v1/hello")
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "LIMIT_EXCEEDED")


async def test_logins_that_keep_failing_are_held_off() -> None:
    rates = Rates(failed_logins=RateLimit(rate=0.01, burst=2))
    async with serving(auth=LOGIN, rates=rates) as server, client(server) as http:
        answers = [await http.get("/v1/hello") for _ in range(3)]
        assert [answer.status_code for answer in answers] == [401, 401, 429]
        assert int(answers[-1].headers["retry-after"]) > 1
        assert (await http.get("/v1/hello", headers=token())).status_code == 429


# ---- messages


async def statuses(http: httpx.AsyncClient, count: int, **headers: str) -> list[int]:
    body = {"topic": "a", "data": 1}
    return [(await http.post("/v1/publish", json=body, headers=headers)).status_code for _ in range(count)]


THREE = RateLimit(rate=0.001, burst=3)


@pytest.mark.parametrize("rates", [Rates(client_messages=THREE), Rates(subject_messages=THREE)])
async def test_many_requests_of_one_subject_do_not_escape_its_rates(rates: Rates) -> None:
    async with serving(auth=LOGIN, rates=rates) as server, client(server) as http:
        assert await statuses(http, 5, **token("alice")) == [200, 200, 200, 429, 429]
        assert await statuses(http, 1, **token("bob")) == [200], "and hold up nobody else"


@pytest.mark.parametrize("rates", [Rates(client_messages=THREE), Rates(subject_messages=THREE)])
async def test_without_a_login_the_requests_of_one_address_do_not_either(rates: Rates) -> None:
    async with serving(rates=rates) as server, client(server) as http:
        assert await statuses(http, 3) == [200, 200, 200]
        for name in ("one", "another"):
            assert await statuses(http, 1, **{"X-Swarmwire-Instance": name}) == [429]
        answer = await http.post("/v1/publish", json={"topic": "a", "data": 1})
        assert answer.json()["error"]["retry_after_ms"] > 1_000


async def test_bytes_count_over_requests_too() -> None:
    rates = Rates(client_bytes=RateLimit(rate=1, burst=10_000))
    async with serving(rates=rates) as server, client(server) as http:
        found = []
        for _ in range(3):
            answer = await http.post("/v1/publish", content=body_of(4_500), headers=JSON)
            found.append(answer.status_code)
        assert found == [200, 200, 429]


async def test_streams_cannot_be_opened_without_end() -> None:
    rates = Rates(client_messages=RateLimit(rate=0.001, burst=2))
    async with serving(rates=rates) as server, client(server) as http:
        for _ in range(2):
            async with follow(http, "a") as stream:
                await stream.next()
        answer = await http.get("/v1/events?pattern=a")
        assert (answer.status_code, answer.json()["error"]["code"]) == (429, "RATE_LIMIT_EXCEEDED")


async def test_a_limit_of_a_topic_holds_for_every_way_of_publishing() -> None:
    rates = Rates(topics={"a.#": RateLimit(rate=0.001, burst=2)})
    async with serving(rates=rates) as server, client(server) as http:
        items = [{"topic": "a", "data": 1}] * 3
        results = (await http.post("/v1/publish", content=json.dumps(items), headers=JSON)).json()["results"]
        assert [result.get("seq") for result in results] == [1, 2, None]
        assert await statuses(http, 1) == [429]
