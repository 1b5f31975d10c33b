"""A network that fails on demand: a TCP proxy before a broker."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections import deque
from types import TracebackType
from typing import Self

from .collected import PATIENCE

__all__ = ["FaultProxy", "Wire"]

_CHUNK = 64 * 1024
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Wire:
    """One connection through the proxy."""

    def __init__(self, client: asyncio.StreamWriter, budget: int | None) -> None:
        self.budget = budget
        """Bytes, of both directions together, after which it is cut; None never is."""
        self.muted = False
        """Whether what the broker says is swallowed."""
        self._flows = asyncio.Event()
        self._flows.set()
        self._ends = [client]

    def add(self, writer: asyncio.StreamWriter) -> None:
        self._ends.append(writer)

    def stall(self) -> None:
        """Forward nothing more, not even the end of the connection."""
        self._flows.clear()

    def reset(self) -> None:
        """Cut it on both sides, without any goodbye."""
        self._flows.set()
        for end in self._ends:
            raw: socket.socket = end.get_extra_info("socket")
            with contextlib.suppress(OSError):
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            end.transport.abort()

    async def pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, up: bool) -> bool:
        """Carry one direction to its end; True if the budget ended it."""
        while True:
            try:
                chunk = await reader.read(_CHUNK)
            except ConnectionError:
                chunk = b""
            await self._flows.wait()
            if not chunk:
                return False
            chunk, cut = self._spend(chunk)
            if up or not self.muted:
                writer.write(chunk)
            with contextlib.suppress(ConnectionError):
                await writer.drain()
            if cut:
                return True

    def _spend(self, chunk: bytes) -> tuple[bytes, bool]:
        if self.budget is None:
            return chunk, False
        taken = chunk[: self.budget]
        self.budget -= len(taken)
        return taken, self.budget == 0


class FaultProxy:
    """Listens on a port of its own and passes everything on to the port `target`, until it is told otherwise.

    Without a target every connection is reset at once. `budgets` are given one each to the connections to come.
    """

    def __init__(self, target: int | None = None) -> None:
        self.target = target
        self.budgets: deque[int] = deque()
        self.wires: list[Wire] = []
        self.attempts = 0
        self.cuts = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._attempted = asyncio.Event()

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"ws://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/ws"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        self.reset()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def stall(self) -> None:
        """Forward nothing more on the connections that there are; new ones work."""
        for wire in self.wires:
            wire.stall()

    def mute(self) -> None:
        """Swallow what the broker says on the connections that there are."""
        for wire in self.wires:
            wire.muted = True

    def reset(self) -> None:
        """Cut the connections that there are."""
        for wire in list(self.wires):
            wire.reset()

    def refuse(self) -> None:
        """Cut them, and reset all that come from now on."""
        self.target = None
        self.reset()

    async def attempted(self, count: int, *, patience: float = PATIENCE) -> None:
        """Wait until there were so many attempts to connect. Raises TimeoutError."""
        async with asyncio.timeout(patience):
            while self.attempts < count:
                self._attempted.clear()
                await self._attempted.wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self.attempts += 1
        self._attempted.set()
        wire = Wire(writer, self.budgets.popleft() if self.budgets else None)
        self.wires.append(wire)
        try:
            await self._carry(wire, reader, writer)
        finally:
            self.wires.remove(wire)
            wire.reset()

    async def _carry(self, wire: Wire, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.target is None:
            return
        try:
            broker_reader, broker = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            return
        wire.add(broker)
        up = asyncio.create_task(wire.pump(reader, broker, up=True))
        down = asyncio.create_task(wire.pump(broker_reader, writer, up=False))
        await asyncio.wait((up, down), return_when=asyncio.FIRST_COMPLETED)
        wire_was_cut = any(task.done() and task.result() for task in (up, down))
        self.cuts += wire_was_cut
        if not wire_was_cut:
            await _flush(broker, writer)
        for task in (up, down):
            task.cancel()
        await asyncio.wait((up, down))


async def _flush(*writers: asyncio.StreamWriter) -> None:
    """Let what was passed on go out before the end is passed on too."""
    for writer in writers:
        with contextlib.suppress(ConnectionError):
            writer.close()
            async with asyncio.timeout(PATIENCE):
                await writer.wait_closed()
