"""The WebSocket against a server that writes bytes as it likes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

import pytest
import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from swarmwire import ErrorCode, SwarmwireError
from swarmwire.carrier import MAX_RECEIVED_BYTES
from swarmwire.connection import Closed
from swarmwire.frames import FrameReader
from swarmwire.websocket import WebSocketConnection


class RawServer:
    """Shakes hands, then leaves every byte to the test."""

    def __init__(self) -> None:
        self.protocol = ServerProtocol(subprotocols=[Subprotocol("swarmwire.v1")])
        self.opened = asyncio.Event()
        self.behind = b""
        """Bytes that are written in one piece with the answer to the handshake."""
        self.port = 0
        self._frames: list[Frame] = []
        self.answer: bytes | None = None
        """What to answer instead."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.protocol.receive_data(await reader.readuntil(b"\r\n\r\n"))
        (request,) = self.protocol.events_received()
        assert isinstance(request, Request)
        self.protocol.send_response(self.protocol.accept(request))
        answer = b"".join(self.protocol.data_to_send()) if self.answer is None else self.answer
        writer.write(answer + self.behind)
        self.opened.set()

    async def take(self) -> Frame:
        """The next frame of the client."""
        while not self._frames:
            self.protocol.receive_data(await self.reader.read(65536))
            self._frames += [event for event in self.protocol.events_received() if isinstance(event, Frame)]
        return self._frames.pop(0)


def text(payload: bytes, *, fin: bool = True, opcode: Opcode = Opcode.TEXT) -> bytes:
    return Frame(opcode, payload, fin).serialize(mask=False)


@pytest_asyncio.fixture
async def server() -> AsyncIterator[RawServer]:
    raw = RawServer()
    listening = await asyncio.start_server(raw.serve, "127.0.0.1", 0)
    raw.port = listening.sockets[0].getsockname()[1]
    yield raw
    listening.close()
    if raw.opened.is_set():
        raw.writer.transport.abort()
    await listening.wait_closed()


async def opened(server: RawServer) -> WebSocketConnection:
    connection = WebSocketConnection(f"ws://127.0.0.1:{server.port}/ws")
    await connection.open()
    return connection


async def messages(connection: WebSocketConnection, count: int) -> list[bytes]:
    found: list[bytes] = []
    while len(found) < count:
        found += await connection.receive()
    return found


SIZES: Final = (0, 1, 125, 126, 65_535, 65_536, 300_000)


async def test_messages_of_every_kind_of_length_arrive_whole(server: RawServer) -> None:
    connection = await opened(server)
    sent = [bytes([65 + number]) * size for number, size in enumerate(SIZES)]
    server.writer.write(b"".join(map(text, sent)))

    assert await messages(connection, len(sent)) == sent
    connection.abort()


async def test_what_comes_in_one_piece_with_the_handshake_is_not_lost(server: RawServer) -> None:
    server.behind = text(b"one") + text(b"two")[:3]
    connection = await opened(server)
    server.writer.write(text(b"two")[3:])

    assert await messages(connection, 2) == [b"one", b"two"]
    connection.abort()


async def test_a_message_in_fragments_with_a_ping_between_is_one(server: RawServer) -> None:
    connection = await opened(server)
    server.writer.write(
        text(b"on", fin=False)
        + text(b"hello", opcode=Opcode.PING)
        + text(b"e ", fin=False, opcode=Opcode.CONT)
        + text(b"text", opcode=Opcode.CONT)
        + text(b"next")
    )

    assert await messages(connection, 2) == [b"one text", b"next"]
    pong = await server.take()
    assert (pong.opcode, bytes(pong.data)) == (Opcode.PONG, b"hello")
    connection.abort()


async def test_messages_sent_in_one_turn_leave_together_and_in_order(server: RawServer) -> None:
    connection = await opened(server)
    for number in range(3):
        connection.send(b"%d" % number)

    assert [bytes((await server.take()).data) for _ in range(3)] == [b"0", b"1", b"2"]
    connection.abort()


async def test_a_close_is_told_after_all_that_came_before(server: RawServer) -> None:
    connection = await opened(server)
    close = Frame(Opcode.CLOSE, (4401).to_bytes(2, "big") + b"Expired.").serialize(mask=False)
    server.writer.write(text(b"last") + close + text(b"too late"))

    assert await messages(connection, 1) == [b"last"]
    with pytest.raises(Closed) as raised:
        await connection.receive()
    assert (raised.value.code, raised.value.reason) == (4401, "Expired.")
    assert (await server.take()).opcode is Opcode.CLOSE
    connection.abort()


async def test_an_end_without_a_close_is_abnormal(server: RawServer) -> None:
    connection = await opened(server)
    server.writer.write(text(b"half")[:3])
    server.writer.close()

    with pytest.raises(Closed) as raised:
        await connection.receive()
    assert raised.value.code == 1006
    connection.send(b"nobody hears this")
    await connection.close(1000, "")


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (b"\x81\x81\x00\x00\x00\x00x", 1002),  # masked
        (b"\xf1\x00", 1002),  # reserved bits
        (text(b"x", opcode=Opcode.CONT), 1002),  # a continuation of nothing
        (text(b"a", fin=False) + text(b"b"), 1002),  # a new text inside another
        (b"\x81\x7f" + (MAX_RECEIVED_BYTES + 1).to_bytes(8, "big"), 1009),
    ],
)
async def test_what_breaks_the_protocol_closes(server: RawServer, frame: bytes, code: int) -> None:
    connection = await opened(server)
    server.writer.write(frame)

    with pytest.raises(Closed) as raised:
        await messages(connection, 2)
    assert raised.value.code == code
    connection.abort()


async def test_a_slow_peer_makes_the_connection_unwritable_until_it_reads(server: RawServer) -> None:
    connection = await opened(server)
    again = asyncio.Event()
    connection.on_writable = lambda: again.set() if connection.writable else None
    sent = 0
    while connection.writable:
        connection.send(b"x" * 100_000)
        sent += 1
        await asyncio.sleep(0)
    again.clear()
    for _ in range(sent):
        await server.take()
    await again.wait()

    assert connection.writable
    connection.abort()


@pytest.mark.parametrize(
    ("status", "code"), [(401, "AUTHENTICATION_FAILED"), (403, "AUTHENTICATION_FAILED"), (503, "UNAVAILABLE")]
)
async def test_a_refused_handshake_is_a_named_error(server: RawServer, status: int, code: str) -> None:
    server.answer = b"HTTP/1.1 %d No\r\nContent-Length: 4\r\n\r\nnope" % status
    with pytest.raises(SwarmwireError, match=str(status)) as raised:
        await opened(server)
    assert raised.value.code == code


@pytest.mark.parametrize("answer", [b"SSH-2.0-OpenSSH\r\n\r\n", b"x" * 100_000, b"HTTP/1.1 200 OK\r\n\r\n"])
async def test_a_server_of_another_kind_is_a_named_error(server: RawServer, answer: bytes) -> None:
    server.answer = answer
    with pytest.raises(SwarmwireError) as raised:
        await opened(server)
    assert raised.value.code is ErrorCode.UNAVAILABLE


async def test_a_server_that_hangs_up_is_a_named_error(server: RawServer) -> None:
    server.answer = b""
    opening = asyncio.ensure_future(opened(server))
    await server.opened.wait()
    server.writer.close()
    with pytest.raises(SwarmwireError, match="ended during its handshake"):
        await opening


@settings(max_examples=100, deadline=None)
@given(
    payloads=st.lists(st.binary(max_size=300), min_size=1, max_size=8),
    cuts=st.lists(st.integers(1, 400), max_size=30),
)
def test_messages_are_the_same_however_the_bytes_are_split(payloads: list[bytes], cuts: list[int]) -> None:
    reader = FrameReader(ClientProtocol(parse_uri("ws://127.0.0.1/"), state=State.OPEN), 1_000)
    stream, sizes = b"".join(map(text, payloads)), iter(cuts)
    found: list[bytes] = []
    position = 0
    while position < len(stream):
        size = next(sizes, len(stream))
        found += reader.read(stream[position : position + size])
        position += size
    assert found == payloads
