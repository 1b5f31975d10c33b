"""Brokers of one process that are a cluster: one log, one state, a bus in memory, an election that a test decides."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from swarmwire_broker.broker import Broker
from swarmwire_broker.cluster.cluster import Cluster
from swarmwire_broker.cluster.guarding import Changed
from swarmwire_broker.core.hub import Hub
from swarmwire_broker.core.ports import Authenticator
from swarmwire_broker.core.settings import Limits, Rates
from swarmwire_broker.engines.base import Draft, Entry, Put, Stored
from swarmwire_broker.engines.memory import MemoryEngine
from swarmwire_broker.services.leases import Deaths
from swarmwire_broker.services.services import Services
from swarmwire_protocol.codec import encode
from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from ..services.callers import Caller, MovableClock, a_moment
from .membus import MemoryBus, MemoryHub

__all__ = ["Handler", "Node", "SharedEngine", "Town", "town"]


class SharedEngine(MemoryEngine):
    """The log and the state of all brokers; each has an `End` of it."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        super().__init__(now_ms=now_ms)
        self.ends: list[End] = []
        self.listener = self._shown
        self.watchers: list[tuple[str, Changed]] = []
        self.writer: End | None = None

    def _shown(self, entry: Entry) -> None:
        for end in self.ends:
            end.listener(entry)


class End:
    """The engine as one broker has it."""

    def __init__(self, shared: SharedEngine) -> None:
        self.shared = shared
        self.listener: Callable[[Entry], None] = lambda entry: None
        self.relieved: Callable[[], None] = lambda: None
        self.on_deposed: Callable[[], None] = lambda: None
        shared.ends.append(self)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.shared, name)

    async def transact(self, puts: Sequence[Put], appends: Sequence[Draft] = ()) -> int:
        if self.shared.writer is not self:
            raise SwarmwireError(ErrorCode.UNAVAILABLE, "Another broker writes.", retry_after_ms=1_000)
        revision = await self.shared.transact(puts, appends)
        for put in puts:
            stored = None if put.value is None else Stored(put.value, revision)
            for prefix, changed in list(self.shared.watchers):
                if put.key.startswith(prefix):
                    changed(put.key, stored)
        return revision

    async def seize(self) -> None:
        former, self.shared.writer = self.shared.writer, self
        if former is not None and former is not self:
            former.on_deposed()

    async def watch(self, prefix: str, changed: Changed) -> Callable[[], None]:
        for key, stored in await self.shared.scan(prefix):
            changed(key, stored)
        watcher = (prefix, changed)
        self.shared.watchers.append(watcher)
        return lambda: self.shared.watchers.remove(watcher)


class FakeElection:
    """One broker's view of who the coordinator is, as the test says."""

    def __init__(self, id: str) -> None:
        self.id = id
        self.coordinator: str | None = None
        self.resigned = 0
        self._callbacks: list[Callable[[], None]] = []

    @property
    def is_coordinator(self) -> bool:
        return self.coordinator == self.id

    def on_change(self, callback: Callable[[], None]) -> Callable[[], None]:
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback) if callback in self._callbacks else None

    def set(self, coordinator: str | None) -> None:
        self.coordinator = coordinator
        for callback in list(self._callbacks):
            callback()

    async def start(self) -> None:
        """The test decides."""

    async def resign(self) -> None:
        self.resigned += 1

    async def close(self) -> None:
        if self.is_coordinator:
            self.set(None)


class Handler(Caller):
    """A client that handles methods, and answers when a test says so.

    Attributes:
        asked: the calls that it was handed, in order.
        cancelled: the ids of those that nobody waits for any more.
    """

    def __init__(self, hub: Hub, **more: Any) -> None:
        self.asked: list[dict[str, Any]] = []
        self.cancelled: list[str] = []
        super().__init__(hub, **more)

    def _heard(self, message: dict[str, Any]) -> None:
        match message["type"]:
            case "call":
                self.asked.append(message)
            case "cancel":
                self.cancelled.append(message["id"])
            case _:
                super()._heard(message)

    def reply(self, data: Any, *, index: int = -1, **more: Any) -> None:
        """Answer one of the calls, the last one if not another."""
        self.session.receive(encode({"type": "reply", "id": self.asked[index]["id"], "data": data, **more}))

    def refuse(self, code: str, message: str = "no", *, index: int = -1) -> None:
        """Answer one of the calls by an error."""
        error = {"type": "error", "id": self.asked[index]["id"], "code": code, "message": message}
        self.session.receive(encode(error))


class Node:
    """One broker."""

    def __init__(
        self, shared: SharedEngine, way: MemoryHub, clock: MovableClock, control: Any, **settings: Any
    ) -> None:
        self.clock = clock
        self.engine: Any = End(shared)
        self.hub = Hub(self.engine, clock, **settings)
        self.id = self.hub.info.id
        self.bus = MemoryBus(way)
        self.election = FakeElection(self.id)

        def services(deaths: Deaths) -> Services:
            return Services(self.hub, control, deaths)

        self.cluster = Cluster(self.hub, services, self.bus, self.election, self.engine, patience=0)

    def caller(self, instance: str | None = None, **more: Any) -> Caller:
        """A client that is connected here."""
        return Caller(self.hub, instance, **more)

    async def handler(self, *methods: str) -> Handler:
        """A client that handles these methods, and is known everywhere."""
        handler = Handler(self.hub)
        await handler.call("rpc.register", methods=list(methods))
        await self.clock.advance(0.01)
        return handler

    async def close(self) -> None:
        await self.cluster.close()
        self.cluster.services.close()
        self.hub.close()
        for session in list(self.hub.sessions.values()):
            session.lost()

    def kill(self) -> None:
        """It is gone without a word, as far as the others can tell."""
        self.bus.is_cut = True


class Town:
    """All brokers, and time."""

    def __init__(self, nodes: list[Node], clock: MovableClock, way: MemoryHub) -> None:
        self.nodes = nodes
        self.clock = clock
        self.way = way

    def __getitem__(self, index: int) -> Node:
        return self.nodes[index]

    async def elect(self, node: Node | None, *, but: Sequence[Node] = ()) -> None:
        """Let all brokers hear who is elected, but for some."""
        for one in self.nodes:
            if one not in but:
                one.election.set(None if node is None else node.id)
        await a_moment()

    async def advance(self, seconds: float) -> None:
        await self.clock.advance(seconds)


class _Clock(MovableClock):
    failures: list[BaseException]

    def __init__(self) -> None:
        super().__init__()
        self.failures = []

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.failures.append(error)


@asynccontextmanager
async def town(
    count: int = 2,
    *,
    limits: Limits | None = None,
    rates: Rates | None = None,
    authenticator: Authenticator | None = None,
    max_bytes: int = 1024 * 1024,
) -> AsyncGenerator[Town]:
    """So many brokers that know each other; the first of them is the coordinator."""
    clock = _Clock()
    shared, way, control = SharedEngine(clock.now_ms), MemoryHub(max_bytes), Broker().control
    nodes = [
        Node(shared, way, clock, control, limits=limits, rates=rates, authenticator=authenticator) for _ in range(count)
    ]
    for node in nodes:
        await node.cluster.start()
    await a_moment()
    found = Town(nodes, clock, way)
    await found.elect(nodes[0])
    await found.advance(0.01)
    try:
        yield found
    finally:
        for node in nodes:
            await node.close()
        await clock.close()
    assert clock.failures == []
