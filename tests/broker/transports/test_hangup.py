"""A client that is gone is told from one that only says nothing more."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from swarmwire_broker import Config, Server
from swarmwire_broker.core.methods import Asked, Method, Params
from swarmwire_broker.transports.hangup import is_hung_up

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the two apart")


@pytest.fixture
async def ends() -> AsyncIterator[tuple[asyncio.Transport, socket.socket]]:
    ours, theirs = socket.socketpair()
    transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=ours)
    with theirs:
        yield transport, theirs
    transport.close()


async def test_an_open_socket_is_not_hung_up(ends: tuple[asyncio.Transport, socket.socket]) -> None:
    assert not is_hung_up(ends[0])


async def test_who_has_closed_its_half_still_reads(ends: tuple[asyncio.Transport, socket.socket]) -> None:
    ends[1].shutdown(socket.SHUT_WR)
    assert not is_hung_up(ends[0])


async def test_who_has_closed_is_gone(ends: tuple[asyncio.Transport, socket.socket]) -> None:
    ends[1].close()
    assert is_hung_up(ends[0])


async def test_what_was_closed_here_is_not_looked_at(ends: tuple[asyncio.Transport, socket.socket]) -> None:
    ends[0].close()
    await asyncio.sleep(0.01)
    assert not is_hung_up(ends[0])


class Slow:
    """A method that answers when the test lets it."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.answer = asyncio.Event()
        self.cancelled = asyncio.Event()

    async def run(self, asked: Asked, params: Params) -> str:
        self.begun.set()
        try:
            await self.answer.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return "late"


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[tuple[Path, Slow]]:
    path, slow = tmp_path / "s", Slow()
    async with Server(Config(port=0, unix=str(path))) as server:
        server.broker.hub.calls.add(Method("test.slow", Params, slow.run))
        yield path, slow


async def asking(path: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection of lines that waits for the answer to a call."""
    reader, writer = await asyncio.open_unix_connection(path)
    for message in (
        {"type": "hello", "versions": ["1"], "client": {"name": "t"}},
        {"type": "call", "id": 1, "method": "test.slow"},
    ):
        writer.write(json.dumps(message).encode() + b"\n")
    assert json.loads(await reader.readline())["type"] == "welcome"
    return reader, writer


async def test_a_caller_that_is_gone_cancels_its_call_at_once(place: tuple[Path, Slow]) -> None:
    path, slow = place
    _, writer = await asking(path)
    await slow.begun.wait()
    writer.close()
    async with asyncio.timeout(2):  # far less than a heartbeat
        await slow.cancelled.wait()


async def test_a_caller_that_says_nothing_more_gets_its_answer(place: tuple[Path, Slow]) -> None:
    path, slow = place
    reader, writer = await asking(path)
    await slow.begun.wait()
    writer.write_eof()
    await asyncio.sleep(0.1)
    slow.answer.set()
    assert json.loads(await reader.readline()) == {"type": "reply", "id": 1, "data": "late"}
    writer.close()
