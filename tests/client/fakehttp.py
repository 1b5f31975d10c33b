"""A broker's side of HTTP that answers what a test tells it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from ssl import SSLContext
from typing import Any, NamedTuple, Self

from .fakebroker import WELCOME

__all__ = ["FakeHttp", "Request", "answer", "events"]


class Request(NamedTuple):
    """What was asked."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    writer: asyncio.StreamWriter


Handler = Callable[[Request], Awaitable[None]]


class FakeHttp:
    """Listens; a handler for each path, told the request and given the way to answer. One request a connection."""

    def __init__(self, ssl: SSLContext | None = None) -> None:
        self._ssl = ssl
        self.asked: list[Request] = []
        self.handlers: dict[str, Handler] = {
            "/healthz": lambda request: answer(request, {}),
            "/v1/hello": lambda request: answer(request, WELCOME),
        }
        self._writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._ssl)
        scheme = "http" if self._ssl is None else "https"
        self.url = f"{scheme}://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        await self._server.wait_closed()

    def paths(self) -> list[str]:
        return [request.path.partition("?")[0] for request in self.asked]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        except asyncio.IncompleteReadError:
            return
        method, path, _ = head[0].split()
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        request = Request(method, path, headers, body, writer)
        self.asked.append(request)
        await self.handlers[path.partition("?")[0]](request)


async def answer(request: Request, body: Any, status: int = 200) -> None:
    """Answer with JSON, or with text, and hang up."""
    text = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(text)}\r\nConnection: close\r\n\r\n"
    request.writer.write(head.encode() + text)
    await request.writer.drain()
    request.writer.close()


async def events(request: Request, *frames: str, end: bool = False) -> None:
    """Answer with a stream of events; with `end` it is cut behind them."""
    request.writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
    request.writer.write("".join(f"{frame}\n\n" for frame in frames).encode())
    await request.writer.drain()
    if end:
        request.writer.close()
