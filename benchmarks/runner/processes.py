"""Starting a server pinned to its core, and being sure that it ends."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .peers import FIFOS, SOCKET, Peer, Way
from .places import BUILD, DATA, RUN, SERVERS

__all__ = [
    "GENERATOR_CORE",
    "SERVER_CORE",
    "Running",
    "ServerFailed",
    "alone",
    "free_port",
    "pinned",
    "running",
    "words",
]

SERVER_CORE: Final = 0
GENERATOR_CORE: Final = 1

_START_TIMEOUT = 20.0
_STOP_TIMEOUT = 5.0


class ServerFailed(Exception):
    """A server that did not start, with the end of what it wrote."""


@dataclass(frozen=True)
class Running:
    """A started server; `ports` are those that clients spread over, `runtime` is where its socket or FIFOs are."""

    peer: Peer
    pid: int
    ports: tuple[int, ...]
    runtime: Path

    @property
    def pids(self) -> list[int]:
        """Its process and those that it has started."""
        return [self.pid, *_children(self.pid)]


def _children(pid: int) -> Iterator[int]:
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        yield int(child)
        yield from _children(int(child))


@contextmanager
def alone() -> Iterator[None]:
    """While this lasts, no other bench of this project runs: both would be wrong. ValueError where one does."""
    BUILD.mkdir(exist_ok=True)
    with (BUILD / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ValueError("another bench is running; wait for its end") from None
        yield


def free_port() -> int:
    """A port that nothing listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def words(template: tuple[str, ...], ports: tuple[int, ...] = (0,), extra: int = 0, runtime: Path = RUN) -> list[str]:
    """A command with its places filled in."""
    places = {
        "port": ports[0],
        **{f"port{number}": port for number, port in enumerate(ports, start=1)},
        "extra": extra,
        "build": BUILD,
        "servers": SERVERS,
        "run": RUN,
        "data": DATA,
        "runtime": runtime,
        "python": sys.executable,
    }
    filled = []
    for word in template:
        for name, value in places.items():
            word = word.replace("{" + name + "}", str(value))
        filled.append(word)
    return filled


def pinned(core: int, command: list[str]) -> list[str]:
    """The command on one core, ended by the kernel should the bench be killed. Both tools replace themselves by it."""
    on_core = ["taskset", "--cpu-list", str(core)] if shutil.which("taskset") and (os.cpu_count() or 1) > 1 else []
    return [*_dying_with_us(), *on_core, *command]


def _dying_with_us() -> list[str]:
    return ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []


@contextmanager
def running(peer: Peer, settings: tuple[str, ...] = ()) -> Iterator[Running]:
    """Start a server, wait until it takes connections, and end it in the end."""
    # Not in the build folder: the path of a Unix socket has 107 bytes at most.
    with tempfile.TemporaryDirectory(prefix="swarmwire-bench-") as runtime, _running(peer, settings, runtime) as server:
        yield server


@contextmanager
def _running(peer: Peer, settings: tuple[str, ...], folder: str) -> Iterator[Running]:
    ports, extra, runtime = tuple(free_port() for _ in range(peer.ports)), free_port(), Path(folder)
    _forget_data()
    _write_config(peer, ports[0], extra)
    command = [
        *words(peer.command, ports, extra, runtime),
        *(part for setting in settings for part in ("--set", setting)),
    ]
    log = RUN / f"{peer.name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            pinned(SERVER_CORE, command),
            cwd=RUN,
            env=_environment(peer, runtime),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        server = Running(peer, process.pid, ports, runtime)
        _wait_until_open(process, server)
        yield server
    finally:
        _stop(process)
        _forget_data()


def _forget_data() -> None:
    shutil.rmtree(DATA, ignore_errors=True)


def _environment(peer: Peer, runtime: Path) -> dict[str, str]:
    """Ours without settings of Swarmwire, which belong to the user's own broker."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SWARMWIRE_")}
    path = os.pathsep.join((inherited.get("PATH", ""), "/usr/local/sbin", "/usr/sbin"))
    added = zip(peer.environment, words(tuple(peer.environment.values()), runtime=runtime), strict=True)
    return {**inherited, "PATH": path, **dict(added)}


def _write_config(peer: Peer, port: int, extra: int) -> None:
    if peer.config is None:
        return
    text = (SERVERS / peer.config).read_text(encoding="utf-8")
    filled = text.replace("@PORT@", str(port)).replace("@EXTRA@", str(extra)).replace("@DATA@", str(DATA))
    (RUN / peer.config).write_text(filled, encoding="utf-8")


def _wait_until_open(process: subprocess.Popen[bytes], server: Running) -> None:
    deadline = time.monotonic() + _START_TIMEOUT
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError):
            _knock(server)
            return
        time.sleep(0.02)
    raise ServerFailed(f"{server.peer.title} did not start: {_last_words(server.peer)}")


def _knock(server: Running) -> None:
    """Connect, and leave. OSError where nobody listens."""
    match server.peer.way:
        case Way.TCP:
            for port in server.ports:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
        case Way.UNIX:
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(server.runtime / SOCKET))
        case Way.FIFO:
            os.close(os.open(server.runtime / FIFOS / "ctl", os.O_WRONLY | os.O_NONBLOCK))


def _last_words(peer: Peer) -> str:
    lines = (RUN / f"{peer.name}.log").read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return " | ".join(lines[-3:]) or "it wrote nothing"


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ask the whole process group to end, then end what is left of it."""
    for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_TIMEOUT)
