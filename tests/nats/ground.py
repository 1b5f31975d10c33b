"""A run of the history checker over NATS: brokers as processes, over one nats-server or three."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from ..history.brokerprocess import Broker
from ..history.faults import Fault
from ..history.history import History
from .audit import audit
from .cluster import NatsCluster
from .faults import faults_of
from .servers import NatsServer, Version, new_space

__all__ = ["Clustered"]

_PATIENCE = 60.0


class Clustered:
    """`brokers` equal brokers over `nodes` nats-servers (1 or 3). `programs` are what some of them run instead."""

    faults: Mapping[str, Fault]

    def __init__(
        self,
        directory: Path,
        settings: Sequence[str],
        files: Mapping[str, str],
        *,
        draw: random.Random,
        brokers: int = 2,
        nodes: int = 1,
        version: Version = Version.NEWEST,
        programs: Sequence[str | None] = (),
    ) -> None:
        self.brokers: list[Broker] = []
        self.cluster = NatsCluster(version) if nodes > 1 else None
        self.server = NatsServer(version) if nodes == 1 else None
        self.space = new_space()
        self.faults = faults_of(self, draw)
        self._stack = AsyncExitStack()
        self._directory, self._settings, self._files = directory, settings, files
        self._count = brokers
        self._programs = programs

    @property
    def servers(self) -> list[NatsServer]:
        if self.cluster is not None:
            return self.cluster.nodes
        return [self.server] if self.server is not None else []

    @property
    def stream(self) -> str:
        """The name of the log."""
        return f"swarmwire_{self.space}_log"

    async def start(self) -> None:
        if self.cluster is not None:
            await self._stack.enter_async_context(self.cluster)
        elif self.server is not None:
            await self._stack.enter_async_context(self.server)
        self.brokers += [self._broker(number) for number in range(self._count)]
        for broker in self.brokers:
            self._stack.push_async_callback(broker.close)
        await asyncio.gather(*(broker.start() for broker in self.brokers))
        await self.whole()

    def _broker(self, number: int) -> Broker:
        place = self._directory / f"broker{number + 1}"
        place.mkdir()
        servers = ",".join(server.url for server in self.servers)
        where = ("--unix", "off", "--name", f"b{number + 1}", "--nats", servers, "--nats-space", self.space)
        program = self._programs[number] if number < len(self._programs) else None
        broker = Broker(place, *where, *self._settings, program=program)
        for name, text in self._files.items():
            broker.file(name, text)
        return broker

    async def close(self) -> None:
        await self._stack.aclose()

    async def whole(self) -> None:
        """Wait until each server has all of the log, and each broker says that it is ready."""
        await self.servers_whole()
        for broker in self.brokers:
            await broker.ready()

    async def servers_whole(self) -> None:
        if self.cluster is not None:
            await self.cluster.ready()
            await self.cluster.whole(self.stream)

    async def audit(self, history: History, epoch: str) -> None:
        await audit(history, [server.url for server in self.servers], self.space, epoch)
