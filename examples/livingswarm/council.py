"""What moves a swarm: how it is wired, who is in it, what it shares out, and what it votes on."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Awaitable, Callable

from msgspec import Struct

from swarmwire import Client, connect
from swarmwire_channels import CoordinationType, Quorum, SwarmChannel, SwarmCondition, Threshold, Topology

from .house import Place

__all__ = ["SWARMS", "Council", "Swarm"]


class Swarm(Struct, frozen=True):
    """A swarm by its name, and how it is wired in the course of time."""

    id: str
    topologies: tuple[Topology, ...]


SWARMS = (
    Swarm("hive", ("hierarchical-mesh", "hierarchical", "adaptive")),
    Swarm("scouts", ("mesh", "adaptive")),
)

PROPOSALS = (
    ("deploy", {"version": "v2", "to": "staging"}),
    ("concurrency", {"from": 2, "to": 4}),
    ("retire", {"what": "the old index"}),
    ("freeze", {"releases": "until Monday"}),
)
QUESTIONS = (
    ("model", "Which model shall review?", ("small", "medium", "large")),
    ("order", "What comes first?", ("speed", "memory", "tests")),
    ("cache", "Where is the cache to live?", ("in memory", "on disk")),
)
QUORUMS: tuple[Quorum, ...] = ("majority", "two-thirds", Threshold(share=0.4))
ORDERS: tuple[tuple[CoordinationType, object], ...] = (
    ("task-assignment", {"queue": "reviews", "to": "reviewers"}),
    ("workload-balance", {"moved": 3}),
    ("priority-change", {"queue": "builds", "priority": 5}),
    ("resource-allocation", {"memory_mb": 512}),
)
MOST_VOTERS = 9
FIRST_SECONDS = (0.5, 2.0)
"""How long a new council waits for members before it begins."""


class Council:
    """Steers one swarm, by a client of its own."""

    def __init__(self, client: Client, swarm: Swarm) -> None:
        self._client = client
        self._channel = SwarmChannel(client)
        self._id = swarm.id
        self._numbers = itertools.count(1)
        self._topologies = itertools.cycle(swarm.topologies)
        self._topology = next(self._topologies)

    @classmethod
    async def sit(cls, place: Place, swarm: Swarm) -> None:
        """Steer a swarm, for ever."""
        async with connect(place.websocket, name=f"council of {swarm.id}") as client:
            council = cls(client, swarm)
            await council._channel.initialized(swarm.id, council._topology)
            await council._channel.topology(swarm.id, council._topology)
            async with asyncio.TaskGroup() as group:
                group.create_task(_every(2, council._tell_state))
                group.create_task(_every(5, council._coordinate))
                group.create_task(_every(7, council._propose))
                group.create_task(_every(11, council._ask))
                group.create_task(_every(45, council._wire_anew))

    async def _members(self) -> list[str]:
        """The agents that the registry knows, and that belong here."""
        beings = await self._client.registry.list(kind="agent", state="online")
        return [being.id for being in beings if being.id.startswith(f"{self._id}-")]

    async def _tell_state(self) -> None:
        members = await self._members()
        queue = await self._client.call("queue.status")
        condition = SwarmCondition(
            topology=self._topology,
            agent_count=len(members),
            active_agents=min(len(members), queue["running"]),
            queue_size=queue["pending"],
            health_score=max(0, 100 - queue["pending"] / 2),
        )
        await self._channel.state(self._id, condition)

    async def _coordinate(self) -> None:
        type, data = random.choice(ORDERS)
        await self._channel.coordination(self._id, type, data)

    async def _propose(self) -> None:
        """Have some members vote; it is decided as soon as nobody can change it, or in ten seconds."""
        if voters := await self._some_members():
            (name, proposal), quorum = random.choice(PROPOSALS), random.choice(QUORUMS)
            id = f"{name}-{next(self._numbers)}"
            await self._channel.propose(self._id, proposal, proposal_id=id, voters=voters, quorum=quorum, deadline=10)

    async def _ask(self) -> None:
        if voters := await self._some_members():
            (name, question, options) = random.choice(QUESTIONS)
            id = f"{name}-{next(self._numbers)}"
            await self._channel.decide(self._id, question, options, decision_id=id, voters=voters, deadline=10)

    async def _some_members(self) -> list[str]:
        members = await self._members()
        return random.sample(members, min(len(members), MOST_VOTERS))

    async def _wire_anew(self) -> None:
        old, self._topology = self._topology, next(self._topologies)
        if old != self._topology:
            await self._channel.topology(self._id, self._topology, old, "the load has changed")


async def _every(seconds: float, act: Callable[[], Awaitable[None]]) -> None:
    await asyncio.sleep(random.uniform(*FIRST_SECONDS))
    while True:
        await act()
        await asyncio.sleep(seconds * random.uniform(0.7, 1.0))
