"""The command line and the broker as processes of their own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeVar
from urllib.parse import urlsplit

import orjson

from .collected import PATIENCE, Collected

__all__ = ["BrokerProcess", "Command", "Finished", "Shell", "clean_environment"]

_LONGEST_LINE = 4 * 1024 * 1024


def clean_environment() -> dict[str, str]:
    """The environment of this process without settings of Swarmwire."""
    return {name: value for name, value in os.environ.items() if not name.startswith("SWARMWIRE_")}


class Finished(NamedTuple):
    """How a command ended, and the lines that it wrote."""

    code: int
    out: list[str]
    err: list[str]


class Command:
    """A process. What it writes is read all the time, so that it never waits for its reader."""

    def __init__(self, process: Process) -> None:
        assert process.stdout is not None
        assert process.stderr is not None
        self.process = process
        self.out: Collected[str] = Collected()
        self.err: Collected[str] = Collected()
        self._readers = [
            asyncio.create_task(_collect(process.stdout, self.out)),
            asyncio.create_task(_collect(process.stderr, self.err)),
        ]

    @classmethod
    async def start(cls, *arguments: str, directory: Path, env: Mapping[str, str], stdin: int = DEVNULL) -> Self:
        process = await asyncio.create_subprocess_exec(
            *arguments,
            cwd=directory,
            env={**clean_environment(), "COLUMNS": "200", "TERM": "dumb", **env},
            stdin=stdin,
            stdout=PIPE,
            stderr=PIPE,
            limit=_LONGEST_LINE,
        )
        return cls(process)

    @property
    def pid(self) -> int:
        return self.process.pid

    async def write(self, text: str) -> None:
        """Give it some of its standard input."""
        assert self.process.stdin is not None
        self.process.stdin.write(text.encode())
        await self.process.stdin.drain()

    def close_input(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def finish(self) -> Finished:
        """Wait for its end."""
        async with asyncio.timeout(PATIENCE):
            code = await self.process.wait()
            await asyncio.gather(*self._readers)
        return Finished(code, self.out.items, self.err.items)

    async def interrupt(self) -> Finished:
        """Ctrl-C."""
        self.signal(signal.SIGINT)
        return await self.finish()

    async def kill(self) -> None:
        """End it without a chance to say anything. Harmless when it has ended."""
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
        await self.finish()

    def resident_bytes(self) -> int:
        """The memory that it holds now."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")


class BrokerProcess(Command):
    """A broker that listens. Its log is JSON."""

    url = ""

    @property
    def port(self) -> int:
        port = urlsplit(self.url).port
        assert port is not None
        return port

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def listening(self) -> None:
        """Wait until it says where it listens."""
        line = await self.err.first(lambda line: '"listening"' in line)
        self.url = orjson.loads(line)["url"]

    def log(self) -> list[dict[str, Any]]:
        return [orjson.loads(line) for line in self.err.items]

    def terminate(self) -> None:
        self.signal(signal.SIGTERM)

    async def stop(self) -> Finished:
        self.terminate()
        return await self.finish()


_C = TypeVar("_C", bound=Command)


class Shell:
    """Starts processes in a directory of their own, and leaves none behind."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._commands: list[Command] = []

    def file(self, name: str, text: str) -> str:
        (self.directory / name).write_text(text, encoding="utf-8")
        return name

    async def start(self, *arguments: str, stdin: int = DEVNULL, **env: str) -> Command:
        """Start `swarmwire` with these arguments; `env` are variables of its environment."""
        return self._keep(await Command.start(*_swarmwire(*arguments), directory=self.directory, env=env, stdin=stdin))

    async def run(self, *arguments: str, input: str | None = None, **env: str) -> Finished:
        """The same, up to its end."""
        command = await self.start(*arguments, stdin=DEVNULL if input is None else PIPE, **env)
        if input is not None:
            with contextlib.suppress(ConnectionError):
                await command.write(input)
            command.close_input()
        return await command.finish()

    async def script(self, text: str, **env: str) -> Command:
        """A script for bash, in which `$SWARMWIRE` is the command."""
        env = {"SWARMWIRE": " ".join(_swarmwire()), **env}
        return self._keep(await Command.start("bash", "-c", text, directory=self.directory, env=env))

    async def serve(self, *arguments: str, port: int = 0, program: str | None = None, **env: str) -> BrokerProcess:
        """A broker, listening; port 0 is any free one. `program` is a file of Python in the place of `swarmwire`."""
        command = _swarmwire("serve", "--port", str(port), "--log-format", "json", *arguments)
        if program is not None:
            command[1:3] = [program]
        broker = self._keep(await BrokerProcess.start(*command, directory=self.directory, env=env))
        await broker.listening()
        return broker

    async def close(self) -> None:
        for command in self._commands:
            await command.kill()

    def _keep(self, command: _C) -> _C:
        self._commands.append(command)
        return command


def _swarmwire(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "swarmwire_broker", *arguments]


async def _collect(stream: asyncio.StreamReader, lines: Collected[str]) -> None:
    try:
        async for line in stream:
            lines.add(line.decode().rstrip("\n"))
    finally:
        lines.end()
