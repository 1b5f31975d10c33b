"""A server that speaks as much NATS as a test wants it to, and says what a real one says only when it is in need."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable
from typing import Any, Self

__all__ = ["FakeServer"]


class FakeServer:
    """Greets, answers pings, and keeps the lines it hears. Where `answers` returns bytes for a line, it says these.

    Attributes:
        heard: the lines of all clients together.
        clients: how many have come.
    """

    def __init__(
        self, answers: Callable[[bytes], bytes | None] = lambda line: None, *, window: int | None = None, **info: Any
    ) -> None:
        """`window` is how many bytes its kernel takes that it has not read yet, about."""
        self._answers = answers
        self._window = window
        self._info = {"server_id": "F", "version": "2.15.1", "max_payload": 1000, "headers": True, **info}
        self.greeting: bytes | None = None
        self.heard: list[bytes] = []
        self.clients = 0
        self._news = asyncio.Event()
        self._writers: list[asyncio.StreamWriter] = []
        self._serving: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        listener = socket.create_server(("127.0.0.1", 0))
        if self._window is not None:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._window)
        self._server = await asyncio.start_server(self._serve, sock=listener)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *error: object) -> None:
        self._server.close()
        self.cut()
        await asyncio.gather(*self._serving)
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    def info(self, **changes: Any) -> bytes:
        return b"INFO " + json.dumps({**self._info, **changes}).encode() + b" \r\n"

    def say(self, data: bytes) -> None:
        """To the client that came last."""
        self._writers[-1].write(data)

    def cut(self) -> None:
        """Close all connections."""
        for writer in self._writers:
            writer.transport.abort()

    def go_deaf(self) -> None:
        """Read nothing more of the client that came last."""
        self._writers[-1].transport.pause_reading()  # type: ignore[attr-defined]

    def mute(self) -> None:
        """Answer nothing any more."""
        self._answers = lambda line: b""

    def read_on(self) -> None:
        """Read again what the client that came first says."""
        self._writers[0].transport.resume_reading()  # type: ignore[attr-defined]

    async def hears(self, beginning: bytes, times: int = 1) -> bytes:
        """Wait for so many lines that begin so; returns the last of them."""
        async with asyncio.timeout(10):
            while len(lines := [line for line in self.heard if line.startswith(beginning)]) < times:
                self._news.clear()
                await self._news.wait()
        return lines[times - 1]

    async def is_left(self) -> None:
        """Wait until all clients have gone."""
        async with asyncio.timeout(10):
            await asyncio.gather(*self._serving)

    async def left(self, number: int) -> None:
        """Wait until the client that came as this one has gone."""
        async with asyncio.timeout(10):
            await self._serving[number]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving = asyncio.current_task()
        assert serving is not None
        self._serving.append(serving)
        self.clients += 1
        self._writers.append(writer)
        writer.write(self.info() if self.greeting is None else self.greeting)
        try:
            while line := await reader.readline():
                self._take(line.rstrip(b"\r\n"), writer)
        except (OSError, ValueError):
            pass
        writer.close()

    def _take(self, line: bytes, writer: asyncio.StreamWriter) -> None:
        self.heard.append(line)
        self._news.set()
        answer = self._answers(line)
        if answer is not None:
            writer.write(answer)
        elif line == b"PING":
            writer.write(b"PONG\r\n")
