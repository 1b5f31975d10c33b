"""A little of everything that the dashboard shows, with names that tests look for."""

from __future__ import annotations

from swarmwire import Client, NoRetry
from swarmwire_channels import AgentChannel, HealthMetrics, SwarmChannel, SwarmCondition, WorkMetrics

__all__ = ["play"]


async def play(client: Client) -> None:
    """Have it all happen, once, in the order in which it stands here."""
    await _agents(client)
    await _tasks(client)
    await _swarm(client)


async def _agents(client: Client) -> None:
    agents = AgentChannel(client)
    await agents.started("ada", metadata={"role": "coder"})
    await agents.health("ada", True, HealthMetrics(cpu=41.5, memory=62.0, tasks_completed=7))
    await agents.metrics("ada", WorkMetrics(response_time=12.5, throughput=3.5))
    await agents.log("ada", "info", "reading the parser")
    await agents.status("ada", "busy", "review of parser.py")
    await agents.health("bob", False, HealthMetrics(cpu=97.0, memory=91.0))
    await agents.status("bob", "error", "out of memory")
    await agents.status("gpt-4.1", "idle")


async def _tasks(client: Client) -> None:
    await client.tasks.submit("compile", {"file": "a.c"}, id="compile-1", queue="builds")
    async with client.tasks.claim("builds", worker="ada") as task:
        assert task is not None
        await task.progress(50, "linking")
        task.result = {"object": "a.o"}
    await client.tasks.submit("lint", {"file": "b.c"}, id="lint-1", queue="checks", max_attempts=1)
    async with client.tasks.claim("checks", worker="bob"):
        raise NoRetry("the linter crashed")  # goes no further: it is the task that fails
    await client.tasks.submit("compile", {"file": "c.c"}, id="compile-2", queue="later", priority=5)


async def _swarm(client: Client) -> None:
    swarm = SwarmChannel(client)
    await swarm.initialized("hive", "mesh")
    await swarm.topology("hive", "hierarchical", "mesh", "the load has grown")
    for member, role in (("ada", "coordinator"), ("bob", "coder"), ("gpt-4.1", "reviewer")):
        await swarm.joined("hive", member, role)
    condition = SwarmCondition(topology="hierarchical", agent_count=3, active_agents=2, queue_size=4, health_score=87)
    await swarm.state("hive", condition)
    await swarm.coordination("hive", "workload-balance", {"moved": 3})
    await swarm.propose("hive", {"deploy": "v2"}, proposal_id="deploy-v2", voters=["ada", "bob", "gpt-4.1"])
    await swarm.vote("hive", "deploy-v2", "yes", "ada")
    await swarm.vote("hive", "deploy-v2", "yes", "bob")
    await swarm.decide("hive", "Which model?", ["small", "large"], decision_id="model", voters=["ada"])
    await swarm.choose("hive", "model", "large", 0.9, "ada")
