from __future__ import annotations

import logging
from typing import Any

import pytest
from hypothesis import given

from swarmwire_channels import (
    AgentChannel,
    AgentHealth,
    AgentRecord,
    AgentStatus,
    Change,
    Changes,
    Consensus,
    Event,
    SwarmChannel,
    TaskChannel,
    TaskProgress,
    Vote,
    read_change,
)
from swarmwire_channels.record import Record
from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from .memory import MemoryEvent, MemoryPubSub
from .strategies import ids


async def taken(changes: Changes[Any], count: int) -> list[Change[Any]]:
    """The next changes, and no wait for one more."""
    return [await anext(changes) for _ in range(count)]


def summary(changes: list[Change[Any]]) -> list[tuple[str, str]]:
    return [(change.id, change.event) for change in changes]


async def busy_agents(pubsub: MemoryPubSub) -> AgentChannel:
    agents = AgentChannel(pubsub)
    await agents.started("a1")
    await agents.status("a1", "busy")
    await agents.status("a.2", "idle")
    await agents.health("a1", True)
    return agents


async def test_all_agents_are_watched_in_order(pubsub: MemoryPubSub) -> None:
    agents = await busy_agents(pubsub)
    changes = await taken(agents.watch(from_="start"), 4)
    assert summary(changes) == [("a1", "started"), ("a1", "status"), ("a.2", "status"), ("a1", "health")]
    assert [change.raw.seq for change in changes] == [1, 2, 3, 4]


async def test_one_agent_is_watched(pubsub: MemoryPubSub) -> None:
    agents = await busy_agents(pubsub)
    assert summary(await taken(agents.watch("a.2", from_="start"), 1)) == [("a.2", "status")]
    assert pubsub.streams[-1].pattern == "agent.a%2E2.*"


async def test_one_event_is_watched_by_its_own_pattern(pubsub: MemoryPubSub) -> None:
    agents = await busy_agents(pubsub)
    changes = await taken(agents.watch(events=["status"], from_="start"), 2)
    assert summary(changes) == [("a1", "status"), ("a.2", "status")]
    assert pubsub.streams[-1].pattern == "agent.*.status"


async def test_several_events_are_watched_in_their_common_order(pubsub: MemoryPubSub) -> None:
    agents = await busy_agents(pubsub)
    changes = await taken(agents.watch("a1", events=["health", "started"], from_="start"), 2)
    assert summary(changes) == [("a1", "started"), ("a1", "health")]
    assert len(pubsub.streams) == 1


async def test_a_change_has_the_record_and_the_event_as_it_came(pubsub: MemoryPubSub) -> None:
    agents = AgentChannel(pubsub)
    changes = await agents.watch()
    await agents.status("a b", "busy")
    change = await anext(changes)
    assert change.topic == "agent.a%20b.status"
    assert (change.raw.sender, change.raw.cursor) == ("somebody", "test:1")
    match change.record:
        case AgentStatus(agent_id=agent_id, status=status):
            assert (agent_id, status) == ("a b", "busy")
        case other:
            pytest.fail(f"not a status: {other}")


async def test_a_watch_begins_now_unless_told(pubsub: MemoryPubSub) -> None:
    agents = await busy_agents(pubsub)
    changes = await agents.watch()
    await agents.stopped("a1")
    assert summary(await taken(changes, 1)) == [("a1", "stopped")]


async def test_a_watch_goes_on_from_a_cursor(pubsub: MemoryPubSub) -> None:
    agents = await busy_agents(pubsub)
    second = (await taken(agents.watch(from_="start"), 2))[-1]
    assert second.raw.cursor is not None
    changes = agents.watch(from_={"cursor": second.raw.cursor})
    assert summary(await taken(changes, 2)) == [("a.2", "status"), ("a1", "health")]


async def test_leaving_a_watch_ends_its_subscription(pubsub: MemoryPubSub) -> None:
    async with AgentChannel(pubsub).watch() as changes:
        assert pubsub.open_streams
    assert not pubsub.open_streams
    assert [change async for change in changes] == []


async def test_a_watch_ends_quietly_when_the_client_disconnects(pubsub: MemoryPubSub) -> None:
    agents = await busy_agents(pubsub)
    changes = agents.watch(from_="start")
    pubsub.disconnect()
    assert len([change async for change in changes]) == 4


async def test_a_watch_raises_when_the_connection_is_lost_for_good(pubsub: MemoryPubSub) -> None:
    changes = AgentChannel(pubsub).watch()
    pubsub.disconnect(SwarmwireError(ErrorCode.AUTHENTICATION_FAILED))
    with pytest.raises(SwarmwireError, match="AUTHENTICATION_FAILED"):
        await anext(changes)


async def test_a_refused_subscription_raises_from_either_form(pubsub: MemoryPubSub) -> None:
    pubsub.refusal = SwarmwireError(ErrorCode.PERMISSION_DENIED)
    with pytest.raises(SwarmwireError, match="PERMISSION_DENIED"):
        await AgentChannel(pubsub).watch()
    with pytest.raises(SwarmwireError, match="PERMISSION_DENIED"):
        await anext(AgentChannel(pubsub).watch())


@pytest.mark.parametrize("events", [["logs"], ["status", "*"], []])
async def test_events_that_do_not_exist_are_refused_at_once(pubsub: MemoryPubSub, events: list[str]) -> None:
    with pytest.raises(SwarmwireError, match="INVALID_TOPIC"):
        AgentChannel(pubsub).watch(events=events)
    assert pubsub.streams == []


async def test_a_proposal_is_watched_apart_from_the_others(pubsub: MemoryPubSub) -> None:
    swarm = SwarmChannel(pubsub)
    for id, topic, vote in [("p.1", "p%2E1", "yes"), ("p.2", "p%2E2", "no")]:
        data = {"swarmId": "s1", "proposalId": id, "voter": "a1", "vote": vote}
        await pubsub.publish(f"swarm.s1.vote.{topic}", data)
    await pubsub.publish("swarm.s1.consensus.p%2E1", {"swarmId": "s1", "proposalId": "p.1", "type": "voting"})
    await pubsub.publish(
        "swarm.s1.decision.p%2E1", {"swarmId": "s1", "decisionId": "p.1", "question": "?", "options": []}
    )
    changes = swarm.watch("s1", events=["vote", "consensus"], item_id="p.1", from_="start")
    first, consensus = [change.record for change in await taken(changes, 2)]
    assert isinstance(first, Vote)
    assert isinstance(consensus, Consensus)
    assert (first.proposal_id, first.vote, consensus.type) == ("p.1", "yes", "voting")
    everything = await taken(swarm.watch("s1", from_="start"), 4)
    assert [change.event for change in everything] == ["vote", "vote", "consensus", "decision"]


# ---- What cannot be read


async def test_an_event_of_a_later_version_is_passed_over(pubsub: MemoryPubSub) -> None:
    agents = AgentChannel(pubsub)
    problems: list[Exception] = []
    changes = agents.watch("a1", on_error=lambda error, event: problems.append(error), from_="start")
    await pubsub.publish("agent.a1.later-invention", {"agentId": "a1"})
    await agents.started("a1")
    stream = pubsub.streams[0]
    for event in pubsub.log:
        stream.put(event)
    assert summary(await taken(changes, 1)) == [("a1", "started")]
    assert problems == []


async def test_a_malformed_event_goes_to_the_error_path_and_the_watch_goes_on(pubsub: MemoryPubSub) -> None:
    tasks = TaskChannel(pubsub)
    problems: list[tuple[Exception, Event | None]] = []
    await tasks.progress("t1", 10)
    await pubsub.publish("task.t1.progress", {"taskId": "t1", "progress": "much"})
    await tasks.progress("t1", 20)
    watch = tasks.watch(from_="start", on_error=lambda error, event: problems.append((error, event)))
    records = [change.record for change in await taken(watch, 2)]
    assert [record.progress for record in records if isinstance(record, TaskProgress)] == [10, 20]
    [(error, event)] = problems
    assert isinstance(error, SwarmwireError)
    assert (error.code, error.field) == (ErrorCode.INVALID_MESSAGE, "data.progress")
    assert event is pubsub.log[1]


async def test_an_error_path_that_fails_itself_does_not_stop_the_watch(
    pubsub: MemoryPubSub, caplog: pytest.LogCaptureFixture
) -> None:
    def failing(error: Exception, event: Event | None) -> None:
        raise RuntimeError("no more")

    tasks = TaskChannel(pubsub)
    await pubsub.publish("task.t1.progress", None)
    await tasks.started("t1")
    changes = tasks.watch(from_="start", on_error=failing)
    assert summary(await taken(changes, 1)) == [("t1", "started")]
    assert "on_error failed" in caplog.text


async def test_without_an_error_path_a_malformed_event_is_logged(
    pubsub: MemoryPubSub, caplog: pytest.LogCaptureFixture
) -> None:
    tasks = TaskChannel(pubsub)
    await pubsub.publish("task.t1.progress", {"taskId": "t1"})
    await tasks.started("t1")
    with caplog.at_level(logging.WARNING, "swarmwire.channels"):
        await taken(tasks.watch(from_="start"), 1)
    [entry] = caplog.records
    assert (entry.name, entry.levelname) == ("swarmwire.channels", "WARNING")
    assert "task.t1.progress" in entry.getMessage()


@given(ids, ids)
def test_a_payload_cannot_speak_for_another_id(id: str, claimed: str) -> None:
    from swarmwire_channels import agent_topic

    event = MemoryEvent(agent_topic(id, "started"), {"agentId": claimed}, 1)
    if id == claimed:
        change = read_change(event)
        assert change is not None
        assert change.id == id
        return
    with pytest.raises(SwarmwireError) as caught:
        read_change(event)
    assert caught.value.field == "data.agentId"


def test_a_vote_cannot_speak_for_another_proposal() -> None:
    data = {"swarmId": "s1", "proposalId": "p2", "voter": "a1", "vote": "yes"}
    with pytest.raises(SwarmwireError) as caught:
        read_change(MemoryEvent("swarm.s1.vote.p1", data, 1))
    assert caught.value.field == "data.proposalId"


def test_data_that_is_decoded_late_and_cannot_be_is_a_named_error() -> None:
    class Late(MemoryEvent):
        def __getattribute__(self, name: str) -> Any:
            if name == "data":
                raise ValueError("not JSON")
            return super().__getattribute__(name)

    with pytest.raises(SwarmwireError) as caught:
        read_change(Late("agent.a1.started", None, 1))
    assert (caught.value.code, caught.value.field) == (ErrorCode.INVALID_MESSAGE, "data")


def test_records_can_be_told_apart_by_type_checkers() -> None:
    def describe(record: AgentRecord) -> str:
        match record:
            case AgentHealth(healthy=False):
                return "ill"
            case Record(timestamp=timestamp):
                return f"at {timestamp}"

    assert describe(AgentHealth(agent_id="a1", healthy=False)) == "ill"
    assert describe(AgentStatus(agent_id="a1", status="idle", timestamp=3)) == "at 3"
