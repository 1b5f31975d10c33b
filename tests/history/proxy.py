"""A network on demand: a TCP proxy that stalls, delays, jitters, throttles, resets, and cuts after so many bytes."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
from types import TracebackType
from typing import Self

__all__ = ["Proxy", "Weather"]

_CHUNK = 4096
_WAITING = 16
_SMALL_BUFFER = 4096
_SMALL_SEGMENT = 1000
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Weather:
    """What happens to one direction, on all connections of a proxy. Times are in seconds, `rate` in bytes a second."""

    def __init__(self) -> None:
        self.delay = 0.0
        self.jitter = 0.0
        self.rate: float | None = None
        self._flows = asyncio.Event()
        self._flows.set()

    def stall(self) -> None:
        """Read nothing more, so that the sender's buffers fill up."""
        self._flows.clear()

    def clear(self) -> None:
        """Let everything pass at once again."""
        self.delay, self.jitter, self.rate = 0.0, 0.0, None
        self._flows.set()

    async def passable(self) -> None:
        await self._flows.wait()


class _Wire:
    """One connection through the proxy, with the bytes that it may still carry; None is no limit."""

    def __init__(self, budget: int | None) -> None:
        self.budget = budget
        self.ends: list[asyncio.StreamWriter] = []

    def spend(self, chunk: bytes) -> bytes:
        """What of a chunk may still pass."""
        if self.budget is None:
            return chunk
        passed = chunk[: self.budget]
        self.budget -= len(passed)
        return passed

    def reset(self) -> None:
        """Cut it on both sides without a goodbye."""
        for end in self.ends:
            raw: socket.socket = end.get_extra_info("socket")
            with contextlib.suppress(OSError):
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            end.transport.abort()


class Proxy:
    """Listens on a port of its own and passes everything on to the port of `targets` that takes it.

    Of several targets each connection goes to one by chance, and to another where nobody listens. `up` is the weather
    on the way to the target, `down` on the way back. With `narrow` little fits between the target and its client, so
    that a target notices soon that nobody reads.
    """

    def __init__(self, *targets: int, draw: random.Random, narrow: bool = False) -> None:
        self.targets = list(targets)
        self.up, self.down = Weather(), Weather()
        self.cuts = 0
        self._draw = draw
        self._narrow = narrow
        self._budgets: list[int] = []
        self._wires: set[_Wire] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=_CHUNK)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        self.clear()
        self.reset()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def reset(self) -> None:
        """Cut the connections that there are."""
        for wire in list(self._wires):
            wire.reset()

    def cut_after(self, *budgets: int) -> None:
        """Cut one connection that is there, or to come, after each of these numbers of bytes of both directions."""
        self._budgets += budgets
        for wire in self._wires:
            if wire.budget is None and self._budgets:
                wire.budget = self._budgets.pop(0)

    def clear(self) -> None:
        """Nice weather in both directions, for the connections to come too."""
        self.up.clear()
        self.down.clear()
        self._budgets.clear()
        for wire in self._wires:
            wire.budget = None

    # ---- Inside

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        wire = _Wire(self._budgets.pop(0) if self._budgets else None)
        wire.ends.append(writer)
        self._wires.add(wire)
        try:
            await self._carry(wire, reader, writer)
        except OSError:
            pass  # nobody listens at the target
        finally:
            self._wires.discard(wire)
            wire.reset()

    async def _carry(self, wire: _Wire, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, forth = await self._connect()
        wire.ends.append(forth)
        pumps = [
            asyncio.create_task(self._pump(wire, reader, forth, self.up)),
            asyncio.create_task(self._pump(wire, back, writer, self.down)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        *others, last = self._draw.sample(self.targets, len(self.targets))
        for target in others:
            with contextlib.suppress(OSError):
                return await self._connect_to(target)
        return await self._connect_to(last)

    async def _connect_to(self, target: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        raw = socket.socket()
        raw.setblocking(False)
        if self._narrow:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL_BUFFER)
            # The far end's kernel sizes its buffer by the segments that it may send; on loopback these are huge.
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, _SMALL_SEGMENT)
        try:
            await asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", target))
            return await asyncio.open_connection(sock=raw, limit=_CHUNK)
        except OSError:
            raw.close()
            raise

    async def _pump(
        self, wire: _Wire, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, weather: Weather
    ) -> None:
        """Carry one direction to its end. What was read before the end is written before it."""
        on_its_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_WAITING)
        writing = asyncio.create_task(self._write(on_its_way, writer, weather))
        due, loop = 0.0, asyncio.get_running_loop()
        try:
            while True:
                await weather.passable()
                chunk = wire.spend(await _read(reader))
                due = max(due, loop.time() + weather.delay + self._draw.uniform(0, weather.jitter))
                if not writing.done():
                    await on_its_way.put((due, chunk))
                if not chunk or wire.budget == 0:
                    self.cuts += wire.budget == 0
                    await on_its_way.put((due, b""))
                    await writing
                    return
        finally:
            writing.cancel()

    async def _write(
        self, on_its_way: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter, weather: Weather
    ) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due, chunk = await on_its_way.get()
            if not chunk:
                return
            await asyncio.sleep(max(0.0, due - loop.time()))
            if weather.rate is not None:
                await asyncio.sleep(len(chunk) / weather.rate)
            if writer.is_closing():
                continue
            with contextlib.suppress(ConnectionError):
                writer.write(chunk)
                await writer.drain()


async def _read(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read(_CHUNK)
    except ConnectionError:
        return b""
