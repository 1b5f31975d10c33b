"""A worker process: takes the files it is assigned, reads them and reports what they hold."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
import time
from pathlib import Path

import msgspec
from msgspec import Struct

from swarmwire import Client, Event, SwarmwireError, connect
from swarmwire_channels import AgentChannel, Fault, HealthMetrics, TaskAssigned, TaskChannel

from .files import Unreadable, read_source
from .pipeline import Pipeline
from .survey import Survey

__all__ = ["Orders", "serve_orders"]

HEALTH_SECONDS = 1.0
"""How often a worker tells how it fares."""

PROGRESS_STEP = 25
"""How many percent of a file lie between two events of its progress, at least."""

FAREWELL_SECONDS = 5.0
"""How long a worker that is told to end goes on trying to say so."""


class Orders(Struct, kw_only=True):
    """What a worker is told when it starts: one line of JSON on its standard input, whose end means: stop."""

    url: str
    token: str | None
    agent: str
    root: str
    cursor: str
    delay_ms: int

    def __repr__(self) -> str:
        return f"Orders(agent={self.agent!r})"


def serve_orders() -> int:
    """Work as the orders on the standard input say; returns the exit code of the process."""
    orders = msgspec.json.decode(sys.stdin.buffer.readline(), type=Orders)
    code = 0
    try:
        asyncio.run(_serve(orders))
    except* SwarmwireError as group:
        code = 1
        print(f"worker {orders.agent}: {group.exceptions[0]}", file=sys.stderr)
    return code


async def _serve(orders: Orders) -> None:
    """Work until the input ends, and not much longer, whether there is a broker or not."""
    ended = _end_of_input()
    working = asyncio.create_task(_work(orders, ended))
    ending = asyncio.create_task(ended.wait())
    await asyncio.wait((working, ending), return_when=asyncio.FIRST_COMPLETED)
    await asyncio.wait((working,), timeout=2 * FAREWELL_SECONDS)
    for task in (working, ending):
        task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await working


async def _work(orders: Orders, ended: asyncio.Event) -> None:
    async with connect(orders.url, token=orders.token, name=orders.agent, retry_first=True) as client:
        worker = _Worker(client, orders)
        working = asyncio.create_task(worker.work())
        ending = asyncio.create_task(ended.wait())
        await asyncio.wait((working, ending), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()  # it never ends but by an error
        working.cancel()
        await asyncio.wait((working,))
        await worker.farewell()


def _end_of_input() -> asyncio.Event:
    """An event that is set when the standard input ends: the watcher has closed it, or is no more."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()

    def read() -> None:
        while os.read(0, 1024):
            pass
        with contextlib.suppress(RuntimeError):  # the loop may be closed by now
            loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=read, daemon=True).start()
    return ended


class _Worker:
    """Reads one file after the other."""

    def __init__(self, client: Client, orders: Orders) -> None:
        self._orders = orders
        self._name = orders.agent
        self._pipeline = Pipeline(client)
        self._agents = AgentChannel(self._pipeline)
        self._tasks = TaskChannel(self._pipeline)
        self._queue: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
        self._began = time.monotonic()
        self._done = 0
        self._errors = 0

    async def work(self) -> None:
        """Work until cancelled."""
        await self._agents.started(self._name, metadata={"pid": os.getpid()})
        async with asyncio.TaskGroup() as group:
            group.create_task(self._take_assignments())
            group.create_task(self._tell_health())
            group.create_task(self._do_assignments())

    async def farewell(self) -> None:
        """Say that the worker ends, and see that all it said has arrived."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FAREWELL_SECONDS):
                await self._agents.stopped(self._name, "the work is done")
                await self._pipeline.drain()

    async def _take_assignments(self) -> None:
        start = {"cursor": self._orders.cursor}
        async for change in self._tasks.watch(events=["assigned"], from_=start):
            match change.record, change.raw:
                case TaskAssigned(agent_id=self._name), Event(headers={"file": file}):
                    self._queue.put_nowait((change.id, file))

    async def _do_assignments(self) -> None:
        while True:
            if self._queue.empty():
                await self._agents.status(self._name, "idle")
            task, file = await self._queue.get()
            await self._agents.status(self._name, "busy", file)
            await self._do(task, file)

    async def _do(self, task: str, file: str) -> None:
        began = time.monotonic()
        await self._tasks.started(task, agent_id=self._name)
        try:
            survey = Survey(read_source(Path(self._orders.root), file))
        except Unreadable as error:
            self._errors += 1
            await self._agents.log(self._name, "warn", f"{file}: {error}")
            await self._tasks.failed(task, Fault(message=str(error)), duration=_since(began))
            return
        await self._visit(task, survey)
        self._done += 1
        await self._tasks.completed(task, survey.findings(), duration=_since(began))

    async def _visit(self, task: str, survey: Survey) -> None:
        told = 0.0
        for percent in survey.steps():
            if percent - told >= PROGRESS_STEP:
                await self._dawdle(percent - told)
                told = percent
                await self._tasks.progress(task, percent, f"{survey.findings().functions} functions")
        await self._dawdle(100 - told)

    async def _dawdle(self, percent: float) -> None:
        """Make the work take as much longer as was asked for, so that it can be watched."""
        await asyncio.sleep(self._orders.delay_ms * percent / 100_000)

    async def _tell_health(self) -> None:
        while True:
            await self._agents.health(self._name, True, self._metrics())
            await asyncio.sleep(HEALTH_SECONDS)

    def _metrics(self) -> HealthMetrics:
        uptime = time.monotonic() - self._began
        return HealthMetrics(
            cpu=100 * time.process_time() / max(uptime, 0.001),
            uptime=uptime * 1000,
            tasks_completed=self._done,
            error_count=self._errors,
        )


def _since(began: float) -> float:
    return (time.monotonic() - began) * 1000
