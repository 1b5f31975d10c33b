"""A run: workers that are killed, stopped and replaced take tasks and locks of a broker that is killed too."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import signal
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from swarmwire import Client, Event, SwarmwireError, connect

from ...nats.ground import Clustered
from ...nats.servers import Version
from ...system.processes import Command
from ..brokerprocess import Broker
from ..grounds import Alone, Ground
from ..proxy import Proxy
from .records import Ended, Killed, Note, Settled, Submitted
from .worker import LEASE_MS

__all__ = ["FAULTS", "GENTLE", "Plan", "run"]

ROOT = Path(__file__).resolve().parents[3]
FAULTS = ("kill worker", "stop worker", "kill broker", "stop broker")
GENTLE = tuple(name for name in FAULTS if name != "kill broker")
"""What a broker in memory can stand: what it holds ends with it."""
PATIENCE = 60.0
_DECODER = msgspec.json.Decoder(Note)


class Plan(Struct, frozen=True, kw_only=True):
    """What a run is made of. `faults` are names in `FAULTS`, for a broker in memory those in `GENTLE`.

    With the engine `nats` there are several brokers, over so many nats-servers of a version.
    """

    seed: int
    engine: str = "sqlite"
    seconds: float = 5.0
    workers: int = 3
    faults: tuple[str, ...] = FAULTS
    brokers: int = 2
    nodes: int = 1
    version: Version = Version.NEWEST


class _Fleet:
    """The workers there are."""

    def __init__(self, url: str, directory: Path, draw: random.Random) -> None:
        self._url, self._directory, self._draw = url, directory, draw
        self._names = itertools.count(1)
        self._all: dict[str, Command] = {}
        self.killed: list[Note] = []

    async def start(self) -> None:
        name = f"w{next(self._names)}"
        program = (sys.executable, "-m", "tests.history.holding.worker", self._url, name)
        seed = str(self._draw.randrange(2**32))
        command = await Command.start(*program, str(self._path(name)), seed, directory=ROOT, env={})
        await command.out.first(lambda line: line == "ready")
        self._all[name] = command

    def _path(self, name: str) -> Path:
        return self._directory / f"{name}.jsonl"

    async def kill_one(self) -> None:
        """End one as a crash would; another takes its place."""
        name = self._draw.choice(list(self._all))
        command = self._all.pop(name)
        await command.kill()
        self.killed.append(Killed(at=time.monotonic(), holder=name))
        await self.start()

    async def stop_one(self) -> None:
        """Let one stand still for longer than its lease."""
        command = self._draw.choice(list(self._all.values()))
        command.signal(signal.SIGSTOP)
        await asyncio.sleep(LEASE_MS / 1000 * self._draw.uniform(0.5, 2))
        command.signal(signal.SIGCONT)

    async def close(self) -> None:
        for command in self._all.values():
            await command.kill()

    def notes(self) -> list[Note]:
        """All that they have written; a line that death cut off is none."""
        lines = [line for path in self._directory.glob("w*.jsonl") for line in path.read_bytes().splitlines(True)]
        return [*self.killed, *(_DECODER.decode(line) for line in lines if line.endswith(b"\n"))]


class _Run:
    def __init__(self, plan: Plan, directory: Path) -> None:
        self.plan, self.directory = plan, directory
        self.draw = random.Random(plan.seed)
        self.notes: list[Note] = []
        self.open: set[str] = set()
        self.one_ended = asyncio.Event()
        self.ground = self._ground()

    def _ground(self) -> Ground:
        plan, settings = self.plan, ["--set", "limits.heartbeat_ms=500"]
        if plan.engine != "nats":
            return Alone(self.directory, settings, {}, durable=plan.engine != "memory")
        shape: dict[str, Any] = {"brokers": plan.brokers, "nodes": plan.nodes, "version": plan.version}
        return Clustered(self.directory, settings, {}, draw=self.draw, **shape)

    @property
    def _broker(self) -> Broker:
        """One of the brokers."""
        return self.draw.choice(self.ground.brokers)

    async def play(self) -> list[Note]:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self.ground.close)
            await self.ground.start()
            ports = [broker.port for broker in self.ground.brokers]
            proxy = await stack.enter_async_context(Proxy(*ports, draw=self.draw))
            client = await stack.enter_async_context(
                connect(proxy.url, base_delay=0.05, max_delay=0.2, request_timeout=5)
            )
            self.fleet = _Fleet(proxy.url, self.directory, self.draw)
            stack.push_async_callback(self.fleet.close)
            await client.on("task.*.*", self._ended, from_="start")
            await asyncio.gather(*(self.fleet.start() for _ in range(self.plan.workers)))
            await self._rush(client)
            await self._settle()
        return [*self.notes, *self.fleet.notes()]

    def _ended(self, event: Event) -> None:
        _, task, state = event.topic.split(".")
        if state in ("completed", "failed", "cancelled"):
            self.notes.append(Ended(at=time.monotonic(), name=task, state=state))
            self.open.discard(task)
            self.one_ended.set()

    async def _rush(self, client: Client) -> None:
        over = time.monotonic() + self.plan.seconds
        async with asyncio.TaskGroup() as group:
            group.create_task(self._submit(client, over))
            group.create_task(self._break(over))

    async def _submit(self, client: Client, over: float) -> None:
        for number in itertools.count(1):
            task = f"t{number}"
            params = {
                "type": "work",
                "queue": "work",
                "id": task,
                "max_attempts": 100,
                "backoff": 10,
                "backoff_max": 200,
            }
            self.open.add(task)
            await self._until_done(client, params)
            self.notes.append(Submitted(at=time.monotonic(), name=task))
            await asyncio.sleep(self.draw.uniform(0, 0.05))
            if time.monotonic() > over:
                return

    async def _until_done(self, client: Client, params: dict[str, object]) -> None:
        """Submit it, as often as it takes: the id makes it one task."""
        while True:
            try:
                await client.call("task.submit", params)
                return
            except SwarmwireError:
                await asyncio.sleep(0.05)

    async def _break(self, over: float) -> None:
        while self.plan.faults and time.monotonic() < over:
            await asyncio.sleep(self.draw.uniform(0.05, 0.4))
            match self.draw.choice(self.plan.faults):
                case "kill worker":
                    await self.fleet.kill_one()
                case "stop worker":
                    await self.fleet.stop_one()
                case "kill broker":
                    broker = self._broker
                    await broker.kill()
                    await asyncio.sleep(self.draw.uniform(0, 0.2))
                    await broker.start()
                case "stop broker":
                    broker = self._broker
                    broker.pause()
                    await asyncio.sleep(self.draw.uniform(0.1, 1.5))
                    broker.go_on()

    async def _settle(self) -> None:
        """Wait until all that was submitted has ended."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                while self.open:
                    self.one_ended.clear()
                    await self.one_ended.wait()
        self.notes.append(Settled(at=time.monotonic()))


async def run(plan: Plan, directory: Path) -> list[Note]:
    """Do it; returns all that was written down."""
    return await _Run(plan, directory).play()
