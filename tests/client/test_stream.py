"""A stream of frames against a peer that writes bytes as it likes."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmwire import ErrorCode, SwarmwireError
from swarmwire.carrier import MAX_RECEIVED_BYTES
from swarmwire.connection import Closed
from swarmwire.stream import StreamConnection, StreamReader
from swarmwire.unixsocket import open_socket
from swarmwire_protocol.framing import PREFACE, StreamDecoder, encode_frame

_NOBODY = 65_534


class RawPeer:
    """Accepts one connection on a Unix socket, then leaves every byte to the test."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.decoder = StreamDecoder(10_000_000)
        self.opened = asyncio.Event()
        self._messages: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.opened.set()

    async def take(self) -> bytes:
        """The next message of the client."""
        while not self._messages:
            data = await self.reader.read(65536)
            assert data, "the client hung up"
            self._messages += self.decoder.feed(data)
        return self._messages.pop(0)


@pytest_asyncio.fixture
async def peer(tmp_path: Path) -> AsyncIterator[RawPeer]:
    raw = RawPeer(tmp_path / "s")
    listening = await asyncio.start_unix_server(raw.serve, raw.path)
    yield raw
    listening.close()
    if raw.opened.is_set():
        raw.writer.transport.abort()
    await listening.wait_closed()


async def opened(peer: RawPeer) -> StreamConnection:
    connection = StreamConnection(partial(open_socket, str(peer.path)))
    await connection.open()
    await peer.opened.wait()
    return connection


async def messages(connection: StreamConnection, count: int) -> list[bytes]:
    found: list[bytes] = []
    while len(found) < count:
        found += await connection.receive()
    return found


async def test_frames_of_every_size_arrive_whole(peer: RawPeer) -> None:
    connection = await opened(peer)
    sent = [bytes([65 + number]) * size for number, size in enumerate((1, 3, 4, 255, 65_536, 300_000))]
    peer.writer.write(PREFACE + b"".join(map(encode_frame, sent)))

    assert await messages(connection, len(sent)) == sent
    connection.abort()


async def test_the_preface_goes_out_once_before_the_first_message(peer: RawPeer) -> None:
    connection = await opened(peer)
    for number in range(3):
        connection.send(b"%d" % number)
    assert [await peer.take() for _ in range(3)] == [b"0", b"1", b"2"]
    connection.send(b"3")
    assert await peer.take() == b"3"
    connection.abort()


async def test_a_refusal_in_a_line_instead_of_the_preface_is_a_message(peer: RawPeer) -> None:
    connection = await opened(peer)
    peer.writer.write(b'{"type":"error",')
    await peer.writer.drain()
    peer.writer.write(b'"code":"PERMISSION_DENIED","message":"No."}\n')
    peer.writer.close()

    assert await messages(connection, 1) == [b'{"type":"error","code":"PERMISSION_DENIED","message":"No."}']
    with pytest.raises(Closed) as raised:
        await connection.receive()
    assert raised.value.code == 1006


@pytest.mark.parametrize(
    ("data", "code", "sentence"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", 1002, "does not begin"),
        (b"SWARM/2\n" + b"\0" * 4, 1002, "does not begin"),
        (PREFACE + encode_frame(b"good") + b"\0\0\0\0", 1002, "at least one byte"),
        (PREFACE + encode_frame(b"good") + (MAX_RECEIVED_BYTES + 1).to_bytes(4, "big"), 1009, "at most"),
    ],
)
async def test_what_breaks_the_framing_ends_the_connection(
    peer: RawPeer, data: bytes, code: int, sentence: str
) -> None:
    connection = await opened(peer)
    peer.writer.write(data)

    with pytest.raises(Closed, match=sentence) as raised:
        await messages(connection, 2)
    assert raised.value.code == code
    assert await peer.reader.read() == b""


async def test_an_end_inside_a_frame_is_abnormal(peer: RawPeer) -> None:
    connection = await opened(peer)
    peer.writer.write(PREFACE + encode_frame(b"half")[:6])
    peer.writer.close()

    with pytest.raises(Closed) as raised:
        await connection.receive()
    assert raised.value.code == 1006
    connection.send(b"nobody hears this")
    await connection.close(1000, "")


async def test_closing_sends_what_is_left_and_then_ends(peer: RawPeer) -> None:
    connection = await opened(peer)
    connection.send(b"last words")
    closing = asyncio.ensure_future(connection.close(1000, "Done."))

    assert await peer.take() == b"last words"
    assert await peer.reader.read() == b""
    await closing
    await connection.close(1000, "Done.")


async def test_closing_towards_a_peer_that_does_not_read_is_bounded(
    peer: RawPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("swarmwire.carrier.CLOSE_TIMEOUT", 0.02)
    connection = await opened(peer)
    peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
    connection.send(b"x" * 10_000_000)
    async with asyncio.timeout(1.0):
        await connection.close(1000, "")


async def test_a_slow_peer_makes_the_connection_unwritable_until_it_reads(peer: RawPeer) -> None:
    connection = await opened(peer)
    again = asyncio.Event()
    connection.on_writable = lambda: again.set() if connection.writable else None
    sent = 0
    while connection.writable:
        connection.send(b"x" * 100_000)
        sent += 1
        await asyncio.sleep(0)
    again.clear()
    for _ in range(sent):
        await peer.take()
    await again.wait()
    connection.abort()


async def test_a_full_queue_of_connections_is_waited_for(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(path)
        listener.listen(0)
        listener.setblocking(False)
        first = await open_socket(path, asyncio.Protocol)
        waiting = asyncio.ensure_future(open_socket(path, asyncio.Protocol))
        for _ in range(5):
            await asyncio.sleep(0)
        assert not waiting.done()
        listener.accept()[0].close()
        second = await waiting
        first.close()
        second.close()


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("missing", "there is no such file"), ("dead", "has ended"), ("file", "has ended"), ("n" * 200, "at most 107")],
)
async def test_a_path_where_nobody_listens_is_a_named_error(tmp_path: Path, name: str, sentence: str) -> None:
    (tmp_path / "file").touch()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
        dead.bind(str(tmp_path / "dead"))
    with pytest.raises(SwarmwireError, match=sentence) as raised:
        await open_socket(str(tmp_path / name), asyncio.Protocol)
    assert raised.value.code is ErrorCode.UNAVAILABLE


async def test_a_socket_of_somebody_else_is_a_named_error(peer: RawPeer) -> None:
    peer.path.chmod(0)
    user = os.geteuid()
    if user == 0:
        os.seteuid(_NOBODY)  # root may connect everywhere
    try:
        with pytest.raises(SwarmwireError, match="may not connect"):
            await open_socket(str(peer.path), asyncio.Protocol)
    finally:
        os.seteuid(user)


@settings(max_examples=100, deadline=None)
@given(
    payloads=st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=8),
    cuts=st.lists(st.integers(1, 400), max_size=30),
)
def test_messages_are_the_same_however_the_bytes_are_split(payloads: list[bytes], cuts: list[int]) -> None:
    reader, found = StreamReader(1_000), list[bytes]()
    stream, sizes = PREFACE + b"".join(map(encode_frame, payloads)), iter(cuts)
    position = 0
    while position < len(stream):
        size = next(sizes, len(stream))
        reader.read(stream[position : position + size], found)
        position += size
    assert found == payloads
