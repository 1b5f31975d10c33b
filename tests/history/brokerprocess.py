"""A broker in a process of its own, that is killed, stopped and started again on its port and its data."""

from __future__ import annotations

import signal
from pathlib import Path

from ..system.processes import BrokerProcess, Shell

__all__ = ["Broker"]


class Broker:
    """Keeps its port over all its lives, and with `durable` its log too."""

    def __init__(self, directory: Path, *arguments: str, durable: bool = False) -> None:
        self._shell = Shell(directory)
        self._arguments = [*arguments, *(("--data", "data") if durable else ())]
        self._process: BrokerProcess | None = None
        self._port = 0
        self.kills = 0

    @property
    def port(self) -> int:
        return self._port

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self._port}/ws"

    def file(self, name: str, text: str) -> None:
        """Put a file where the broker is started."""
        self._shell.file(name, text)

    async def start(self) -> None:
        """Start it; returns once it listens."""
        self._process = await self._shell.serve(*self._arguments, port=self._port)
        self._port = self._process.port

    async def kill(self) -> None:
        """End it as a crash would."""
        assert self._process is not None
        self.kills += 1
        await self._process.kill()

    def pause(self) -> None:
        """Stop its process where it stands; its sockets stay."""
        assert self._process is not None
        self._process.signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self._process is not None
        self._process.signal(signal.SIGCONT)

    async def close(self) -> None:
        await self._shell.close()
