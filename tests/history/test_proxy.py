"""The proxy does to a connection what it is told, and nothing else."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from .proxy import Proxy

PATIENCE = 20.0


class Ends:
    """Both ends of a connection through a proxy."""

    def __init__(
        self, proxy: Proxy, accepted: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]]
    ) -> None:
        self.proxy = proxy
        self._accepted = accepted

    async def connect(self) -> None:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.proxy.port)
        async with asyncio.timeout(PATIENCE):
            self.far_reader, self.far_writer = await self._accepted.get()

    async def up(self, data: bytes) -> bytes:
        """Send towards the target; returns as much of what arrives."""
        self.writer.write(data)
        async with asyncio.timeout(PATIENCE):
            return await self.far_reader.readexactly(len(data))

    async def down(self, data: bytes) -> bytes:
        self.far_writer.write(data)
        async with asyncio.timeout(PATIENCE):
            return await self.reader.readexactly(len(data))


@pytest_asyncio.fixture
async def ends() -> AsyncIterator[Ends]:
    accepted: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    writers: list[asyncio.StreamWriter] = []

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        accepted.put_nowait((reader, writer))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    async with Proxy(server.sockets[0].getsockname()[1], draw=random.Random(1), narrow=True) as proxy:
        ends = Ends(proxy, accepted)
        await ends.connect()
        yield ends
        for writer in (*writers, ends.writer):
            writer.transport.abort()
    server.close()


async def arrived(reader: asyncio.StreamReader) -> bytes:
    """All that comes until the connection ends."""
    received = b""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                chunk = await reader.read(4096)
            except ConnectionError:
                return received
            if not chunk:
                return received
            received += chunk


async def test_everything_passes_in_both_directions(ends: Ends) -> None:
    data = random.Random(2).randbytes(100_000)
    up, down = await asyncio.gather(ends.up(data), ends.down(data[::-1]))
    assert (up, down) == (data, data[::-1])


async def test_a_connection_is_cut_after_so_many_bytes(ends: Ends) -> None:
    ends.proxy.cut_after(1000)
    assert await ends.up(b"a" * 400) == b"a" * 400
    ends.far_writer.write(b"b" * 1000)
    assert await arrived(ends.reader) == b"b" * 600
    assert ends.proxy.cuts == 1


async def test_a_reset_ends_both_sides(ends: Ends) -> None:
    assert await ends.up(b"a") == b"a"
    ends.proxy.reset()
    assert await arrived(ends.reader) == await arrived(ends.far_reader) == b""


async def test_the_end_of_one_side_is_passed_on_behind_what_it_said(ends: Ends) -> None:
    ends.proxy.up.delay = 0.05
    ends.writer.write(b"last words")
    ends.writer.close()
    assert await arrived(ends.far_reader) == b"last words"


async def test_what_is_stalled_arrives_when_it_is_clear_again(ends: Ends) -> None:
    ends.proxy.down.stall()
    assert await ends.down(b"a") == b"a"  # the read that was under way
    ends.far_writer.write(b"b")
    assert await ends.up(b"c") == b"c"  # the other direction flows
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await ends.reader.readexactly(1)
    ends.proxy.down.clear()
    async with asyncio.timeout(PATIENCE):
        assert await ends.reader.readexactly(1) == b"b"


async def test_a_delay_holds_everything_back_and_keeps_the_order(ends: Ends) -> None:
    ends.proxy.up.delay, ends.proxy.up.jitter = 0.05, 0.05
    began = asyncio.get_running_loop().time()
    chunks = [bytes([number]) * 50 for number in range(20)]
    for chunk in chunks:
        ends.writer.write(chunk)
        await asyncio.sleep(0)
    async with asyncio.timeout(PATIENCE):
        assert await ends.far_reader.readexactly(1000) == b"".join(chunks)
    assert asyncio.get_running_loop().time() - began >= 0.05


async def test_a_rate_takes_its_time(ends: Ends) -> None:
    ends.proxy.down.rate = 100_000
    began = asyncio.get_running_loop().time()
    await ends.down(b"x" * 20_000)
    assert asyncio.get_running_loop().time() - began >= 0.15


async def test_without_a_target_a_connection_ends(ends: Ends) -> None:
    ends.proxy.targets = [1]
    reader, writer = await asyncio.open_connection("127.0.0.1", ends.proxy.port)
    assert await arrived(reader) == b""
    writer.close()


async def test_of_several_targets_each_connection_gets_one_that_listens(ends: Ends) -> None:
    (listening,) = ends.proxy.targets
    ends.proxy.targets = [1, listening, 2]
    for _ in range(10):
        ends.writer.close()
        await ends.writer.wait_closed()
        await ends.connect()
        assert await ends.up(b"hello") == b"hello"
