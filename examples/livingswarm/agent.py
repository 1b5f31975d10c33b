"""An agent of the swarm: registers, does tasks, reports how it is, has a vote, and rests now and then."""

from __future__ import annotations

import asyncio
import itertools
import random

from msgspec import Struct

from swarmwire import ClaimedTask, Client, TaskLost, Will, connect
from swarmwire_channels import AgentChannel, SwarmChannel

from .ballot import take_part
from .vitals import Vitals
from .work import QUEUES, do

__all__ = ["Agent", "Character"]

REST_SECONDS = (4.0, 12.0)


class Character(Struct, frozen=True, kw_only=True):
    """Who an agent is: `swarm` and `role` there, and the `url` it connects to.

    `pause` are the seconds between two of its reports, `shift` the fewest and the most that it stays.
    """

    id: str
    swarm: str
    role: str
    url: str
    pause: float
    shift: tuple[float, float]


class Agent:
    """Lives until it is cancelled."""

    def __init__(self, character: Character) -> None:
        self._who = character
        self._vitals = Vitals()

    async def live(self) -> None:
        """Work in shifts, for ever."""
        while True:
            await self._shift()
            await asyncio.sleep(random.uniform(*REST_SECONDS))

    async def _shift(self) -> None:
        who = self._who
        will = Will(f"agent.{who.id}.status", {"agentId": who.id, "status": "offline", "message": "vanished"})
        async with (
            connect(who.url, name=who.id) as client,
            client.registry.register(who.id, kind="agent", id=who.id, capabilities=QUEUES, will=will),
        ):
            agents, swarm = AgentChannel(client), SwarmChannel(client)
            await agents.started(who.id, metadata={"role": who.role, "swarm": who.swarm})
            await swarm.joined(who.swarm, who.id, who.role)
            try:
                async with asyncio.timeout(random.uniform(*who.shift)), asyncio.TaskGroup() as group:
                    group.create_task(self._work(client, agents))
                    group.create_task(self._report(agents))
                    group.create_task(take_part(swarm, who.swarm, who.id))
            except TimeoutError:  # the end of the shift
                await swarm.left(who.swarm, who.id, "its shift is over")
                await agents.status(who.id, "offline", "resting")
                await agents.stopped(who.id, "its shift is over")

    async def _work(self, client: Client, agents: AgentChannel) -> None:
        while True:
            self._vitals.rest()
            await agents.status(self._who.id, "idle")
            try:
                async with client.tasks.claim(*random.sample(QUEUES, len(QUEUES)), worker=self._who.id) as task:
                    assert task is not None, "it waits for ever"
                    await self._try(task, agents)
            except TaskLost as lost:
                await agents.log(self._who.id, "info", f"another has the task: {lost.code}")

    async def _try(self, task: ClaimedTask, agents: AgentChannel) -> None:
        self._vitals.begin()
        await agents.status(self._who.id, "busy", f"{task.type} of {task.payload['module']}")
        try:
            await do(task)
        except Exception as error:  # whatever it is, it is the end of this task and of nothing else
            self._vitals.fail()
            await agents.status(self._who.id, "error", str(error))
            await agents.log(self._who.id, "warn", f"{task.id}: {error}")
            raise
        self._vitals.succeed()

    async def _report(self, agents: AgentChannel) -> None:
        """Say how it is, each time in another of its ways."""
        id = self._who.id
        for turn in itertools.count(random.randrange(8)):
            await asyncio.sleep(self._who.pause * random.uniform(0.5, 1.5))
            match turn % 8:
                case 3 | 6:
                    await agents.metrics(id, self._vitals.metrics(), ack=False)
                case 7:
                    await agents.log(id, "debug", self._vitals.sentence(), ack=False)
                case _:
                    await agents.health(id, self._vitals.healthy, self._vitals.health(), ack=False)
