"""A broker in a process of its own, that is killed, stopped and started again on its port and its data."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

from ..system.processes import BrokerProcess, Shell

__all__ = ["Broker"]

_TURN = 0.05
_PATIENCE = 60.0


class Broker:
    """Keeps its port over all its lives, and with `durable` its log too. `program` runs in the place of `swarmwire`."""

    def __init__(self, directory: Path, *arguments: str, durable: bool = False, program: str | None = None) -> None:
        self._shell = Shell(directory)
        self._arguments = [*arguments, *(("--data", "data") if durable else ())]
        self._program = program
        self._process: BrokerProcess | None = None
        self._port = 0
        self.kills = 0

    @property
    def port(self) -> int:
        return self._port

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self._port}/ws"

    @property
    def log(self) -> list[str]:
        """What the process that runs, or ran last, has logged: a line of JSON each."""
        return self._process.err.items if self._process is not None else []

    def file(self, name: str, text: str) -> None:
        """Put a file where the broker is started."""
        self._shell.file(name, text)

    async def start(self) -> None:
        """Start it; returns once it listens."""
        self._process = await self._shell.serve(*self._arguments, port=self._port, program=self._program)
        self._port = self._process.port

    async def kill(self) -> None:
        """End it as a crash would."""
        assert self._process is not None
        self.kills += 1
        await self._process.kill()

    async def restart(self) -> None:
        """End it as a service would be ended, and start it again."""
        assert self._process is not None
        await self._process.stop()
        await self.start()

    def pause(self) -> None:
        """Stop its process where it stands; its sockets stay."""
        assert self._process is not None
        self._process.signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self._process is not None
        self._process.signal(signal.SIGCONT)

    async def is_ready(self) -> bool:
        """Whether it says that it can do its work."""
        try:
            async with asyncio.timeout(1.0):
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
                try:
                    writer.write(b"GET /readyz HTTP/1.0\r\nhost: localhost\r\n\r\n")
                    return (await reader.readline()).split()[1:2] == [b"200"]
                finally:
                    writer.close()
        except OSError:
            return False

    async def ready(self) -> None:
        """Wait until it says so. Raises TimeoutError."""
        async with asyncio.timeout(_PATIENCE):
            while True:
                if await self.is_ready():
                    return
                await asyncio.sleep(_TURN)

    async def close(self) -> None:
        await self._shell.close()
