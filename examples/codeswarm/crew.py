"""The worker processes: started, told to end, and heard when they end by themselves."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from pathlib import Path

import msgspec

from .worker import Orders

__all__ = ["Crew", "how_it_ended"]

_SCRIPT = Path(__file__).resolve().parents[1] / "code_swarm.py"

END_SECONDS = 15.0
"""How long workers have to end when they are told to; then they are killed."""


class Crew:
    """The worker processes of a run.

    Attributes:
        exits: the agent's id and the exit code of each worker that has ended without being told to.
    """

    def __init__(self) -> None:
        self.exits: asyncio.Queue[tuple[str, int]] = asyncio.Queue()
        self._processes: dict[str, Process] = {}
        self._minding: set[asyncio.Task[None]] = set()
        self._closing = False

    @property
    def alive(self) -> list[str]:
        """The workers whose process runs."""
        return list(self._processes)

    async def start(self, orders: Orders) -> None:
        """Start a process that follows the orders, which it is told where no other process can read them.

        It does nothing once the crew is closed.
        """
        if self._closing:
            return
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, str(_SCRIPT), "--worker"),
            stdin=PIPE,
            stdout=DEVNULL,
            start_new_session=True,  # Ctrl-C is for the watcher, which then tells its workers
        )
        assert process.stdin is not None
        process.stdin.write(msgspec.json.encode(orders) + b"\n")
        self._processes[orders.agent] = process
        minding = asyncio.create_task(self._mind(orders.agent, process))
        self._minding.add(minding)
        minding.add_done_callback(self._minding.discard)
        if self._closing:  # it was closed while the process was made
            process.stdin.close()

    async def close(self) -> None:
        """Tell all workers to end, and return when they have. Harmless twice."""
        self._closing = True
        for process in self._processes.values():
            if process.stdin is not None:
                process.stdin.close()
        if self._minding:
            await asyncio.wait(self._minding, timeout=END_SECONDS)
        for process in self._processes.values():
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        if self._minding:
            await asyncio.wait(self._minding)

    async def _mind(self, agent: str, process: Process) -> None:
        code = await process.wait()
        del self._processes[agent]
        if not self._closing:
            self.exits.put_nowait((agent, code))


def how_it_ended(code: int) -> str:
    """An exit code in words: `killed by SIGKILL`, `ended with code 1`."""
    if code >= 0:
        return f"ended with code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"
