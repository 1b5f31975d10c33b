from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest

from swarmwire_channels import (
    Consensus,
    SwarmChannel,
    TaskCancelled,
    TaskChannel,
    TaskCompleted,
    TaskFailed,
    TaskOutcome,
)
from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from .memory import MemoryPubSub

T = TypeVar("T")
TASK_ID = "build 1.2/ü"


async def waiting(pubsub: MemoryPubSub, wait: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """The wait as a task that has subscribed."""
    pubsub.subscribed.clear()
    task = asyncio.create_task(wait)
    async with asyncio.timeout(5):
        await pubsub.subscribed.wait()
    return task


async def consensus(pubsub: MemoryPubSub, stage: str, proposal: str = "p.1") -> None:
    """What a service of the broker would publish."""
    topic = f"swarm.s1.consensus.{proposal.replace('.', '%2E')}"
    await pubsub.publish(topic, {"swarmId": "s1", "proposalId": proposal, "type": stage})


async def test_an_earlier_completion_is_found(pubsub: MemoryPubSub) -> None:
    tasks = TaskChannel(pubsub)
    await tasks.completed(TASK_ID, {"lines": 3})
    await tasks.message(TASK_ID, "bye")
    outcome = await tasks.wait_for_completion(TASK_ID, 5)
    assert isinstance(outcome, TaskCompleted)
    assert outcome.result == {"lines": 3}


async def test_a_completion_still_to_come_is_waited_for(pubsub: MemoryPubSub) -> None:
    tasks = TaskChannel(pubsub)
    wait = await waiting(pubsub, tasks.wait_for_completion(TASK_ID, 5))
    await tasks.progress(TASK_ID, 99)
    await tasks.completed("another task")
    await tasks.completed(TASK_ID, 1)
    assert (await wait).result == 1


@pytest.mark.parametrize("end", ["completed", "failed", "cancelled"])
async def test_every_end_of_a_task_is_an_end(pubsub: MemoryPubSub, end: str) -> None:
    tasks = TaskChannel(pubsub)
    match end:
        case "completed":
            await tasks.completed("t1")
        case "failed":
            await tasks.failed("t1", ValueError("bad"))
        case _:
            await tasks.cancelled("t1", "enough")
    outcome: TaskOutcome = await tasks.wait_for_completion("t1", 5)
    assert outcome.status == end
    kinds = {"completed": TaskCompleted, "failed": TaskFailed, "cancelled": TaskCancelled}
    assert type(outcome) is kinds[end]


@pytest.mark.parametrize("timeout", [0, 0.01])
async def test_a_wait_that_is_too_short_names_the_task(pubsub: MemoryPubSub, timeout: float) -> None:
    with pytest.raises(TimeoutError, match=r"the end of task 'build 1\.2/ü'"):
        await TaskChannel(pubsub).wait_for_completion(TASK_ID, timeout)
    assert not pubsub.open_streams


async def test_a_timeout_of_zero_takes_an_answer_that_is_at_hand(pubsub: MemoryPubSub) -> None:
    tasks = TaskChannel(pubsub)
    await tasks.completed("t1", 7)
    assert (await tasks.wait_for_completion("t1", 0)).result == 7


async def test_a_wait_leaves_no_subscription_behind(pubsub: MemoryPubSub) -> None:
    tasks = TaskChannel(pubsub)
    await tasks.completed("t1")
    await tasks.wait_for_completion("t1", 5)
    abandoned = await waiting(pubsub, tasks.wait_for_completion("t2"))
    abandoned.cancel()
    await asyncio.wait([abandoned])
    assert len(pubsub.streams) == 2
    assert not pubsub.open_streams


async def test_a_wait_fails_when_the_client_disconnects(pubsub: MemoryPubSub) -> None:
    wait = await waiting(pubsub, TaskChannel(pubsub).wait_for_completion("t1"))
    pubsub.disconnect()
    with pytest.raises(SwarmwireError, match="the end of task 't1'") as caught:
        await wait
    assert caught.value.code is ErrorCode.UNAVAILABLE


async def test_a_wait_fails_with_the_error_of_a_connection_lost_for_good(pubsub: MemoryPubSub) -> None:
    wait = await waiting(pubsub, TaskChannel(pubsub).wait_for_completion("t1"))
    lost = SwarmwireError(ErrorCode.AUTHENTICATION_FAILED)
    pubsub.disconnect(lost)
    with pytest.raises(SwarmwireError) as caught:
        await wait
    assert caught.value is lost


async def test_a_refused_subscription_fails_the_wait(pubsub: MemoryPubSub) -> None:
    pubsub.refusal = SwarmwireError(ErrorCode.PERMISSION_DENIED)
    with pytest.raises(SwarmwireError, match="PERMISSION_DENIED"):
        await TaskChannel(pubsub).wait_for_completion("t1", 5)


async def test_other_malformed_events_of_the_task_do_not_disturb_a_wait(pubsub: MemoryPubSub) -> None:
    tasks = TaskChannel(pubsub)
    await pubsub.publish("task.t1.progress", "garbage")
    await tasks.completed("t1", 1)
    assert (await tasks.wait_for_completion("t1", 5)).result == 1


async def test_an_end_that_cannot_be_read_fails_the_wait_instead_of_hanging(pubsub: MemoryPubSub) -> None:
    await pubsub.publish("task.t1.failed", {"taskId": "t1", "error": "a plain text"})
    with pytest.raises(SwarmwireError) as caught:
        await TaskChannel(pubsub).wait_for_completion("t1")
    assert (caught.value.code, caught.value.field) == (ErrorCode.INVALID_MESSAGE, "data.error")


async def test_a_resumed_task_is_waited_for_from_its_resumption(pubsub: MemoryPubSub) -> None:
    tasks = TaskChannel(pubsub)
    await tasks.cancelled("t1")
    await tasks.resumed("t1")
    wait = await waiting(pubsub, tasks.wait_for_completion("t1", 5, from_={"cursor": pubsub.log[-1].cursor}))
    await tasks.completed("t1")
    assert isinstance(await wait, TaskCompleted)


# ---- Consensus


@pytest.mark.parametrize("stage", ["accepted", "rejected"])
async def test_an_earlier_consensus_is_found(pubsub: MemoryPubSub, stage: str) -> None:
    await consensus(pubsub, "proposed")
    await consensus(pubsub, stage)
    answer = await SwarmChannel(pubsub).wait_for_consensus("s1", "p.1", 5)
    assert isinstance(answer, Consensus)
    assert answer.type == stage


async def test_a_consensus_still_to_come_is_waited_for(pubsub: MemoryPubSub) -> None:
    swarm = SwarmChannel(pubsub)
    await consensus(pubsub, "proposed")
    wait = await waiting(pubsub, swarm.wait_for_consensus("s1", "p.1", 5))
    await swarm.joined("s1", "a1")
    await consensus(pubsub, "voting")
    await consensus(pubsub, "rejected", proposal="p.2")
    await consensus(pubsub, "accepted")
    assert (await wait).type == "accepted"


async def test_a_consensus_that_does_not_come_names_the_proposal(pubsub: MemoryPubSub) -> None:
    await consensus(pubsub, "voting")
    with pytest.raises(TimeoutError, match=r"proposal 'p\.1' of swarm 's1'"):
        await SwarmChannel(pubsub).wait_for_consensus("s1", "p.1", 0)


@pytest.mark.parametrize("stage", ["decided", "undecided"])
async def test_the_end_of_a_decision_is_found_and_waited_for(pubsub: MemoryPubSub, stage: str) -> None:
    swarm = SwarmChannel(pubsub)
    wait = await waiting(pubsub, swarm.wait_for_decision("s1", "d1", 5))
    data = {"swarmId": "s1", "decisionId": "d1", "question": "?", "options": ["x"]}
    await pubsub.publish("swarm.s1.decision.d1", data)
    await pubsub.publish("swarm.s1.decision.d1", {**data, "type": stage})
    assert (await wait).type == stage
    assert (await swarm.wait_for_decision("s1", "d1", 5)).type == stage


async def test_a_decision_that_does_not_come_is_named(pubsub: MemoryPubSub) -> None:
    with pytest.raises(TimeoutError, match=r"decision 'd\.1' of swarm 's1'"):
        await SwarmChannel(pubsub).wait_for_decision("s1", "d.1", 0)


async def test_a_wait_for_consensus_fails_when_the_client_disconnects(pubsub: MemoryPubSub) -> None:
    wait = await waiting(pubsub, SwarmChannel(pubsub).wait_for_consensus("s1", "p1"))
    pubsub.disconnect()
    with pytest.raises(SwarmwireError, match="the consensus on proposal 'p1'") as caught:
        await wait
    assert caught.value.code is ErrorCode.UNAVAILABLE
