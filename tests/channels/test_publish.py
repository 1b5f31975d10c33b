from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from swarmwire_channels import (
    AgentChannel,
    Consensus,
    Decision,
    DecisionChoice,
    Fault,
    HealthMetrics,
    SwarmChannel,
    SwarmCondition,
    SwarmRecord,
    TaskChannel,
    TaskProgress,
    Vote,
    WorkMetrics,
)
from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from .memory import MemoryPubSub

Publish = Callable[[MemoryPubSub], Awaitable[Any]]

CONDITION = SwarmCondition(topology="mesh", agent_count=2, active_agents=1, queue_size=0, health_score=50)

# What is called, the topic it publishes on, and the data but for id and timestamp.
CALLS: list[tuple[Publish, str, dict[str, Any]]] = [
    (lambda p: AgentChannel(p).status("x", "busy", "hm"), "agent.x.status", {"status": "busy", "message": "hm"}),
    (lambda p: AgentChannel(p).health("x", True), "agent.x.health", {"healthy": True, "metrics": {}}),
    (
        lambda p: AgentChannel(p).health("x", False, HealthMetrics(tasks_completed=0)),
        "agent.x.health",
        {"healthy": False, "metrics": {"tasksCompleted": 0}},
    ),
    (
        lambda p: AgentChannel(p).metrics("x", WorkMetrics(queue_size=0, error_rate=0.5)),
        "agent.x.metrics",
        {"metrics": {"queueSize": 0, "errorRate": 0.5}},
    ),
    (
        lambda p: AgentChannel(p).log("x", "warn", "hot", {"core": 3}),
        "agent.x.log",
        {"level": "warn", "message": "hot", "context": {"core": 3}},
    ),
    (lambda p: AgentChannel(p).started("x", {"pid": 3}), "agent.x.started", {"metadata": {"pid": 3}}),
    (lambda p: AgentChannel(p).stopped("x", "done"), "agent.x.stopped", {"reason": "done"}),
    (
        lambda p: AgentChannel(p).error("x", ValueError("bad")),
        "agent.x.error",
        {"error": {"message": "bad", "code": "ValueError"}},
    ),
    (
        lambda p: TaskChannel(p).created("x", "build", 2, agent_id="a"),
        "task.x.created",
        {"type": "build", "priority": 2, "agentId": "a"},
    ),
    (lambda p: TaskChannel(p).assigned("x", "a"), "task.x.assigned", {"agentId": "a"}),
    (lambda p: TaskChannel(p).started("x"), "task.x.started", {}),
    (
        lambda p: TaskChannel(p).progress("x", 0, "parsing"),
        "task.x.progress",
        {"progress": 0, "status": "in-progress", "message": "parsing"},
    ),
    (
        lambda p: TaskChannel(p).message("x", "hi", [1], sender="me"),
        "task.x.message",
        {"message": "hi", "data": [1], "sender": "me"},
    ),
    (
        lambda p: TaskChannel(p).error("x", Fault(message="late", recoverable=True)),
        "task.x.error",
        {"error": {"message": "late", "recoverable": True}},
    ),
    (
        lambda p: TaskChannel(p).retrying("x", 2, 0, "late"),
        "task.x.retrying",
        {"attempt": 2, "delay": 0, "error": {"message": "late"}},
    ),
    (
        lambda p: TaskChannel(p).completed("x", {"n": 1}, duration=5),
        "task.x.completed",
        {"status": "completed", "result": {"n": 1}, "duration": 5},
    ),
    (
        lambda p: TaskChannel(p).failed("x", "broken"),
        "task.x.failed",
        {"status": "failed", "error": {"message": "broken"}},
    ),
    (
        lambda p: TaskChannel(p).cancelled("x", "enough"),
        "task.x.cancelled",
        {"status": "cancelled", "reason": "enough"},
    ),
    (lambda p: TaskChannel(p).closed("x"), "task.x.closed", {}),
    (lambda p: TaskChannel(p).resumed("x", "a"), "task.x.resumed", {"agentId": "a"}),
    (
        lambda p: SwarmChannel(p).topology("x", "mesh", "adaptive", "faster"),
        "swarm.x.topology",
        {"newTopology": "mesh", "oldTopology": "adaptive", "reason": "faster"},
    ),
    (lambda p: SwarmChannel(p).joined("x", "a", "scout"), "swarm.x.agent-joined", {"agentId": "a", "role": "scout"}),
    (lambda p: SwarmChannel(p).left("x", "a"), "swarm.x.agent-left", {"agentId": "a"}),
    (
        lambda p: SwarmChannel(p).initialized("x", "adaptive"),
        "swarm.x.state",
        {
            "state": {
                "topology": "adaptive",
                "agentCount": 0,
                "activeAgents": 0,
                "queueSize": 0,
                "healthScore": 100,
            }
        },
    ),
    (
        lambda p: SwarmChannel(p).state("x", CONDITION),
        "swarm.x.state",
        {
            "state": {
                "topology": "mesh",
                "agentCount": 2,
                "activeAgents": 1,
                "queueSize": 0,
                "healthScore": 50,
            }
        },
    ),
    (
        lambda p: SwarmChannel(p).coordination("x", "workload-balance", {"to": "a"}),
        "swarm.x.coordination",
        {"type": "workload-balance", "data": {"to": "a"}},
    ),
]


@pytest.mark.parametrize(("call", "topic", "data"), CALLS, ids=[topic for _, topic, _ in CALLS])
async def test_a_helper_publishes_one_event_on_one_topic(
    pubsub: MemoryPubSub, call: Publish, topic: str, data: dict[str, Any]
) -> None:
    await call(pubsub)
    [event] = pubsub.log
    published = dict(event.data)
    assert published.pop("timestamp") > 1_600_000_000_000
    assert event.topic == topic
    assert published == {f"{topic.partition('.')[0]}Id": "x", **data}


async def test_every_event_has_a_helper_but_those_of_the_brokers_services() -> None:
    from swarmwire_channels.kinds import KINDS
    from swarmwire_channels.topics import parse_topic

    helped = {(topic.partition(".")[0], place.event) for _, topic, _ in CALLS if (place := parse_topic(topic))}
    assert helped == {
        (kind.name, event) for kind in KINDS.values() for event in kind.events if event not in kind.reserved
    }


async def test_a_helper_gives_back_what_publishing_gave(pubsub: MemoryPubSub) -> None:
    agents = AgentChannel(pubsub)
    assert [await agents.status("a1", "idle"), await agents.status("a1", "busy")] == [1, 2]


async def test_options_of_a_publish_are_handed_on(pubsub: MemoryPubSub) -> None:
    await TaskChannel(pubsub).progress("t1", 3, ephemeral=True, key="k", echo=False)
    assert pubsub.options == [{"ephemeral": True, "key": "k", "echo": False}]


async def test_a_record_out_of_bounds_is_not_published(pubsub: MemoryPubSub) -> None:
    with pytest.raises(SwarmwireError) as caught:
        await TaskChannel(pubsub).progress("t1", 100.5)
    assert (caught.value.code, caught.value.field) == (ErrorCode.INVALID_MESSAGE, "data.progress")
    assert pubsub.log == []


async def test_an_empty_id_is_not_everyone(pubsub: MemoryPubSub) -> None:
    agents = AgentChannel(pubsub)
    with pytest.raises(SwarmwireError, match="INVALID_TOPIC"):
        await agents.status("", "idle")
    with pytest.raises(SwarmwireError, match="INVALID_TOPIC"):
        agents.watch("")


async def test_a_record_of_another_channel_is_refused(pubsub: MemoryPubSub) -> None:
    stray: Any = TaskProgress(task_id="t1", progress=1)
    with pytest.raises(SwarmwireError, match="Expected a record of agent; got TaskProgress"):
        await AgentChannel(pubsub).publish(stray)


@pytest.mark.parametrize(
    "forged",
    [
        Consensus(swarm_id="s1", proposal_id="p1", type="accepted"),
        Vote(swarm_id="s1", proposal_id="p1", voter="a", vote="yes"),
        Decision(swarm_id="s1", decision_id="d1", question="?", options=[]),
        DecisionChoice(swarm_id="s1", decision_id="d1", voter="a", option="x"),
    ],
)
async def test_what_a_vote_came_to_cannot_be_forged(pubsub: MemoryPubSub, forged: SwarmRecord) -> None:
    with pytest.raises(SwarmwireError) as caught:
        await SwarmChannel(pubsub).publish(forged)
    assert caught.value.code is ErrorCode.PERMISSION_DENIED
    assert pubsub.log == []
