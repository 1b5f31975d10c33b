"""A run: publishers and subscribers of every kind against a broker that things happen to, until all is settled."""

from __future__ import annotations

import asyncio
import itertools
import math
import random
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import jwt
from msgspec import Struct

from swarmwire import SwarmwireError

from ..nats.faults import SERVER_FAULTS
from ..nats.ground import Clustered
from ..nats.servers import Version
from .faults import FAULTS, Network
from .grounds import Alone, Ground
from .history import History
from .proxy import Proxy
from .readers import Readers
from .records import Fault, Granted, Parted, Record, Settled, Setup, Stopped
from .truth import Truth
from .witness import Witness

__all__ = ["Plan", "run"]

SECRET = "a-secret-of-the-workload-with-more-than-32-bytes"
TOPICS = ("a.x", "a.y", "a.z.x", "b.x", "b.y", "c")
_OF_THE_PROCESS = ("kill", "pause", "kill-two", "freeze", "rolling")
_OF_THE_NETWORK = tuple(name for name in FAULTS if name not in _OF_THE_PROCESS)
_TICK = 0.05
_LATE = 0.1
"""Seconds by which a tick of this process is late when the machine is too busy to judge the broker by."""
PATIENCE = 30.0
"""Seconds after which whoever has not received everything is taken never to."""


class Plan(Struct, frozen=True, kw_only=True):
    """What a run is made of; everything else is drawn from the seed.

    `faults` are names in `faults.FAULTS`, with the engine `nats` also those in `nats/faults.py`. There the brokers are
    several, over so many nats-servers of a version; `programs` are what brokers run in the place of `swarmwire`.
    """

    seed: int
    engine: str = "memory"
    seconds: float = 4.0
    faults: tuple[str, ...] = tuple(FAULTS)
    log_events: int = 1_000_000
    rate: float = 60.0
    """Publishes a second of each publisher, on average."""
    narrow: bool = False
    """Whether nobody reads everything, so that what a broker must be sent changes with its subscribers."""
    brokers: int = 2
    nodes: int = 1
    version: Version = Version.NEWEST
    programs: tuple[str | None, ...] = ()

    @property
    def durable(self) -> bool:
        """Whether the log outlives what goes wrong."""
        return self.engine != "memory" and "remake" not in self.faults


async def run(plan: Plan, directory: Path) -> list[Record]:
    """Do it; returns the history, up to when all was settled."""
    run = _Run(plan, directory)
    async with run.stack:
        await run.start()
        await run.rush()
        await run.settle()
        return list(run.history.records)


class _Run:
    def __init__(self, plan: Plan, directory: Path) -> None:
        self.plan = plan
        self.draw = random.Random(plan.seed)
        self.history = History()
        self.stack = AsyncExitStack()
        self._numbers = itertools.count(1)
        limits = {
            "log_events": plan.log_events,
            "outbox_bytes": 16_384,
            "page_bytes": 16_384,
            "page_scan": 200,
            "heartbeat_ms": 500,
            "queue_size": 50,
        }
        settings = [text for name, value in limits.items() for text in ("--set", f"limits.{name}={value}")]
        self.ground = self._ground(directory, ["--jwt-secret-file", "secret", *settings])
        self._publishers: list[Witness] = []
        self._readers: list[Readers] = []

    def _ground(self, directory: Path, settings: list[str]) -> Ground:
        plan, files = self.plan, {"secret": SECRET}
        if plan.engine != "nats":
            return Alone(directory, settings, files, durable=plan.durable)
        shape: dict[str, Any] = {"brokers": plan.brokers, "nodes": plan.nodes, "version": plan.version}
        return Clustered(directory, settings, files, draw=self.draw, programs=plan.programs, **shape)

    async def start(self) -> None:
        plan = self.plan
        self.history.add(
            Setup(
                at=self.history.now(),
                engine=plan.engine,
                durable=plan.durable,
                log_events=plan.log_events,
                latest_topics=100_000,
                seed=plan.seed,
            )
        )
        self.stack.push_async_callback(self.ground.close)
        watch = asyncio.get_running_loop().create_task(self._watch())
        self.stack.callback(watch.cancel)
        await self.ground.start()
        ports = [broker.port for broker in self.ground.brokers]
        near = await self.stack.enter_async_context(Proxy(*ports, draw=self.draw))
        far = await self.stack.enter_async_context(Proxy(*ports, draw=self.draw, narrow=True))
        calm = await self.stack.enter_async_context(Proxy(*ports, draw=self.draw))
        self.network = Network(self.ground.brokers, [near, far], self.draw)
        for name, url in (("p1", near.url), ("p2", near.url), ("p3", calm.url)):
            self._publishers.append(await self._witness(name, url, ["#"]))
        await self._add_readers("r1", far.url, ["#"])
        await self._add_readers("r2", near.url, ["#"])
        await self._add_readers("limited", far.url, ["a.#", "b.*"])
        await self._add_readers("renewed", near.url, ["#"], ttl=2.0)
        self._demoted = await self._add_readers("demoted", calm.url, ["#"])
        self._auditor = await self._add_readers("auditor", calm.url, ["#"])
        if not plan.narrow:
            self._auditor.everything()

    async def _add_readers(self, name: str, url: str, patterns: list[str], ttl: float | None = None) -> Readers:
        readers = Readers(await self._witness(name, url, patterns, ttl), self.draw, narrow=self.plan.narrow)
        if name != "auditor":
            self._readers.append(readers)
        return readers

    async def _witness(self, name: str, url: str, patterns: list[str], ttl: float | None = None) -> Witness:
        def token() -> str:
            return self._token(name, patterns, ttl)

        witness = Witness(self.history, self._numbers, name, url, token)
        self.stack.push_async_callback(witness.close)
        await witness.client.start()
        return witness

    def _token(self, name: str, patterns: list[str], ttl: float | None = None) -> str:
        """A token for a client; what it allows is written down."""
        claims: dict[str, Any] = {"sub": name, "permissions": {"publish": ["#"], "subscribe": patterns}}
        until = None
        if ttl is not None:
            expires = math.ceil(time.time() + ttl)
            claims["exp"] = expires
            until = self.history.now() + expires - time.time()
        self.history.add(Granted(at=self.history.now(), client=name, subscribe=patterns, until=until))
        return jwt.encode(claims, SECRET, algorithm="HS256")

    # ---- the rush

    async def rush(self) -> None:
        """Let everybody loose at once, for as long as the plan says."""
        over = asyncio.get_running_loop().time() + self.plan.seconds
        async with asyncio.TaskGroup() as group:
            for publisher in self._publishers:
                group.create_task(self._publish(publisher, over))
            for readers in self._readers:
                group.create_task(readers.come_and_go(over))
            for names in (_OF_THE_PROCESS, _OF_THE_NETWORK, SERVER_FAULTS):
                group.create_task(self._break([name for name in self.plan.faults if name in names], over))
            group.create_task(self._demote(self.plan.seconds / 2))

    async def _publish(self, publisher: Witness, over: float) -> None:
        draw = self.draw
        while asyncio.get_running_loop().time() < over:
            burst = draw.choice((1, 1, 2, 5, 40))
            for _ in range(burst):
                padding = draw.choice((0, 0, 100, 4000))
                publisher.publish(draw.choice(TOPICS), padding=padding, clear=draw.random() < 0.03)
            await asyncio.sleep(draw.expovariate(self.plan.rate / burst))
            await publisher.room(300)

    async def _break(self, names: list[str], over: float) -> None:
        while names and asyncio.get_running_loop().time() < over:
            await asyncio.sleep(self.draw.uniform(0.1, 0.5))
            name = self.draw.choice(names)
            began = self.history.now()
            self.history.add(Fault(at=began, text=name))
            await {**FAULTS, **self.ground.faults}[name](self.network)
            if name in ("pause", "freeze"):
                self.history.add(Stopped(at=self.history.now(), since=began))
            elif name == "cut-leader":
                self.history.add(Parted(at=self.history.now(), since=began))

    async def _watch(self) -> None:
        """Write down when this process was not let run, and so perhaps the broker's was not."""
        while True:
            began = self.history.now()
            await asyncio.sleep(_TICK)
            now = self.history.now()
            if now - began > _TICK + _LATE:
                self.history.add(Stopped(at=now, since=began))

    async def _demote(self, delay: float) -> None:
        """Take permissions from a client on its live connection; what it may not read any more ends."""
        await asyncio.sleep(delay)
        client = self._demoted.witness.client
        claims = {"sub": "demoted", "permissions": {"publish": [], "subscribe": ["a.#"]}}
        try:
            await client.authenticate(jwt.encode(claims, SECRET, algorithm="HS256"))
        except SwarmwireError:
            return  # the connection was lost, and the next one's token allows again what the first did
        self.history.add(Granted(at=self.history.now(), client="demoted", subscribe=["a.#"]))

    # ---- the end

    async def settle(self) -> None:
        """Heal everything, publish once more on every topic, and wait until everybody has it."""
        for proxy in self.network.proxies:
            proxy.clear()
        for readers in (*self._readers, self._auditor):
            readers.hurry()
        await self.ground.whole()
        for publisher in self._publishers:
            await publisher.published(PATIENCE)
        self._auditor.everything()
        for topic in TOPICS:
            await self._publishers[2].publish_surely(topic, PATIENCE)
        places = self._last_places()
        everybody = (*self._readers, self._auditor)
        await asyncio.gather(*(readers.caught_up(places, PATIENCE) for readers in everybody))
        await self.ground.audit(self.history, self._publishers[2].epoch)
        self.history.add(Settled(at=self.history.now()))

    def _last_places(self) -> dict[str, tuple[str, int]]:
        """The place of the last event of each topic."""
        truth = Truth(self.history.records)
        log = truth.log(self._publishers[2].epoch)
        return {stored.topic: (stored.epoch, stored.seq) for stored in log}
